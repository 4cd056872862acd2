"""``fit``: the arithmetic against a loop by hand, the randomness, the checkpoint to the bit."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from aecore.objectives import squared_error
from aecore.training import History, NonFiniteLoss, fit
from aecore.training.interrupt import AfterTheStep
from aecore.training.streams import Streams

EXAMPLES = 50


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Small(nn.Module):
    """An autoencoder with everything that a checkpoint could forget: dropout, a buffer, a tie."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh())
        self.decoder = nn.Linear(5, 6)
        self.again = self.decoder  # one tensor under two names
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.dropout(self.encoder(x)))


def small(dropout: float = 0.0, seed: int = 0) -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Small(dropout)


def examples(seed: int = 0) -> Tensor:
    return torch.randn(EXAMPLES, 6, generator=torch.Generator().manual_seed(seed))


def reconstruction(model: nn.Module, x: Tensor) -> Tensor:
    return squared_error(model(x), x)


def denoising(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return squared_error(model(x + 0.3 * noise), x)


def train(model: nn.Module, loss=reconstruction, data=None, **options) -> History:
    options = {
        "epochs": 3,
        "batch_size": 16,
        "seed": 0,
        "device": "cpu",
        "progress": False,
    } | options
    if "steps" in options:
        del options["epochs"]
    return fit(model, loss, examples() if data is None else data, **options)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def same(one: nn.Module, other: nn.Module) -> bool:
    return torch.equal(weights(one), weights(other))


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


# stopping and going on


def at_call(number: int, action):
    """``denoising``, which does something else too when it is called for the ``number``-th time."""
    calls = []

    def loss(model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        if model.training:
            calls.append(None)
            if len(calls) == number:
                action()
        return denoising(model, x, generator)

    return loss


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def run_out_of_memory():
    raise MemoryError


def raise_interrupt():
    raise KeyboardInterrupt


@pytest.mark.parametrize("goal", [{"epochs": 3}, {"steps": 11, "schedule": "cosine"}])
@pytest.mark.parametrize("again", ["the same model", "a new model"])
@pytest.mark.parametrize(
    ("action", "call"),
    [
        (press_ctrl_c, 6),  # inside an epoch: resumed there
        (press_ctrl_c, 4),  # at the last step of one
        (run_out_of_memory, 7),  # a crash inside an epoch: resumed at its start
        (run_out_of_memory, 2),  # before anything but the start was written
        (run_out_of_memory, 5),  # right after an epoch
        (raise_interrupt, 6),
    ],
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, goal, again, action, call):
    file = tmp_path / "run.safetensors"
    options = {"validation": examples(1), "seed": 3} | goal
    whole, model = small(0.3), small(0.3)
    expected = train(whole, denoising, **options)
    try:
        stopped = train(model, at_call(call, action), checkpoint=file, **options)
        assert stopped.interrupted
    except MemoryError:
        pass
    if again == "a new model":
        model = small(0.3, seed=9)
    torch.manual_seed(77)
    history = train(model, denoising, checkpoint=file, **options)
    assert same(model, whole)
    assert history == expected
    assert [path.name for path in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.parametrize(
    ("first", "then"), [({"steps": 6}, {"steps": 13}), ({"epochs": 1}, {"steps": 9})]
)
def test_a_finished_run_can_be_taken_further(tmp_path, first, then):
    """Validated in the middle of an epoch, too: that must not move the streams of the rest."""
    options = {"validation": examples(1)}
    whole, model = small(0.3), small(0.3)
    expected = train(whole, denoising, **then, **options)
    options["checkpoint"] = tmp_path / "run"
    train(model, denoising, **first, **options)
    assert train(model, denoising, **then, **options) == expected
    assert same(model, whole)


def test_a_shuffled_loader_resumes_too(tmp_path):
    def loss(model: nn.Module, batch: tuple[Tensor], generator: torch.Generator) -> Tensor:
        return inner(model, batch[0], generator)

    def loader() -> DataLoader:
        return DataLoader(TensorDataset(examples()), batch_size=16, shuffle=True)

    whole, model, inner = small(0.3), small(0.3), denoising
    train(whole, loss, loader())
    inner = at_call(7, press_ctrl_c)
    assert train(model, loss, loader(), checkpoint=tmp_path / "run").interrupted
    inner = denoising
    train(model, loss, loader(), checkpoint=tmp_path / "run")
    assert same(model, whole)


def test_a_finished_run_returns_at_once(tmp_path):
    first = train(small(), checkpoint=tmp_path / "run", validation=examples(1))

    def never(model: nn.Module, x: Tensor) -> Tensor:
        raise AssertionError

    model = small(seed=8)
    assert train(model, never, checkpoint=tmp_path / "run", validation=examples(1)) == first
    assert same(model, (lambda m: (train(m), m)[1])(small()))


def test_an_interrupt_says_so_and_keeps_the_model(capsys):
    model = small()
    history = train(model, at_call(6, press_ctrl_c))
    assert history.interrupted
    assert history.steps == 6  # the step in which it came was finished
    assert len(history.train) == 1
    assert not model.training
    assert torch.isfinite(model(examples())).all()
    assert capsys.readouterr().out == (
        "Interrupted in epoch 2, after step 6: the model keeps what it has learned.\n"
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_does_not_wait():
    with AfterTheStep(enabled=True) as interrupt:
        press_ctrl_c()
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lr": 0.01}, "lr was 0.001, is 0.01"),
        ({"batch_size": 8}, "batch_size was 16, is 8"),
        ({"seed": 5}, "seed was 0, is 5"),
        (
            {"data": examples()[:40]},
            r"data was torch.float32 \(50, 6\), is torch.float32 \(40, 6\)",
        ),
        (
            {"model": nn.Linear(6, 6)},
            r"weights.again.bias was torch.float32 \(6,\), is absent; .*\(and 9 more\)",
        ),
        ({"precision": "64-true"}, "precision was 32-true, is 64-true"),
        ({"schedule": "cosine"}, "schedule was constant, is cosine over 12 steps"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path, change, told):
    file = tmp_path / "run"
    train(small(), checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=f"same settings, got .*run'.*{told}.*delete this one"):
        train(**{"model": small(), "checkpoint": file} | change)
    assert file.read_bytes() == before


def test_training_cannot_be_taken_back(tmp_path):
    train(small(), checkpoint=tmp_path / "run", epochs=3)
    for less in ({"epochs": 2}, {"steps": 11}):
        with pytest.raises(ValueError, match=r"must be at least the (3|12) that checkpoint"):
            train(small(), checkpoint=tmp_path / "run", **less)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "pickle", "weights only"])
def test_a_damaged_checkpoint_is_refused_with_the_remedy(tmp_path, damage):
    file = tmp_path / "run"
    train(small(), checkpoint=file)
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[:-50])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not a checkpoint " * 100)
    elif damage == "pickle":
        torch.save({"weights": torch.zeros(3)}, file)
    else:
        save_file({"weights": torch.zeros(3)}, file)
    with pytest.raises(ValueError, match=r"checkpoint must be a file that fit wrote.*Delete it"):
        train(small(), checkpoint=file)


def test_a_checkpoint_is_whole_whenever_the_process_dies(tmp_path, monkeypatch):
    """Killed while the next file is written, the last one stands."""
    file = tmp_path / "run"
    train(small(), checkpoint=file, epochs=1)
    before = file.read_bytes()

    def die(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise SystemExit

    monkeypatch.setattr("aecore.training.checkpoint.save_file", die)
    with pytest.raises(SystemExit):
        train(small(), checkpoint=file, epochs=2)
    assert file.read_bytes() == before
    monkeypatch.undo()
    whole, model = small(), small()
    train(model, checkpoint=file, epochs=2)
    train(whole, epochs=2)
    assert same(model, whole)


def test_a_checkpoint_opens_without_aecore(tmp_path):
    model = small()
    train(model, checkpoint=tmp_path / "new folder" / "run")
    stored = load_file(tmp_path / "new folder" / "run")
    assert torch.equal(stored["model.decoder.weight"], model.decoder.weight)
    with safe_open(tmp_path / "new folder" / "run", framework="pt") as file:
        state = json.loads(next(iter(file.metadata().values())))
    assert state["history"]["steps"] == 12


# history


def test_a_history_prints_the_same_for_the_same_run_and_plots_itself():
    one, other = (train(small(), validation=examples(1)) for _ in range(2))
    assert repr(one) == repr(other)
    assert repr(one) == (
        f"History(epochs=3, steps=12, train={one.train[-1]:.6g}, "
        f"validation={one.validation[-1]:.6g})"
    )
    bundle = one._repr_mimebundle_()
    assert bundle["text/plain"] == repr(one)
    assert "image/png" in bundle
    axes = one.plot("loss, nats per image").axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["train", "validation"]
    assert list(axes.get_lines()[0].get_ydata()) == one.train
    assert list(axes.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert axes.get_ylabel() == "loss, nats per image"


def test_a_history_of_nothing_still_prints():
    nothing = History(steps=2, interrupted=True)
    assert repr(nothing) == "History(epochs=0, steps=2, interrupted=True)"
    assert nothing._repr_mimebundle_() == {"text/plain": repr(nothing)}
    with pytest.raises(ValueError, match="at least one finished epoch"):
        nothing.plot()


# progress


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("progress", "build", "shown"), [(True, "0", True), (False, "0", False), (True, "1", False)]
)
def test_the_bar_is_for_those_who_look(monkeypatch, progress, build, shown):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("AECORE_BUILD", build)

    def slow(model: nn.Module, x: Tensor) -> Tensor:
        time.sleep(0.03)  # the bar moves ten times a second at most
        return reconstruction(model, x)

    train(small(), slow, progress=progress)
    assert ("epoch 3, loss" in terminal.text) == shown
    assert ("/12 [" in terminal.text) == shown


def test_no_bar_in_a_log(capsys):
    train(small(), progress=True)
    assert capsys.readouterr().err == ""


# bad input


def refused(kind: type[Exception], message: str, **change) -> None:
    arguments = {"model": small(), "loss": reconstruction, "data": examples()} | change
    with pytest.raises(kind, match=message):
        train(arguments.pop("model"), arguments.pop("loss"), arguments.pop("data"), **arguments)


@pytest.mark.parametrize(
    ("returned", "came"),
    [
        (lambda x: x.square().mean(), r"\(\)"),
        (lambda x: x.square(), r"\(16, 6\)"),
        (lambda x: x.square().sum(1, keepdim=True), r"\(16, 1\)"),
        (lambda x: x.square().sum(0), r"\(6,\)"),
        (lambda x: 1.0, "float"),
    ],
)
def test_a_loss_of_the_wrong_shape_is_refused(returned, came):
    refused(
        ValueError,
        rf"loss must return one number for each example, of shape \(16,\), got {came}",
        loss=lambda model, x: returned(model(x) - x),
    )


def test_a_loss_apart_from_the_model_is_refused():
    refused(ValueError, "loss must depend on the model", loss=lambda m, x: x.sum(1))


@pytest.mark.parametrize(
    ("kind", "message", "change"),
    [
        (TypeError, "model must be Module, got function", {"model": reconstruction}),
        (ValueError, "model must have a parameter", {"model": nn.Tanh()}),
        (TypeError, "loss must be a function", {"loss": "mse"}),
        (TypeError, "data must be Tensor or tuple or DataLoader, got list", {"data": [1.0]}),
        (ValueError, "data must hold at least one tensor", {"data": ()}),
        (TypeError, "data must be Tensor, got int", {"data": (examples(), 3)}),
        (ValueError, r"data must have at least one example.*\(0, 6\)", {"data": torch.zeros(0, 6)}),
        (ValueError, "data must be finite", {"data": torch.full((4, 6), math.nan)}),
        (ValueError, r"one length, got lengths \[50, 49\]", {"data": (examples(), examples()[1:])}),
        (ValueError, "validation must be finite", {"validation": torch.full((4, 6), math.inf)}),
        (TypeError, "validation must be Tensor or tuple, got list", {"validation": []}),
        (ValueError, "give either epochs or steps, got epochs=None", {"epochs": None}),
        (ValueError, "epochs must be at least 1, got 0", {"epochs": 0}),
        (ValueError, "steps must be at least 1, got 0", {"steps": 0}),
        (ValueError, "batch_size must be at least 1, got 0", {"batch_size": 0}),
        (ValueError, "seed must be at least 0, got -1", {"seed": -1}),
        (ValueError, "lr must be greater than 0, got 0", {"lr": 0}),
        (ValueError, "device must be one of auto, cpu", {"device": "abacus"}),
        (ValueError, "precision must be one of 16-mixed", {"precision": "8"}),
        (ValueError, "schedule must be one of constant, cosine", {"schedule": "linear"}),
        (TypeError, "progress must be bool", {"progress": 1}),
        (TypeError, "checkpoint must be str or Path", {"checkpoint": 3}),
        (ValueError, "checkpoint must name a file", {"checkpoint": Path(__file__).parent}),
        (
            ValueError,
            "data must be a DataLoader without a generator",
            {
                "data": DataLoader(TensorDataset(examples()), generator=torch.Generator()),
                "checkpoint": "run",
            },
        ),
    ],
)
def test_bad_input_is_refused_by_name(kind, message, change):
    refused(kind, message, **change)


def test_both_epochs_and_steps_are_refused():
    with pytest.raises(ValueError, match="give either epochs or steps, got epochs=2 and steps=3"):
        fit(small(), reconstruction, examples(), epochs=2, steps=3, seed=0)


@given(
    st.sampled_from(["epochs", "steps", "batch_size", "seed", "lr"]),
    st.one_of(st.integers(max_value=-1), st.floats(max_value=0), st.text(), st.booleans()),
)
@settings(max_examples=60, deadline=None)
def test_numbers_out_of_range_are_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        train(small(), **{name: value})


# several processes


class TwoMethods(nn.Module):
    """Trained by way of ``encode`` and ``decode``, as an autoencoder is, and never by a call."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(4, 6)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).tanh()

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def shared_run(file: Path) -> dict[str, Tensor]:
    """49 examples in batches of 16: the last has one, so one of two processes has none of it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TwoMethods()
    options = {"epochs": 4, "lr": 0.01, "seed": 1, "validation": examples(1), "checkpoint": file}
    history = train(
        model, lambda m, x: squared_error(m.decode(m.encode(x)), x), examples()[:49], **options
    )
    losses = {"train": torch.tensor(history.train), "validation": torch.tensor(history.validation)}
    return model.state_dict() | losses


WORKER = """
import os, sys
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from safetensors.torch import save_file
from test_training import shared_run

result = shared_run(Path({folder!r}) / "two")
save_file(result, {folder!r} + "/result" + os.environ["RANK"])
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_do_what_one_does(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, "--local-addr=127.0.0.1", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one = shared_run(tmp_path / "one")
    for rank in (0, 1):
        two = load_file(tmp_path / f"result{rank}")
        assert two.keys() == one.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)
