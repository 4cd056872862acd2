"""Sliders over pictures that were computed beforehand: for what no page can compute itself."""

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from PIL import Image
from PIL.Image import Resampling
from torch import Tensor

from aecore import checks
from aecore.plots.style import DIGIT
from aecore.widgets.base import Widget, front_end


class Switcher(Widget):
    """One slider for each control; together they choose one of the pictures.

    ``pictures``: tensor or array of shape (n1, n2, ..., H, W) for grey or (n1, n2, ..., H, W, 3)
    for colour, values in [0, 1], with one leading axis for each control. ``controls``: the name
    of each axis and its values, in order. ``captions``: a line for each state, nested lists of
    shape (n1, n2, ...). The first value of each control is shown at the start, unless
    ``chosen``, the positions of the sliders, is set before the widget is displayed; while a kernel
    runs it can be read and set at any time.
    """

    kind = "switcher"
    _esm = front_end(kind)

    images = traitlets.Bytes().tag(sync=True)  # PNG files, one after the other
    sizes: Any = traitlets.List().tag(sync=True)  # bytes of each
    shape: Any = traitlets.List().tag(sync=True)  # [height, width]
    names: Any = traitlets.List().tag(sync=True)
    values: Any = traitlets.List().tag(sync=True)  # [[text of each value] of each control]
    captions: Any = traitlets.List().tag(sync=True)  # one a state, or empty
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        pictures: Tensor | np.ndarray[Any, Any],
        controls: Mapping[str, Sequence[object]],
        *,
        name: str,
        label: str,
        captions: Sequence[Any] | None = None,
    ) -> None:
        counts = _counts(controls)
        array = _array(pictures, counts)
        lines = [] if captions is None else _captions(captions, counts)
        states = itertools.product(*(range(count) for count in counts))
        files = [png(array[state]) for state in states]
        super().__init__(
            name=name,
            label=label,
            images=b"".join(files),
            sizes=[len(file) for file in files],
            shape=list(array.shape[len(counts) : len(counts) + 2]),
            names=list(controls),
            values=[[str(value) for value in values] for values in controls.values()],
            captions=lines,
            chosen=[0] * len(counts),
        )

    @property
    def _state(self) -> int:
        counts = [len(values) for values in self.values]
        return int(np.ravel_multi_index(tuple(self.chosen), counts))

    def alt(self) -> str:
        """What the picture shows, in words."""
        setting = ", ".join(
            f"{name} {values[choice]}"
            for name, values, choice in zip(self.names, self.values, self.chosen, strict=True)
        )
        return f"{self.label}. {setting}. {self.captions[self._state] if self.captions else ''}"

    def picture(self) -> bytes:
        """The chosen picture, its pixels enlarged until it fills a column of text."""
        start = sum(self.sizes[: self._state])
        file = io.BytesIO(self.images[start : start + self.sizes[self._state]])
        image = Image.open(file)
        factor = max(1, 720 // image.width)
        size = (image.width * factor, image.height * factor)
        return _save(image.resize(size, Resampling.NEAREST))


def _counts(controls: Mapping[str, Sequence[object]]) -> list[int]:
    checks.instance("controls", controls, Mapping)
    if not controls:
        raise ValueError("controls must name at least one slider, got none")
    for name, values in controls.items():
        checks.instance("the name of a control", name, str)
        if isinstance(values, str) or not isinstance(values, Sequence | range):
            raise TypeError(f"controls[{name!r}] must be a list, got {type(values).__name__}")
        if len(values) < 2:
            raise ValueError(f"controls[{name!r}] must have at least 2 values, got {len(values)}")
    return [len(values) for values in controls.values()]


def _array(pictures: object, counts: list[int]) -> np.ndarray[Any, Any]:
    checks.instance("pictures", pictures, Tensor, np.ndarray)
    if isinstance(pictures, Tensor):
        pictures = pictures.detach().cpu().numpy()
    array = np.asarray(pictures)
    extra = array.shape[len(counts) :]
    colour = len(extra) == 3 and extra[2] == 3
    if list(array.shape[: len(counts)]) != counts or not (len(extra) == 2 or colour):
        expected = ", ".join(map(str, counts))
        raise ValueError(
            f"pictures must have shape ({expected}, H, W) or ({expected}, H, W, 3), "
            f"got {array.shape}"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"pictures must hold floating-point numbers, got {array.dtype}")
    if array.size == 0:
        raise ValueError(f"pictures must not be empty, got shape {array.shape}")
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 1:  # also false for NaN
        raise ValueError(f"pictures must be in [0, 1], got values from {low:g} to {high:g}")
    return array


def _captions(captions: Sequence[Any], counts: list[int]) -> list[str]:
    def walk(value: object, name: str, rest: list[int]) -> list[str]:
        if not rest:
            checks.instance(name, value, str)
            return [str(value)]
        checks.instance(name, value, list, tuple)
        assert isinstance(value, list | tuple)
        if len(value) != rest[0]:
            raise ValueError(f"{name} must have {rest[0]} entries, got {len(value)}")
        lines = (walk(item, f"{name}[{i}]", rest[1:]) for i, item in enumerate(value))
        return list(itertools.chain.from_iterable(lines))

    return walk(captions, "captions", counts)


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A PNG of values in [0, 1]: (H, W) in the tones of the figures, or (H, W, 3) in colour."""
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    if image.mode == "L":  # grey as the figures show it: the same bytes, with their colours
        tones = DIGIT(np.arange(256), bytes=True)[:, :3]
        image.putpalette(tones.tobytes())
    return _save(image)


def _save(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
