// All units of a sparse code: an atom, the images that fire it, an image rebuilt from its
// strongest units.

const STRIP = 12; // atoms shown in the order of their use
const TOP = 8; // images shown for a unit

function render({ model, el }) {
  const [height, width] = model.get("shape");
  const size = height * width;
  const atoms = numbers(model.get("atoms"), Int8Array); // (units, size)
  const scales = numbers(model.get("scales"), Float32Array); // (units,)
  const bias = numbers(model.get("bias"), Float32Array); // (size,)
  const images = numbers(model.get("images"), Uint8Array); // (M, size)
  const codes = numbers(model.get("activations"), Uint8Array); // (M, units)
  const steps = numbers(model.get("steps"), Float32Array); // (units,)
  const units = scales.length;
  const count = images.length / size;
  const most = model.get("most"); // the largest k
  const logits = model.get("output") === "logits";
  const label = model.get("label");

  const activation = (image, unit) => codes[image * units + unit] * steps[unit];
  const row = (array, index) => array.subarray(index * size, (index + 1) * size);
  const largest = (length, value, most) =>
    Array.from({ length }, (_, i) => i)
      .filter((i) => value(i) > 0)
      .sort((a, b) => value(b) - value(a)) // a stable sort: of equals, the first
      .slice(0, most);

  // how often each unit fires; the grid has the most used first
  const fires = new Uint32Array(units);
  codes.forEach((code, i) => (fires[i % units] += code > 0));
  const order = Array.from(fires.keys()).sort((a, b) => fires[b] - fires[a]);

  const strongest = Math.max(...steps) * 255;
  const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(strongest))));
  const say = (value) => value.toFixed(digits);

  const fields = ["unit", "image", "k"];

  // ---- elements

  const small = raster(width, height);
  const around = ramp(model.get("signed"), -127, 127);
  const grid = mosaic({
    name: `${label}: choose one of ${units} units with the arrow keys`,
    kind: "grid of units",
    picture: raster(width, units * height).fill(atoms, around), // as their bytes lie in memory
    shape: [height, width],
    order,
    isFaint: (unit) => !fires[unit],
    read: () => model.get("unit"),
    choose: (unit) => put("unit", unit),
  });
  const atom = make("canvas", { class: "aew-tile aew-atom", role: "img" });
  const title = make("p", { class: "aew-title" });
  const often = make("p", { class: "aew-readout" });
  const tops = Array.from({ length: TOP }, tile);
  const original = make("canvas", { class: "aew-tile", role: "img" });
  const rebuilt = make("canvas", { class: "aew-tile", role: "img" });
  const which = make("span", { class: "aew-value" });
  const back = button("‹", "Previous image");
  const on = button("›", "Next image");
  const kept = slider("Units kept, k", { min: 1, max: most, step: 1 });
  const readout = make("p", { class: "aew-readout aew-words" });
  const curve = make("canvas", { class: "aew-errors", role: "img" });
  const strip = Array.from({ length: STRIP }, tile);
  const { status, say: speak, hush } = voice();
  const figure = (canvas, words) =>
    make("div", { class: "aew-figure" }, canvas, hint(words));

  const root = group(
    label,
    make(
      "div",
      { class: "aew-browser" },
      make("div", { class: "aew-unit" }, atom, make("div", {}, title, often)),
      make(
        "div",
        { class: "aew-all" },
        grid.canvas,
        hint(
          "Choose a unit",
          make("span", { class: "aew-keys" }, ", or move with the arrow keys"),
          ". The most used come first",
          fires.includes(0) ? "; those that never fire are faint." : ".",
        ),
      ),
      make(
        "div",
        { class: "aew-fired" },
        hint("What fires it most"),
        make("div", { class: "aew-tiles" }, ...tops.map(({ box }) => box)),
      ),
    ),
    make(
      "div",
      { class: "aew-rebuild" },
      make(
        "div",
        { class: "aew-pair" },
        figure(original, "the image"),
        figure(rebuilt, "rebuilt"),
      ),
      make(
        "div",
        { class: "aew-rebuilding" },
        make("div", { class: "aew-picker" }, back, which, on),
        kept.row,
        readout,
        curve,
        hint("Its squared error, against k"),
      ),
      make(
        "div",
        { class: "aew-used" },
        hint("Its strongest units in order, and how strongly they fire"),
        make("div", { class: "aew-tiles" }, ...strip.map(({ box }) => box)),
      ),
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  const tone = ramp(model.get("tones"), 0, 1);
  const drawAtom = (canvas, unit) => paint(canvas, small.fill(row(atoms, unit), around));
  const drawImage = (canvas, values) => paint(canvas, small.fill(values, tone));
  const drawDigit = (canvas, image) =>
    paint(canvas, small.fill(row(images, image), (value) => tone(value / 255)));

  function showUnit() {
    const unit = model.get("unit");
    grid.mark(unit);
    drawAtom(atom, unit);
    atom.setAttribute("aria-label", `Atom of unit ${unit}`);
    title.textContent = `Unit ${unit}`;
    often.textContent = fires[unit]
      ? `fires on ${((100 * fires[unit]) / count).toFixed(1)} % of these ${count} images`
      : `never fires on these ${count} images`;
    const found = largest(count, (image) => activation(image, unit), TOP);
    tops.forEach((one, i) => {
      one.shows(found[i], () => {
        const image = found[i];
        const value = say(activation(image, unit));
        drawDigit(one.canvas, image);
        one.text.textContent = value;
        one.box.setAttribute("aria-label", `Image ${image + 1}, activation ${value}: rebuild it`);
      });
    });
  }

  // the units of an image by strength, and what the first none, one, two ... of them make of it
  function rebuild(image) {
    const active = largest(units, (unit) => activation(image, unit), units);
    const target = row(images, image);
    const sum = Float64Array.from(bias);
    const rebuilds = [null, ...active.slice(0, most)].map((unit) => {
      if (unit !== null) {
        const weight = activation(image, unit) * scales[unit];
        row(atoms, unit).forEach((value, i) => (sum[i] += weight * value));
      }
      const pixels = logits ? sum.map((v) => 1 / (1 + Math.exp(-v))) : sum.slice();
      const error = pixels.reduce((total, v, i) => total + (v - target[i] / 255) ** 2, 0);
      return { pixels, error };
    });
    return { active, rebuilds };
  }

  let chosen = null; // what `rebuild` found about the chosen image

  function showImage() {
    const image = model.get("image");
    chosen = rebuild(image);
    drawDigit(original, image);
    original.setAttribute("aria-label", `Image ${image + 1}`);
    which.textContent = `image ${image + 1} of ${count}`;
    strip.forEach((one, i) => {
      one.shows(chosen.active[i], () => {
        const unit = chosen.active[i];
        const value = say(activation(image, unit));
        drawAtom(one.canvas, unit);
        one.text.textContent = value;
        one.box.setAttribute("aria-label", `Unit ${unit}, activation ${value}: show it`);
      });
    });
  }

  function showRebuilt() {
    const { active, rebuilds } = chosen;
    const k = model.get("k");
    const used = Math.min(active.length, k);
    const error = rebuilds[used].error.toFixed(2);
    kept.say(k, String(k));
    drawImage(rebuilt, rebuilds[used].pixels);
    rebuilt.setAttribute("aria-label", `Image ${model.get("image") + 1} from ${used} units`);
    const of = used < active.length ? `${used} of its ${active.length}` : `All its ${used}`;
    readout.replaceChildren(`${of} active units leave a squared error of `, strong(error), ".");
    strip.forEach((one, i) => one.box.classList.toggle("aew-unused", i >= used));

    const points = rebuilds.map((one, i) => [i, one.error]);
    const top = 1.05 * Math.max(...rebuilds.map((one) => one.error));
    const limits = [[0, most], [0, top]];
    const { pen, theme, at } = chart(curve, root, limits, [{ points, colour: "muted" }]);
    disc(pen, at(...points[used]), 7, theme.paper);
    disc(pen, at(...points[used]), 5, theme.amber);
    curve.setAttribute("aria-label", `Squared error against k: ${error} at ${used}`);
  }

  let shown = {};
  function show() {
    if (!grid.canvas.clientWidth) return; // hidden, and drawn when it is not
    const now = Object.fromEntries(fields.map((field) => [field, model.get(field)]));
    const changed = (field) => now[field] !== shown[field];
    if (changed("unit")) showUnit();
    if (changed("image")) showImage();
    if (changed("image") || changed("k")) showRebuilt();
    shown = now;
    for (const one of tops) one.box.setAttribute("aria-pressed", String(one.index === now.image));
    for (const one of strip) one.box.setAttribute("aria-pressed", String(one.index === now.unit));
    speak(`${title.textContent} ${often.textContent}. ${readout.textContent}`);
  }

  // ---- choosing

  const { set, commit, end } = follow(model, fields, show);
  const put = (field, value) => {
    if (value === model.get(field)) return;
    set(field, value);
    commit();
  };
  for (const one of tops) one.box.addEventListener("click", () => put("image", one.index));
  for (const one of strip) one.box.addEventListener("click", () => put("unit", one.index));
  const turn = (step) => put("image", (model.get("image") + step + count) % count);
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  kept.input.addEventListener("input", () => put("k", Number(kept.input.value)));

  const redraw = onceAFrame(() => {
    shown = {};
    if (grid.canvas.clientWidth) grid.draw();
    show();
  });
  const undrawn = keepDrawn(root, redraw);
  return () => {
    end();
    hush();
    undrawn();
  };
}

// A button with a small picture and a number below it. `shows(index, draw)` fills it, or leaves
// its place empty where there is no index.
function tile() {
  const canvas = make("canvas", { class: "aew-tile", "aria-hidden": "true" });
  const text = make("span", { class: "aew-value" });
  const box = make("button", { type: "button", class: "aew-card" }, canvas, text);
  const shows = (index, draw) => {
    one.index = index;
    box.style.visibility = index === undefined ? "hidden" : "visible";
    if (index !== undefined) draw();
  };
  const one = { box, canvas, text, shows };
  return one;
}
