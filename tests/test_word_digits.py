"""Digits from words in Python: the way out of the noise, what words do to it, what is refused."""

import pytest
import torch
from torch import nn

from aecore.models.adversarial import ImageGenerator
from aecore.models.denoisers import VectorDenoiser
from aecore.models.diffusion import Diffusion, cosine_schedule
from aecore.randomness import initialise
from aecore.widgets import WordDigits
from aecore.widgets.draws import normal
from tests.widget_case import refuses

torch.set_num_threads(1)

GROUPS = [("one", "two"), ("thin", "bold"), ("leaning",)]


def halves(module):
    """The same, louder, with numbers that float16 holds."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_((3 * parameter).half().float())
    return module


def denoiser(size=4, hints=5):
    rng = torch.Generator().manual_seed(0)
    return halves(initialise(VectorDenoiser(size, hints, width=16), rng))


def decoder(latents=4, pixels=784):
    rng = torch.Generator().manual_seed(1)
    return halves(initialise(nn.Sequential(nn.Linear(latents, pixels)), rng))


def word_digits(**changes):
    arguments = {
        "denoiser": denoiser(),
        "alpha_bars": cosine_schedule(100),
        "words": GROUPS,
        "decoder": decoder(),
        "scale": 1.5,
        "name": "word-digits",
        "label": "Digits",
    }
    return WordDigits(**arguments | changes)


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
    widget = word_digits(prediction=prediction)
    widget.said, widget.weight, widget.seed = said, weight, 3
    hint = torch.tensor([float(word in said) for word in range(5)])
    guided = Guided(denoiser(), hint, weight)
    start = torch.from_numpy(normal(3, 32)).float().reshape(8, 4)
    diffusion = Diffusion(guided, cosine_schedule(100), prediction)
    path = widget.path()
    assert path.shape == (21, 8, 4)
    assert torch.equal(path[0], start)
    end = diffusion.sample(start, 20)
    torch.testing.assert_close(path[-1], end, atol=1e-3 * end.abs().max().item(), rtol=1e-3)
    first = diffusion.denoise(start, torch.full((8,), 100))
    torch.testing.assert_close(path[1], first, atol=1e-3 * first.abs().max().item(), rtol=1e-3)


def test_weight_0_does_not_listen_and_no_words_say_nothing():
    widget = word_digits()
    widget.said = []
    silent = widget.path()
    widget.weight = 4
    assert torch.allclose(widget.path(), silent)
    widget.said, widget.weight = [1, 2], 0
    assert torch.allclose(widget.path(), silent)
    widget.weight = 1
    assert not torch.allclose(widget.path(), silent, atol=0.01)


def test_pictures_are_the_decoders():
    widget = word_digits()
    for step in (0, 7, 20):
        widget.step = step
        with torch.no_grad():
            expected = decoder()(1.5 * widget.path()[step]).sigmoid().reshape(8, 1, 28, 28)
        torch.testing.assert_close(widget.images, expected, atol=1e-5, rtol=0)


def test_words_are_hinted_in_the_order_of_their_groups():
    widget = word_digits()
    assert widget.groups == [list(group) for group in GROUPS]
    widget.said = [3]
    assert "for the word bold, with the weight 2" in widget.alt()
    widget.said = [4, 1]
    assert "for the words two, leaning, with" in widget.alt()
    widget.said = []
    widget.step = 5
    assert "for no words, with the weight 2" in widget.alt()
    assert "after 5 of 20 steps" in widget.alt()


def test_seeds_are_other_noise():
    widget = word_digits()
    first = widget.path()
    widget.seed = 2
    assert (widget.path()[0] - first[0]).abs().max() > 0.5
    widget.seed = 1
    assert torch.equal(widget.path(), first)


def test_picture_follows_the_words():
    widget = word_digits()
    before = widget.picture()
    widget.said = [1]
    assert widget.picture() != before


def test_keeps_what_it_was_given():
    network, drawn = denoiser(), decoder()
    widget = word_digits(denoiser=network, decoder=drawn)
    before = widget.picture(), widget.bundle()
    with torch.no_grad():
        for parameter in [*network.parameters(), *drawn.parameters(), network.rates]:
            parameter.zero_()
    assert (widget.picture(), widget.bundle()) == before


def test_takes_the_decoder_of_the_book():
    """Batch normalisation and shuffled pixels; the page's numbers are those of torch."""
    generator = initialise(ImageGenerator(4), torch.Generator().manual_seed(2))
    generator(torch.randn(64, 4))  # statistics
    generator.eval()
    widget = word_digits(decoder=generator)
    with torch.no_grad():
        expected = generator(1.5 * widget.path()[20]).sigmoid().reshape(8, 1, 28, 28)
    torch.testing.assert_close(widget.images, expected, atol=0.003, rtol=0)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("said", [5], "said must be at least 0 and at most 4, got 5"),
        ("said", [-1], "said must be at least 0"),
        ("said", [0, 1], "said must be at most one of one, two"),
        ("said", [2, 2], "said must be at most one of thin, bold"),
        ("weight", 4.1, r"weight must be in \[0, 4.0\], got 4.1"),
        ("weight", -0.1, "weight must be in"),
        ("step", 21, "step must be at least 0 and at most 20, got 21"),
        ("step", -1, "step must be at least 0"),
        ("seed", -1, "seed must be at least 0"),
        ("seed", 2**32, "seed must be at least 0 and at most"),
    ],
)
def test_choices_are_refused_beyond_what_is_there(field, value, words):
    assert refuses(word_digits(), field, value, words)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"denoiser": denoiser().layers}, TypeError, "denoiser must be VectorDenoiser"),
        ({"alpha_bars": cosine_schedule(90)}, ValueError, "alpha_bars must be a multiple of 20 "),
        ({"alpha_bars": torch.linspace(0, 1, 20)}, ValueError, "alpha_bars must be a multiple"),
        ({"alpha_bars": torch.linspace(0.9, 0, 20)}, ValueError, "falling numbers between 1 and"),
        ({"alpha_bars": torch.ones(20, 2)}, ValueError, r"alpha_bars must have shape \(T\)"),
        ({"words": {"one": 1}}, TypeError, "words must be list or tuple, got dict"),
        ({"words": ["one"]}, TypeError, r"words\[0\] must be list or tuple, got str"),
        ({"words": [("one", 3)]}, TypeError, r"a word of words\[0\] must be str, got int"),
        ({"words": []}, ValueError, "words must be groups of words that differ"),
        ({"words": [(), ("a", "b", "c", "d", "e")]}, ValueError, "words must be groups of words"),
        ({"words": [("a", "b", "a", "c", "d")]}, ValueError, "words must be groups of words"),
        ({"words": [("a", "b", " ", "c", "d")]}, ValueError, "words must be groups of words"),
        ({"words": GROUPS[:2]}, ValueError, "words must be as many as .* hints, 5, got 4"),
        ({"decoder": decoder(5)}, ValueError, "decoder must read 4 latents .* got 5 and 784"),
        ({"decoder": decoder(pixels=783)}, ValueError, "return 784 logits, got 4 and 783"),
        ({"decoder": torch.sigmoid}, TypeError, "module must be Module"),
        ({"scale": 0.0}, ValueError, "scale must be greater than 0"),
        ({"prediction": "score"}, ValueError, "prediction must be one of epsilon, v, x0"),
        ({"name": "Word digits"}, ValueError, "name must be"),
        ({"label": ""}, ValueError, "label must say"),
    ],
)  # fmt: skip
def test_refuses(changes, error, words):
    with pytest.raises(error, match=words):
        word_digits(**changes)
