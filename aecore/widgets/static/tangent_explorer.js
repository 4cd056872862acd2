// An image moved along a tangent or along a random direction, and how far its code moves.

const BARS = 100; // a code with more numbers is drawn as strips
const SAMPLES = 80; // steps of a curve

function render({ model, el }) {
  const encode = network(model.get("layers"), model.get("weights"));
  const [height, width] = model.get("shape");
  const size = height * width;
  const images = numbers(model.get("images"), Uint8Array); // (M, size)
  const directions = {
    tangent: numbers(model.get("tangents"), Float32Array), // (M, size)
    random: numbers(model.get("others"), Float32Array), // (M, size)
  };
  const names = Object.keys(directions);
  const lines = { tangent: "amber", random: "grey" };
  const count = images.length / size;
  const reach = model.get("reach");
  const label = model.get("label");
  const row = (array, index) => array.subarray(index * size, (index + 1) * size);

  // ---- elements

  const faces = Array.from({ length: count }, () => make("canvas", { "aria-hidden": "true" }));
  const picker = choice("Image", faces.map((face, i) => [face, `Image ${i + 1}`]));
  picker.row.classList.add("aew-thumbs");
  const along = choice("Direction", [
    ["tangent", "Along the tangent"],
    ["random", "Along the random direction"],
  ]);
  const distance = slider("Distance, t", {
    min: -reach,
    max: reach,
    step: reach / 80,
    spoken: "Distance t along the direction",
  });
  const moved = make("canvas", { class: "aew-tile", role: "img" });
  const direction = make("canvas", { class: "aew-tile", role: "img" });
  const curves = make("canvas", { class: "aew-curves", role: "img" });
  const code = make("canvas", { class: "aew-code", role: "img" });
  const keys = names.map((name) => key(lines[name], name));
  const readout = make("p", { class: "aew-readout aew-words" });
  const codeHint = hint();
  const { status, say: speak, hush } = voice();
  const directionHint = hint();

  const root = group(
    label,
    picker.row,
    make(
      "div",
      { class: "aew-tangent" },
      make(
        "div",
        { class: "aew-moving" },
        make(
          "div",
          { class: "aew-pair" },
          make("div", { class: "aew-figure" }, moved, hint("x + t u, moved")),
          make("div", { class: "aew-figure" }, direction, directionHint),
        ),
        along.row,
        distance.row,
      ),
      make(
        "div",
        { class: "aew-moved" },
        hint("How far the code has moved, against t"),
        hint(...keys),
        curves,
        readout,
      ),
      make("div", { class: "aew-codes" }, codeHint, code),
    ),
    status,
  );
  el.append(root);

  // ---- what the network says about the chosen digit

  const pixels = () => Float32Array.from(row(images, model.get("image")), (v) => v / 255);
  const shifted = (x, name, t) => {
    const u = row(directions[name], model.get("image"));
    return x.map((v, i) => v + t * u[i]);
  };
  const between = (a, b) => Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0));

  let known = null; // about the image that was measured last
  function measure() {
    const image = model.get("image");
    if (known?.image === image) return known;
    const x = pixels();
    const before = Float32Array.from(encode(x));
    known = { image, x, before, curves: {}, top: 0, low: 0, high: 0, change: 0 };
    for (const name of names) {
      known.curves[name] = Array.from({ length: SAMPLES + 1 }, (_, i) => {
        const t = reach * ((2 * i) / SAMPLES - 1);
        const after = encode(shifted(x, name, t));
        after.forEach((v, j) => {
          known.low = Math.min(known.low, v, before[j]);
          known.high = Math.max(known.high, v, before[j]);
          known.change = Math.max(known.change, Math.abs(v - before[j]));
        });
        return [t, between(after, before)];
      });
    }
    known.top = 1.05 * Math.max(1e-9, ...names.flatMap((name) => known.curves[name].map(([, d]) => d)));
    return known;
  }

  // ---- drawing

  const small = raster(width, height);
  const tone = ramp(model.get("tones"), 0, 1);
  const drawImage = (canvas, values) => paint(canvas, small.fill(values, tone));
  const drawSigned = (canvas, values) => {
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    paint(canvas, small.fill(values, ramp(model.get("signed"), -largest, largest)));
  };

  function drawCurves({ curves: points, top }, t, moves) {
    const drawn = names.toReversed().map((name) => ({ points: points[name], colour: lines[name] }));
    const { pen, theme, at } = chart(curves, root, [[-reach, reach], [0, top]], drawn);
    pen.strokeStyle = theme.muted;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(...at(t, 0));
    pen.lineTo(...at(t, top));
    pen.stroke();
    for (const name of names.toReversed()) {
      const place = at(t, moves[name]);
      disc(pen, place, 8, theme.paper);
      disc(pen, place, 6, theme[lines[name]]);
      if (name !== model.get("along")) disc(pen, place, 3.5, theme.paper);
    }
  }

  function drawBars({ before, low, high }, after) {
    const theme = colours(root);
    const pen = sharpen(code);
    const wide = code.clientWidth / before.length;
    const at = (value) => 4 + ((high - value) / (high - low || 1)) * (code.clientHeight - 8);
    const gap = wide > 4 ? 2 : 0.5;
    after.forEach((value, i) => {
      const x = i * wide + gap / 2;
      pen.fillStyle = theme.amber;
      pen.fillRect(x, Math.min(at(0), at(value)), wide - gap, Math.abs(at(value) - at(0)));
      pen.fillStyle = theme.ink;
      pen.fillRect(x - gap / 2, at(before[i]) - 1, wide, 2);
    });
    pen.fillStyle = theme.muted;
    pen.fillRect(0, at(0) - 0.5, code.clientWidth, 1);
  }

  function drawStrips({ before, low, high, change }, after) {
    const theme = colours(root);
    const pen = sharpen(code);
    const strip = raster(before.length, 1);
    const largest = Math.max(Math.abs(low), Math.abs(high)) || 1;
    const level = ramp(model.get("signed"), -largest, largest);
    const difference = ramp(model.get("signed"), -(change || 1), change || 1);
    const left = 52;
    const tall = code.clientHeight / 3;
    pen.imageSmoothingEnabled = false;
    pen.font = fontOf(root, 12);
    pen.textBaseline = "middle";
    pen.fillStyle = theme.muted;
    [
      ["before", before, level],
      ["after", after, level],
      ["change", after.map((v, i) => v - before[i]), difference],
    ].forEach(([words, values, colour], i) => {
      pen.drawImage(strip.fill(values, colour), left, i * tall, code.clientWidth - left, tall - 3);
      pen.fillText(words, 0, (i + 0.5) * tall - 1);
    });
  }

  function show() {
    const seen = measure();
    const name = model.get("along");
    const t = model.get("t");
    const where = shifted(seen.x, name, t);
    const moves = {};
    let after;
    for (const one of names) {
      const found = encode(shifted(seen.x, one, t));
      moves[one] = between(found, seen.before);
      if (one === name) after = Float32Array.from(found);
    }
    const say = (value) => value.toPrecision(3);
    const ratio = moves.random > 0 ? moves.tangent / moves.random : NaN;

    drawImage(moved, where);
    drawSigned(direction, row(directions[name], seen.image));
    drawCurves(seen, t, moves);
    (seen.before.length > BARS ? drawStrips : drawBars)(seen, after);

    picker.say(seen.image);
    along.say(names.indexOf(name));
    distance.say(t, decimal(t, 2));
    const kind = name === "tangent" ? "the tangent" : "the random direction";
    moved.setAttribute("aria-label", `Image ${seen.image + 1} moved by ${decimal(t, 2)} along ${kind}`);
    direction.setAttribute("aria-label", `The direction, ${kind}, as an image`);
    directionHint.textContent = `u, ${kind}`;
    readout.replaceChildren(
      ...(Number.isFinite(ratio)
        ? [
            "The code has moved by ",
            strong(say(moves.tangent)),
            " along the tangent, by ",
            strong(say(moves.random)),
            ` along the random direction: ${ratio.toFixed(1)} times as far.`,
          ]
        : ["Move the slider: the image leaves its place, and its code follows."]),
    );
    curves.setAttribute("aria-label", `How far the code has moved, against t. ${readout.textContent}`);
    codeHint.textContent =
      seen.before.length > BARS
        ? `The code, ${seen.before.length} numbers`
        : `The code, ${seen.before.length} numbers: bars where it is, lines where it was`;
    code.setAttribute("aria-label", `The code moved along ${kind} by ${say(moves[name])}`);
    speak(readout.textContent);
  }

  // ---- choosing

  const { update, set, commit, end } = follow(model, ["image", "along", "t"], show);
  picker.row.addEventListener("change", () => {
    set("image", picker.chosen());
    commit();
  });
  along.row.addEventListener("change", () => {
    set("along", names[along.chosen()]);
    commit();
  });
  distance.input.addEventListener("input", () => set("t", Number(distance.input.value)));
  distance.input.addEventListener("change", commit);

  const undrawn = keepDrawn(root, () => {
    faces.forEach((face, i) => paint(face, small.fill(row(images, i), (v) => tone(v / 255))));
    update();
  });
  return () => {
    end();
    hush();
    undrawn();
  };
}
