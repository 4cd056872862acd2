"""The front-end's source in a browser, without a site: live module, forward pass, numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from aecore.sphinx.widget import FRONT
from aecore.widgets import LatentExplorer
from aecore.widgets.base import STATIC, front_end
from aecore.widgets.packing import pack, unpack
from tests.test_packing import IMAGES, images

pytestmark = pytest.mark.site

NETWORK = "".join((FRONT / name).read_text() for name in ("matmul.js", "network.js"))


# A live module with a model that only it listens to, as `mounted`.
MOUNT = """async ({ source, state, buffers }) => {
  for (const [field, text] of Object.entries(buffers)) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    state[field] = new DataView(Uint8Array.of(0, ...bytes).buffer, 1); // unaligned
  }
  const listeners = new Map();
  const model = {
    get: (field) => state[field],
    set: (field, value) => { state[field] = value; listeners.get(`change:${field}`)?.(); },
    on: (event, listener) => listeners.set(event, listener),
    off: (event) => listeners.delete(event),
    save_changes: () => {},
  };
  const file = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const front = (await import(file)).default;
  const el = document.body.appendChild(document.createElement('div'));
  const end = front.render({ model, el });
  const once = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const frame = async () => { await once(); await once(); };
  await frame();
  window.mounted = { model, el, end, listeners, frame };
}"""


def mount(browser, widget, width=1280, **options):
    """A bare page with the live module of a widget, as `mounted`, and the widgets' style."""
    bundle = widget.bundle()
    page = browser.new_page(**{"viewport": {"width": width, "height": 900}} | options)
    page.add_style_tag(content=(STATIC / "widgets.css").read_text())
    page.evaluate(MOUNT, {"source": front_end(widget.kind)} | bundle)
    return page


def frames_after_the_end(browser, widget, start):
    """How many frames a widget asks for that ended while it moved; ``start`` is its button."""
    page = mount(browser, widget)
    asked = page.evaluate(
        """async (start) => {
          const { el, end, frame } = mounted;
          el.querySelector(start).click();
          await frame();
          end();
          let asked = 0;
          const ask = window.requestAnimationFrame;
          window.requestAnimationFrame = (draw) => { asked++; return ask(draw); };
          await new Promise((done) => setTimeout(done, 200));
          return asked;
        }""",
        start,
    )
    page.close()
    return asked


def follows_its_model(browser, widget, canvas, change):
    """Whether the live module draws, redraws when Python sets a trait, and cleans up at its end.

    ``canvas``: a selector of what must look different after ``change``, a field and its value.
    """
    page = mount(browser, widget)
    seen = page.evaluate(
        """async ([canvas, [field, value]]) => {
          const { model, el, end, listeners, frame } = mounted;
          const image = el.querySelector(canvas);
          const before = image.toDataURL();
          model.set(field, value); // as Python would
          await frame();
          end();
          return [before !== image.toDataURL(), listeners.size];
        }""",
        [canvas, change],
    )
    page.close()
    return seen == [True, 0]


def heights(browser, widget, width, states):
    """How tall the widget is in a page of this width, in each of ``states`` in turn."""
    page = mount(browser, widget, width)
    found = page.evaluate(
        """async (states) => {
          const found = [];
          for (const state of states) {
            for (const [field, value] of Object.entries(state)) mounted.model.set(field, value);
            await mounted.frame();
            found.push(mounted.el.getBoundingClientRect().height);
          }
          return found;
        }""",
        states,
    )
    page.close()
    return found


def test_front_end_runs_where_a_kernel_is(browser):
    """The module that anywidget imports draws, follows the model and cleans up after itself."""
    generator = torch.Generator().manual_seed(0)
    widget = LatentExplorer(
        nn.Linear(2, 16),
        torch.randn(30, 2, generator=generator),
        torch.arange(30) % 10,
        name="live",
        label="Live",
    )
    corner = [low for low, _ in widget.limits]
    assert follows_its_model(browser, widget, ".aew-image", ("position", corner))


def test_a_voice_speaks_once_it_was_quiet_for_a_while(browser):
    source = "".join((FRONT / name).read_text() for name in ("stage.js", "behaviour.js"))
    page = browser.new_page()
    heard = page.evaluate(
        f"""async () => {{
          {source}
          const wait = (time) => new Promise((done) => setTimeout(done, time));
          const {{ status, say, hush }} = voice();
          const heard = [];
          for (const [words, time] of [["one", 400], ["two", 400], [null, 400]]) {{
            if (words) say(words);
            await wait(time);
            heard.push(status.textContent);
          }}
          say("three");
          hush();
          await wait(800);
          return [...heard, status.textContent];
        }}"""
    )
    page.close()
    assert heard == ["", "", "two", "two"]


LAYERS = [nn.ReLU(), nn.Sigmoid(), nn.SiLU(), nn.Softplus(), nn.Tanh()]


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("activation", LAYERS, ids=lambda layer: type(layer).__name__)
def test_network_in_the_page_is_the_network_in_python(browser, activation, dtype):
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(
        nn.Linear(2, 32), activation, nn.Linear(32, 16, bias=False), activation, nn.Linear(16, 9)
    )
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 1, generator=generator)
    packed = pack(module, dtype)
    inputs = 3 * torch.randn(20, 2, generator=generator)
    page = browser.new_page()
    result = page.evaluate(
        f"""([layers, bytes, inputs]) => {{
          {NETWORK}
          const run = network(layers, new DataView(new Uint8Array(bytes).buffer));
          return inputs.map((input) => Array.from(run(input)));
        }}""",
        [packed.layers, list(packed.data), inputs.tolist()],
    )
    page.close()
    expected = unpack(packed)(inputs)
    torch.testing.assert_close(torch.tensor(result), expected, atol=1e-4, rtol=1e-5)


def test_page_reads_every_float16(browser):
    bits = np.arange(2**16, dtype="<u2")
    values = bits.view("<f2").astype("f4")
    bits = bits[np.isfinite(values)]
    page = browser.new_page()
    result = page.evaluate(
        f"""(bits) => {{
          {NETWORK}
          const bytes = new DataView(Uint16Array.from(bits).buffer);
          const entry = {{ shape: [bits.length], dtype: 'float16', offset: 0 }};
          return Array.from(readTensor(entry, bytes));
        }}""",
        bits.tolist(),
    )
    page.close()
    assert np.array_equal(result, bits.view("<f2"))


# ---- convolutions, batches, and the two ways to multiply

WAYS = {"simd": NETWORK, "plain": NETWORK.replace("const SIMD = kernel()", "const SIMD = null")}


def run(browser, source, packed, inputs):
    """What the page computes for all inputs at once, and for the first alone."""
    page = browser.new_page()
    batch, first = page.evaluate(
        f"""([layers, bytes, inputs, one]) => {{
          {source}
          const run = network(layers, new DataView(new Uint8Array(bytes).buffer));
          const all = Array.from(run(inputs));
          return [all, Array.from(run(one))];
        }}""",
        [packed.layers, list(packed.data), inputs.flatten().tolist(), inputs[0].tolist()],
    )
    page.close()
    return torch.tensor(batch), torch.tensor(first)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", IMAGES)
def test_images_in_the_page_are_those_in_python(browser, name, way):
    packed = pack(images(name))
    inputs = torch.randn(3, packed.inputs, generator=torch.Generator().manual_seed(0))
    expected = unpack(packed)(inputs).flatten(1)
    batch, first = run(browser, WAYS[way], packed, inputs)
    torch.testing.assert_close(batch.reshape(expected.shape), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first, expected[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 3, 4, 9, 400])
def test_a_batch_is_its_examples(browser, count, way):
    torch.manual_seed(0)
    packed = pack(nn.Sequential(nn.Linear(3, 17), nn.SiLU(), nn.Linear(17, 5)))
    inputs = torch.randn(count, 3)
    batch, first = run(browser, WAYS[way], packed, inputs)
    expected = unpack(packed)(inputs)
    torch.testing.assert_close(batch.reshape(count, 5), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first, expected[0], atol=1e-5, rtol=1e-5)


def test_browser_takes_the_kernel(browser):
    """A kernel that a browser refuses would go unnoticed: the plain way gives the same."""
    page = browser.new_page()
    exports = page.evaluate(
        f"""() => {{ {NETWORK}; return WebAssembly.Module.exports(SIMD).map((e) => e.name); }}"""
    )
    page.close()
    assert exports == ["memory", "run"]


def test_products_grow_and_shrink(browser):
    """One product, of every number of columns in turn, in both ways; whole numbers are exact."""
    page = browser.new_page()
    wrong = page.evaluate(
        f"""() => {{
          {NETWORK}
          const value = (i, step) => (i * step) % 11 - 5;
          const values = (length, step) =>
            Float32Array.from({{ length }}, (_, i) => value(i, step));
          const wrong = [];
          for (const [rows, depth] of [[1, 1], [4, 3], [5, 8], [9, 70]]) {{
            const [weights, bias] = [values(rows * depth, 7), values(rows, 3)];
            const fast = multiplier(weights, bias, rows, depth);
            const plain = multiplier(weights, bias, rows, depth, null);
            for (const columns of [4, 8, 13, 3000, 1, 7, 16]) {{
              const x = values(depth * columns, 5);
              const exact = Float32Array.from({{ length: rows * columns }}, (_, i) => {{
                const [row, column] = [Math.floor(i / columns), i % columns];
                let sum = bias[row];
                for (let k = 0; k < depth; k++) {{
                  sum += weights[row * depth + k] * x[k * columns + column];
                }}
                return sum;
              }});
              for (const product of [fast, plain]) {{
                const found = product(x, columns);
                const same = found.length === exact.length && found.every((v, i) => v === exact[i]);
                if (!same) wrong.push([rows, depth, columns]);
              }}
            }}
          }}
          return wrong;
        }}"""
    )
    page.close()
    assert wrong == []
