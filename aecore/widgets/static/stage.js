// What the widgets share: elements, sliders, colours of the theme, canvases that stay sharp.

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

// The theme's colours as a canvas understands them: custom properties, resolved.
function colours(element) {
  const probe = element.appendChild(make("span", { hidden: "" }));
  const found = {};
  for (const name of ["ink", "muted", "line", "paper", "amber"]) {
    probe.style.color = `var(--aew-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// Call `redraw` when the element changes size, the theme changes or the fonts arrive; returns
// the function that ends it.
function keepDrawn(element, redraw) {
  const size = new ResizeObserver(redraw);
  size.observe(element);
  const theme = new MutationObserver(redraw);
  const watched = { attributeFilter: ["data-theme", "data-jp-theme-light", "class"] };
  theme.observe(document.documentElement, watched);
  theme.observe(document.body, watched);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  document.fonts.ready.then(redraw);
  return () => {
    size.disconnect();
    theme.disconnect();
    dark.removeEventListener("change", redraw);
  };
}

// One call a frame, however often it is asked for.
function onceAFrame(draw) {
  let pending = 0;
  return () => {
    pending ||= requestAnimationFrame(() => {
      pending = 0;
      draw();
    });
  };
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
