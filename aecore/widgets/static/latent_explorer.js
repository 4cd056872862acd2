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
  const text = (value) => {
    const rounded = value.toFixed(digits);
    return Number(rounded) === 0 ? (0).toFixed(digits) : rounded.replace("-", "−");
  };
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
  const status = make("span", { class: "aew-hidden", role: "status" });
  const sliders = ["z₁", "z₂"].map((name, axis) =>
    slider(name, {
      min: limits[axis][0],
      max: limits[axis][1],
      step: spans[axis] / 200,
      spoken: `Latent ${axis + 1}`,
    }),
  );
  const root = make(
    "div",
    { class: "aew", role: "group", "aria-label": label },
    make("p", { class: "aew-label" }, label),
    make(
      "div",
      { class: "aew-explorer" },
      make(
        "div",
        { class: "aew-map" },
        pad,
        make(
          "p",
          { class: "aew-hint" },
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
  const font = (size, weight = 400) => `${weight} ${size}px ${getComputedStyle(root).fontFamily}`;
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

    pen.strokeStyle = theme.line;
    pen.fillStyle = theme.muted;
    pen.font = font(11);
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    for (const axis of [0, 1]) {
      for (const value of ticks(...limits[axis])) {
        const [x, y] = toPad(axis ? limits[0][0] : value, axis ? value : limits[1][0]);
        pen.beginPath();
        pen.moveTo(x, y);
        pen.lineTo(axis ? x + width : x, axis ? y : y - height);
        pen.stroke();
        pen.textAlign = axis ? "right" : "center";
        const written = String(value).replace("-", "−");
        pen.fillText(written, axis ? x - 7 : x, axis ? y : y + 15);
      }
    }

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

    // numerals and names in ink, with a halo of paper that parts them from the points
    const write = (words, x, y) => {
      pen.strokeStyle = theme.paper;
      pen.lineWidth = 4;
      pen.lineJoin = "round";
      pen.strokeText(words, x, y);
      pen.fillText(words, x, y);
    };
    pen.fillStyle = theme.ink;
    pen.font = font(15, 600);
    pen.textAlign = "center";
    for (const { value, at } of centres) write(value, ...toPad(...at));
    pen.fillStyle = theme.muted;
    pen.font = font(13);
    pen.textAlign = "right";
    write("z₁", MARGIN.left + width - 4, MARGIN.top + height - 9);
    pen.textAlign = "left";
    write("z₂", MARGIN.left + 5, MARGIN.top + 9);
  }

  function disc(pen, x, y, radius, colour, ring) {
    pen.fillStyle = theme.paper;
    pen.beginPath();
    pen.arc(x, y, radius + ring, 0, 7);
    pen.fill();
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.fill();
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
    disc(pen, x, y, 13, theme.ink, 0);
    disc(pen, x, y, 9, theme.amber, 3);
  }

  const side = model.get("side");
  const pixels = make("canvas", { width: side, height: side });
  const grey = new ImageData(side, side);
  grey.data.fill(255);

  const [dark, light] = model.get("tones").map((hex) =>
    [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)),
  );
  const logits = model.get("output") === "logits";

  function drawImage() {
    decode(model.get("position")).forEach((value, i) => {
      const tone = logits ? 1 / (1 + Math.exp(-value)) : Math.min(1, Math.max(0, value));
      for (const c of [0, 1, 2]) grey.data[4 * i + c] = dark[c] + tone * (light[c] - dark[c]);
    });
    pixels.getContext("2d").putImageData(grey, 0, 0);
    paint(image, pixels);
  }

  let speech = 0;
  function show() {
    const position = model.get("position");
    drawHandle();
    drawImage();
    sliders.forEach((one, axis) => one.say(position[axis], text(position[axis])));
    readout.textContent = `z = ${say(position)}`;
    image.setAttribute("aria-label", `Image decoded at ${say(position)}`);
    // a screen reader hears where the point came to rest, not every step of the way
    clearTimeout(speech);
    speech = setTimeout(() => (status.textContent = `z = ${say(position)}`), 600);
  }

  // ---- moving

  const update = onceAFrame(show);
  const moveTo = (position) => {
    const inside = position.map((v, axis) => Math.min(limits[axis][1], Math.max(limits[axis][0], v)));
    model.set("position", inside);
    update();
  };
  const commit = () => model.save_changes();

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

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
  pad.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const step = event.shiftKey ? 0.1 : 0.02; // of the pad
    moveTo(model.get("position").map((v, axis) => v + step * arrow[axis] * spans[axis]));
  });
  pad.addEventListener("keyup", commit);

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
  model.on("change:position", update);
  const end = keepDrawn(pad, redraw);
  return () => {
    model.off("change:position", update);
    clearTimeout(speech);
    end();
  };
}

// Round numbers inside a range, about five of them.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    found.push(Number((i * step).toPrecision(6)));
  }
  return found;
}
