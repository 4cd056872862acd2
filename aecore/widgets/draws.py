"""Random numbers that a page draws as Python does: one seed gives both the same."""

import math
from typing import Any

import numpy as np


def uniform(seed: int, count: int) -> Any:
    """Numbers in [0, 1) from the generator mulberry32, which JavaScript computes as exactly."""
    with np.errstate(over="ignore"):  # 32 bits, and what is beyond is dropped
        t = np.uint32(seed) + np.arange(1, count + 1, dtype=np.uint32) * np.uint32(0x6D2B79F5)
        r = (t ^ (t >> 15)) * (t | 1)
        r ^= r + (r ^ (r >> 7)) * (r | 61)
        return (r ^ (r >> 14)) / 2**32


def normal(seed: int, count: int) -> Any:
    """Standard normal numbers, each from two uniform ones as Box and Muller make it: (count,)."""
    first, second = uniform(seed, 2 * count).reshape(2, count)
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * math.pi * second)
