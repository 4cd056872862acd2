"""``trained``: a model from the cache, or else trained now and put there."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from aecore import checks
from aecore.training import History
from aecore.zoo import store
from aecore.zoo.fingerprint import fingerprint

Make = Callable[[dict[str, Any]], nn.Module]
Train = Callable[[nn.Module, dict[str, Any]], Any]
State = dict[str, Tensor]


class Trained(NamedTuple):
    """A model, and how it came about."""

    model: nn.Module  # on the CPU, in evaluation mode
    history: Any  # what ``train`` returned: a History, JSON values, or None
    seconds: float  # that training it took, when it was trained


def trained(name: str, make: Make, train: Train, *, config: dict[str, Any]) -> Trained:
    """The model that ``train(make(config), config)`` leaves, from the cache if it lies there.

    It is kept under a key of all that decides about it (``fingerprint``): ``config`` (JSON values),
    the two functions with whatever they use, functions, settings and data, the modules of
    ``aecore`` behind them, ``AECORE_SEED``, the versions of the libraries, the kind of device. What
    changes it is trained again, and so is a model whose file is damaged or gone. ``name`` is the
    beginning of the file's name.

    What comes back is always a new ``make(config)`` that was filled with the trained state, on the
    CPU and in evaluation mode. So it is the same, bit for bit, however it came; and what training
    changes has to be in the model's ``state_dict``.

    The two functions draw from streams that begin with them, ``generator("vae, weights")`` or
    ``fit(..., seed=seed("vae"))``, also from PyTorch's global stream, which is seeded for them and
    put back. A generator that a chapter draws from elsewhere may not be used: it would stand in
    another place after a model that came from the cache. It is refused, as is all else whose
    content cannot be known.

    ``train`` returns the ``History`` of ``fit``, JSON values, or nothing. A run that was
    interrupted is handed on and not kept. A cache that cannot be written to is no error.
    """
    checks.instance("name", name, str)
    if not name or not all(letter.isalnum() or letter in " ,.=+-_" for letter in name):
        raise ValueError(
            "name must be of letters, digits, spaces and any of ,.=+-_, as the name of a file, "
            f"got {name!r}"
        )
    for argument, function in (("make", make), ("train", train)):
        if not callable(function):
            raise TypeError(f"{argument} must be a function, got {type(function).__name__}")
    checks.instance("config", config, dict)
    settings = _json("config", config)
    key = fingerprint(make=make, train=train, config=settings)
    path = store.directory() / f"{name.replace(' ', '-')}-{key[:24]}.safetensors"

    with _streams_aside(int(key[:8], 16)):
        found = store.load(path)
        if found is None or found[1].get("key") != key:
            found = _train(make, train, settings)
            record = {"name": name, "key": key, "config": settings} | found[1]
            if not record["interrupted"]:
                store.save(path, found[0], record)
    state, record = found
    with _streams_aside(int(key[:8], 16)):
        model = make(_json("config", settings))
    model.load_state_dict(state)
    history = record["history"]
    if record["fit"]:
        history = History(**history)
    return Trained(model.cpu().eval(), history, record["seconds"])


def _train(make: Make, train: Train, config: dict[str, Any]) -> tuple[State, dict[str, Any]]:
    started = time.perf_counter()
    model = make(_json("config", config))
    checks.instance("what make returns", model, nn.Module)
    history = train(model, _json("config", config))
    seconds = time.perf_counter() - started
    by_fit = isinstance(history, History)
    record = {
        "seconds": seconds,
        "fit": by_fit,
        "interrupted": by_fit and history.interrupted,
        "history": _json("what train returns", asdict(history) if by_fit else history),
    }
    # clones: tied weights share memory, which the file's format refuses
    state = {name: v.detach().cpu().clone().contiguous() for name, v in model.state_dict().items()}
    return state, record


def _json(name: str, value: Any) -> Any:
    """A copy of JSON values; ``TypeError`` for what would come back from a file as another."""
    try:
        copy = json.loads(json.dumps(value))
        same = repr(copy) == repr(value)
    except (TypeError, ValueError):
        same = False
    if not same:
        raise TypeError(
            f"{name} must be of JSON values (lists, dicts with text for keys, text, numbers, "
            f"true, false, none), got {value!r:.200}"
        )
    return copy


@contextmanager
def _streams_aside(seed: int) -> Iterator[None]:
    """PyTorch's global streams start at ``seed`` inside, and stand afterwards where they stood."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
