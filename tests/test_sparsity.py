"""Penalties and metrics of sparse codes: closed forms, other libraries, codes made to measure."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, kl_divergence
from torch.nn import functional as F
from torch.testing import assert_close

from aecore.metrics.sparsity import (
    best_cosines,
    dead_units,
    energy_in_window,
    l0,
    top_purity,
)
from aecore.penalties.sparsity import kl_sparsity, l1

RATES = st.floats(0.01, 0.99)


def draw(*shape, number=0):
    generator = torch.Generator().manual_seed(number)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


# ---- L1


def test_l1_is_the_sum_of_sizes_of_each_example():
    codes = torch.tensor([[1.0, -2.0, 0.0], [0.0, 0.0, 0.5]])
    assert l1(codes).tolist() == [3.0, 0.5]


@given(st.floats(0.01, 100))
def test_l1_grows_with_the_scale(scale):
    codes = draw(4, 3) - 0.5
    assert_close(l1(scale * codes), scale * l1(codes))


def test_its_slope_does_not_fade_near_zero():
    codes = torch.tensor([[1e-9, -1e-9, 5.0]], requires_grad=True)
    l1(codes).sum().backward()
    assert codes.grad.tolist() == [[1.0, -1.0, 1.0]]


# ---- the divergence from a rate


@given(RATES, st.integers(1, 6))
def test_divergence_is_that_of_two_coins(rate, units):
    codes = draw(5, units) * 0.98 + 0.01
    wanted = Bernoulli(torch.full((units,), rate, dtype=torch.float64))
    expected = kl_divergence(wanted, Bernoulli(codes.mean(0))).sum()
    assert_close(kl_sparsity(codes, rate), expected)


@given(RATES)
def test_divergence_is_zero_at_the_rate_and_only_there(rate):
    at = torch.full((3, 2), rate, dtype=torch.float64)
    assert abs(kl_sparsity(at, rate).item()) < 1e-12
    assert kl_sparsity(at * 0.9, rate) > 0
    # the mean counts: on for one of two examples, or half on for both
    half = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    assert kl_sparsity(half, 0.5) == 0


@given(RATES, st.floats(0.05, 0.95))
def test_its_slope_is_the_closed_form(rate, mean):
    codes = torch.full((1, 1), mean, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(kl_sparsity(codes, rate), codes)
    assert_close(slope.item(), -rate / mean + (1 - rate) / (1 - mean))


def test_it_is_infinite_for_a_dead_unit():
    assert kl_sparsity(torch.zeros(3, 1), 0.1) == torch.inf
    assert kl_sparsity(torch.ones(3, 1), 0.1) == torch.inf


@given(RATES)
def test_a_batch_costs_no_more_than_its_parts(rate):
    codes = draw(8, 5) * 0.9 + 0.05
    parts = [kl_sparsity(part, rate) for part in codes.split(2)]
    assert kl_sparsity(codes, rate) <= sum(parts) / len(parts) + 1e-12


def test_codes_that_are_no_rates_are_refused():
    with pytest.raises(ValueError, match=r"^codes must be in \[0, 1\], got values from 0 to 1.5"):
        kl_sparsity(torch.tensor([[0.0, 1.5]]), 0.1)
    with pytest.raises(ValueError, match=r"^codes must be in \[0, 1\], got values from -0.5 to 1"):
        kl_sparsity(torch.tensor([[-0.5, 1.0]]), 0.1)


@pytest.mark.parametrize("bad", [0, 1, -0.1, 1.5, True, "x", None, float("nan")])
def test_a_bad_rate_is_refused_by_name(bad):
    with pytest.raises((TypeError, ValueError), match=r"^rate must be"):
        kl_sparsity(draw(2, 2), bad)


# ---- counts


def test_l0_counts_what_is_not_exactly_zero():
    codes = torch.tensor([[1e-30, -2.0, 0.0], [0.0, 0.0, 0.0]])
    assert l0(codes).tolist() == [2, 0]


def test_a_dead_unit_is_zero_for_all():
    codes = torch.tensor([[0.0, 0.0, -1.0], [0.0, 1e-30, 0.0]])
    assert dead_units(codes).tolist() == [True, False, False]
    assert torch.equal(dead_units(codes), l0(codes.t()) == 0)


# ---- places


@given(st.integers(0, 5), st.integers(0, 5), st.floats(-5, 5).filter(lambda v: abs(v) > 0.01))
def test_what_fits_into_the_window_is_all_in_it(row, column, value):
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, row : row + 3, column : column + 3] = value
    assert_close(energy_in_window(image, 3), torch.ones(1))
    assert_close(energy_in_window(image, 1), torch.full((1,), 1 / 9))


def test_an_even_image_has_the_share_of_the_area():
    images = torch.tensor([1.0, -1.0, 3.0]).reshape(3, 1, 1, 1).expand(3, 1, 8, 8)
    assert_close(energy_in_window(images, 2), torch.full((3,), 4 / 64))
    assert_close(energy_in_window(images, 8), torch.ones(3))


def test_energy_is_squared_and_the_best_window_counts():
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 0, 0], image[0, 0, 5, 5] = 1.0, -3.0
    assert_close(energy_in_window(image, 2), torch.tensor([0.9]))


def test_bad_windows_are_refused():
    images = draw(2, 1, 6, 8)
    with pytest.raises(ValueError, match=r"^side must be at least 1 and at most 6, got 7"):
        energy_in_window(images, 7)
    with pytest.raises(ValueError, match=r"^images must have a value other than 0 in each image"):
        energy_in_window(images * torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1), 2)


# ---- classes

LABELS = torch.arange(4).repeat(10)


def test_a_unit_of_one_class_is_pure_and_a_constant_mixture_is_not():
    one_class = F.one_hot(LABELS, 4).double() + 0.1 * draw(40, 4)
    assert top_purity(one_class, LABELS, 10).tolist() == [1, 1, 1, 1]
    two_classes = one_class[:, :1] + one_class[:, 1:2]
    assert top_purity(two_classes, LABELS, 20).item() == 0.5
    assert top_purity(draw(40, 3), LABELS, 40).tolist() == [0.25] * 3


def test_purity_does_not_move_with_the_names_of_the_classes():
    codes, names = draw(40, 5), torch.tensor([7, 3, 0, 12])
    assert torch.equal(top_purity(codes, LABELS, 5), top_purity(codes, names[LABELS], 5))


def test_bad_labels_and_numbers_are_refused():
    codes = draw(40, 3)
    with pytest.raises(ValueError, match=r"^labels must be int64 of shape \(40,\)"):
        top_purity(codes, LABELS[:-1], 5)
    with pytest.raises(ValueError, match=r"^labels must be int64 of shape \(40,\)"):
        top_purity(codes, LABELS.double(), 5)
    with pytest.raises(TypeError, match=r"^labels must be Tensor, got list"):
        top_purity(codes, LABELS.tolist(), 5)
    with pytest.raises(ValueError, match=r"^top must be at least 1 and at most 40, got 41"):
        top_purity(codes, LABELS, 41)


# ---- recurrence


@given(st.lists(st.floats(0.01, 100), min_size=4, max_size=4))
def test_the_same_atoms_are_found_again_whatever_their_order_and_length(lengths):
    atoms = draw(4, 6) - 0.5
    others = (torch.tensor(lengths, dtype=torch.float64)[:, None] * atoms)[[2, 0, 3, 1]]
    assert_close(best_cosines(atoms, others), torch.ones(4, dtype=torch.float64))


def test_opposites_and_rectangular_ones_do_not_match():
    atoms = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert_close(best_cosines(atoms, torch.tensor([[-1.0, 0.0], [0.0, 3.0]])),
                 torch.tensor([0.0, 0.5**0.5]))  # fmt: skip


def test_an_atom_of_zeros_is_refused_on_either_side():
    atoms, empty = torch.ones(2, 3), torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"^atoms must have a value other than 0 in each row"):
        best_cosines(empty, atoms)
    with pytest.raises(ValueError, match=r"^others must have a value other than 0 in each row"):
        best_cosines(atoms, empty)
