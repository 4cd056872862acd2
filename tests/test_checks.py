"""The checks themselves: what they let through, and that a message says name, got and expected."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aecore import checks


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_a_good_tensor_comes_back_itself(shape, dtype):
    value = torch.full(shape, 0.5, dtype=dtype)
    assert checks.tensor("x", value, shape, low=0, high=1) is value
    assert checks.tensor("x", value, ["B", None, *shape][-len(shape) :]) is value


@given(
    wanted=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    got=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_a_shape_fits_only_itself(wanted, got):
    value = torch.zeros(got)
    if wanted == got:
        checks.tensor("x", value, wanted)
    else:
        with pytest.raises(ValueError, match=r"^x must have shape") as refused:
            checks.tensor("x", value, wanted)
        assert str(tuple(got)) in str(refused.value)
        assert ", ".join(map(str, wanted)) in str(refused.value)


@pytest.mark.parametrize("value", [None, 1.0, [[0.5]], np.zeros((2, 2)), "x"])
def test_what_is_no_tensor_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"^x must be a torch.Tensor, got (None|float|list|nd|str)"):
        checks.tensor("x", value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_what_is_not_floating_point_is_a_type_error(dtype):
    with pytest.raises(TypeError, match=rf"^x must hold floating-point numbers, got {dtype}"):
        checks.tensor("x", torch.zeros(2, 2, dtype=dtype))


def test_an_empty_tensor_is_refused():
    with pytest.raises(ValueError, match=r"^x must not be empty, got shape \(0, 3\)"):
        checks.tensor("x", torch.zeros(0, 3), ("B", 3))


@given(
    bad=st.sampled_from([math.nan, math.inf, -math.inf]),
    position=st.integers(0, 5),
)
def test_one_value_that_is_not_finite_is_found_anywhere(bad, position):
    value = torch.zeros(2, 3)
    value.view(-1)[position] = bad
    with pytest.raises(ValueError, match=r"^x must be finite"):
        checks.tensor("x", value)
    with pytest.raises(ValueError, match=r"^x must be finite"):
        checks.tensor("x", value, low=0, finite=False)
    assert checks.tensor("x", value, finite=False) is value


def test_the_bounds_of_a_tensor_are_inclusive():
    checks.tensor("x", torch.tensor([0.0, 1.0]), low=0, high=1)
    with pytest.raises(ValueError, match=r"^x must be at least 0, got -0\.5"):
        checks.tensor("x", torch.tensor([-0.5, 1.0]), low=0, high=1)
    with pytest.raises(ValueError, match=r"^x must be at most 1, got 1\.5"):
        checks.tensor("x", torch.tensor([0.0, 1.5]), low=0, high=1)


def test_a_tensor_that_requires_a_gradient_is_checked_without_one():
    value = torch.ones(2, requires_grad=True)
    assert checks.tensor("x", value, low=0, high=1) is value


def test_two_shapes_must_be_equal_even_where_they_broadcast():
    with pytest.raises(ValueError, match=r"^x must have the shape of y, \(2, 3\), got \(1, 3\)"):
        checks.same_shape("x", torch.zeros(1, 3), "y", torch.zeros(2, 3))


@given(value=st.integers(), low=st.integers(-5, 5), width=st.integers(0, 5))
def test_an_integer_passes_exactly_within_its_bounds(value, low, width):
    if low <= value <= low + width:
        assert checks.integer("n", value, low=low, high=low + width) == value
    else:
        with pytest.raises(ValueError, match=rf"^n must be at least {low} and at most .*{value}$"):
            checks.integer("n", value, low=low, high=low + width)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_only_an_int_is_an_integer(value):
    with pytest.raises(TypeError, match=r"^n must be an integer, got"):
        checks.integer("n", value)


@pytest.mark.parametrize("value", [True, "1", None, [1.0]])
def test_only_a_number_is_a_number(value):
    with pytest.raises(TypeError, match=r"^v must be a number, got"):
        checks.number("v", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_is_finite(value):
    with pytest.raises(ValueError, match=r"^v must be finite, got"):
        checks.number("v", value)


def test_a_number_may_touch_low_and_high_but_not_above():
    assert checks.number("v", 1, low=1, high=1) == 1.0
    assert isinstance(checks.number("v", 1), float)
    with pytest.raises(ValueError, match=r"^v must be in \[0, 1\], got 2"):
        checks.number("v", 2, low=0, high=1)
    with pytest.raises(ValueError, match=r"^v must be greater than 0, got 0"):
        checks.number("v", 0, above=0)


def test_an_unknown_name_is_answered_with_the_known_ones():
    assert checks.choice("kind", "b", {"b", "a"}) == "b"
    with pytest.raises(ValueError, match=r"^kind must be one of a, b, got 'c'"):
        checks.choice("kind", "c", {"b", "a"})
    with pytest.raises(TypeError, match=r"^kind must be a string, got int"):
        checks.choice("kind", 1, {"b", "a"})


def test_an_instance_may_be_of_any_of_the_kinds():
    checks.instance("thing", [], list, tuple)
    with pytest.raises(TypeError, match=r"^thing must be list or tuple, got None"):
        checks.instance("thing", None, list, tuple)
