// A pad over a 2-D latent space; the decoder draws what stands at the handle.

const MARGIN = { left: 38, right: 8, top: 8, bottom: 26 };

function render({ model, el }) {
  const decode = network(model.get("layers"), model.get("weights"));
  const codes = numbers(model.get("codes"), Float32Array); // (N, 2)
  const classes = numbers(model.get("classes"), Uint8Array); // (N,)
  const limits = model.get("limits");
  const spans = limits.map(([low, high]) => high - low);
  const label = model.get("label");

  const digits = Math.min(4, Math.max(0, 3 - Math.round(Math.log10(spans[0]))));
  const text = (value) => decimal(value, digits);
  const say = ([a, b]) => `(${text(a)}, ${text(b)})`;

  const pad = make("canvas", {
    class: "aew-pad",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "two-dimensional pad",
    "aria-label": `${label}: move the point with the arrow keys`,
  });
  const image = make("canvas", { class: "aew-image", role: "img" });
  const readout = make("p", { class: "aew-readout" });
  const { status, say: speak, hush } = voice();
  const sliders = ["z₁", "z₂"].map((name, axis) =>
    slider(name, {
      min: limits[axis][0],
      max: limits[axis][1],
      step: spans[axis] / 200,
      spoken: `Latent ${axis + 1}`,
    }),
  );
  const root = group(
    label,
    make(
      "div",
      { class: "aew-explorer" },
      make(
        "div",
        { class: "aew-map" },
        pad,
        hint(
          "Drag the point",
          make("span", { class: "aew-keys" }, ", or move it with the arrow keys"),
          ".",
        ),
      ),
      make("div", { class: "aew-decoded" }, image, readout),
      make("div", { class: "aew-sliders" }, ...sliders.map(({ row }) => row)),
    ),
    status,
  );
  el.append(root);

  // ---- where things are on the pad

  const plot = () => ({
    width: pad.clientWidth - MARGIN.left - MARGIN.right,
    height: pad.clientHeight - MARGIN.top - MARGIN.bottom,
  });
  const toPad = (a, b) => {
    const { width, height } = plot();
    return [
      MARGIN.left + ((a - limits[0][0]) / spans[0]) * width,
      MARGIN.top + (1 - (b - limits[1][0]) / spans[1]) * height,
    ];
  };
  const toLatent = (x, y) => {
    const { width, height } = plot();
    return [
      limits[0][0] + ((x - MARGIN.left) / width) * spans[0],
      limits[1][0] + (1 - (y - MARGIN.top) / height) * spans[1],
    ];
  };
  const centres = [...new Set(classes)].map((value) => {
    const median = (axis) => {
      const own = [];
      classes.forEach((c, i) => c === value && own.push(codes[2 * i + axis]));
      return own.sort((a, b) => a - b)[own.length >> 1];
    };
    return { value, at: [median(0), median(1)] };
  });

  // ---- drawing: the points once for each size and theme, the handle at each move

  const backdrop = document.createElement("canvas");
  let theme = {};

  function drawBackdrop() {
    theme = colours(root);
    const ratio = devicePixelRatio;
    for (const canvas of [pad, backdrop]) {
      canvas.width = Math.round(pad.clientWidth * ratio);
      canvas.height = Math.round(pad.clientHeight * ratio);
    }
    const pen = backdrop.getContext("2d");
    pen.scale(ratio, ratio);
    const { width, height } = plot();

    pen.font = fontOf(root, 11);
    axes(pen, theme, limits, toPad);

    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, MARGIN.top, width, height);
    pen.clip();
    const palette = model.get("colours");
    const radius = classes.length > 2000 ? 1.7 : 2.3;
    pen.globalAlpha = 0.7;
    classes.forEach((value, i) => {
      pen.fillStyle = palette[value];
      pen.beginPath();
      pen.arc(...toPad(codes[2 * i], codes[2 * i + 1]), radius, 0, 7);
      pen.fill();
    });
    pen.restore();

    pen.fillStyle = theme.ink;
    pen.font = fontOf(root, 15, 600);
    pen.textAlign = "center";
    for (const { value, at } of centres) write(pen, theme, value, ...toPad(...at));
    pen.fillStyle = theme.muted;
    pen.font = fontOf(root, 13);
    pen.textAlign = "right";
    write(pen, theme, "z₁", MARGIN.left + width - 4, MARGIN.top + height - 9);
    pen.textAlign = "left";
    write(pen, theme, "z₂", MARGIN.left + 5, MARGIN.top + 9);
  }

  function drawHandle() {
    const pen = pad.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pad.width, pad.height);
    pen.drawImage(backdrop, 0, 0);
    pen.scale(devicePixelRatio, devicePixelRatio);
    const [x, y] = toPad(...model.get("position"));
    const { width, height } = plot();
    pen.strokeStyle = theme.amber;
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(MARGIN.left, y);
    pen.lineTo(MARGIN.left + width, y);
    pen.moveTo(x, MARGIN.top);
    pen.lineTo(x, MARGIN.top + height);
    pen.stroke();
    pen.globalAlpha = 1;
    disc(pen, [x, y], 13, theme.ink);
    disc(pen, [x, y], 12, theme.paper);
    disc(pen, [x, y], 9, theme.amber);
  }

  const side = model.get("side");
  const small = raster(side, side);
  const tone = ramp(model.get("tones"), 0, 1);
  const logits = model.get("output") === "logits";

  function drawImage() {
    const pixels = decode(model.get("position"));
    paint(image, small.fill(logits ? pixels.map((v) => 1 / (1 + Math.exp(-v))) : pixels, tone));
  }

  function show() {
    const position = model.get("position");
    drawHandle();
    drawImage();
    sliders.forEach((one, axis) => one.say(position[axis], text(position[axis])));
    readout.textContent = `z = ${say(position)}`;
    image.setAttribute("aria-label", `Image decoded at ${say(position)}`);
    speak(`z = ${say(position)}`);
  }

  // ---- moving

  const { set, commit, end } = follow(model, ["position"], show);
  const moveTo = (position) => {
    const inside = position.map((v, axis) => Math.min(limits[axis][1], Math.max(limits[axis][0], v)));
    set("position", inside);
  };

  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    pad.focus({ preventScroll: true });
    moveTo(toLatent(event.offsetX, event.offsetY));
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) moveTo(toLatent(event.offsetX, event.offsetY));
  });
  pad.addEventListener("lostpointercapture", commit);

  const walk = (arrow, far) => {
    const step = far ? 0.1 : 0.02; // of the pad
    moveTo(model.get("position").map((v, axis) => v + step * arrow[axis] * spans[axis]));
  };
  arrowKeys(pad, walk, commit);

  sliders.forEach(({ input }, axis) => {
    input.addEventListener("input", () => {
      const position = [...model.get("position")];
      position[axis] = Number(input.value);
      moveTo(position);
    });
    input.addEventListener("change", commit);
  });

  const redraw = onceAFrame(() => {
    drawBackdrop();
    show();
  });
  const undrawn = keepDrawn(pad, redraw);
  return () => {
    end();
    hush();
    undrawn();
  };
}
