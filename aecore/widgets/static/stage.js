// What the widgets share: elements, controls, colours, small pictures, canvases that stay sharp.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function numbers(view, type) {
  // copied: a view from a kernel may start at any byte, and typed arrays need alignment
  return new type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// A number with so many decimals, a true minus, and no sign on zero.
function decimal(value, digits) {
  const rounded = value.toFixed(digits);
  return Number(rounded) === 0 ? (0).toFixed(digits) : rounded.replace("-", "−");
}

// A labelled range input. `say(value, text)` moves it and names its value.
function slider(name, { min, max, step, spoken = name }) {
  const input = make("input", { type: "range", min, max, step, "aria-label": spoken });
  const value = make("span", { class: "aew-value" });
  const row = make(
    "label",
    { class: "aew-slider" },
    make("span", { class: "aew-name" }, name),
    value,
    input,
  );
  const say = (position, text) => {
    input.value = position;
    input.style.setProperty("--fill", `${(100 * (position - min)) / (max - min)}%`);
    input.setAttribute("aria-valuetext", text);
    value.textContent = text;
  };
  return { row, input, say };
}

// The values under a slider, each below the place where the thumb stands for it.
function scale(values) {
  const marks = values.map((value, i) => {
    const mark = make("span", {}, value);
    mark.style.setProperty("--at", i / (values.length - 1));
    return mark;
  });
  return make("span", { class: "aew-scale", "aria-hidden": "true" }, ...marks);
}

// A line of small print, and a word with its colour, as a line has it in a chart.
const hint = (...words) => make("p", { class: "aew-hint" }, ...words);
const key = (colour, words = "") =>
  make("span", { class: "aew-key", style: `--key: var(--aew-${colour})` }, words);

const strong = (words) => make("strong", {}, words);

function button(seen, spoken = seen) {
  return make("button", { type: "button", class: "aew-button", "aria-label": spoken }, seen);
}

// One of several, as a row of radio buttons: arrow keys, focus and names are the browser's own.
// `options` are pairs of what is seen, a text or an element, and what is heard. `say(index)`
// moves it; a change event reaches `row`, and `chosen()` is then the index.
function choice(name, options) {
  const group = `aew-${Math.random().toString(36).slice(2)}`; // radios of one name exclude each other
  const inputs = options.map(([, spoken]) =>
    make("input", { type: "radio", name: group, class: "aew-hidden", "aria-label": spoken }),
  );
  const faces = options.map(([seen], i) => make("label", { class: "aew-option" }, inputs[i], seen));
  const row = make("div", { class: "aew-choice", role: "radiogroup", "aria-label": name }, ...faces);
  const say = (index) => (inputs[index].checked = true);
  const chosen = () => inputs.findIndex((input) => input.checked);
  return { row, inputs, say, chosen };
}

// The theme's colours as a canvas understands them: custom properties, resolved.
function colours(element) {
  const probe = element.appendChild(make("span", { hidden: "" }));
  const found = {};
  for (const name of ["ink", "muted", "line", "paper", "amber", "petrol", "grey"]) {
    probe.style.color = `var(--aew-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// From numbers to colours: evenly spaced stops ("#rrggbb") between `low` and `high`, mixed
// linearly; beyond the ends, the ends. Two stops give grey tones, five the signed colours.
function ramp(stops, low, high) {
  const rgb = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return (value) => {
    const place = (Math.min(high, Math.max(low, value)) - low) / (high - low);
    const i = Math.min(rgb.length - 2, Math.floor(place * (rgb.length - 1)));
    const part = place * (rgb.length - 1) - i;
    return rgb[i].map((from, c) => from + part * (rgb[i + 1][c] - from));
  };
}

// A small picture, one pixel a value: `fill(values, colour)` with a `ramp` draws it on `canvas`.
function raster(width, height) {
  const canvas = make("canvas", { width, height });
  const pixels = new ImageData(width, height);
  pixels.data.fill(255);
  const fill = (values, colour) => {
    values.forEach((value, i) => pixels.data.set(colour(value), 4 * i));
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    return canvas;
  };
  return { canvas, fill };
}

// Draw a small picture so that its pixels stay squares: enlarged by a whole number, at least to
// the resolution of the screen; the browser then shrinks it smoothly to the layout.
function paint(canvas, source) {
  const wanted = canvas.clientWidth * devicePixelRatio;
  const factor = Math.max(1, Math.ceil(wanted / source.width));
  canvas.width = source.width * factor;
  canvas.height = source.height * factor;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

// As many pixels as the screen has; the pen then counts in CSS pixels.
function sharpen(canvas) {
  canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
  canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  return pen;
}

const fontOf = (element, size, weight = 400) =>
  `${weight} ${size}px ${getComputedStyle(element).fontFamily}`;

// Lines and numbers at round values. `limits` are [[left, right], [bottom, top]], and `at(x, y)`
// is where a point of the plane lies on the canvas.
function axes(pen, theme, limits, at) {
  pen.strokeStyle = theme.line;
  pen.fillStyle = theme.muted;
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  const [[left, right], [bottom, top]] = limits;
  for (const axis of [0, 1]) {
    for (const value of ticks(...limits[axis])) {
      const [x, y] = axis ? at(left, value) : at(value, bottom);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(...(axis ? at(right, value) : at(value, top)));
      pen.stroke();
      pen.textAlign = axis ? "right" : "center";
      const written = String(value).replace("-", "−");
      pen.fillText(written, axis ? x - 7 : x, axis ? y : y + 15);
    }
  }
}

// Words with a halo of paper that parts them from what lies below.
function write(pen, theme, words, x, y) {
  pen.strokeStyle = theme.paper;
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  pen.strokeText(words, x, y);
  pen.fillText(words, x, y);
}

function disc(pen, [x, y], radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

// A canvas with axes and lines, each { points, colour }; returns what is needed to add to it.
function chart(canvas, root, limits, lines) {
  const theme = colours(root);
  const pen = sharpen(canvas);
  const box = { left: 38, right: 8, top: 8, bottom: 26 };
  const sizes = [canvas.clientWidth - box.left - box.right, canvas.clientHeight - box.top - box.bottom];
  const part = (value, axis) => (value - limits[axis][0]) / (limits[axis][1] - limits[axis][0]);
  const at = (x, y) => [
    box.left + part(x, 0) * sizes[0],
    box.top + (1 - part(y, 1)) * sizes[1],
  ];
  pen.font = fontOf(root, 11);
  axes(pen, theme, limits, at);
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  for (const { points, colour } of lines) {
    pen.strokeStyle = theme[colour];
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(...at(x, y));
    pen.stroke();
  }
  return { pen, theme, at };
}

// The area between a line and zero, filled.
function fillBelow(pen, at, points, colour, alpha) {
  pen.fillStyle = colour;
  pen.globalAlpha = alpha;
  pen.beginPath();
  pen.moveTo(...at(points[0][0], 0));
  for (const point of points) pen.lineTo(...at(...point));
  pen.lineTo(...at(points.at(-1)[0], 0));
  pen.fill();
  pen.globalAlpha = 1;
}

// Round numbers inside a range, about five of them.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.8 * rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    found.push(Number((i * step).toPrecision(6)));
  }
  return found;
}

// The end of an axis, a round number: it stays while a curve grows a little.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 1.5, 2, 3, 5, 7, 10].find((end) => end * power >= value * (1 - 1e-9));
}
