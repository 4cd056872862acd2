// All units of a sparse code: an atom, the images that fire it, an image rebuilt from its
// strongest units.

const STRIP = 12; // atoms shown in the order of their use
const TOP = 8; // images shown for a unit
const CELL = 17; // CSS pixels: the least an atom takes up in the grid
const GAP = 2;
const EDGE = 5; // around the grid, for the mark of the chosen unit

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
  const cells = new Uint32Array(units);
  order.forEach((unit, cell) => (cells[unit] = cell));

  const strongest = Math.max(...steps) * 255;
  const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(strongest))));
  const say = (value) => value.toFixed(digits);

  const fields = ["unit", "image", "k"];

  // ---- elements

  const grid = make("canvas", {
    class: "aew-units",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "grid of units",
    "aria-label": `${label}: choose one of ${units} units with the arrow keys`,
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
  const status = make("span", { class: "aew-hidden", role: "status" });
  const figure = (canvas, words) =>
    make("div", { class: "aew-figure" }, canvas, make("p", { class: "aew-hint" }, words));

  const root = make(
    "div",
    { class: "aew", role: "group", "aria-label": label },
    make("p", { class: "aew-label" }, label),
    make(
      "div",
      { class: "aew-browser" },
      make("div", { class: "aew-unit" }, atom, make("div", {}, title, often)),
      make(
        "div",
        { class: "aew-all" },
        grid,
        make(
          "p",
          { class: "aew-hint" },
          "Choose a unit",
          make("span", { class: "aew-keys" }, ", or move with the arrow keys"),
          ". The most used come first",
          fires.includes(0) ? "; those that never fire are faint." : ".",
        ),
      ),
      make(
        "div",
        { class: "aew-fired" },
        make("p", { class: "aew-hint" }, "What fires it most"),
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
        make("p", { class: "aew-hint" }, "Its squared error, against k"),
      ),
      make(
        "div",
        { class: "aew-used" },
        make("p", { class: "aew-hint" }, "Its strongest units in order, and how strongly they fire"),
        make("div", { class: "aew-tiles" }, ...strip.map(({ box }) => box)),
      ),
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  const small = raster(width, height);
  const tone = ramp(model.get("tones"), 0, 1);
  const around = ramp(model.get("signed"), -127, 127);
  const drawAtom = (canvas, unit) => paint(canvas, small.fill(row(atoms, unit), around));
  const drawImage = (canvas, values) => paint(canvas, small.fill(values, tone));
  const drawDigit = (canvas, image) =>
    paint(canvas, small.fill(row(images, image), (value) => tone(value / 255)));

  // one picture with all atoms, the first on top, as their bytes lie in memory
  const all = raster(width, units * height).fill(atoms, around);

  // where the cells of the grid are, in CSS pixels
  const layout = () => {
    const room = grid.clientWidth - 2 * EDGE + GAP;
    const across = Math.min(Math.ceil(Math.sqrt(units)), Math.floor(room / (CELL + GAP)));
    const wide = room / across; // with the gap, as `tall`
    return { across, wide, tall: (height / width) * (wide - GAP) + GAP };
  };

  // all atoms once for each size, the mark of the chosen unit at each move
  const cellsDrawn = make("canvas");

  function drawCell(pen, unit) {
    const { across, wide, tall } = layout();
    const sharp = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const x = sharp(EDGE + (cells[unit] % across) * wide);
    const y = sharp(EDGE + Math.floor(cells[unit] / across) * tall);
    const box = [x, y, sharp(wide - GAP), sharp(tall - GAP)];
    pen.imageSmoothingQuality = "high";
    pen.drawImage(all, 0, unit * height, width, height, ...box);
    return box;
  }

  function drawCells() {
    const { across, tall } = layout();
    grid.style.height = `${Math.ceil(units / across) * tall - GAP + 2 * EDGE}px`;
    const pen = sharpen(grid);
    order.forEach((unit) => {
      pen.globalAlpha = fires[unit] ? 1 : 0.3;
      drawCell(pen, unit);
    });
    cellsDrawn.width = grid.width;
    cellsDrawn.height = grid.height;
    cellsDrawn.getContext("2d").drawImage(grid, 0, 0);
  }

  function showUnit() {
    const unit = model.get("unit");
    const theme = colours(root);
    const pen = sharpen(grid);
    pen.drawImage(cellsDrawn, 0, 0, grid.clientWidth, grid.clientHeight);
    const [x, y, w, h] = drawCell(pen, unit);
    for (const [edge, colour] of [[EDGE, theme.amber], [EDGE - 3, theme.paper]]) {
      pen.fillStyle = colour;
      pen.fillRect(x - edge, y - edge, w + 2 * edge, h + 2 * edge);
    }
    drawCell(pen, unit);

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

  let speech = 0;
  let shown = {};
  function show() {
    if (!grid.clientWidth) return; // hidden, and drawn when it is not
    const now = Object.fromEntries(fields.map((field) => [field, model.get(field)]));
    const changed = (field) => now[field] !== shown[field];
    if (changed("unit")) showUnit();
    if (changed("image")) showImage();
    if (changed("image") || changed("k")) showRebuilt();
    shown = now;
    for (const one of tops) one.box.setAttribute("aria-pressed", String(one.index === now.image));
    for (const one of strip) one.box.setAttribute("aria-pressed", String(one.index === now.unit));
    // a screen reader hears where the choice came to rest, not every step of the way
    clearTimeout(speech);
    const words = `${title.textContent} ${often.textContent}. ${readout.textContent}`;
    speech = setTimeout(() => (status.textContent = words), 600);
  }

  // ---- choosing

  const update = onceAFrame(show);
  const set = (field, value) => {
    if (value === model.get(field)) return;
    model.set(field, value);
    model.save_changes();
    update();
  };
  const choose = (event) => {
    const { across, wide, tall } = layout();
    const x = Math.floor((event.offsetX - EDGE) / wide);
    const y = Math.max(0, Math.floor((event.offsetY - EDGE) / tall));
    const unit = order[y * across + Math.min(across - 1, Math.max(0, x))];
    if (unit !== undefined) set("unit", unit);
  };
  grid.addEventListener("click", choose);
  grid.addEventListener("pointermove", (event) => {
    // a finger scrolls the page: it chooses by tapping
    if (event.pointerType === "mouse" && event.buttons === 1) choose(event);
  });
  grid.addEventListener("keydown", (event) => {
    const cell = cells[model.get("unit")];
    const moves = {
      ArrowLeft: cell - 1,
      ArrowRight: cell + 1,
      ArrowUp: cell - layout().across,
      ArrowDown: cell + layout().across,
      Home: 0,
      End: units - 1,
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = moves[event.key];
    if (next >= 0 && next < units) set("unit", order[next]);
  });
  for (const one of tops) one.box.addEventListener("click", () => set("image", one.index));
  for (const one of strip) one.box.addEventListener("click", () => set("unit", one.index));
  const turn = (step) => set("image", (model.get("image") + step + count) % count);
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  kept.input.addEventListener("input", () => set("k", Number(kept.input.value)));

  for (const field of fields) model.on(`change:${field}`, update);
  const redraw = onceAFrame(() => {
    shown = {};
    if (grid.clientWidth) drawCells();
    show();
  });
  const end = keepDrawn(root, redraw);
  return () => {
    for (const field of fields) model.off(`change:${field}`, update);
    clearTimeout(speech);
    end();
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
