"""The sparse autoencoder and its rules: exact outputs, escapes that are closed, who may fire."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from aecore.models import SparseAutoencoder, TopK, WinnerTakeAll


def by_hand(activation=None, *, unit_norm=True):
    """2 → 3 → 2, with atoms (0.6, 0.8), (1, 0), (0, -1) of lengths 5, 2 and 1 before scaling."""
    model = SparseAutoencoder(2, 3, activation or nn.ReLU(), unit_norm=unit_norm)
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.0], [2.0, 1.0]]))
        model.encoder.bias.copy_(torch.tensor([0.0, 3.0, -5.0]))
        model.decoder.weight.copy_(torch.tensor([[3.0, 2.0, 0.0], [4.0, 0.0, -1.0]]))
        model.decoder.bias.copy_(torch.tensor([1.0, -1.0]))
    return model.double()


def draw(*shape, number=0):
    generator = torch.Generator().manual_seed(number)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---- what it computes


def test_outputs_of_weights_set_by_hand():
    model = by_hand()
    x = torch.tensor([[2.0, 1.0]], dtype=torch.float64)  # x − b = (1, 2)
    # W(x − b) + c = (5, 2, −1);  z = (5, 2, 0)
    assert model.preactivations(x).tolist() == [[5.0, 2.0, -1.0]]
    assert model.encode(x).tolist() == [[5.0, 2.0, 0.0]]
    # b + 5 · (0.6, 0.8) + 2 · (1, 0)
    assert_close(model(x), torch.tensor([[6.0, 3.0]], dtype=torch.float64))
    assert_close(model.atoms, torch.tensor([[0.6, 0.8], [1, 0], [0, -1]], dtype=torch.float64))


def test_without_unit_norm_the_columns_are_the_atoms():
    model = by_hand(unit_norm=False)
    assert torch.equal(model.atoms, model.decoder.weight.t())
    z = torch.tensor([[5.0, 2.0, 0.0]], dtype=torch.float64)
    # b + 5 · (3, 4) + 2 · (2, 0)
    assert model.decode(z).tolist() == [[20.0, 19.0]]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_a_reconstruction_is_the_sum_of_its_atoms(batch, inputs, units, unit_norm):
    model = SparseAutoencoder(inputs, units, nn.ReLU(), unit_norm=unit_norm).double()
    z = draw(batch, units)
    assert model.atoms.shape == (units, inputs)
    assert_close(model.decode(z), model.decoder.bias + z @ model.atoms)
    x = draw(batch, inputs, number=1)
    assert_close(model(x), model.decode(model.encode(x)))
    assert_close(model.encode(x), model.preactivations(x).relu())


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3))
def test_lengths_of_the_decoders_columns_do_not_matter(lengths):
    model, other = by_hand(), by_hand()
    with torch.no_grad():
        other.decoder.weight.mul_(torch.tensor(lengths, dtype=torch.float64))
    x = draw(4, 2)
    assert_close(other(x), model(x))
    assert_close(other.atoms.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_with_free_lengths_a_smaller_code_gives_the_same_picture():
    """The escape that unit lengths close: codes over s, atoms times s."""
    model, other = by_hand(unit_norm=False), by_hand(unit_norm=False)
    with torch.no_grad():
        other.encoder.weight.div_(10)
        other.encoder.bias.div_(10)
        other.decoder.weight.mul_(10)
    x = draw(4, 2)
    assert_close(other(x), model(x))
    assert_close(other.encode(x), model.encode(x) / 10)


def test_an_atom_that_is_zero_adds_nothing_and_spoils_nothing():
    model = by_hand()
    with torch.no_grad():
        model.decoder.weight[:, 0] = 0
    x = draw(4, 2)
    model(x).sum().backward()
    assert model(x).isfinite().all()
    assert torch.equal(model.atoms[0], torch.zeros(2, dtype=torch.float64))


def test_the_start_is_the_mean_and_the_atoms():
    model = by_hand()
    atoms = model.atoms.clone()
    x = draw(5, 2)
    assert model.start_at(x) is model
    assert_close(model.decoder.bias, x.mean(0))
    assert torch.equal(model.encoder.weight, atoms)
    assert torch.equal(model.encoder.bias, torch.zeros(3, dtype=torch.float64))
    assert_close(model.preactivations(x), (x - x.mean(0)) @ atoms.t())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_the_state_restores_the_model_and_holds_each_weight_once():
    model, other = by_hand(TopK(2)), SparseAutoencoder(2, 3, TopK(2)).double()
    other.load_state_dict(model.state_dict())
    x = draw(4, 2)
    assert torch.equal(other(x), model(x))
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    assert sum(p.numel() for p in model.parameters()) == 2 * 6 + 3 + 2


# ---- the rules


def test_top_k_keeps_the_largest_as_they_are():
    a = torch.tensor([[1.0, 4.0, -9.0, 3.0], [-1.0, -2.0, 0.5, -3.0]])
    assert TopK(2)(a).tolist() == [[0, 4, 0, 3], [0, 0, 0.5, 0]]
    assert torch.equal(TopK(4)(a), a.relu())


@given(st.integers(1, 5), st.integers(1, 8), st.data())
def test_top_k_leaves_k_on_and_no_idle_one_is_larger(batch, units, data):
    k = data.draw(st.integers(1, units))
    a = draw(batch, units, number=data.draw(st.integers(0, 99)))
    z = TopK(k)(a)
    assert torch.equal((z > 0).sum(1), (a > 0).sum(1).clamp(max=k))
    assert torch.equal(z[z > 0], a[z > 0])
    kept = z.masked_fill(z == 0, torch.inf).amin(1)
    assert (a.relu().masked_fill(z > 0, 0).amax(1) <= kept).all()


def test_gradients_reach_the_units_that_stay_and_no_others():
    a = torch.tensor([[1.0, 4.0, -9.0, 3.0]], requires_grad=True)
    TopK(2)(a).sum().backward()
    assert a.grad.tolist() == [[0, 1, 0, 1]]
    a.grad = None
    WinnerTakeAll(0.5)(a).sum().backward()  # one example: each unit wins in it
    assert a.grad.tolist() == [[1, 1, 0, 1]]


def test_winners_are_chosen_for_each_unit_over_the_batch():
    a = torch.tensor([[1.0, -1.0], [3.0, -2.0], [2.0, 5.0], [0.5, 4.0]])
    rule = WinnerTakeAll(0.25)
    assert rule(a).tolist() == [[0, 0], [3, 0], [0, 5], [0, 0]]
    assert WinnerTakeAll(0.3)(a).tolist() == [[0, 0], [3, 0], [2, 5], [0, 4]]  # rounded up
    assert torch.equal(WinnerTakeAll(1)(a), a.relu())
    assert torch.equal(rule.eval()(a), a.relu())


@given(st.integers(1, 30), st.floats(0.01, 1))
def test_each_unit_wins_the_same_share(batch, rate):
    z = WinnerTakeAll(rate)(draw(batch, 4).abs() + 1)
    share = (z > 0).double().mean(0)
    assert (share == share[0]).all()
    assert rate - 1e-9 <= share[0] < rate + 1 / batch


@pytest.mark.parametrize("rule", [TopK(1), WinnerTakeAll(0.5)])
def test_nan_passes_to_where_the_step_is_named(rule):
    a = torch.tensor([[1.0, float("nan")], [2.0, 3.0]])
    assert rule(a).isnan().any()


# ---- refused


@pytest.mark.parametrize("bad", [0, -3, True, 2.0, "2", None])
@pytest.mark.parametrize("name", ["inputs", "units"])
def test_bad_sizes_are_refused_by_name(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be"):
        SparseAutoencoder(**{"inputs": 4, "units": 2, name: bad}, activation=nn.ReLU())


def test_bad_parts_are_refused_by_name():
    with pytest.raises(TypeError, match=r"^activation must be Module, got str"):
        SparseAutoencoder(2, 3, "relu")
    with pytest.raises(TypeError, match=r"^activation must be Module, got type"):
        SparseAutoencoder(2, 3, nn.ReLU)
    with pytest.raises(TypeError, match=r"^unit_norm must be bool, got int"):
        SparseAutoencoder(2, 3, nn.ReLU(), unit_norm=1)


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, None])
def test_a_bad_k_is_refused_by_name(bad):
    with pytest.raises((TypeError, ValueError), match=r"^k must be"):
        TopK(bad)


def test_a_k_beyond_the_units_is_refused_where_they_are_known():
    with pytest.raises(ValueError, match=r"^k must be at least 1 and at most 3, got 4"):
        by_hand(TopK(4))(draw(2, 2))


@pytest.mark.parametrize("bad", [0, -0.1, 1.1, True, "5 %", None, float("nan")])
def test_a_bad_rate_is_refused_by_name(bad):
    with pytest.raises((TypeError, ValueError), match=r"^rate must be"):
        WinnerTakeAll(bad)


@pytest.mark.parametrize("rule", [TopK(1), WinnerTakeAll(0.5)])
def test_rules_refuse_what_is_no_batch(rule):
    with pytest.raises(ValueError, match=r"^a must have shape \(B, units\), got \(3,\)"):
        rule(torch.ones(3))
    with pytest.raises(TypeError, match=r"^a must be a torch.Tensor, got list"):
        rule([[1.0]])
    with pytest.raises(ValueError, match=r"^a must not be empty"):
        rule(torch.ones(0, 3))
