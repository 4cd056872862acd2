"""Drawn faces, 64×64 in colour, of which everything is known: eight factors say what each shows.

A part of a face is a signed distance, negative inside, found as f / |∇f| from an implicit curve
f = 0 [taubin1994distance]; its edge is blended over a pixel and a half, so that no pixel jumps when
a factor moves. Coordinates are x to the right and y up, in [−1, 1]: a pixel is 1/32 wide.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aecore import checks
from aecore.data.splits import Rendered, RenderedSplits

NAMES = ("yaw", "pitch", "light", "smile", "eyes", "hair", "skin", "background")
SIDE = 64
SIZES = (4000, 500, 500)  # train, validation, test
CHUNK = 16  # images drawn together: with more they leave the processor's cache

Array = NDArray[np.float32]
Colour = tuple[float, float, float]

# what colours a factor mixes, at −1, 0 and 1
BACKGROUND = [(0.68, 0.77, 0.82), (0.83, 0.84, 0.80), (0.93, 0.81, 0.73)]
HAIR = [(0.90, 0.73, 0.47), (0.56, 0.36, 0.25), (0.23, 0.19, 0.21)]
SKIN = [(0.98, 0.84, 0.75), (0.84, 0.62, 0.49), (0.52, 0.35, 0.27)]
JUMPER, COLLAR, WHITE = (0.25, 0.42, 0.47), (0.20, 0.34, 0.39), (0.97, 0.96, 0.94)
IRIS, PUPIL = (0.40, 0.26, 0.17), (0.12, 0.09, 0.09)
LIPS, MOUTH, TONGUE = (0.78, 0.35, 0.36), (0.38, 0.12, 0.14), (0.82, 0.42, 0.42)

WIDTH, HEIGHT, DEPTH = 0.50, 0.58, 0.55  # half the head's
YAW, PITCH = 0.25, 0.15  # radians at factor 1


class Canvas:
    """Some images, or a window of them: ``pixels`` (B, 3, h, w) at ``x`` (w,) and ``y`` (h, 1)."""

    def __init__(self, pixels: Array, x: Array, y: Array) -> None:
        self.pixels, self.x, self.y = pixels, x, y

    def window(self, x: float, y: float, width: float, height: float) -> "Canvas":
        """The pixels that are at most ``width`` and ``height`` away from (x, y)."""
        columns = np.flatnonzero(np.abs(self.x - x) <= width)
        rows = np.flatnonzero(np.abs(self.y - y) <= height)
        left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        pixels = self.pixels[:, :, top:bottom, left:right]
        return Canvas(pixels, self.x[left:right], self.y[top:bottom])

    def paint(self, cover: Array, colour: Array | Colour) -> None:
        """Lay ``colour`` over the images where ``cover`` (B, h, w) is 1, in part below."""
        if isinstance(colour, tuple):
            colour = np.array(colour, np.float32)[:, None, None]
        self.pixels += cover[..., None, :, :] * (colour - self.pixels)


class Head:
    """Where things are in B heads that are turned and lit: factors have shape (B, 1, 1)."""

    def __init__(self, factors: Array) -> None:
        value = dict(zip(NAMES, factors.T[..., None, None], strict=True))
        self.light, self.smile, self.eyes = value["light"], value["smile"], value["eyes"]
        self.yaw, self.pitch = YAW * value["yaw"], PITCH * value["pitch"]
        self.hair, self.skin = mix(HAIR, value["hair"]), mix(SKIN, value["skin"])  # (B, 3, 1, 1)
        self.background = mix(BACKGROUND, value["background"])
        self.x = 0.05 * np.sin(self.yaw)
        self.y = 0.06 + 0.05 * np.sin(self.pitch)

    def place(self, x: float, y: float, lift: float = 1) -> tuple[Array, Array, Array]:
        """Where a point of the face comes to lie, and by how much a width shrinks there.

        ``lift``: 1 on the skin, more before it, 0 in the plane of the ears.
        """
        z = lift * DEPTH * (1 - (x / WIDTH) ** 2 - (y / HEIGHT) ** 2) ** 0.5
        across = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        depth = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        upward = y * np.cos(self.pitch) + depth * np.sin(self.pitch)
        angle = np.arctan2(x, z)
        return self.x + across, self.y + upward, np.cos(angle + self.yaw) / np.cos(angle)

    def lit(self, x: Array, colour: Array | Colour) -> Array:
        """A colour in light from the left at −1, from the right at 1: (B, 3, 1, w)."""
        if isinstance(colour, tuple):
            colour = np.array(colour, np.float32)[:, None, None]
        warmth = np.array([0.27, 0.25, 0.21], np.float32)[:, None, None]  # shadows are bluer
        facing = np.clip(x / (WIDTH + 0.15), -1, 1)
        lit: Array = colour * (1 + warmth * (self.light * facing)[:, None])
        return lit


def mix(anchors: list[Colour], t: Array) -> Array:
    """The colours at t in [−1, 1] on the path from anchor to anchor: (B, 1, 1) → (B, 3, 1, 1)."""
    at = np.linspace(-1, 1, len(anchors))
    channels = [np.interp(t, at, channel) for channel in zip(*anchors, strict=True)]
    return np.stack(channels, 1).astype(np.float32)


def ellipse(x: Array, y: Array, width: Array | float, height: Array | float) -> Array:
    """The distance to an ellipse of these half-axes: f = |(x / width, y / height)| − 1."""
    u, v = x / width, y / height
    norm = np.sqrt(u * u + v * v) + 1e-6
    u, v = u / width, v / height
    distance: Array = norm * (norm - 1) / (np.sqrt(u * u + v * v) + 1e-6)
    return distance


def between(y: Array, low: Array, high: Array) -> Array:
    """The distance to the strip low < y < high between two flat curves."""
    distance: Array = np.maximum(y - high, low - y)
    return distance


def inside(distance: Array, blur: float = 1.5 / 32) -> Array:
    """1 inside, 0 outside, and a smooth step of this width in between."""
    t: Array = np.clip(0.5 - distance / blur, 0, 1)
    return t * t * (3 - 2 * t)


# ---- the parts, from the back to the front


def background(canvas: Canvas, head: Head) -> None:
    """A wall, a little brighter behind the head."""
    glow = 1.04 - 0.10 * (canvas.x**2 + (canvas.y - 0.1) ** 2)
    canvas.pixels[:] = head.background * glow


def back_hair(canvas: Canvas, head: Head) -> None:
    """Curls behind the head, so they move against the face."""
    x = canvas.x - head.x + 0.10 * np.sin(head.yaw)
    y = canvas.y - head.y - 0.16 + 0.08 * np.sin(head.pitch)
    curls = 0.07 * abs(np.cos(5 * np.arctan2(x, y + 0.05)))
    mop = np.maximum(ellipse(x, y, WIDTH + 0.04, HEIGHT - 0.04) - curls, -0.26 - y)
    canvas.paint(inside(mop), head.lit(canvas.x, head.hair * 0.84))


def body(canvas: Canvas, head: Head) -> None:
    """A neck in the head's shadow, and a jumper: they do not turn."""
    canvas = canvas.window(0, -0.65, 1, 0.35)
    x, y = canvas.x, canvas.y
    canvas.paint(inside(ellipse(x, y + 1.12, 0.80, 0.46)), head.lit(x, JUMPER))
    canvas.paint(inside(ellipse(x, y + 0.68, 0.25, 0.14)), head.lit(x, COLLAR))
    neck = np.maximum(abs(x) - 0.17, abs(y + 0.51) - 0.15)
    neck = np.minimum(neck, ellipse(x, y + 0.66, 0.18, 0.11))
    canvas.paint(inside(neck), head.lit(x, head.skin * 0.82))


def ears(canvas: Canvas, head: Head) -> None:
    """They stay where the head turns about."""
    for side in (-1, 1):
        ear = canvas.window(side * 0.5, 0.02, 0.16, 0.2)
        x, y, _ = head.place(side * 0.49, -0.04, lift=0)
        u, v = ear.x - x - 0.015 * side, ear.y - y
        ear.paint(inside(ellipse(u, v, 0.085, 0.12)), head.lit(ear.x, head.skin * 0.95))
        ear.paint(0.7 * inside(ellipse(u, v, 0.05, 0.08), 0.08), head.lit(ear.x, head.skin * 0.78))


def face(canvas: Canvas, head: Head) -> None:
    """An ellipse with a narrower chin, that leads when the head turns."""
    lower = np.clip((head.y - canvas.y) / HEIGHT, 0, 1)
    x = canvas.x - head.x - 0.12 * np.sin(head.yaw) * lower
    shape = ellipse(x, canvas.y - head.y, WIDTH * (1 - 0.09 * lower * lower), HEIGHT)
    canvas.paint(inside(shape), head.lit(canvas.x, head.skin))


def fringe(canvas: Canvas, head: Head) -> None:
    """Curls over the forehead, and their shadow."""
    x, y, _ = head.place(0, 0.385)
    u = (canvas.x - x) / WIDTH
    curls = 0.07 * abs(np.cos(6 * u))
    hairline = y + 0.02 - curls - 0.34 * np.minimum(u * u, 1) - canvas.y
    cap = ellipse(canvas.x - head.x, canvas.y - head.y - 0.05, WIDTH + 0.02, HEIGHT + 0.02)
    shadow = 0.5 * inside(np.maximum(cap + 0.08, hairline - 0.05), 0.10)
    canvas.paint(shadow, head.lit(canvas.x, head.skin * 0.72))
    cover = inside(np.maximum(cap, hairline))
    canvas.paint(cover, head.lit(canvas.x, head.hair * 0.84))
    canvas.paint(cover * inside(cap + 0.16, 0.3), head.lit(canvas.x, head.hair * 1.08))


def cheeks(canvas: Canvas, head: Head) -> None:
    """They blush, and a smile lifts them."""
    for side in (-1, 1):
        cheek = canvas.window(side * 0.27, -0.1, 0.42, 0.34)
        x, y, squash = head.place(side * 0.28, -0.18)
        u, v = (cheek.x - x) / squash, cheek.y - y - 0.03 * head.smile
        blush = (0.32 + 0.18 * head.smile) * inside(ellipse(u, v, 0.11, 0.085), 0.18)
        rosy = head.skin * np.array([1.0, 0.76, 0.74], np.float32)[:, None, None]
        cheek.paint(blush, head.lit(cheek.x, rosy))


def nose(canvas: Canvas, head: Head) -> None:
    """A tip and its shadow: nothing moves further in a turn."""
    canvas = canvas.window(0, -0.05, 0.36, 0.32)
    x, y, _ = head.place(0, -0.13, lift=1.22)
    u, v = canvas.x - x, canvas.y - y
    below = 0.8 * inside(ellipse(u, v + 0.035, 0.085, 0.035), 0.07)
    canvas.paint(below, head.lit(canvas.x, head.skin * 0.74))
    tip = inside(ellipse(u, v - 0.01, 0.07, 0.05), 0.07)
    canvas.paint(tip, head.lit(canvas.x, head.skin * 1.03))


def eyes(canvas: Canvas, head: Head) -> None:
    """Two lids that meet; lashes follow the upper one, and the light is seen in the pupil."""
    opening = 0.5 + 0.5 * head.eyes
    for side in (-1, 1):
        eye = canvas.window(side * 0.2, 0.1, 0.38, 0.36)
        x, y, squash = head.place(side * 0.212, 0.03)
        u, v = (eye.x - x) / squash, eye.y - y
        arch = 1 - (u / 0.15) ** 2
        high, low = (0.02 + 0.13 * opening) * arch, (0.04 - 0.12 * opening) * arch
        lash = np.maximum(between(v, high - 0.02, high + 0.025), abs(u) - 0.155)
        eye.paint(inside(lash), head.lit(eye.x, head.skin * 0.40))
        white = inside(np.maximum(between(v, low, high), abs(u) - 0.15), 1 / 32)
        eye.paint(white, WHITE)
        eye.paint(white * inside(ellipse(u, v - 0.028, 0.088, 0.095)), IRIS)
        eye.paint(white * inside(ellipse(u, v - 0.028, 0.048, 0.052)), PUPIL)
        eye.paint(white * inside(ellipse(u - 0.035 * head.light, v - 0.06, 0.028, 0.026)), WHITE)


def brows(canvas: Canvas, head: Head) -> None:
    """They rise as the eyes open."""
    for side in (-1, 1):
        brow = canvas.window(side * 0.2, 0.3, 0.4, 0.3)
        x, y, squash = head.place(side * 0.225, 0.235)
        u, v = side * (brow.x - x) / squash, brow.y - y - 0.022 * head.eyes
        curve = 0.035 * (1 - ((u - 0.01) / 0.12) ** 2)
        stroke = ellipse(u, v - curve, 0.135, 0.028)
        brow.paint(inside(stroke), head.lit(brow.x, 0.6 * head.hair + 0.1 * head.skin))


def mouth(canvas: Canvas, head: Head) -> None:
    """A frown is a closed arc; a smile opens and shows teeth and tongue."""
    canvas = canvas.window(0, -0.25, 0.46, 0.36)
    x, y, squash = head.place(0, -0.32)
    u, v = (canvas.x - x) / ((0.225 + 0.035 * head.smile) * squash), canvas.y - y
    arch = 1 - u * u
    opening = 0.175 * (0.5 + 0.5 * head.smile) ** 2 * arch
    line = 0.095 * head.smile * (0.55 - arch)
    full = 1 - u**4
    high, low = line + 0.01 * full, line - opening - 0.01 * full
    lips = between(v, low - 0.04 * full, high + 0.03 * full)
    skin = 0.35 * head.skin + 0.65 * np.array(LIPS, np.float32)[:, None, None]
    canvas.paint(inside(lips), head.lit(canvas.x, skin))
    gap = inside(between(v, low, high))
    canvas.paint(gap, MOUTH)
    canvas.paint(gap * inside(ellipse(0.2 * u, v - low, 0.10, 0.04)), TONGUE)
    canvas.paint(gap * inside(between(v, high - 0.5 * opening, high)), WHITE)


PARTS = (
    background, back_hair, body, ears, face, fringe, cheeks, nose, eyes, brows, mouth,
)  # fmt: skip


def render(factors: Tensor) -> Tensor:
    """The faces with these factors, (N, 8) in [−1, 1] in the order of ``NAMES``: (N, 3, 64, 64).

    Drawn in NumPy: no gradient passes. Raises ``TypeError`` or ``ValueError`` for factors that are
    no such tensor.
    """
    checks.tensor("factors", factors, ("N", len(NAMES)), low=-1, high=1)
    rows = factors.numpy(force=True).astype(np.float32)
    images = np.empty((len(rows), 3, SIDE, SIDE), np.float32)
    x = np.linspace(1 / SIDE - 1, 1 - 1 / SIDE, SIDE, dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        canvas = Canvas(images[start : start + CHUNK], x, -x[:, None])
        head = Head(rows[start : start + CHUNK])
        for part in PARTS:
            part(canvas, head)
    return torch.from_numpy(images.clip(0, 1, out=images))


@cache
def faces() -> RenderedSplits:
    """4,000 training, 500 validation and 500 test faces: images (N, 3, 64, 64) in [0, 1].

    The eight factors of a face are independent and uniform in [−1, 1], from a generator that moves
    with no seed. From −1 to 1: ``yaw`` turns the head to the right of the image and ``pitch`` up;
    ``light`` comes from the left, then from the right; ``smile`` goes from a frown to teeth and
    ``eyes`` from closed to wide; ``hair`` and ``skin`` from fair to deep; ``background`` from blue
    to peach. Nothing else differs between two faces: ``render`` draws each again from its factors.
    """
    rng = np.random.default_rng(0)
    parts = []
    for size in SIZES:
        factors = torch.from_numpy(rng.uniform(-1, 1, (size, len(NAMES))).astype(np.float32))
        parts.append(Rendered(render(factors), factors, NAMES))
    return RenderedSplits(*parts)
