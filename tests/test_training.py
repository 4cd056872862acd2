"""``fit``: the arithmetic against a loop by hand, the randomness, losses that are no number."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from aecore.objectives import squared_error
from aecore.training import NonFiniteLoss
from aecore.training.streams import Streams
from tests.training_case import (
    EXAMPLES,
    Small,
    denoising,
    examples,
    reconstruction,
    same,
    small,
    train,
    weights,
)

# what a step does


def test_it_takes_the_steps_of_a_loop_by_hand():
    """The mean over the batch, once; Adam; each example once an epoch; the last batch is short."""
    seen: list[Tensor] = []

    def watched(model: nn.Module, x: Tensor) -> Tensor:
        seen.append(x.clone())
        return reconstruction(model, x)

    model = small()
    history = train(model, watched, epochs=2)

    by_hand = small()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3, fused=True)
    losses = []
    for batch in seen:
        optimizer.zero_grad()
        mean = squared_error(by_hand(batch), batch).sum() / len(batch)
        mean.backward()
        optimizer.step()
        losses.append(mean.item() * len(batch))
    assert [len(batch) for batch in seen] == [16, 16, 16, 2] * 2
    torch.testing.assert_close(weights(model), weights(by_hand), rtol=0, atol=1e-6)
    expected = [sum(losses[:4]) / EXAMPLES, sum(losses[4:]) / EXAMPLES]
    assert history.train == pytest.approx(expected, rel=1e-6)
    for epoch in (seen[:4], seen[4:]):
        order = torch.cat(epoch)
        assert torch.equal(order.sort(0).values, examples().sort(0).values)
    assert not torch.equal(torch.cat(seen[:4]), torch.cat(seen[4:]))


def test_it_learns_and_leaves_the_model_ready_for_use():
    model = small(dropout=0.1)
    history = train(model, epochs=40, lr=0.02)
    assert history.train[-1] < 0.6 * history.train[0]
    assert not model.training
    assert not any(part.training for part in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not history.interrupted
    assert history.seconds > 0


def test_steps_run_through_the_data_until_their_number_is_reached():
    history = train(small(), steps=10)
    assert history.steps == 10
    assert len(history.train) == 3  # 4 + 4 + 2
    by_epochs = train(small(), epochs=2)
    assert history.train[:2] == by_epochs.train


def test_a_cosine_takes_the_learning_rate_to_zero_over_the_whole_run():
    seen: list[Tensor] = []

    def watched(model: nn.Module, x: Tensor) -> Tensor:
        seen.append(x.clone())
        return reconstruction(model, x)

    model, by_hand = small(), small()
    train(model, watched, steps=10, lr=0.01, schedule="cosine")
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for batch in seen:
        optimizer.zero_grad()
        reconstruction(by_hand, batch).mean().backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(weights(model), weights(by_hand), rtol=0, atol=1e-6)
    as_epochs = small()
    train(as_epochs, epochs=3, lr=0.01, schedule="cosine")
    in_steps = small()
    train(in_steps, steps=12, lr=0.01, schedule="cosine")
    assert same(as_epochs, in_steps)


def test_frozen_parameters_stay():
    model = small()
    model.decoder.requires_grad_(False)
    before = model.decoder.weight.clone()
    train(model)
    assert torch.equal(model.decoder.weight, before)
    assert model.encoder[0].weight.ne(small().encoder[0].weight).any()


def test_a_tuple_arrives_as_a_tuple_of_matching_rows():
    x = examples()
    numbers = torch.arange(EXAMPLES)

    def matching(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        rows, labels = batch
        assert torch.equal(x[labels], rows)
        return reconstruction(model, rows)

    assert train(small(), matching, (x, numbers)).steps == 12


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_precision(precision):
    seen = []

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        output = model(x)
        seen.append(output.dtype)
        return (output.to(x.dtype) - x).square().sum(1)

    history = train(small(), loss, precision=precision)
    assert set(seen) == {torch.float64 if precision == "64-true" else torch.bfloat16}
    assert history.train[-1] == pytest.approx(train(small()).train[-1], rel=0.02)


# randomness


def test_one_seed_one_model_another_seed_another():
    models = [small(0.2) for _ in range(3)]
    histories = [train(m, denoising, seed=s) for m, s in zip(models, (1, 1, 2), strict=True)]
    assert same(models[0], models[1])
    assert histories[0] == histories[1]
    assert not same(models[0], models[2])


@pytest.mark.parametrize("data", ["tensor", "loader"])
def test_the_callers_random_stream_is_untouched_and_has_no_influence(data):
    def run(global_seed: int) -> tuple[Small, Tensor]:
        model = small(0.2)
        x = examples()
        loader = DataLoader(TensorDataset(x), batch_size=16, shuffle=True)
        torch.manual_seed(global_seed)
        train(model, lambda m, b: denoise(m, b), x if data == "tensor" else loader)
        return model, torch.rand(4)

    def denoise(model: nn.Module, batch: Tensor | tuple[Tensor]) -> Tensor:
        x = batch if isinstance(batch, Tensor) else batch[0]
        return squared_error(model(x + 0.3 * torch.randn_like(x)), x)  # noise without asking

    (one, drawn), (other, _) = run(1), run(2)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(4))
    assert same(one, other)


def test_the_callers_random_stream_survives_an_error():
    def wrong(model: nn.Module, x: Tensor) -> Tensor:
        raise LookupError

    torch.manual_seed(5)
    with pytest.raises(LookupError):
        train(small(), wrong)
    drawn = torch.rand(4)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(4))


def test_streams_differ_between_epochs_and_from_each_other():
    noise: list[Tensor] = []

    def loss(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        noise.extend([torch.rand(4, generator=generator), torch.rand(4)])
        return reconstruction(model, x)

    train(small(), loss, data=examples()[:16], epochs=4)
    assert len({tuple(draw.tolist()) for draw in noise}) == 8


def test_processes_agree_on_the_order_and_draw_different_noise():
    first, second = (Streams(3, torch.device("cpu"), rank) for rank in (0, 1))
    assert first.order(2) == second.order(2) != first.order(1)
    with first.aside():
        drawn = []
        for streams in (first, second):
            streams.begin("epoch", 2)
            drawn += [torch.rand(4, generator=streams.noise), torch.rand(4)]
    assert len({tuple(draw.tolist()) for draw in drawn}) == 4


# validation


def test_validation_is_the_mean_loss_in_evaluation_mode():
    x, held_out = examples(), examples(1)
    modes = set()

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        if not model.training:
            modes.add(torch.is_grad_enabled())
        return reconstruction(model, batch)

    model = small(0.5)
    history = train(model, loss, x, validation=held_out)
    assert len(history.validation) == 3
    assert history.validation[-1] == pytest.approx(
        reconstruction(model, held_out).mean().item(), rel=1e-5
    )
    assert modes == {False}


def test_validation_has_the_same_noise_each_epoch_and_no_influence():
    noise: list[float] = []

    def loss(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        if not model.training:
            noise.append(float(torch.rand((), generator=generator)))
        return denoising(model, x, generator)

    one, other = small(0.2), small(0.2)
    train(one, loss, validation=examples(1))
    train(other, loss)
    assert same(one, other)
    per_epoch = len(noise) // 3
    assert noise[:per_epoch] == noise[per_epoch : 2 * per_epoch]
    assert len(set(noise[:per_epoch])) == per_epoch


# loaders


def test_a_loader_gives_what_the_tensor_gives():
    model, history = small(), None
    loader = DataLoader(TensorDataset(examples()), batch_size=16)
    seen = []

    def loss(m: nn.Module, batch: tuple[Tensor]) -> Tensor:
        seen.append(batch[0])
        return reconstruction(m, batch[0])

    history = train(model, loss, loader, epochs=2, validation=(examples(),))
    assert torch.equal(torch.cat(seen[:4]), examples())
    assert history.steps == 8
    assert len(history.validation) == 2


def test_a_loader_without_a_length_ends_when_its_data_do():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(examples())

    loader = DataLoader(Stream(), batch_size=16)
    history = train(small(), data=loader, epochs=2)
    assert history.steps == 8
    with pytest.raises(ValueError, match="schedule must be 'constant' for a loader of unknown"):
        train(small(), data=loader, epochs=2, schedule="cosine")


def test_a_loader_without_a_batch_is_refused():
    loader = DataLoader(TensorDataset(examples()), batch_size=64, drop_last=True)
    with pytest.raises(ValueError, match="data must yield at least one batch"):
        train(small(), data=loader, steps=3)


def test_a_loader_of_something_else_is_refused():
    loader = DataLoader([{"image": torch.zeros(6)}] * 4)
    with pytest.raises(TypeError, match="data must yield a Tensor or a tuple of Tensors, got dict"):
        train(small(), data=loader)


# a loss that is no number


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_the_step_and_spares_the_weights(value):
    calls = []

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        calls.append(len(x))
        return reconstruction(model, x) * (value if len(calls) == 6 else 1)

    model, stopped_before = small(), small()
    with pytest.raises(
        NonFiniteLoss, match=rf"the loss is {value} at step 6, in epoch 2\. The step"
    ):
        train(model, loss)
    train(stopped_before, steps=5)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, stopped_before.get_parameter(name))
    assert not model.training


def test_weights_that_an_infinite_gradient_spoilt_are_named():
    def rooted(model: nn.Module, x: Tensor) -> Tensor:
        return (model(x) * 0).sum(1).abs().sqrt()  # 0, and its gradient is not finite

    with pytest.raises(NonFiniteLoss, match=r"step 2.*Nor is the parameter encoder\.0\.weight"):
        train(small(), rooted)
