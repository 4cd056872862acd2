"""The figures: the same bytes each time, sharp, readable on both papers, and described."""

import base64
import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib import font_manager
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.text import Text
from nbformat import v4
from PIL import Image

from aecore import plots
from aecore.plots import palette
from aecore.plots.display import MIME
from aecore.sphinx.figure import dark, natural_size

SVG_IMAGE = re.compile(r'<image\b[^>]*?base64,\s*([^"]+)"[^>]*>')


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def curve() -> MatplotlibFigure:
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([0, 1, 2], [3, 1, 0.5], label="autoencoder")
    axes.plot([0, 1, 2], [3, 1, 0.6], label="PCA")
    axes.set(xlabel=r"codes $q$", ylabel="nats", title="Error")
    axes.grid(True)
    plots.label_lines(axes)
    return figure


def codes(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, generator=generator), torch.arange(n) % 10


def embedded(svg: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in SVG_IMAGE.findall(svg)]


# -- show -------------------------------------------------------------------------------------


def test_the_same_figure_gives_the_same_bytes_in_another_process():
    program = "import test_plots as t; print(t.plots.show(t.curve(), alt='a').svg)"
    here = Path(__file__).parent
    run = [sys.executable, "-c", program]
    other = subprocess.run(run, cwd=here, capture_output=True, text=True, check=True).stdout
    shown = plots.show(curve(), alt="a")
    assert shown.svg.strip() == other.strip()
    assert shown.png == plots.show(curve(), alt="a").png
    assert "<metadata" not in shown.svg
    assert "<!DOCTYPE" not in shown.svg


def test_show_closes_the_figure():
    plots.show(curve(), alt="a")
    assert plt.get_fignums() == []


def test_bundle():
    shown = plots.show(curve(), alt="Two <curves>", caption=r"Error & $\|x\|$", width="60%")
    bundle = shown._repr_mimebundle_()
    assert bundle[MIME] == {
        "svg": shown.svg,
        "alt": "Two <curves>",
        "caption": r"Error & $\|x\|$",
        "width": "60%",
    }
    assert bundle["text/plain"] == "Two <curves>"
    assert 'alt="Two &lt;curves&gt;"' in bundle["text/html"]
    assert r"Error &amp; $\|x\|$</figcaption>" in bundle["text/html"]
    png = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert png.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert repr(shown) == repr(
        plots.show(curve(), alt="Two <curves>", caption=shown.caption, width="60%")
    )


@pytest.mark.parametrize(
    ("bad", "error", "name"),
    [
        ({"alt": ""}, ValueError, "alt"),
        ({"alt": " \n "}, ValueError, "alt"),
        ({"alt": None}, TypeError, "alt"),
        ({"caption": ""}, ValueError, "caption"),
        ({"caption": 3}, TypeError, "caption"),
        ({"width": "wide"}, ValueError, "width"),
        ({"width": "1px; color: red"}, ValueError, "width"),
        ({"width": 60}, TypeError, "width"),
    ],
)
def test_show_refuses(bad, error, name):
    with pytest.raises(error, match=name):
        plots.show(curve(), **{"alt": "a", **bad})


def test_show_refuses_what_is_no_figure():
    with pytest.raises(TypeError, match="figure must be Figure, got Axes"):
        plots.show(curve().axes[0], alt="a")
    with pytest.raises(TypeError, match="alt"):
        plots.show(curve())


# -- themes and sharpness ---------------------------------------------------------------------


def every_kind() -> dict[str, MatplotlibFigure]:
    plane, axes = plt.subplots(figsize=(4, 4))
    plots.latent_map(axes, *codes())
    return {
        "curve": curve(),
        "map": plane,
        "grid": plots.image_grid(torch.rand(2, 1, 8, 8), titles=["a", "b"], row_labels=["c"]),
        "diagram": plots.bottleneck_diagram([784, 64, 784], original=torch.rand(1, 28, 28)),
    }


@pytest.mark.parametrize("kind", ["curve", "map", "grid", "diagram"])
def test_dark_has_no_light_ink_left(kind):
    figure = every_kind()[kind]
    # black is SVG's own default, so it is not in the text, and nothing could exchange it
    drawn = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert "#000000" not in {to_hex(text.get_color()) for text in drawn}
    light = plots.show(figure, alt="a").svg
    night = dark(light)
    assert palette.INK in light
    for colour in palette.DARK:
        assert colour not in night
    assert "#000000" not in light
    # data and pictures are the same in both
    assert SVG_IMAGE.findall(light) == SVG_IMAGE.findall(night)
    assert [c in light for c in palette.SERIES] == [c in night for c in palette.SERIES]


def test_pixels_stay_pixels():
    images = torch.rand(6, 1, 7, 5, generator=torch.Generator().manual_seed(1))
    svg = plots.show(plots.image_grid(images, columns=3), alt="a").svg
    assert [image.size for image in embedded(svg)] == [(5, 7)] * 6
    assert svg.count("image-rendering:pixelated") == 6
    # what is in the file is what was given: its brightness grows with the value
    grey = np.asarray(embedded(svg)[0].convert("L"), float)
    assert np.corrcoef(grey.ravel(), images[0, 0].numpy().ravel())[0, 1] > 0.999


def test_a_pixel_is_a_square_of_whole_css_pixels():
    svg = plots.show(plots.image_grid(torch.rand(10, 1, 28, 28), row_labels=["PCA"]), alt="a").svg
    width, _ = natural_size(svg)
    assert width <= 680
    found = re.findall(r"<image\b[^>]*matrix\(([^)]*)\)", svg)
    assert len(found) == 10
    for matrix in found:
        a, b, c, d, x, y = (float(v) * 4 / 3 for v in matrix.split())
        assert (b, c) == (0, 0)
        for number in (a, d, x, y):
            assert number == pytest.approx(round(number), abs=1e-3)


def test_two_themes_and_a_caption_in_the_page(tmp_path):
    caption = r"Mind the *gap* of $\|x-\hat x\|^2$."
    shown = plots.show(curve(), alt='A "curve"', caption=caption)
    bare = plots.show(curve(), alt="Another", width="50%")
    cells = [
        v4.new_code_cell("f", outputs=[v4.new_output("execute_result", s._repr_mimebundle_())])
        for s in (shown, bare)
    ]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Page"), *cells])
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    nbformat.write(notebook, tmp_path / "index.ipynb")
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'aecore.sphinx']\n"
        "nb_execution_mode = 'off'\n"
        "myst_enable_extensions = ['dollarmath']\n"
    )
    build = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "-b", "html", ".", "out"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, text=True)
    page = (tmp_path / "out" / "index.html").read_text()
    first, second = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert "ae-figure" in first
    for theme in ("light", "dark"):
        tag = re.search(rf"<img[^>]*\bonly-{theme}\b[^>]*>", first)[0]
        assert 'alt="A &quot;curve&quot;"' in tag
        assert 'loading="lazy"' in tag
        assert 'width="384"' in tag
        assert 'height="192"' in tag
        file = tmp_path / "out" / re.search(r'src="([^"]+)"', tag)[1]
        assert file.read_text() == (shown.svg if theme == "light" else dark(shown.svg))
    # the theme hides a figcaption that is a later sibling of a hidden image
    assert re.search(r"</div>\s*<figcaption>", first)
    assert "<em>gap</em>" in first
    assert r'<span class="math notranslate nohighlight">\(\|x-\hat x\|^2\)</span>' in first
    assert "<figcaption" not in second
    assert "width: 50%" in second


def test_the_fonts_have_every_sign_that_the_book_writes():
    from matplotlib.ft2font import FT2Font

    for weight in (400, 600):
        properties = font_manager.FontProperties(family="Inter", weight=weight)
        path = Path(font_manager.findfont(properties, fallback_to_default=False))
        assert path.parent == Path(plots.__file__).parent.parent / "fonts"
        signs = FT2Font(str(path)).get_charmap()
        for sign in "0123456789−×→·‖²±≈σβθφμρ≤≥–—“”…é":
            assert ord(sign) in signs, sign


def test_signed_images_have_a_dark_zero_and_one_scale():
    images = torch.zeros(3, 1, 2, 2)
    images[0, 0, 0] = torch.tensor([4.0, -4.0])
    images[1, 0, 0] = torch.tensor([2.0, -2.0])
    svg = plots.show(plots.image_grid(images, signed=True), alt="a").svg
    first, second, zero = (np.asarray(image.convert("RGB")) for image in embedded(svg))
    assert {to_hex(pixel / 255) for pixel in zero.reshape(-1, 3)} == {palette.BLACK}
    assert to_hex(first[0, 0] / 255) == palette.POSITIVE
    assert to_hex(first[0, 1] / 255) == palette.NEGATIVE
    assert second.max() < first.max()


def test_many_points_become_a_picture():
    _, axes = plt.subplots(figsize=(3, 3))
    plots.latent_map(axes, *codes(5000))
    svg = plots.show(axes.figure, alt="a").svg
    assert len(embedded(svg)) == 1
    assert svg.count("<use") < 500
