"""A grid of codes that can be edited, and the image that a decoder makes of it in the page."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor, nn

from aecore import checks
from aecore.models.vector_quantized import VectorQuantizedAutoencoder
from aecore.plots.palette import AMBER, BLACK, GREY, NEGATIVE, PETROL, POSITIVE, WHITE
from aecore.widgets.base import Widget, figure_png, front_end
from aecore.widgets.packing import pack, unpack

MOST = 1000  # grids
CODES = 256  # entries of a codebook: a code is one byte
MOVED = 0.01  # a pixel that changes by more has moved
CONTRAST = 0.5  # the change that has the full colour


class CodeGrid(Widget):
    r"""Codes $k \in \{0 \dots K - 1\}^{S \times S}$ to paint with, and
    $\mathrm{Dec}_\theta(e_k)$ beside them.

    ``model``: its codebook and its decoder run in the page; images have one channel. ``output``
    says what it returns: ``"logits"``, drawn through a sigmoid, or ``"pixels"``, clipped to
    [0, 1]. ``grids``: for each name a set of grids to start from, (N, S, S) int64, at most 1000
    in all. A code is shown by its *portrait*: the mean, over all places of all these grids that
    have it, of the decoded image there, with a cell of its surroundings on each side. Codes in
    none of them are faint, with the portrait of a grid that has nothing else.

    A code *reaches* the pixels that the decoder's kernels lead to from its place: no other pixel
    can change with it.

    ``chosen``, a row of all grids one after the other; ``codes``, the S² bytes on the grid;
    ``before``, the same before the last change; and ``code``, the one to paint with, can be read
    and set from Python while a kernel runs.
    Raises ``TypeError`` or ``ValueError`` for grids that the model cannot decode.
    """

    kind = "code_grid"
    _esm = front_end(kind)

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    codebook = traitlets.Bytes().tag(sync=True)  # float32, (K, d)
    grids = traitlets.Bytes().tag(sync=True)  # uint8, (N, S²)
    sets: Any = traitlets.List().tag(sync=True)  # [name, number of grids] each
    portraits = traitlets.Bytes().tag(sync=True)  # uint8, (K, T²): T pixels are three cells
    order: Any = traitlets.List().tag(sync=True)  # of the codes, from paper to ink
    reach = traitlets.Bytes().tag(sync=True)  # uint16, (S², 4): rows from, to, columns from, to
    shape: Any = traitlets.List().tag(sync=True)  # [S, side of the image]
    output = traitlets.Unicode().tag(sync=True)
    tones = traitlets.List([BLACK, WHITE]).tag(sync=True)  # of a pixel's 0 and 1
    signed = traitlets.List([NEGATIVE, PETROL, BLACK, AMBER, POSITIVE]).tag(sync=True)
    moved = traitlets.Float(MOVED).tag(sync=True)
    contrast = traitlets.Float(CONTRAST).tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    codes = traitlets.CBytes().tag(sync=True)  # the page sends a memoryview
    before = traitlets.CBytes().tag(sync=True)
    code = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        model: VectorQuantizedAutoencoder,
        grids: Mapping[str, Tensor],
        *,
        name: str,
        label: str,
        output: str = "logits",
    ) -> None:
        checks.instance("model", model, VectorQuantizedAutoencoder)
        checks.choice("output", output, ("logits", "pixels"))
        size, dimensions = model.quantizer.size, model.quantizer.dimensions
        if model.channels != 1 or size > CODES:
            raise ValueError(
                f"model must have one channel and at most {CODES} codes, "
                f"got {model.channels} and {size}"
            )
        checks.tensor("the codebook of model", model.quantizer.codebook)
        rows = _rows(grids, size)  # (N, S²)
        side = int(rows.shape[1] ** 0.5)
        packed = pack(nn.Sequential(nn.Unflatten(1, (dimensions, side, side)), model.decoder))
        pixels = side * 2**model.halvings
        self._decoder = unpack(packed)  # as the page has it, whatever becomes of the model
        self._codebook = model.quantizer.codebook.detach().cpu().float().clone()
        self._grids = rows.numpy().astype("u1")
        self._uses = np.bincount(self._grids.ravel(), minlength=size)  # (K,)
        self._side, self._output = (side, pixels), output
        portraits = self._portraits()
        middle = slice(pixels // side, 2 * pixels // side)
        ink = portraits[:, middle, middle].sum((1, 2), dtype=int)  # (K,)
        order = sorted(range(size), key=lambda code: (self._uses[code] == 0, ink[code]))
        self._pictures = portraits
        super().__init__(
            name=name,
            label=label,
            layers=packed.layers,
            weights=packed.data,
            codebook=self._codebook.numpy().astype("<f4").tobytes(),
            grids=self._grids.tobytes(),
            sets=[[words, len(grid)] for words, grid in grids.items()],
            portraits=portraits.tobytes(),
            order=order,
            reach=_reach(self._decoder, dimensions, side).tobytes(),
            shape=[side, pixels],
            output=output,
            codes=self._grids[0].tobytes(),
            before=self._grids[0].tobytes(),
            code=int(np.where(self._uses > 0, ink, -1).argmax()),
        )

    @traitlets.validate("chosen", "codes", "before", "code")
    def _check(self, proposal: Any) -> Any:
        field, value = proposal["trait"].name, proposal["value"]
        if field in ("chosen", "code"):
            most = len(self._grids if field == "chosen" else self._uses) - 1
            return checks.integer(field, value, low=0, high=most)
        if len(value) != self._side[0] ** 2 or max(value) >= len(self._uses):
            raise ValueError(
                f"{field} must be {self._side[0] ** 2} bytes below {len(self._uses)}, got "
                f"{len(value)} up to {max(value, default=0)}"
            )
        return value

    @traitlets.observe("chosen")
    def _choose(self, change: Any) -> None:
        self.codes = self.before = self._grids[change["new"]].tobytes()

    def put(self, row: int, column: int, code: int) -> None:
        """Change one code of the grid, as if the reader had painted it; all count from 0."""
        side = self._side[0]
        checks.integer("row", row, low=0, high=side - 1)
        checks.integer("column", column, low=0, high=side - 1)
        checks.integer("code", code, low=0, high=len(self._uses) - 1)
        codes = bytearray(self.codes)
        codes[row * side + column] = code
        self.before, self.codes = self.codes, bytes(codes)

    @property
    def image(self) -> Tensor:
        """The decoded image, (1, H, W) in [0, 1]."""
        return self._decode(np.frombuffer(self.codes, "u1")[None])[0]

    def moved_pixels(self) -> int:
        """How many pixels differ by more than a hundredth from the chosen grid's image."""
        start = self._decode(self._grids[self.chosen][None])[0]
        return int(((self.image - start).abs() > MOVED).sum())

    def alt(self) -> str:
        """What the picture shows, in words."""
        side, _ = self._side
        words, number = self._which()
        changed = int((np.frombuffer(self.codes, "u1") != self._grids[self.chosen]).sum())
        return (
            f"{self.label}. Left: the {side} by {side} codes of grid {number} of the set "
            f"{words!r}, {changed} of them changed. Right: the image that the decoder makes of "
            f"them, with {self.moved_pixels()} pixels moved, and what the last change moved. "
            f"Below: the {len(self._uses)} codes; {int((self._uses == 0).sum())} of them are in "
            f"none of the {len(self._grids)} grids."
        )

    def picture(self) -> bytes:
        """The codes, the image, the last change and the codebook, on a transparent ground."""
        across = min(16, len(self._uses))
        tile = 6.9 / across  # inches
        grid, image_side = 4.5, 2.1
        tall = 5.1 + tile * -(-len(self._uses) // across)
        figure = Figure(figsize=(6.9, tall))
        figure.set_layout_engine("none")

        def place(x: float, y: float, wide: float, high: float, title: str) -> Axes:
            axes = figure.add_axes((x / 6.9, 1 - (y + high) / tall, wide / 6.9, high / tall))
            axes.set_axis_off()
            # grey reads on paper and in the dark
            axes.set_title(title, size=9, color=GREY, loc="left", pad=4)
            return axes

        words, number = self._which()
        codes = np.frombuffer(self.codes, "u1")
        axes = place(0, 0.28, grid, grid, f"Codes: {words}, {number}")
        self._tiles(axes, codes, self._side[0], 6.5)
        image = self.image[0].numpy()
        right = 6.9 - image_side, 0.28, image_side, image_side
        place(*right, "Decoded").imshow(image, "aecore.digit", vmin=0, vmax=1)
        change = image - self._decode(np.frombuffer(self.before, "u1")[None])[0, 0].numpy()
        axes = place(right[0], 2.68, image_side, image_side, "The last change")
        axes.imshow(change, "aecore.signed", vmin=-CONTRAST, vmax=CONTRAST)
        axes = place(0, 5.1, 6.9, tall - 5.1, "The codebook, from paper to ink")
        self._tiles(axes, np.array(self.order), across, 5.5)
        return figure_png(figure)

    def _tiles(self, axes: Axes, codes: Any, across: int, size: float) -> None:
        """Portraits and numbers of codes, row by row; fainter where a code is never used."""
        for i, code in enumerate(codes):
            x, y = i % across, i // across
            axes.imshow(
                self._pictures[code],
                "aecore.digit",
                vmin=0,
                vmax=255,
                extent=(x + 0.03, x + 0.97, y + 0.97, y + 0.03),
                alpha=1.0 if self._uses[code] else 0.3,
            )
            halo = [withStroke(linewidth=1.5, foreground=BLACK)]
            axes.text(
                x + 0.92, y + 0.93, str(code), size=size, color=WHITE, ha="right", va="bottom",
                path_effects=halo,
            )  # fmt: skip
        axes.set(xlim=(0, across), ylim=(-(-len(codes) // across), 0))

    def _which(self) -> tuple[str, int]:
        """The set that the chosen grid is of, and its number there, from 1."""
        ends = np.cumsum([number for _, number in self.sets])
        which = int(np.searchsorted(ends, self.chosen, side="right"))
        words, number = self.sets[which]
        return words, self.chosen - int(ends[which]) + number + 1

    @torch.no_grad()
    def _decode(self, rows: Any) -> Tensor:
        """Grids as rows, (N, S²), to images in [0, 1], (N, 1, H, W)."""
        entries = self._codebook[torch.from_numpy(rows.astype("i8"))]  # (N, S², d)
        values: Tensor = self._decoder(entries.movedim(-1, 1).flatten(1))
        return values.sigmoid() if self._output == "logits" else values.clamp(0, 1)

    def _portraits(self) -> Any:
        """Of every code the mean image around it, (K, T, T) as bytes."""
        side, pixels = self._side
        cell = pixels // side
        rows = self._grids
        unused = np.flatnonzero(self._uses == 0).astype("u1")
        alone = np.repeat(unused[:, None], side**2, 1)
        sums = torch.zeros(len(self._uses), 3 * cell, 3 * cell)
        for batch in (rows, alone):
            if not len(batch):
                continue
            images = nn.functional.pad(self._decode(batch)[:, 0], (cell,) * 4)
            around = images.unfold(1, 3 * cell, cell).unfold(2, 3 * cell, cell)  # (N, S, S, T, T)
            where = torch.from_numpy(batch.astype("i8")).flatten()
            sums.index_add_(0, where, around.flatten(0, 2))
        counts = np.where(self._uses > 0, self._uses, side**2)
        means = sums / torch.from_numpy(counts)[:, None, None]
        return (255 * means).round().numpy().astype("u1")


def _rows(grids: Mapping[str, Tensor], size: int) -> Tensor:
    """All grids one after the other, each as a row."""
    checks.instance("grids", grids, Mapping)
    if not grids:
        raise ValueError("grids must name at least one set of grids, got none")
    side = None
    for words, grid in grids.items():
        checks.instance("the name of a set of grids", words, str)
        name = f"grids[{words!r}]"
        checks.instance(name, grid, Tensor)
        if grid.dtype != torch.int64:
            raise TypeError(f"{name} must be int64, got {grid.dtype}")
        side = side or (grid.shape[1] if grid.ndim > 1 else None)
        if grid.ndim != 3 or grid.shape[1:] != (side, side) or not grid.numel():
            square = "S" if side is None else side
            raise ValueError(
                f"{name} must have shape (N, {square}, {square}), got {tuple(grid.shape)}"
            )
        low, high = (int(value) for value in grid.aminmax())
        if low < 0 or high >= size:
            raise ValueError(f"{name} must be from 0 to {size - 1}, got {low} to {high}")
    rows = torch.cat([grid.detach().cpu().flatten(1) for grid in grids.values()])
    if len(rows) > MOST:
        raise ValueError(f"grids must be at most {MOST}, got {len(rows)}")
    return rows


@torch.no_grad()
def _reach(decoder: nn.Module, dimensions: int, side: int) -> Any:
    """The rows and columns of pixels, from and to, that each place leads to: (S², 4)."""
    open_ = copy.deepcopy(decoder)
    for name, parameter in open_.named_parameters():
        parameter.fill_(float(name.endswith("weight")))  # nothing cancels, and nothing starts
    places = torch.eye(side**2)[:, None].expand(-1, dimensions, -1)  # (S², d, S²)
    found = open_(places.flatten(1))[:, 0] > 0  # (S², H, W)
    boxes = []
    for axis in (2, 1):
        along = found.any(axis).int()  # (S², H)
        last = along.shape[1] - along.flip(1).argmax(1)
        boxes += [along.argmax(1), last]
    return torch.stack(boxes, 1).numpy().astype("<u2")  # (S², 4)
