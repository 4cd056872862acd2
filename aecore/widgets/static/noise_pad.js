// A digit, picked or drawn, spoilt by noise and cleaned by a network.

const PATCH = 4;

// what is seen, what is heard, and what the slider sets
const KINDS = {
  gaussian: ["Gaussian", "Gaussian noise", "Noise level σ"],
  masking: ["Masking", "Hidden pixels", "Pixels hidden"],
  salt_and_pepper: ["Salt & pepper", "Salt and pepper", "Pixels replaced"],
  patches: ["Patches", "Hidden patches", "Patches hidden"],
};

function render({ model, el }) {
  const denoise = network(model.get("layers"), model.get("weights"));
  const images = numbers(model.get("images"), Uint8Array); // (M, 784)
  const own = images.length / SIDE ** 2; // what `chosen` is for the drawing
  const logits = model.get("output") === "logits";
  const tone = ramp(model.get("tones"), 0, 1);
  const label = model.get("label");

  const drawing = () => numbers(model.get("drawing"), Uint8Array);
  const picked = (i) => (i === own ? drawing() : images.slice(i * SIDE ** 2, (i + 1) * SIDE ** 2));

  const { status, say: speak, hush } = voice();
  const thumbs = Array.from({ length: own + 1 }, () => make("canvas", { "aria-hidden": "true" }));
  const picks = choice(
    "Image",
    thumbs.map((canvas, i) => [canvas, i === own ? "Your drawing" : `Image ${i + 1} of ${own}`]),
  );
  const pad = sketchpad({
    name: "Clean image",
    read: () => picked(model.get("chosen")),
    write: (pixels) => {
      // a stroke over a digit goes into a copy of it, which becomes the drawing
      model.set("drawing", new DataView(pixels.buffer));
      model.set("chosen", own);
    },
    done: () => model.save_changes(),
    redraw: () => update(),
    say: speak,
  });
  const [before, after] = [0, 1].map(() => make("canvas", { class: "aew-image", role: "img" }));
  const [worth, gained] = [0, 1].map(() => make("p", { class: "aew-readout" }));
  const empty = make("button", { type: "button", class: "aew-button" }, "Empty the pad");
  const again = make("button", { type: "button", class: "aew-button" }, "New noise");
  const kinds = choice("Noise", Object.values(KINDS));
  const level = slider("", { min: 0, max: 1, step: 0.01 });
  const verdict = make("p", { class: "aew-verdict" });
  const panel = (name, ...children) =>
    make("div", { class: "aew-panel" }, make("p", { class: "aew-title" }, name), ...children);
  const root = group(
    label,
    picks.row,
    make(
      "div",
      { class: "aew-panels" },
      panel("Clean", pad.canvas, empty),
      panel("With noise", before, worth),
      panel("Cleaned", after, gained),
    ),
    verdict,
    make("div", { class: "aew-noise" }, kinds.row, level.row, again),
    hint(
      "Draw on the first image: over the digit, or on an empty pad",
      make("span", { class: "aew-keys" }, "; the right button erases"),
      ". When you pause, the ink moves to the centre, where the training digits have theirs.",
    ),
    status,
  );
  el.append(root);

  // ---- showing

  const small = raster(SIDE, SIDE);
  const share = (bytes) => Float32Array.from(bytes, (value) => value / 255);

  function show() {
    const chosen = model.get("chosen");
    const noise = model.get("noise");
    const [, heard, sets] = KINDS[noise];
    const pixels = share(picked(chosen));
    const spoilt = spoil(pixels, noise, model.get("level"), model.get("seed"));
    const guess = denoise(spoilt).map((v) =>
      logits ? 1 / (1 + Math.exp(-v)) : Math.min(1, Math.max(0, v)),
    );
    pad.show(small.fill(pixels, tone), chosen === own && isEmpty(pixels));
    paint(before, small.fill(spoilt, tone));
    paint(after, small.fill(guess, tone));
    showThumb(own);

    const amount = (noise === "gaussian" ? sigma : percent)(model.get("level"));
    picks.say(chosen);
    kinds.say(Object.keys(KINDS).indexOf(noise));
    level.say(model.get("level"), amount);
    level.row.firstChild.textContent = sets;
    level.input.setAttribute("aria-label", sets);

    const [wrong, left] = [spoilt, guess].map((image) => squaredError(image, pixels));
    worth.textContent = `PSNR ${decibel(wrong)}`;
    gained.textContent = `PSNR ${decibel(left)}`;
    const words = compare(wrong, left);
    if (words !== verdict.textContent) speak(words);
    verdict.textContent = words;
    before.setAttribute("aria-label", `${heard}, ${amount}: ${worth.textContent}`);
    after.setAttribute("aria-label", `Cleaned: ${gained.textContent}`);
  }

  function showThumb(i) {
    const pixels = share(picked(i));
    paint(thumbs[i], small.fill(pixels, tone));
    if (i === own && isEmpty(pixels)) drawPencil(thumbs[i]);
  }

  // ---- choosing

  empty.addEventListener("click", pad.wipe);
  const fields = ["chosen", "drawing", "noise", "level", "seed"];
  const { update, set, commit, end } = follow(model, fields, show);
  const choose = (field, value) => {
    set(field, value);
    commit();
  };
  again.addEventListener("click", () => choose("seed", (model.get("seed") + 1) % 2 ** 32));
  picks.row.addEventListener("change", () => {
    pad.rest();
    choose("chosen", picks.chosen());
  });
  kinds.row.addEventListener("change", () => choose("noise", Object.keys(KINDS)[kinds.chosen()]));
  level.input.addEventListener("input", () => set("level", Number(level.input.value)));
  level.input.addEventListener("change", commit);

  const redraw = onceAFrame(() => {
    thumbs.forEach((_, i) => showThumb(i));
    show();
  });
  const undrawn = keepDrawn(pad.canvas, redraw);
  return () => {
    end();
    hush();
    pad.rest();
    undrawn();
  };
}

// ---- noise: noise_pad.py computes the same

// Two rows of uniform numbers from one seed serve every kind: a larger level spoils the same
// pixels more, or the same pixels and further ones.
function spoil(pixels, noise, level, seed) {
  const random = mulberry32(seed);
  const [first, second] = [0, 1].map(() => Array.from(pixels, random));
  if (noise === "gaussian") {
    const normal = normals(seed, pixels.length); // made from the same two rows
    return pixels.map((value, i) => value + level * normal[i]);
  }
  if (noise === "masking") return pixels.map((value, i) => (first[i] < level ? 0 : value));
  if (noise === "salt_and_pepper") {
    return pixels.map((value, i) => (first[i] < level ? Math.floor(2 * second[i]) : value));
  }
  const across = SIDE / PATCH;
  const order = Array.from({ length: across ** 2 }, (_, i) => i).sort((a, b) => first[a] - first[b]);
  const hidden = new Set(order.slice(0, Math.floor(level * across ** 2 + 0.5)));
  return pixels.map((value, i) => {
    const patch = Math.floor(i / SIDE / PATCH) * across + Math.floor((i % SIDE) / PATCH);
    return hidden.has(patch) ? 0 : value;
  });
}

// ---- words

const sigma = (level) => level.toFixed(2);
const percent = (level) => `${Math.round(100 * level)} %`;
const squaredError = (image, original) =>
  image.reduce((sum, value, i) => sum + (value - original[i]) ** 2, 0);
const decibel = (error) => (error ? `${(-10 * Math.log10(error / SIDE ** 2)).toFixed(1)} dB` : "∞ dB");

function compare(wrong, left) {
  if (!wrong) return `No noise: the network alone makes a squared error of ${left.toFixed(1)}.`;
  const ratio = left / wrong;
  const more = `${ratio.toFixed(ratio < 10 ? 2 : 0)} times as much`;
  const gain = ratio <= 1 ? `${percent(1 - ratio)} less` : more;
  return `Squared error ${wrong.toFixed(1)} with noise, ${left.toFixed(1)} cleaned: ${gain}.`;
}

const isEmpty = (pixels) => pixels.every((value) => value === 0);

// on the thumbnail of a drawing that is still to come
function drawPencil(canvas) {
  const pen = canvas.getContext("2d");
  pen.scale(canvas.width / SIDE, canvas.height / SIDE);
  pen.translate(8, 20);
  pen.rotate(-Math.PI / 4);
  pen.strokeStyle = "rgb(255 255 255 / 0.7)";
  pen.lineWidth = 1.2;
  pen.lineJoin = "round";
  pen.stroke(new Path2D("M0 0 L4 -2.2 H17 V2.2 H4 Z M4 -2.2 V2.2"));
}
