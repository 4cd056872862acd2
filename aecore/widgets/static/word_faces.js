// Words are said, and faces form out of noise in a latent space.

const FACES = 4;
const SECONDS = 1.8; // from the noise to the faces

function render({ model, el }) {
  const most = model.get("steps");
  const groups = model.get("groups");
  const words = groups.flat();
  const label = model.get("label");
  const drawing = portraits(model);
  const spread = numbers(model.get("spread"), Float32Array); // (q,)
  const sample = wordSampler(model, spread.length);

  // ---- elements

  const chips = words.map((word) => button(word));
  const rows = groups.map((group) =>
    make(
      "div",
      { class: "aew-chips", role: "group", "aria-label": group.join(" or ") },
      ...group.map((word) => chips[words.indexOf(word)]),
    ),
  );
  const canvases = Array.from({ length: FACES }, () => drawing.canvas({ role: "img" }));
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

  const path = () => sample(model.get("said"), model.get("weight"), model.get("seed"));

  function show() {
    const step = model.get("step");
    const said = model.get("said");
    const z = path()[step];
    const images = canvases.map((canvas, n) => {
      const code = spread.map((s, k) => s * z[n * spread.length + k]);
      const pixels = drawing.draw(code).slice();
      drawing.show(canvas, pixels);
      return pixels;
    });

    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", String(said.includes(i))));
    steps.say(step, `${step} of ${most}`);
    weight.say(model.get("weight"), decimal(model.get("weight"), 2));
    const named = words.filter((_, i) => said.includes(i)).join(", ") || "no words";
    const when = step ? `What step ${step} of ${most} expects` : "The noise itself, decoded";
    readout.replaceChildren(
      `${when}. Two of the four faces differ by `,
      strong(apart(images)),
      " on average, squared and summed over the pixels.",
    );
    canvases.forEach((canvas, n) =>
      canvas.setAttribute("aria-label", `Face ${n + 1} of ${FACES}, for ${named}. ${when}`),
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
      const others = groups.find((group) => group.includes(words[i])).map((word) => words.indexOf(word));
      const said = model.get("said");
      const kept = said.filter((row) => !others.includes(row));
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

  update();
  return () => {
    going.cancel();
    end();
    hush();
  };
}

// What each step expects of the end, from the noise of a seed, as word_faces.py computes it: the
// noise, then (FACES, q) for every step. The last path is kept.
function wordSampler(model, size) {
  const run = network(model.get("denoiser_layers"), model.get("denoiser_weights"));
  const rates = numbers(model.get("rates"), Float32Array); // (R,)
  const embeddings = numbers(model.get("embeddings"), Float32Array); // (W, hints)
  const hints = embeddings.length / model.get("groups").flat().length;
  const bars = numbers(model.get("alpha_bars"), Float64Array);
  const width = size + 2 * rates.length + hints;
  let hint, weight;

  // every face twice, with the words and without, and from both the guided answer
  function ask(z, t) {
    const input = new Float32Array(2 * FACES * width);
    for (let n = 0; n < 2 * FACES; n++) {
      const from = (n % FACES) * size;
      const row = input.subarray(n * width, (n + 1) * width);
      row.set(z.subarray(from, from + size));
      rates.forEach((rate, k) => {
        const phase = (rate * t) / bars.length;
        row[size + k] = Math.sin(phase);
        row[size + rates.length + k] = Math.cos(phase);
      });
      if (n < FACES) row.set(hint, size + 2 * rates.length);
    }
    const out = run(input);
    const told = out.subarray(0, FACES * size);
    return told.map((v, i) => out[FACES * size + i] + weight * (v - out[FACES * size + i]));
  }

  const { last, bar, guess } = chain(bars, model.get("prediction"), ask);
  const times = [...timesBack(model.get("steps"), last), last].reverse();
  let known = {};
  return (said, w, seed) => {
    const name = [...said, w, seed].join();
    if (known.name === name) return known.path;
    weight = w;
    hint = new Float32Array(hints);
    for (const row of said) hint.forEach((_, k) => (hint[k] += embeddings[row * hints + k]));
    let z = Float32Array.from(normals(seed, FACES * size));
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
  return decimal(squared.reduce((sum, v) => sum + v, 0) / pairs.length, 0);
}
