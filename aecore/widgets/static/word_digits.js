// Words are said, and digits form out of noise in a latent space.

const SECONDS = 1.8; // from the noise to the digits

function render({ model, el }) {
  const most = model.get("steps");
  const count = model.get("count");
  const groups = model.get("groups");
  const words = groups.flat();
  const label = model.get("label");
  const scale = model.get("scale");
  const decode = network(model.get("layers"), model.get("weights"));
  const sample = wordSampler(model);

  // ---- elements

  const chips = words.map((word) => button(word));
  const rows = groups.map((group) =>
    make(
      "div",
      { class: "aew-chips", role: "group", "aria-label": group.join(", ") },
      ...group.map((word) => chips[words.indexOf(word)]),
    ),
  );
  const canvases = Array.from({ length: count }, () =>
    make("canvas", { class: "aew-image", role: "img" }),
  );
  const steps = slider("Steps done", { min: 0, max: most, step: 1 });
  const weight = slider("Weight of the words, w", { min: 0, max: model.get("most"), step: 0.25 });
  const play = button("Form again");
  const again = button("Other noise");
  const readout = make("p", { class: "aew-readout aew-words" });
  const { status, say: speak, hush } = voice();
  const root = group(
    label,
    make("div", { class: "aew-said" }, ...rows),
    make("div", { class: "aew-called" }, ...canvases),
    readout,
    make("div", { class: "aew-sliders aew-beside" }, steps.row, weight.row),
    make("div", { class: "aew-buttons" }, play, again),
    status,
  );
  el.append(root);

  // ---- showing

  const tone = ramp(model.get("tones"), 0, 1);
  const small = raster(28, 28);

  function show() {
    const step = model.get("step");
    const said = model.get("said");
    const z = sample(said, model.get("weight"), model.get("seed"))[step];
    const pixels = decode(z.map((value) => scale * value)).map((v) => 1 / (1 + Math.exp(-v)));
    const images = canvases.map((_, n) => pixels.subarray(784 * n, 784 * (n + 1)));
    canvases.forEach((canvas, n) => paint(canvas, small.fill(images[n], tone)));

    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", String(said.includes(i))));
    steps.say(step, `${step} of ${most}`);
    weight.say(model.get("weight"), decimal(model.get("weight"), 2));
    const named = words.filter((_, i) => said.includes(i)).join(", ") || "no words";
    const when = step ? `What step ${step} of ${most} expects` : "The noise itself, decoded";
    readout.replaceChildren(
      `${when}. Two of the pictures differ by `,
      strong(apart(images)),
      " on average, squared and summed over the pixels.",
    );
    canvases.forEach((canvas, n) =>
      canvas.setAttribute("aria-label", `Picture ${n + 1} of ${count}, for ${named}. ${when}`),
    );
    if (going.runs()) hush();
    else speak(`For ${named}. ${readout.textContent}`);
  }

  // ---- choosing

  const fields = ["said", "weight", "step", "seed"];
  const { update, set, commit, end } = follow(model, fields, show);

  const still = stillness();
  const going = motion(() => {
    set("step", most);
    commit();
  });
  function form() {
    going.cancel();
    if (still.matches) {
      set("step", most);
      commit();
      return;
    }
    let first = null;
    going.start((now) => {
      first ??= now;
      const step = Math.floor(((now - first) / (1000 * SECONDS)) * (most + 1));
      if (step > most) return false;
      if (step !== model.get("step")) set("step", step);
      return true;
    });
  }

  chips.forEach((chip, i) =>
    chip.addEventListener("click", () => {
      const said = model.get("said");
      const others = groups.find((group) => group.includes(words[i]));
      const kept = said.filter((row) => !others.includes(words[row]));
      set("said", said.includes(i) ? kept : [...kept, i].sort((a, b) => a - b));
      form();
    }),
  );
  again.addEventListener("click", () => {
    set("seed", (model.get("seed") + 1) % 2 ** 32);
    form();
  });
  play.addEventListener("click", form);
  for (const [field, { input }] of [["step", steps], ["weight", weight]]) {
    input.addEventListener("input", () => {
      going.cancel();
      set(field, Number(input.value));
    });
    input.addEventListener("change", commit);
  }

  const undrawn = keepDrawn(canvases[0], update);
  return () => {
    going.cancel();
    end();
    hush();
    undrawn();
  };
}

// What each step expects of the end, from the noise of a seed, as word_digits.py computes it: the
// noise, then (count, q) for every step. The last path is kept.
function wordSampler(model) {
  const run = network(model.get("denoiser_layers"), model.get("denoiser_weights"));
  const rates = numbers(model.get("rates"), Float32Array); // (R,)
  const bars = numbers(model.get("alpha_bars"), Float64Array);
  const count = model.get("count");
  const hints = model.get("groups").flat().length;
  const width = model.get("denoiser_layers")[0].inputs;
  const size = width - 2 * rates.length - hints;
  let asked; // words and weight

  // every picture twice, with the words and without, and from both the guided answer
  function ask(z, t) {
    const input = new Float32Array(2 * count * width);
    for (let n = 0; n < 2 * count; n++) {
      const from = (n % count) * size;
      const row = input.subarray(n * width, (n + 1) * width);
      row.set(z.subarray(from, from + size));
      rates.forEach((rate, k) => {
        const phase = (rate * t) / bars.length;
        row[size + k] = Math.sin(phase);
        row[size + rates.length + k] = Math.cos(phase);
      });
      if (n < count) for (const word of asked.said) row[size + 2 * rates.length + word] = 1;
    }
    const out = run(input);
    const silent = out.subarray(count * size);
    return silent.map((v, i) => v + asked.weight * (out[i] - v));
  }

  const { last, bar, guess } = chain(bars, model.get("prediction"), ask);
  const times = [...timesBack(model.get("steps"), last), last].reverse();
  let known = {};
  return (said, weight, seed) => {
    const name = [...said, weight, seed].join();
    if (known.name === name) return known.path;
    asked = { said, weight };
    let z = Float32Array.from(normals(seed, count * size));
    const path = [z];
    for (let i = 0; i + 1 < times.length; i++) {
      const [clean, noise] = guess(z, times[i]);
      const [a, b] = [Math.sqrt(bar(times[i + 1])), Math.sqrt(1 - bar(times[i + 1]))];
      z = z.map((_, k) => a * clean[k] + b * noise[k]);
      path.push(clean);
    }
    known = { name, path };
    return path;
  };
}

// How far two images are from each other, squared and summed, on average over all pairs.
function apart(images) {
  const pairs = images.flatMap((a, i) => images.slice(0, i).map((b) => [a, b]));
  const squared = pairs.map(([a, b]) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));
  return decimal(squared.reduce((sum, v) => sum + v, 0) / pairs.length, 1);
}
