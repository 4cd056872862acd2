"""MIG, DCI and SAP on codes made by hand: identity, noise, duplicates, a rotation; invariances."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from aecore.metrics.disentanglement import (
    disentanglement_completeness_informativeness,
    mutual_information,
    mutual_information_gap,
    separated_attribute_predictability,
)

FACTORS = torch.cartesian_prod(torch.arange(8), torch.arange(8), torch.arange(4)).repeat(8, 1)
DRAW = torch.Generator().manual_seed(0)
CODES = FACTORS + 0.01 * torch.randn(FACTORS.shape, generator=DRAW)  # (2048, 3)
NOISE = torch.randn(len(FACTORS), 3, generator=DRAW)


def dci(latents, factors=FACTORS):
    return disentanglement_completeness_informativeness(latents, factors, seed=0)


def gaps(latents, factors=FACTORS):
    return (
        mutual_information_gap(latents, factors),
        separated_attribute_predictability(latents, factors),
    )


# ---- by construction


def test_the_factors_themselves_score_1():
    for gap in gaps(CODES):
        assert_close(gap, torch.ones(3, dtype=torch.float64), atol=0.025, rtol=0)
    scores = dci(CODES)
    assert scores.disentanglement > 0.99
    assert scores.completeness > 0.99
    assert scores.informativeness > 0.99
    assert_close(scores.importance, torch.eye(3).double(), atol=0.01, rtol=0)


@pytest.mark.parametrize("latents", [torch.zeros(len(FACTORS), 3), NOISE], ids=["zeros", "noise"])
def test_a_code_that_says_nothing_scores_0(latents):
    mig, sap = gaps(latents)
    assert mig.abs().max() < 0.02
    assert sap.abs().max() < 0.02
    scores = dci(latents)
    assert abs(scores.disentanglement) < 0.1
    assert scores.informativeness < 0.25


def test_zeros_tell_nothing_at_all():
    assert mutual_information(torch.zeros(len(FACTORS), 2), FACTORS).abs().max() < 1e-12
    scores = dci(torch.zeros(len(FACTORS), 2))
    assert scores.disentanglement == pytest.approx(0, abs=1e-12)
    assert scores.completeness == pytest.approx(0, abs=1e-12)


def test_duplicates_have_no_gap_and_are_disentangled_but_not_complete():
    twice = torch.cat([CODES, CODES], 1)
    for gap in gaps(twice):
        assert gap.abs().max() < 1e-12
    scores = dci(twice)
    assert scores.disentanglement > 0.99
    assert scores.completeness < 0.8


def test_a_rotation_of_two_by_45_degrees_destroys_what_they_had():
    turned = CODES.clone()
    middle = CODES - CODES.mean(0)
    turned[:, 0] = (middle[:, 0] - middle[:, 1]) / 2**0.5
    turned[:, 1] = (middle[:, 0] + middle[:, 1]) / 2**0.5
    for gap in gaps(turned):
        assert gap[:2].abs().max() < 0.05
        assert gap[2] > 0.9
    assert dci(turned).disentanglement < 0.6


def test_information_by_hand():
    """A latent of two values, equal to a factor in 3 cases of 4."""
    factor = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]).repeat(25)[:, None]
    latent = torch.tensor([0.0, 0, 0, 1, 1, 1, 1, 0]).repeat(25)[:, None]
    expected = math.log(2) + 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    assert mutual_information(latent, factor).item() == pytest.approx(expected)


def test_a_latent_that_is_its_factor_tells_its_entropy():
    assert_close(
        mutual_information(FACTORS.double(), FACTORS).diagonal(),
        torch.tensor([8.0, 8, 4]).double().log(),
    )


def test_the_noise_of_few_draws_has_the_bias_that_is_documented():
    latents = torch.randn(len(FACTORS), 40, generator=DRAW)
    found = mutual_information(latents, FACTORS[:, :1]).mean().item()
    assert found == pytest.approx(23 * 7 / (2 * len(FACTORS)), rel=0.15)


def test_gap_by_hand():
    """One latent knows a factor of eight values fully, the next knows its parity: a third."""
    latents = torch.stack([FACTORS[:, 0], FACTORS[:, 0] % 2], 1).double()
    assert mutual_information_gap(latents, FACTORS[:, :1]).item() == pytest.approx(2 / 3)


def test_sap_is_a_difference_of_squared_correlations():
    latents = torch.stack([CODES[:, 0], CODES[:, 0] + 3 * NOISE[:, 0]], 1).double()
    table = torch.corrcoef(torch.cat([latents, FACTORS[:, :1]], 1).T)
    expected = table[2, 0] ** 2 - table[2, 1] ** 2
    found = separated_attribute_predictability(latents, FACTORS[:, :1])
    assert_close(found, expected[None])


def test_dci_by_hand():
    """R = [[1, 1], [0, 0], [0, 0]]: one latent serves both factors, each factor by one latent."""
    pair = (4 * FACTORS[:, 2] + FACTORS[:, 0] % 4).float()
    latents = torch.stack([pair, torch.zeros(len(pair)), torch.zeros(len(pair))], 1)
    factors = torch.stack([FACTORS[:, 2], FACTORS[:, 0] % 4], 1)
    scores = dci(latents, factors)
    assert_close(scores.importance, torch.tensor([[1.0, 1], [0, 0], [0, 0]]).double())
    assert scores.disentanglement == pytest.approx(0)
    assert scores.completeness == pytest.approx(1)
    assert scores.informativeness == 1


# ---- invariances


@given(
    order=st.permutations(range(3)),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3),
    scales=st.lists(st.sampled_from([0.01, 0.5, 3.0, 1000.0]), min_size=3, max_size=3),
)
def test_order_sign_and_scale_of_latents_do_not_matter(order, signs, scales):
    mixed = (CODES + 2 * NOISE).double()
    changed = mixed[:, order] * torch.tensor(signs) * torch.tensor(scales)
    for found, expected in zip(gaps(changed), gaps(mixed), strict=True):
        assert_close(found, expected, atol=0.01, rtol=0)


def test_order_of_factors_only_orders_the_results():
    mixed = CODES + 2 * NOISE
    for found, expected in zip(gaps(mixed, FACTORS[:, [2, 0, 1]]), gaps(mixed), strict=True):
        assert_close(found, expected[[2, 0, 1]])


def test_dci_does_not_mind_a_permutation_or_a_scale():
    mixed = CODES + NOISE
    first, second = dci(mixed), dci(mixed[:, [2, 0, 1]] * 8)
    assert first.disentanglement == pytest.approx(second.disentanglement, abs=0.03)
    assert first.completeness == pytest.approx(second.completeness, abs=0.03)
    assert first.informativeness == pytest.approx(second.informativeness, abs=0.03)


def test_the_same_seed_gives_the_same_dci():
    mixed = CODES + NOISE
    assert dci(mixed).disentanglement == dci(mixed).disentanglement
    assert torch.equal(dci(mixed).importance, dci(mixed).importance)


# ---- bad input

MEASURES = pytest.mark.parametrize(
    "measure",
    [mutual_information_gap, separated_attribute_predictability, dci],
    ids=["mig", "sap", "dci"],
)


@MEASURES
@pytest.mark.parametrize("factors", [None, FACTORS.float(), FACTORS.bool(), FACTORS[:, 0]])
def test_factors_are_whole_numbers_in_columns(measure, factors):
    with pytest.raises(TypeError, match=r"^factors must be "):
        measure(CODES, factors)


@MEASURES
def test_there_are_as_many_factors_as_latents(measure):
    with pytest.raises(
        ValueError, match=rf"^factors must have a row for each .* \({len(CODES)}, K\), got"
    ):
        measure(CODES, FACTORS[:-1])


@MEASURES
@pytest.mark.parametrize("spoil", [lambda column: column - 1, lambda column: column * 0])
def test_a_factor_has_values_from_0_and_more_than_one(measure, spoil):
    factors = FACTORS.clone()
    factors[:, 1] = spoil(factors[:, 1])
    with pytest.raises(ValueError, match=r"^factors must be at least 0, and not all the same"):
        measure(CODES, factors)


@MEASURES
def test_a_gap_needs_two_latents(measure):
    with pytest.raises(ValueError, match=r"^latents (and factors )?must have at least 2 columns"):
        measure(CODES[:, :1], FACTORS)


def test_dci_needs_two_factors():
    with pytest.raises(ValueError, match=r"^latents and factors must have at least 2 columns"):
        dci(CODES, FACTORS[:, :1])


def test_the_seed_is_a_number_from_0():
    with pytest.raises(ValueError, match=r"^seed must be at least 0"):
        disentanglement_completeness_informativeness(CODES, FACTORS, seed=-1)
