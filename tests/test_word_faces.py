"""Faces from words in Python: the way out of the noise, what words do to it, what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aecore.models.denoisers import VectorDenoiser
from aecore.models.diffusion import Diffusion, cosine_schedule
from aecore.randomness import initialise
from aecore.widgets import WordFaces
from aecore.widgets.draws import normal
from tests.test_face_sliders import decoder
from tests.widget_case import refuses

torch.set_num_threads(1)

GROUPS = [("frowning", "smiling"), ("dark hair", "fair hair"), ("in a hat",)]


def denoiser(size=4, hints=3):
    rng = torch.Generator().manual_seed(0)
    found = initialise(VectorDenoiser(size, hints, width=16), rng)
    with torch.no_grad():
        for parameter in found.parameters():  # numbers that float16 holds
            parameter.copy_(parameter.half().float())
    return found


def parts():
    rng = torch.Generator().manual_seed(1)
    return {
        "embeddings": 3 * torch.randn(5, 3, generator=rng),
        "spread": torch.rand(4, generator=rng) + 0.5,
        "centre": torch.rand(3, 8, 8, generator=rng).half().float(),
        "scale": 0.5,
    }


def word_faces(**changes):
    arguments = {
        "denoiser": denoiser(),
        "alpha_bars": cosine_schedule(100),
        "words": GROUPS,
        "decoder": decoder(),
        "name": "word-faces",
        "label": "Faces",
        **parts(),
    }
    return WordFaces(**arguments | changes)


class Guided(nn.Module):
    """What a ``Diffusion`` asks, with a hint and a weight."""

    def __init__(self, network, hint, weight):
        super().__init__()
        self.network, self.hint, self.weight = network, hint, weight

    def forward(self, x, time):
        told = self.network(x, time, self.hint.expand(len(x), -1))
        untold = self.network(x, time)
        return untold + self.weight * (told - untold)


@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
@pytest.mark.parametrize(("said", "weight"), [([], 2.0), ([1], 1.0), ([0, 3, 4], 2.5), ([2], 0.0)])
@torch.no_grad()
def test_path_ends_where_a_guided_diffusion_does(prediction, said, weight):
    widget = word_faces(prediction=prediction)
    widget.said, widget.weight, widget.seed = said, weight, 3
    hint = parts()["embeddings"][said].sum(0)
    guided = Guided(denoiser(), hint, weight)
    start = torch.from_numpy(normal(3, 16)).float().reshape(4, 4)
    diffusion = Diffusion(guided, cosine_schedule(100), prediction)
    path = widget.path()
    assert path.shape == (21, 4, 4)
    assert torch.equal(path[0], start)
    end = diffusion.sample(start, 20)
    torch.testing.assert_close(path[-1], end, atol=1e-3 * end.abs().max().item(), rtol=1e-3)
    first = diffusion.denoise(start, torch.full((4,), 100))
    torch.testing.assert_close(path[1], first, atol=1e-3 * first.abs().max().item(), rtol=1e-3)


def test_weight_0_does_not_listen_and_no_words_say_nothing():
    widget = word_faces()
    widget.said = []
    silent = widget.path()
    widget.weight = 4
    assert torch.allclose(widget.path(), silent)
    widget.said, widget.weight = [1, 2], 0
    assert torch.allclose(widget.path(), silent)
    widget.weight = 1
    assert not torch.allclose(widget.path(), silent, atol=0.01)


def test_faces_are_the_decoders():
    widget = word_faces()
    given_parts = parts()
    for step in (0, 7, 20):
        widget.step = step
        z = widget.path()[step] * given_parts["spread"]
        with torch.no_grad():
            expected = (given_parts["centre"] + 0.5 * decoder()(z)).clamp(0, 1)
        torch.testing.assert_close(widget.faces, expected, atol=0.002, rtol=0)


def test_words_are_embedded_in_the_order_of_their_groups():
    widget = word_faces()
    assert widget.groups == [list(group) for group in GROUPS]
    widget.said = [3]
    assert "for the words fair hair, with the weight 2" in widget.alt()
    widget.said = [4, 1]
    assert "for the words smiling, in a hat, with" in widget.alt()
    widget.said = []
    widget.step = 5
    assert "for the words no words" not in widget.alt()
    assert "for no words, with the weight 2" in widget.alt()
    assert "after 5 of 20 steps" in widget.alt()


def test_seeds_are_other_noise():
    widget = word_faces()
    first = widget.path()
    widget.seed = 2
    assert (widget.path()[0] - first[0]).abs().max() > 0.5
    widget.seed = 1
    assert torch.equal(widget.path(), first)


def test_picture_follows_the_words():
    widget = word_faces()
    before = widget.picture()
    widget.said = [1]
    assert widget.picture() != before


def test_keeps_what_it_was_given():
    network, drawn, tensors = denoiser(), decoder(), parts()
    widget = word_faces(denoiser=network, decoder=drawn, **tensors)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        for parameter in [*network.parameters(), *drawn.parameters(), network.rates]:
            parameter.zero_()
    for name in ("embeddings", "spread", "centre"):
        tensors[name].zero_()
    assert (widget.picture(), widget.bundle()) == before


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("said", [5], "said must be at least 0 and at most 4, got 5"),
        ("said", [-1], "said must be at least 0"),
        ("said", [0, 1], "said must be at most one of frowning, smiling"),
        ("said", [2, 2], "said must be at most one of dark hair, fair hair"),
        ("weight", 4.1, r"weight must be in \[0, 4\], got 4.1"),
        ("weight", -0.1, "weight must be in"),
        ("step", 21, "step must be at least 0 and at most 20, got 21"),
        ("step", -1, "step must be at least 0"),
        ("seed", -1, "seed must be at least 0"),
        ("seed", 2**32, "seed must be at least 0 and at most"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(word_faces(), field, value, words)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"denoiser": denoiser().layers}, TypeError, "denoiser must be VectorDenoiser"),
        ({"alpha_bars": cosine_schedule(90)}, ValueError, "alpha_bars must be a multiple of 20 "),
        ({"alpha_bars": torch.linspace(0, 1, 20)}, ValueError, "alpha_bars must be a multiple"),
        ({"alpha_bars": torch.linspace(0.9, 0, 20)}, ValueError, "falling numbers between 1 and"),
        ({"alpha_bars": torch.ones(20, 2)}, ValueError, r"alpha_bars must have shape \(T\)"),
        ({"words": {"smile": 1}}, TypeError, "words must be list or tuple, got dict"),
        ({"words": ["smiling"]}, TypeError, r"words\[0\] must be list or tuple, got str"),
        ({"words": [("smiling", 3)]}, TypeError, r"a word of words\[0\] must be str, got int"),
        ({"words": []}, ValueError, "words must be groups of words that differ"),
        ({"words": [(), ("a", "b", "c", "d", "e")]}, ValueError, "words must be groups of words"),
        ({"words": [("a", "b", "a", "c", "d")]}, ValueError, "words must be groups of words"),
        ({"words": [("a", "b", " ", "c", "d")]}, ValueError, "words must be groups of words"),
        ({"embeddings": torch.ones(4, 3)}, ValueError, r"embeddings must have shape \(5, 3\)"),
        ({"embeddings": torch.full((5, 3), torch.nan)}, ValueError, "embeddings must be finite"),
        ({"spread": torch.ones(3)}, ValueError, r"spread must have shape \(4\), got \(3,\)"),
        ({"decoder": decoder(5)}, ValueError, "decoder must read 4 latents, got 5"),
        ({"decoder": nn.Linear(4, 3)}, ValueError, "decoder must return images in colour"),
        ({"centre": torch.ones(3, 8, 9)}, ValueError, r"centre must have shape \(3, 8, 8\)"),
        ({"scale": 0.0}, ValueError, "scale must be greater than 0"),
        ({"prediction": "score"}, ValueError, "prediction must be one of epsilon, v, x0"),
        ({"name": "Word faces"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        word_faces(**changes)


@given(st.lists(st.integers(0, 4), max_size=3), st.sampled_from(["embeddings", "spread"]))
def test_refuses_tensors_of_another_shape(shape, argument):
    with pytest.raises(ValueError, match=f"{argument} must have shape"):
        word_faces(**{argument: torch.zeros(shape)} if shape != [4] else {argument: torch.zeros(0)})
