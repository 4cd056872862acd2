"""Bad input, refused in one voice: the argument's name, what came, what was expected.

Every public function of ``aecore`` calls these before it computes. A wrong *type* raises
``TypeError``; a wrong *value* (shape, range, NaN, empty, unknown name) raises ``ValueError``.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor


def tensor(
    name: str,
    value: object,
    shape: Sequence[int | str | None] | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    finite: bool = True,
) -> Tensor:
    """Return ``value`` if it is a non-empty floating-point tensor of the expected shape and range.

    ``shape`` has one entry a dimension: a number where the size is fixed, a word or ``None``
    where it is free; ``...`` is written by leaving ``shape`` out. ``low`` and ``high`` are
    inclusive bounds of the values.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {_kind(value)}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must hold floating-point numbers, got {value.dtype}")
    if shape is not None:
        fits = value.ndim == len(shape) and all(
            not isinstance(want, int) or want == got
            for want, got in zip(shape, value.shape, strict=True)
        )
        if not fits:
            expected = ", ".join("any" if s is None else str(s) for s in shape)
            raise ValueError(f"{name} must have shape ({expected}), got {tuple(value.shape)}")
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
    if finite or low is not None or high is not None:
        smallest, largest = (float(v) for v in torch.aminmax(value.detach()))
        if not (math.isfinite(smallest) and math.isfinite(largest)):
            raise ValueError(f"{name} must be finite, got NaN or infinity")
        if low is not None and smallest < low:
            raise ValueError(f"{name} must be at least {low}, got {smallest}")
        if high is not None and largest > high:
            raise ValueError(f"{name} must be at most {high}, got {largest}")
    return value


def same_shape(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse two tensors whose shapes differ: nothing in the book broadcasts by accident."""
    if value.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {tuple(other.shape)}, "
            f"got {tuple(value.shape)}"
        )


def integer(name: str, value: object, *, low: int = 1, high: int | None = None) -> int:
    """Return ``value`` if it is a whole number in ``[low, high]``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {_kind(value)}")
    if value < low or (high is not None and value > high):
        upper = "" if high is None else f" and at most {high}"
        raise ValueError(f"{name} must be at least {low}{upper}, got {value}")
    return value


def number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float | None = None,
) -> float:
    """Return ``value`` as a float if it is finite, in ``[low, high]`` and over ``above``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {_kind(value)}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if above is not None and value <= above:
        raise ValueError(f"{name} must be greater than {above}, got {value}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low}, {high}], got {value}")
    return float(value)


def choice(name: str, value: object, known: Collection[str]) -> str:
    """Return ``value`` if it is one of the known names."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {_kind(value)}")
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(sorted(known))}, got {value!r}")
    return value


def instance(name: str, value: object, *kinds: type[Any]) -> None:
    """Refuse a value that is none of ``kinds``."""
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name} must be {expected}, got {_kind(value)}")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
