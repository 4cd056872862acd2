"""The prior over codes: a probability, causal to the last bit, and drawn as it says."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from aecore.models.autoregressive import CodePrior, code_loss
from aecore.models.quantizer import VectorQuantizer
from aecore.models.vector_quantized import VectorQuantizedAutoencoder
from aecore.randomness import generator, initialise
from aecore.training import fit


def small(size: int = 3, height: int = 2, width: int = 2, **options) -> CodePrior:
    """Untrained, in float64, and with opinions."""
    prior = CodePrior(size, height, width, features=4, hidden=16, **options)
    initialise(prior, generator("prior")).double().eval()
    with torch.no_grad():
        prior.last.weight.mul_(4)
        prior.place.normal_(generator=generator("places"))
    return prior


def every(size: int, places: int) -> Tensor:
    return torch.tensor(list(product(range(size), repeat=places)))


def grids(number: int, size: int, height: int, width: int) -> Tensor:
    return torch.randint(size, (number, height, width), generator=generator("grids"))


# ---- a probability


@pytest.mark.parametrize(
    ("size", "height", "width", "reach"), [(3, 2, 2, 2), (3, 2, 2, 1), (2, 3, 4, 1), (2, 1, 9, 3)]
)
def test_all_grids_together_have_probability_one(size, height, width, reach):
    prior = small(size, height, width, reach=reach)
    codes = every(size, height * width).reshape(-1, height, width)
    shares = prior.log_prob(codes).exp()
    assert shares.max() > 3 / len(codes)  # it is not the uniform distribution
    assert shares.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_log_probability_is_the_sum_over_the_places():
    prior, codes = small(5, 3, 4), grids(6, 5, 3, 4)
    logits = prior(codes)
    assert logits.shape == (6, 3, 4, 5)
    by_hand = torch.zeros(6).double()
    for b, i, j in product(range(6), range(3), range(4)):
        by_hand[b] += logits[b, i, j, codes[b, i, j]] - logits[b, i, j].logsumexp(0)
    torch.testing.assert_close(prior.log_prob(codes), by_hand)
    assert torch.equal(code_loss(prior, codes), -prior.log_prob(codes))


def test_one_that_knows_nothing_says_log_k_a_place():
    prior = small(7, 3, 3)
    with torch.no_grad():
        prior.last.weight.zero_()
        prior.last.bias.zero_()
    nats = code_loss(prior, grids(4, 7, 3, 3))
    torch.testing.assert_close(nats, torch.full((4,), 9 * math.log(7)).double())


def test_outputs_of_weights_set_by_hand():
    """1 × 3 places, two codes: the logit of 1 is the number of ones just left, less a half."""
    prior = CodePrior(2, 1, 3, reach=1, features=1, hidden=1, dropout=0).double()
    assert prior.window.shape == (3, 4)  # three above, one to the left
    with torch.no_grad():
        prior.table.copy_(torch.tensor([[0.0], [1.0], [4.0]]))
        prior.place.copy_(torch.tensor([[0.0], [0.0], [2.0]]))
        for layer in (prior.first, prior.second, prior.last):
            layer.weight.zero_()
            layer.bias.zero_()
        prior.first.weight[0, 3] = 1  # left
        prior.last.weight[1, 0] = 1
        prior.last.bias[1] = -0.5
    logits = prior(torch.tensor([[[1, 0, 1]], [[0, 1, 0]]]))
    assert torch.equal(logits[..., 0], torch.zeros(2, 1, 3).double())
    # left of the first place is the border, whose row of the table is 4; the third has bias 2
    assert logits[..., 1].tolist() == [[[3.5, 0.5, 1.5]], [[3.5, -0.5, 2.5]]]


# ---- one code after the other


@pytest.mark.parametrize("reach", [1, 2, 6])
def test_a_code_moves_no_logit_up_to_its_own_place(reach):
    """Not by one bit: of every place, for a change of every code."""
    height, width, size = 4, 5, 6
    prior, codes = small(size, height, width, reach=reach), grids(8, size, height, width)
    before = prior(codes).flatten(1, 2)  # (B, HW, K)
    for j in range(height * width):
        changed = codes.clone()
        changed.view(8, -1)[:, j] = (changed.view(8, -1)[:, j] + 1) % size
        after = prior(changed).flatten(1, 2)
        assert torch.equal(after[:, : j + 1], before[:, : j + 1])
        moved = (after != before).any(2).any(0).nonzero().flatten().tolist()
        row, column = divmod(j, width)
        assert moved == [
            i * width + k
            for i, k in product(range(row, min(row + reach + 1, height)), range(width))
            if abs(k - column) <= reach and (i, k) > (row, column)
        ]


def test_the_gradient_at_what_comes_later_is_zero():
    """The table's rows that only stand at later places have none; those before it have one."""
    prior, codes = small(9, 3, 3), torch.arange(9).reshape(1, 3, 3)
    prior(codes)[0, 1, 1].sum().backward()  # the place of code 4
    sizes = prior.table.grad.abs().sum(1)
    assert (sizes[4:9] == 0).all()
    assert (sizes[:4] > 0).all()


def test_every_window_lies_before_its_place():
    prior = small(3, 5, 4, reach=3)
    inside = prior.window < 20
    places = torch.arange(20)[:, None].expand_as(prior.window)
    assert (prior.window[inside] < places[inside]).all()
    assert prior.window[0].eq(20).all()
    assert prior.window[6][inside[6]].tolist() == [0, 1, 2, 3, 4, 5]


# ---- draws


def test_draws_have_the_frequencies_that_log_prob_says():
    """In total variation over 81 grids; the expected one of true draws follows from the shares."""
    prior, number = small(), 40_000
    shares = prior.log_prob(every(3, 4).reshape(-1, 2, 2)).exp()
    drawn = prior.sample(number, generator("draws")).flatten(1)
    index = (drawn * torch.tensor([27, 9, 3, 1])).sum(1)
    found = index.bincount(minlength=81) / number
    expected = (2 * shares * (1 - shares) / (math.pi * number)).sqrt().sum() / 2
    assert (found - shares).abs().sum() / 2 < 2 * expected
    uniform = torch.full((81,), 1 / 81)
    assert (found - uniform).abs().sum() / 2 > 0.2


def test_one_generator_one_sample_and_another_another():
    prior = small(8, 7, 7)
    first, again = (prior.sample(20, generator("a")) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == (20, 7, 7)
    assert first.dtype == torch.int64
    assert not torch.equal(first, prior.sample(20, generator("b")))
    state = torch.get_rng_state()
    prior.sample(3, generator("a"))
    assert torch.equal(torch.get_rng_state(), state)


def test_temperature_is_a_power_of_the_shares():
    prior = small()
    plain = prior.sample(50, generator("a"))
    assert torch.equal(plain, prior.sample(50, generator("a"), temperature=1))
    cold = prior.sample(50, generator("a"), temperature=1e-6)
    assert len(cold.unique(dim=0)) == 1
    first = prior(cold)[0, 0, 0]
    assert cold[0, 0, 0] == first.argmax()
    hot = prior.sample(20_000, generator("a"), temperature=2)[:, 0, 0]
    shares = hot.bincount(minlength=3) / len(hot)
    torch.testing.assert_close(shares, (first / 2).softmax(0).float(), atol=0.015, rtol=0)


def test_draws_are_codes_that_an_autoencoder_decodes():
    quantizer = VectorQuantizer(8, 4)
    vq = initialise(VectorQuantizedAutoencoder(1, quantizer, width=4), generator("vq"))
    images = torch.rand(2, 1, 28, 28, generator=generator("images"))
    prior = initialise(CodePrior(8, 7, 7), generator("prior"))
    assert prior.log_prob(vq.encode(images)).shape == (2,)
    assert vq.decode(prior.sample(3, generator("draws"))).shape == (3, 1, 28, 28)


# ---- training


def test_it_learns_a_single_grid_by_heart():
    prior = initialise(CodePrior(5, 4, 4, dropout=0), generator("prior"))
    one = grids(1, 5, 4, 4)
    fit(prior, code_loss, one.expand(64, -1, -1), steps=150, lr=1e-2, seed=0, progress=False)
    assert -0.05 < prior.log_prob(one).item() <= 0
    assert torch.equal(prior.sample(20, generator("draws")), one.expand(20, -1, -1))


def test_it_learns_a_rule_that_only_order_shows():
    """Fair coins, each seen twice in a row: half the entropy of independent coins."""
    coins = torch.randint(2, (2000, 2, 2), generator=generator("coins"))
    codes = coins.repeat_interleave(2, 2)  # (2000, 2, 4)
    prior = initialise(CodePrior(2, 2, 4, hidden=32, dropout=0), generator("prior"))
    fit(
        prior,
        code_loss,
        codes[:1800],
        steps=300,
        lr=1e-2,
        schedule="cosine",
        seed=0,
        progress=False,
    )
    assert code_loss(prior, codes[1800:]).mean().item() == pytest.approx(4 * math.log(2), rel=0.05)


def test_initialise_draws_all_of_it_from_its_generator():
    states = []
    for draw in (0, 1):
        torch.manual_seed(draw)
        states.append(initialise(CodePrior(4, 3, 3), generator("prior")).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_dropout_is_for_training_only():
    prior, codes = small(dropout=0.5), grids(4, 3, 2, 2)
    assert torch.equal(prior(codes), prior(codes))
    prior.train()
    assert not torch.equal(prior(codes), prior(codes))


# ---- refused


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (torch.zeros(2, 2, 2), TypeError, "codes must be int64, got torch.float32"),
        (torch.zeros(2, 2, 2, dtype=torch.int32), TypeError, "codes must be int64"),
        ([[[0, 0], [0, 0]]], TypeError, "codes must be Tensor, got list"),
        (None, TypeError, "codes must be Tensor, got None"),
        (torch.zeros(2, 2, dtype=torch.int64), ValueError, r"codes must have shape \(B, H, W\)"),
        (torch.zeros(1, 2, 3).long(), ValueError, r"codes must have shape \(B, 2, 2\), got \(1, 2"),
        (torch.zeros(0, 2, 2).long(), ValueError, "codes must not be empty"),
        (torch.full((1, 2, 2), 3), ValueError, "codes must be from 0 to 2, got 3 to 3"),
        (torch.full((1, 2, 2), -1), ValueError, "codes must be from 0 to 2, got -1 to -1"),
    ],
)
def test_bad_codes_are_refused_by_name(codes, error, message):
    prior = small()
    for function in (prior, prior.log_prob, lambda value: code_loss(prior, value)):
        with pytest.raises(error, match=f"^{message}"):
            function(codes)


@pytest.mark.parametrize("bad", [0, -1, True, 2.0, "2", None])
@pytest.mark.parametrize("name", ["size", "height", "width", "reach", "features", "hidden"])
def test_bad_sizes_are_refused_by_name(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        CodePrior(**{"size": 3, "height": 2, "width": 2, name: bad})


def test_other_bad_settings_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^size must be at least 2, got 1"):
        CodePrior(1, 2, 2)
    for bad in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"^dropout must be"):
            CodePrior(3, 2, 2, dropout=bad)
    prior = small()
    with pytest.raises(ValueError, match=r"^number must be at least 1, got 0"):
        prior.sample(0, generator("a"))
    with pytest.raises(TypeError, match=r"^generator must be Generator, got int"):
        prior.sample(1, 0)
    for bad in (0, -1, float("inf")):
        with pytest.raises(ValueError, match=r"^temperature must be"):
            prior.sample(1, generator("a"), temperature=bad)
    with pytest.raises(TypeError, match=r"^model must be CodePrior, got Linear"):
        code_loss(torch.nn.Linear(2, 2), grids(1, 3, 2, 2))
