"""How long does a page take to draw a face, and what does the matrix kernel save?

    python benchmarks/page_decoder.py [repetitions]

The decoders of chapter 08, 16 latents to 3 × 64 × 64, with weights as they come, run in Chromium by
the page's own ``matmul.js`` and ``network.js``:

- with the WebAssembly kernel that the page assembles;
- in plain JavaScript, as in a browser without SIMD.

A face is also judged (``FactorRegressor``), since the face sliders do both for every picture. The
two ways take turns, so that a busy machine is busy for both, and the ratios are taken between
neighbours. Exit status 1 if a median misses its bound. The times are wall-clock times of one core
and depend on the machine; the ratios do so less.
"""

import base64
import shutil
import statistics
import sys
from typing import Any

import torch
from playwright.sync_api import sync_playwright
from torch import nn

from aecore.likelihoods import Gaussian
from aecore.models.convolutional import ConvolutionalVAE
from aecore.models.regressor import FactorRegressor
from aecore.widgets.base import STATIC
from aecore.widgets.packing import Packed, pack

SOURCE = "".join((STATIC / name).read_text("utf-8") for name in ("matmul.js", "network.js"))
PLAIN = SOURCE.replace("const SIMD = kernel()", "const SIMD = null")
FRAME, SAVING = 1000 / 30, 2  # ms a picture at most, plain / kernel at least

# For each network, [milliseconds with the kernel, in plain JavaScript] of each repetition.
RACE = """([sources, networks, repetitions]) => {
  const make = sources.map((source) => new Function(`${source}; return network;`)());
  return networks.map(([layers, data, inputs]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const ways = make.map((network) => network(layers, new DataView(bytes.buffer)));
    const rounds = [];
    for (let i = -10; i < repetitions; i++) {
      const input = Float32Array.from({ length: inputs }, () => 2 * Math.random() - 1);
      const times = ways.map((run) => {
        const start = performance.now();
        run(input);
        return performance.now() - start;
      });
      if (i >= 0) rounds.push(times); // before, the browser compiles
    }
    return rounds;
  });
}"""


def networks() -> dict[str, Packed]:
    """What is run, by name."""
    torch.manual_seed(0)
    found = {}
    for upsampling in ("transposed", "resize"):
        model = ConvolutionalVAE([3, 32, 64, 128], 64, 16, Gaussian(0.1), upsampling=upsampling)
        found[f"decoder, {upsampling}"] = pack(model.decoder)
    judge = FactorRegressor(8)
    image = nn.Unflatten(1, (3, 64, 64))
    found["judge"] = pack(nn.Sequential(image, judge.features, judge.head))
    return found


def race(packed: list[Packed], repetitions: int) -> Any:
    """The times of every network, in a browser."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        sys.exit(f"no browser ({', '.join(names)})")
    given = [[one.layers, base64.b64encode(one.data).decode(), one.inputs] for one in packed]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        times = browser.new_page().evaluate(RACE, [[SOURCE, PLAIN], given, repetitions])
        browser.close()
    return times


def main(repetitions: int) -> int:
    """Measure, print, and return the exit status."""
    packed = networks()
    held = True
    for name, rounds in zip(packed, race(list(packed.values()), repetitions), strict=True):
        print(f"{name}, {len(packed[name].data):,} bytes, {repetitions} rounds")
        fast = report("  with the kernel", [a for a, _ in rounds], f"ms, at most {FRAME:.0f}")
        report("  plain JavaScript", [b for _, b in rounds], "ms")
        saving = report("  plain / kernel", [b / a for a, b in rounds], f"at least {SAVING}")
        held &= fast <= FRAME and saving >= SAVING
        print()
    print("all hold" if held else "MISSED")
    return 0 if held else 1


def report(name: str, values: list[float], note: str) -> float:
    """Print the median and the range, and return the median."""
    median = statistics.median(values)
    print(f"{name:<20} {median:7.2f}  ({min(values):.2f} to {max(values):.2f})  {note}")
    return median


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
