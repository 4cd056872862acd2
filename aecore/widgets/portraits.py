"""Images in colour that a decoder draws in the page: what ``FaceSliders`` and ``Morph`` share."""

import math
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from aecore import checks
from aecore.widgets.packing import pack, unpack

MOST = 8  # codes: a row of buttons


class PortraitState(traitlets.HasTraits):
    """What the page of a widget with portraits holds, from ``Portraits.state``."""

    layers: Any = traitlets.List().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    centre = traitlets.Bytes().tag(sync=True)  # float16, (3, H, W)
    scale = traitlets.Float().tag(sync=True)
    shape: Any = traitlets.List().tag(sync=True)  # [3, height, width]
    codes = traitlets.Bytes().tag(sync=True)  # float32, (N, q)


class Portraits:
    r"""$\hat x = c + s\,\mathrm{Dec}(z)$, clipped to [0, 1], computed as the page computes it.

    ``decoder``: ``nn.Sequential`` of the layers in ``packing.KINDS``, from q latents to an image
    (3, H, W). ``centre``: (3, H, W). ``scale``: a number over 0. ``codes``: (N, q), from 2 to 8 of
    them. ``state`` is what the page needs: ``layers`` and ``weights``, ``centre`` and ``codes`` as
    bytes (float16 and float32), ``scale``, ``shape``.
    Raises ``TypeError`` or ``ValueError`` for what does not fit, by name.
    """

    def __init__(self, decoder: nn.Module, codes: Tensor, centre: Tensor, scale: float) -> None:
        checks.instance("decoder", decoder, nn.Module)
        packed = pack(decoder)
        shape = packed.image
        if shape is None or shape[0] != 3:
            got = f"{packed.outputs} values" if shape is None else f"images of shape {shape}"
            raise ValueError(f"decoder must return images in colour, (3, H, W), got {got}")
        checks.tensor("codes", codes, ("N", packed.inputs))
        if not 2 <= len(codes) <= MOST:
            raise ValueError(f"codes must be from 2 to {MOST}, got {len(codes)}")
        checks.tensor("centre", centre, shape)
        checks.number("scale", scale, above=0)

        self.network = unpack(packed)  # as the page has it, whatever becomes of the model
        self.codes = codes.detach().cpu().float().clone()  # (N, q)
        self.shape = shape
        self.scale = float(scale)
        halves = centre.detach().cpu().to(torch.float16)  # (3, H, W)
        self.centre = halves.float()
        self.state: dict[str, Any] = {
            "layers": packed.layers,
            "weights": packed.data,
            "codes": self.codes.numpy().astype("<f4").tobytes(),
            "centre": halves.numpy().astype("<f2").tobytes(),
            "scale": self.scale,
            "shape": list(shape),
        }

    def draw(self, codes: Tensor) -> Tensor:
        """The images of codes, (B, q) → (B, 3, H, W) in [0, 1]."""
        drawn: Tensor = self.network(codes)
        return (self.centre + self.scale * drawn).clamp(0, 1)


def between(a: Tensor, b: Tensor, t: float, path: str) -> Tensor:
    r"""A code on the way from ``a`` (q,) to ``b`` (q,), at ``t`` from 0 to 1.

    On the ``"line"`` it is $(1-t)a + tb$; on the ``"sphere"`` [shoemake1985animating]
    $\frac{\sin((1-t)\Omega)}{\sin\Omega}a + \frac{\sin(t\Omega)}{\sin\Omega}b$ with $\Omega$ the
    angle between the two, and the line where that angle is 0 or π and says no way.
    """
    length = float(a.norm() * b.norm())
    cosine = float(a @ b) / length if length else 1.0
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if path == "line" or math.sin(angle) < 1e-4:
        return (1 - t) * a + t * b
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)
