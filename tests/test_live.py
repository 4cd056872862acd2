"""Controls that need Python: the default in a build, a button with a kernel, and bad input."""

import sys

import ipywidgets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aecore.sphinx.widget import MIME
from aecore.widgets import live


@pytest.fixture
def shown(monkeypatch):
    """What ``live`` displays."""
    objects = []
    monkeypatch.setattr(sys.modules["aecore.widgets.live"], "display", objects.append)
    return objects


def test_live_in_a_build_shows_the_default_and_says_so(build, shown, comms):
    assert live(lambda code=8, loss="bce": code * 10, code=[2, 8], loss=["bce", "mse"]) is None
    result, note = shown
    assert result == 80
    assert note._repr_mimebundle_()[MIME] == {
        "kind": "live",
        "setting": {"code": "8", "loss": "bce"},
    }
    assert repr(note) == "Shown for code = 8, loss = bce"
    assert comms == []


def test_live_starts_at_the_first_value_without_a_default(build, shown):
    live(lambda code: code, code=[4, 2])
    assert shown[0] == 4


def test_live_shows_no_empty_result(build, shown):
    live(lambda code: None, code=[4, 2])
    assert len(shown) == 1


def test_live_with_a_kernel_gives_controls_and_waits(monkeypatch):
    monkeypatch.delenv("AECORE_BUILD", raising=False)
    made, calls = {}, []

    class Manual:
        def options(self, **settings):
            return lambda function, **controls: made.update(controls)

    monkeypatch.setattr(ipywidgets, "interact_manual", Manual())
    live(lambda code=8, loss="bce": calls.append(code), code=[2, 8], loss=["bce", "mse"])
    assert isinstance(made["code"], ipywidgets.SelectionSlider)
    assert made["code"].value == 8
    assert isinstance(made["loss"], ipywidgets.Dropdown)
    assert calls == []


@pytest.mark.parametrize(
    ("function", "controls", "error", "words"),
    [
        (3, {"code": [1]}, TypeError, "function must be callable, got int"),
        (lambda code: None, {}, ValueError, "controls must name at least one"),
        (lambda code: None, {"kode": [1]}, ValueError, r"\(code\), got 'kode'"),
        (lambda code: None, {"code": 3}, TypeError, "code must be a list of values, got int"),
        (lambda code: None, {"code": "ab"}, TypeError, "code must be a list of values, got str"),
        (lambda code: None, {"code": []}, ValueError, "code must have at least one value"),
        (lambda code=5: None, {"code": [1, 2]}, ValueError, "code must contain its default 5"),
        (lambda code, loss: None, {"code": [1]}, ValueError, "include the parameter 'loss'"),
    ],
)
def test_live_refuses(function, controls, error, words):
    with pytest.raises(error, match=words):
        live(function, **controls)


@given(st.lists(st.integers(), min_size=1), st.integers())
def test_live_refuses_a_default_that_is_no_choice(values, default):
    def run(value=default):
        return value

    if default not in values:
        with pytest.raises(ValueError, match="value must contain its default"):
            live(run, value=values)
