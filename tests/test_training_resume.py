"""A run that stops goes on to the bit; a checkpoint that does not fit is refused."""

import json
import signal
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from aecore.training.interrupt import AfterTheStep
from tests.training_case import (
    denoising,
    examples,
    same,
    small,
    train,
)


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


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """A shell starts its background jobs deaf to Ctrl-C, and these tests may run in one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
            r"weights.again.bias was torch.float32 \(6,\), is absent; .*\(and 8 more\)",
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
