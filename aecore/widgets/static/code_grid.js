// A grid of codes to paint on, the image that the decoder makes of it, and what a change moved.

function render({ model, el }) {
  const [side, size] = model.get("shape"); // of the grid, of the image
  const places = side * side;
  const cell = size / side;
  const order = model.get("order");
  const grids = numbers(model.get("grids"), Uint8Array); // (N, S²)
  const reaches = numbers(model.get("reach"), Uint16Array); // (S², 4)
  const sets = model.get("sets");
  const label = model.get("label");
  const decode = codeDecoder(model);

  const starts = sets.map((_, i) => sets.slice(0, i).reduce((sum, [, count]) => sum + count, 0));
  const setOf = (row) => starts.findLastIndex((start) => start <= row);
  const bytes = (field) => numbers(model.get(field), Uint8Array);
  const original = () => grids.slice(model.get("chosen") * places, (model.get("chosen") + 1) * places);
  const uses = new Uint32Array(order.length);
  grids.forEach((code) => uses[code]++);

  // ---- elements

  const source = choice("Set of grids", sets.map(([words]) => [words, words]));
  source.row.hidden = sets.length === 1;
  const back = button("‹", "Previous grid");
  const which = make("span", { class: "aew-value" });
  const on = button("›", "Next grid");
  const pad = cellPad({
    name: label,
    kind: "grid of codes",
    side,
    put: (place, goesOn) => edit(bytes("codes").with(place, model.get("code")), !goesOn),
    rest: () => commit(),
    pick: (place) => pick(bytes("codes")[place]),
    moved: () => update(),
    keys: {
      PageUp: (place) => change(bytes("codes").with(place, beside(place, 1))),
      PageDown: (place) => change(bytes("codes").with(place, beside(place, -1))),
      Delete: (place) => change(bytes("codes").with(place, original()[place])),
      Backspace: (place) => change(bytes("codes").with(place, original()[place])),
    },
  });
  const grid = pad.canvas;
  const here = hint();
  const decoded = make("canvas", { class: "aew-image", role: "img" });
  const difference = make("canvas", { class: "aew-image aew-reached", role: "img" });
  const total = make("p", { class: "aew-readout aew-words" });
  const last = make("p", { class: "aew-readout aew-words" });
  const undo = button("Undo");
  const restore = button("Start again", "Back to the grid as it was");
  const all = button("All one code", "The chosen code in every place");
  const brush = make("p", { class: "aew-title" });
  const tiles = order.map(() => make("canvas", { "aria-hidden": "true" }));
  const palette = choice(
    "Code to paint with",
    order.map((code, i) => [tiles[i], `Code ${code}`]),
  );
  palette.row.classList.add("aew-palette");
  palette.inputs.forEach((input, i) =>
    input.parentElement.classList.toggle("aew-unused", !uses[order[i]]),
  );
  const { status, say: speak, hush } = voice();
  const titled = (title, canvas) =>
    make("div", { class: "aew-figure" }, make("p", { class: "aew-title" }, title), canvas);
  const area = (name, ...children) => make("div", { class: `aew-${name}` }, ...children);
  const root = group(
    label,
    area("sources", source.row, area("turn", back, which, on)),
    area(
      "coding",
      area("painted", titled("Codes", grid), here),
      area("outcome", titled("Decoded", decoded), titled("The last change", difference)),
      area("tools", area("buttons", undo, restore, all), total, last),
      area(
        "colours",
        brush,
        palette.row,
        hint(
          `Each code is the mean image around it in ${grids.length / places} grids`,
          uses.includes(0) ? "; faint: in none of them." : ".",
          make("span", { class: "aew-keys" }, " The right button, or enter, picks one up from the grid."),
        ),
      ),
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  const tone = ramp(model.get("tones"), 0, 1);
  const colour = ramp(model.get("signed"), -model.get("contrast"), model.get("contrast"));
  const small = raster(size, size);
  const portraits = numbers(model.get("portraits"), Uint8Array);
  const draw = numberedPictures(portraits, 3 * cell, order.length, (v) => tone(v / 255));
  const family = () => getComputedStyle(root).fontFamily;

  function drawGrid(codes, changed) {
    const theme = colours(root);
    const pen = sharpen(grid);
    const step = grid.clientWidth / side;
    const corner = (place) => [(place % side) * step, Math.floor(place / side) * step];
    const frame = (place, inset, thick, stroke) => {
      const [x, y] = corner(place);
      [pen.strokeStyle, pen.lineWidth] = [stroke, thick];
      pen.strokeRect(x + inset, y + inset, step - 2 * inset, step - 2 * inset);
    };
    const font = family();
    codes.forEach((code, place) => {
      const [x, y] = corner(place);
      draw(pen, code, x + 1.5, y + 1.5, step - 3, font);
    });
    for (const place of changed) frame(place, 2.5, 2, theme.petrol);
    frame(pad.current(), 3.5, 2, theme.paper);
    frame(pad.current(), 1.5, 3, theme.amber);
  }

  // the image, and on it the pixels of the current cell and those that its code reaches
  function drawDecoded(pixels, place) {
    paint(decoded, small.fill(pixels, tone));
    const pen = decoded.getContext("2d");
    pen.scale(decoded.width / size, decoded.height / size);
    const thin = size / decoded.clientWidth; // a CSS pixel
    const [top, bottom, left, right] = reaches.subarray(4 * place, 4 * place + 4);
    pen.lineWidth = thin;
    pen.strokeStyle = "rgb(255 255 255 / 0.6)";
    pen.setLineDash([4 * thin, 4 * thin]);
    pen.strokeRect(left + thin, top + thin, right - left - 2 * thin, bottom - top - 2 * thin);
    pen.setLineDash([]);
    pen.lineWidth = 2 * thin;
    pen.strokeStyle = colours(root).amber;
    pen.strokeRect((place % side) * cell, Math.floor(place / side) * cell, cell, cell);
  }

  // nothing is there where the change could not reach
  function drawDifference(values, mask) {
    small.fill(values, colour);
    const pen = small.canvas.getContext("2d");
    mask.forEach((inside, i) => {
      if (!inside) pen.clearRect(i % size, Math.floor(i / size), 1, 1);
    });
    paint(difference, small.canvas);
  }

  // ---- showing

  let past = []; // grids, for undo
  const differing = (a, b) => Array.from(a.keys()).filter((i) => a[i] !== b[i]);
  if (differing(bytes("before"), bytes("codes")).length) past.push(bytes("before"));

  function show() {
    if (!grid.clientWidth) return; // hidden, and drawn when it is not
    const [codes, before, start] = [bytes("codes"), bytes("before"), original()];
    const place = pad.current();
    const image = decode(codes, "now");
    const changed = differing(codes, start);
    const touched = differing(codes, before);
    const mask = reached(touched, reaches, size);
    const minus = (other) => image.map((value, i) => value - other[i]);
    const step = minus(decode(before, "before"));
    const moved = (values) => values.filter((v) => Math.abs(v) > model.get("moved")).length;

    drawGrid(codes, changed);
    drawDecoded(image, place);
    drawDifference(step, mask);

    const set = setOf(model.get("chosen"));
    source.say(set);
    which.textContent = `${model.get("chosen") - starts[set] + 1} of ${sets[set][1]}`;
    palette.say(order.indexOf(model.get("code")));
    const share = (100 * uses[model.get("code")]) / grids.length;
    brush.textContent = `Paint with code ${model.get("code")}, in ${share.toFixed(1)} % of all places`;
    undo.disabled = !past.length;
    restore.disabled = !changed.length;

    const [top, bottom, left, right] = reaches.subarray(4 * place, 4 * place + 4);
    const at = `Row ${Math.floor(place / side) + 1}, column ${(place % side) + 1}: code ${codes[place]}`;
    here.textContent = `${at}. It reaches ${bottom - top} × ${right - left} pixels.`;
    const far = `by more than ${100 * model.get("moved")} %`;
    total.textContent =
      `${changed.length} of ${places} codes changed: ` +
      `${moved(minus(decode(start, "start")))} of ${size * size} pixels moved ${far}.`;
    const many = touched.length === 1 ? "one code" : `${touched.length} codes`;
    const open = mask.reduce((sum, inside) => sum + inside, 0);
    const beyond = step.filter((value, i) => value && !mask[i]).length;
    last.textContent = touched.length
      ? `The last change, of ${many}, could reach ${open} pixels and moved ${moved(step)}. ` +
        `Of the other ${size * size - open}, ${beyond || "none"} changed at all.`
      : "Choose a code below and paint it into the grid.";
    decoded.setAttribute("aria-label", `The decoded image. ${total.textContent}`);
    difference.setAttribute("aria-label", `Amber: lighter, blue: darker. ${last.textContent}`);
    speak(`${at}. ${total.textContent}`);
  }

  // ---- changing

  const fields = ["chosen", "codes", "before", "code"];
  const { update, set, commit, end } = follow(model, fields, show);

  // Put codes on the grid, and tell whether they are others; `fresh` begins a change, else the
  // last one goes on.
  function edit(codes, fresh) {
    const now = bytes("codes");
    if (!differing(now, codes).length) return false;
    if (fresh) {
      past.push(now);
      set("before", new DataView(now.buffer));
    }
    set("codes", new DataView(codes.buffer));
    return true;
  }
  const change = (codes) => edit(codes, true) && commit();

  const beside = (place, by) => {
    const next = order.indexOf(bytes("codes")[place]) + by;
    return order[(next + order.length) % order.length];
  };
  function takeBack() {
    if (!past.length) return;
    set("before", model.get("codes"));
    set("codes", new DataView(past.pop().buffer));
    commit();
  }
  function pick(code) {
    set("code", code);
    commit();
  }
  function choose(row) {
    past = [];
    set("chosen", row);
    for (const field of ["codes", "before"]) set(field, new DataView(original().buffer));
    commit();
  }
  function turn(by) {
    const set = setOf(model.get("chosen"));
    const count = sets[set][1];
    choose(starts[set] + ((model.get("chosen") - starts[set] + by + count) % count));
  }

  source.row.addEventListener("change", () => choose(starts[source.chosen()]));
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  palette.row.addEventListener("change", () => pick(order[palette.chosen()]));
  undo.addEventListener("click", takeBack);
  restore.addEventListener("click", () => change(original()));
  all.addEventListener("click", () => change(bytes("codes").fill(model.get("code"))));
  grid.addEventListener("keydown", (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    takeBack();
  });

  const redraw = onceAFrame(() => {
    if (!grid.clientWidth) return;
    const font = family();
    order.forEach((code, i) => draw(sharpen(tiles[i]), code, 0, 0, tiles[i].clientWidth, font));
    show();
  });
  const undrawn = keepDrawn(root, redraw);
  return () => {
    end();
    hush();
    undrawn();
  };
}

// The images of grids of codes. The last grid of each `kind` is not decoded twice.
function codeDecoder(model) {
  const decoder = network(model.get("layers"), model.get("weights"));
  const codebook = numbers(model.get("codebook"), Float32Array); // (K, d)
  const width = codebook.length / model.get("order").length;
  const logits = model.get("output") === "logits";
  const tone = logits ? (v) => 1 / (1 + Math.exp(-v)) : (v) => Math.min(1, Math.max(0, v));
  const known = {};
  return (codes, kind) => {
    const name = codes.join();
    if (known[kind]?.name === name) return known[kind].pixels;
    const vectors = new Float32Array(codes.length * width); // (d, S, S)
    codes.forEach((code, place) => {
      for (let k = 0; k < width; k++) vectors[k * codes.length + place] = codebook[code * width + k];
    });
    known[kind] = { name, pixels: decoder(vectors).map(tone) };
    return known[kind].pixels;
  };
}

// Of size × size pixels, 1 for those that codes at these places lead to.
function reached(places, reaches, size) {
  const mask = new Uint8Array(size * size);
  for (const place of places) {
    const [top, bottom, left, right] = reaches.subarray(4 * place, 4 * place + 4);
    for (let y = top; y < bottom; y++) mask.fill(1, y * size + left, y * size + right);
  }
  return mask;
}
