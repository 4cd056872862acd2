"""The faces: sizes, independence, smoothness, and each factor in its own part of the image."""

import hashlib
import sys

import numpy as np
import pytest
import torch

from aecore.data import Rendered, RenderedSplits, faces
from aecore.data.faces import DEPTH, NAMES, SIDE, Canvas, Head, ellipse, inside, render

PARTS = ("train", "validation", "test")
YAW, PITCH, LIGHT, SMILE, EYES, HAIR, SKIN, BACKGROUND = range(8)
FRONT = torch.zeros(1, 8)
MEANS = [0.60478, 0.60547, 0.59111, 0.67267, 0.65828, 0.62063, 0.65455, 0.63551, 0.6085]


def drawn(number: int = 16) -> torch.Tensor:
    """Factors of some faces, the extremes of each factor among them."""
    some = torch.rand(number, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.cat([some, torch.eye(8), -torch.eye(8), torch.ones(1, 8), -torch.ones(1, 8)])


def change(factors: torch.Tensor, factor: int) -> torch.Tensor:
    """How far each pixel moves, at most, from −1 to 1 of a factor: (N, 64, 64)."""
    ends = []
    for end in (-1, 1):
        moved = factors.clone()
        moved[:, factor] = end
        ends.append(render(moved))
    return (ends[0] - ends[1]).abs().amax(1)


def box(left: float, right: float, bottom: float, top: float) -> torch.Tensor:
    """The pixels in a rectangle of the plane [−1, 1]², y up: (64, 64)."""
    x = (torch.arange(SIDE) + 0.5) * 2 / SIDE - 1
    y = -x[:, None]
    return (x > left) & (x < right) & (y > bottom) & (y < top)


# ---- the data set


@pytest.mark.parametrize(("part", "number"), [("train", 4000), ("validation", 500), ("test", 500)])
def test_a_part_has_its_size_and_its_range(part, number):
    rendered = getattr(faces(), part)
    assert rendered.images.shape == (number, 3, 64, 64)
    assert rendered.images.dtype == rendered.factors.dtype == torch.float32
    assert rendered.factors.shape == (number, 8)
    assert rendered.names == NAMES
    assert rendered.images.min() >= 0
    assert rendered.images.max() <= 1
    assert 0.97 < rendered.factors.abs().max() <= 1


def test_an_image_shows_its_factors():
    test = faces().test
    assert torch.equal(render(test.factors[:40]), test.images[:40])


def test_the_faces_are_drawn_once():
    assert faces() is faces()


def test_the_faces_move_with_no_seed(monkeypatch):
    first = faces()
    monkeypatch.setenv("AECORE_SEED", "5")
    monkeypatch.setattr(sys.modules["aecore.data.faces"], "SIZES", (8, 500, 8))
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global stream must not matter
    again = faces.__wrapped__()
    assert torch.equal(again.train.factors, first.train.factors[:8])
    assert torch.equal(again.train.images, first.train.images[:8])


def test_a_test_number_of_one_reader_is_of_the_faces_of_another():
    factors = torch.cat([getattr(faces(), part).factors for part in PARTS])
    assert hashlib.sha256(factors.numpy().tobytes()).hexdigest()[:16] == "b57cd4672dbb88e6"
    # no hash of the pixels: another processor may round the last bit of a cosine otherwise
    means = faces().test.images[:3].mean((2, 3)).flatten().tolist()
    assert means == pytest.approx(MEANS, abs=1e-4)


def test_no_two_faces_are_the_same():
    factors = torch.cat([getattr(faces(), part).factors for part in PARTS])
    assert len(factors.unique(dim=0)) == 5000


def test_factors_are_uniform_and_independent():
    factors = faces().train.factors
    assert factors.mean(0).abs().max() < 4 / (3 * 4000) ** 0.5
    assert (factors.square().mean(0) - 1 / 3).abs().max() < 0.02
    between = torch.corrcoef(factors.T) - torch.eye(8)
    assert between.abs().max() < 4 / 4000**0.5
    # nor of magnitudes
    assert (torch.corrcoef(factors.abs().T) - torch.eye(8)).abs().max() < 4 / 4000**0.5


def test_every_factor_can_be_read_off_the_pixels():
    """Ridge regression on half the pixels, on faces that it has not seen."""
    x, y = faces().train.images[:1500, :, ::2].flatten(1), faces().train.factors[:1500]
    x_test, y_test = faces().test.images[:, :, ::2].flatten(1), faces().test.factors
    mean, kernel = x.mean(0), (x - x.mean(0)) @ (x - x.mean(0)).T
    weights = torch.linalg.solve(kernel + torch.eye(1500), y)
    predicted = (x_test - mean) @ (x - mean).T @ weights
    r2 = 1 - (predicted - y_test).square().mean(0) / y_test.var(0)
    assert r2.min() > 0.8
    assert r2[[YAW, PITCH, LIGHT, HAIR, SKIN, BACKGROUND]].min() > 0.98


# ---- a face and its factors


@pytest.mark.parametrize("factor", range(8), ids=NAMES)
def test_an_image_moves_smoothly_with_a_factor(factor):
    """A step of 0.002 moves no pixel far, and half the step moves it half as far."""
    base = drawn(12)
    base[:, factor] = base[:, factor].clamp(-0.99, 0.99)

    def moved(step: float) -> torch.Tensor:
        other = base.clone()
        other[:, factor] += step
        return (render(other) - render(base)).flatten(1)

    far, near = moved(0.002), moved(0.001)
    assert (far.abs().amax(1) > 1e-5).all()
    assert far.abs().max() < 0.04
    assert (far - 2 * near).abs().max() < 0.008


@pytest.mark.parametrize(
    ("factor", "where"),
    [
        (SMILE, box(-0.58, 0.58, -0.65, 0.18)),
        (EYES, box(-0.55, 0.55, -0.15, 0.50)),
        (HAIR, box(-0.65, 0.65, -0.10, 0.90)),
        (SKIN, box(-0.65, 0.65, -0.80, 0.68)),
        (YAW, box(-0.68, 0.68, -0.62, 0.90)),
        (PITCH, box(-0.65, 0.65, -0.65, 0.90)),
    ],
    ids=lambda value: NAMES[value] if isinstance(value, int) else "",
)
def test_a_factor_changes_its_own_part_of_the_image(factor, where):
    moved = change(drawn(), factor)
    assert moved[:, ~where].max() == 0
    assert moved[:, where].flatten(1).amax(1).min() > 0.1


def test_the_smile_of_a_face_from_the_front_is_in_its_mouth_and_cheeks():
    moved = change(FRONT, SMILE)[0]
    mouth = box(-0.30, 0.30, -0.50, -0.15)
    assert moved[mouth].sum() > 0.8 * moved.sum()
    assert moved[box(-0.5, 0.5, 0.1, 1)].max() == 0


def test_the_background_is_seen_only_outside_the_person():
    moved = change(drawn(), BACKGROUND)
    inner = box(-0.25, 0.25, -0.35, 0.60)
    assert moved[:, inner].max() < 1e-6
    assert moved[:, box(-1, -0.8, 0, 1)].min() > 0.08


def test_light_falls_on_the_person_alone():
    moved = change(drawn(), LIGHT)
    assert moved[:, box(-1, 1, 0.95, 1)].max() == 0
    assert moved[:, box(-1, -0.85, -0.5, 1)].max() == 0
    left, right = (render(FRONT + light * torch.eye(8)[LIGHT]) for light in (-1.0, 1.0))
    cheek = box(-0.40, -0.25, -0.15, 0)
    assert left[0, :, cheek].mean() > right[0, :, cheek].mean() + 0.1


def test_the_light_is_seen_on_its_side_of_the_pupil():
    bright = render(FRONT + torch.tensor([[-1.0], [1.0]]) * torch.eye(8)[LIGHT])
    for left, right in ((-0.27, -0.15), (0.15, 0.27)):
        middle = (left + right) / 2
        halves = [box(left, middle, 0.10, 0.18), box(middle, right, 0.10, 0.18)]
        west, east = ([float(image[:, half].mean()) for half in halves] for image in bright)
        assert west[0] > west[1] + 0.1
        assert east[1] > east[0] + 0.1


@pytest.mark.parametrize("factor", [HAIR, SKIN, BACKGROUND])
def test_colours_go_from_light_to_deep_or_from_cool_to_warm(factor):
    path = FRONT.repeat(9, 1)
    path[:, factor] = torch.linspace(-1, 1, 9)
    where = {
        HAIR: box(-0.1, 0.1, 0.5, 0.7),
        SKIN: box(-0.05, 0.05, -0.1, 0.1),
        BACKGROUND: box(-1, -0.9, -0.4, 1),
    }[factor]
    images = render(path)[:, :, where].mean(2)  # (9, 3)
    if factor == BACKGROUND:
        assert (images[:, 0] - images[:, 2]).diff().min() > 0.01
    else:
        assert images.diff(dim=0).max() < 0


def test_a_smile_shows_teeth_and_closed_eyes_hide_their_whites():
    mouth, eyes = box(-0.15, 0.15, -0.45, -0.25), box(-0.35, 0.35, -0.08, 0.2)

    def white(factor: int, value: float, where: torch.Tensor) -> int:
        image = render(FRONT + value * torch.eye(8)[factor])[0]
        return int((image[:, where].amin(0) > 0.85).sum())

    assert white(SMILE, 1, mouth) >= 10 > white(SMILE, -1, mouth) == 0
    assert white(EYES, 1, eyes) >= 10 > white(EYES, -1, eyes) == 0


def test_the_mirror_image_looks_and_is_lit_the_other_way():
    factors = drawn()
    mirrored = factors.clone()
    mirrored[:, [YAW, LIGHT]] *= -1
    assert (render(factors).flip(3) - render(mirrored)).abs().max() < 1e-5


def test_a_face_does_not_depend_on_those_drawn_with_it():
    factors = drawn()
    together = render(factors)
    alone = torch.cat([render(row[None]) for row in factors])
    assert (together - alone).abs().max() < 1e-6


def test_no_part_is_cut_by_the_window_in_which_it_is_drawn(monkeypatch):
    factors = drawn(64)
    windowed = render(factors)
    monkeypatch.setattr(Canvas, "window", lambda self, x, y, width, height: self)
    assert (render(factors) - windowed).abs().max() < 1e-6


def test_the_pixels_say_enough_about_smile_and_eyes():
    """Of the variance of the pixels, what is left when only one factor is not known."""
    base = drawn(100)[:100]
    every = faces().train.images[:1000].var(0).sum()
    for factor, least in ((SMILE, 0.04), (EYES, 0.05)):
        path = base[:, None].repeat(1, 8, 1)
        path[:, :, factor] = torch.linspace(-0.875, 0.875, 8)
        images = render(path.reshape(-1, 8)).reshape(100, 8, -1)
        assert images.var(1, unbiased=False).mean(0).sum() / every > least


# ---- drawing


def test_a_turn_moves_most_what_is_most_in_front():
    """A point in the middle of the face at depth z moves by z · sin(angle), and it narrows."""
    for factor, axis, angle in ((YAW, 0, 0.25), (PITCH, 1, 0.15)):
        turned = Head(np.eye(8, dtype=np.float32)[[factor]])
        middle = (turned.x.item(), turned.y.item())
        for lift in (0, 1, 1.22):
            x, y, squash = turned.place(0, 0, lift)
            expected = lift * DEPTH * np.sin(angle)
            assert (x.item(), y.item())[axis] - middle[axis] == pytest.approx(expected, abs=1e-6)
            if lift:
                assert squash.item() == pytest.approx(np.cos(angle if axis == 0 else 0), abs=1e-6)


@pytest.mark.parametrize(("factor", "axis"), [(YAW, 2), (PITCH, 1)], ids=["right", "up"])
def test_the_eyes_move_to_the_right_with_yaw_and_up_with_pitch(factor, axis):
    where = box(-0.6, 0.6, -0.15, 0.3)
    rows, columns = torch.nonzero(where).T
    position = torch.stack([torch.zeros(len(rows)), -rows, columns], 1)[:, axis]

    def middle(value: float) -> float:
        dark = (render(FRONT + value * torch.eye(8)[factor])[0].amax(0)[where] < 0.35).float()
        return float((dark * position).sum() / dark.sum())

    assert middle(-1) + 2 < middle(0) < middle(1) - 2


def test_the_distance_to_a_circle_is_exact():
    x = np.linspace(-2, 2, 41, dtype=np.float32)
    y = x[:, None]
    error = np.abs(ellipse(x, y, 0.7, 0.7) - (np.hypot(x, y) - 0.7))
    error[20, 20] = 0  # the centre, from which no way out is the shortest
    assert error.max() < 1e-5


def test_the_distance_to_an_ellipse_is_right_near_it():
    angle = np.linspace(0, 2 * np.pi, 50)
    x, y = 0.8 * np.cos(angle), 0.4 * np.sin(angle)
    normal = np.stack([np.cos(angle) / 0.8, np.sin(angle) / 0.4])
    normal /= np.linalg.norm(normal, axis=0)
    for step in (-0.01, 0.0, 0.01):
        found = ellipse(x + step * normal[0], y + step * normal[1], 0.8, 0.4)
        assert np.abs(found - step).max() < 5e-4


def test_an_edge_is_a_smooth_step_from_one_to_nought():
    distance = np.array([-1, -0.05, -0.025, 0, 0.025, 0.05, 1], np.float32)
    cover = inside(distance, 0.1)
    assert cover.tolist() == pytest.approx([1, 1, 27 / 32, 0.5, 5 / 32, 0, 0], abs=1e-6)


def test_paint_mixes_by_the_cover():
    pixels = np.zeros((1, 3, 1, 2), np.float32)
    Canvas(pixels, np.zeros(2), np.zeros((1, 1))).paint(np.array([[[1, 0.25]]]), (1.0, 0.4, 0.0))
    assert pixels[0, :, 0] == pytest.approx(np.array([[1, 0.25], [0.4, 0.1], [0, 0]]))


# ---- what is refused


@pytest.mark.parametrize("value", [-1.001, 1.001])
def test_factors_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match=r"^factors must be at (least -1|most 1), got"):
        render(torch.full((1, 8), value))


def test_factors_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"^factors must have shape \(N, 8\), got \(2, 7\)"):
        render(torch.zeros(2, 7))


# ---- what a drawn data set is


IMAGES = torch.zeros(2, 3, 4, 4)


def test_vectors_are_the_pixels_in_rows():
    rendered = Rendered(torch.arange(16.0).reshape(2, 2, 2, 2) / 15, torch.zeros(2, 1), ("a",))
    assert torch.equal(rendered.vectors[1], rendered.images[1].flatten())
    assert len(rendered) == 2
    assert repr(rendered) == "Rendered(2 images of shape (2, 2, 2): a)"


def test_there_is_one_name_a_factor_and_one_row_an_image():
    with pytest.raises(ValueError, match=r"^factors must have shape \(2, 2\), got \(2, 3\)"):
        Rendered(IMAGES, torch.zeros(2, 3), ("a", "b"))
    with pytest.raises(ValueError, match=r"^factors must have shape \(2, 3\), got \(1, 3\)"):
        Rendered(IMAGES, torch.zeros(1, 3), ("a", "b", "c"))
    with pytest.raises(TypeError, match=r"^names must be tuple, got str"):
        Rendered(IMAGES, torch.zeros(2, 1), "a")
    with pytest.raises(ValueError, match=r"^factors must be finite, got NaN"):
        Rendered(IMAGES, torch.full((2, 1), torch.nan), ("a",))


@pytest.mark.parametrize("name", ["images", "factors"])
def test_images_and_factors_are_float32(name):
    good = {"images": IMAGES, "factors": torch.zeros(2, 1), "names": ("a",)}
    with pytest.raises(TypeError, match=f"^{name} must be float32, got torch.float64"):
        Rendered(**{**good, name: good[name].double()})


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_are_rendered_images(part):
    good = Rendered(IMAGES, torch.zeros(2, 1), ("a",))
    with pytest.raises(TypeError, match=f"^{part} must be Rendered, got Tensor"):
        RenderedSplits(**{**dict.fromkeys(PARTS, good), part: IMAGES})
