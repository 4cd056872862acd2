"""What ``fit`` shows and refuses: the history, the progress bar, bad input."""

import math
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from aecore.training import History, fit
from tests.training_case import examples, reconstruction, small, train

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
