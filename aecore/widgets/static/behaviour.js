// How widgets behave: what they stand in, what they follow, what they say aloud, how they move.

// A widget's element: its label, and below it the parts.
function group(label, ...parts) {
  return make(
    "div",
    { class: "aew", role: "group", "aria-label": label },
    make("p", { class: "aew-label" }, label),
    ...parts,
  );
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

// Call `show` once a frame when one of the fields changes, here by `set` or where the kernel is.
// `commit` tells the kernel where things came to rest; `end` stops following.
function follow(model, fields, show) {
  const update = onceAFrame(show);
  for (const field of fields) model.on(`change:${field}`, update);
  const set = (field, value) => {
    model.set(field, value);
    update();
  };
  const commit = () => model.save_changes();
  const end = () => fields.forEach((field) => model.off(`change:${field}`, update));
  return { update, set, commit, end };
}

// The arrow keys of an element: `move([across, up], far)` at each press, `far` with the shift key;
// `rest` when a key is let go.
function arrowKeys(element, move, rest) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
  element.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(arrow, event.shiftKey);
  });
  element.addEventListener("keyup", rest);
}

// What a screen reader hears: `say(words)` speaks them when nothing was said for a while, so that
// it tells where things came to rest and not every step of the way. `hush` keeps them back.
function voice() {
  const status = make("span", { class: "aew-hidden", role: "status" });
  let pending = 0;
  const hush = () => clearTimeout(pending);
  const say = (words) => {
    hush();
    pending = setTimeout(() => (status.textContent = words), 600);
  };
  return { status, say, hush };
}

// Whether the reader asked for less motion, as `stillness().matches`.
const stillness = () => matchMedia("(prefers-reduced-motion: reduce)");

// Motion: after `start(step)`, `step(now)` is called in every frame until it returns false or
// `stop` is called, and then `rest`. `cancel` ends it and tells nobody.
function motion(rest) {
  let frame = 0;
  const cancel = () => {
    cancelAnimationFrame(frame);
    frame = 0;
  };
  const stop = () => {
    if (!frame) return;
    cancel();
    rest();
  };
  const start = (step) => {
    const next = (now) => {
      if (step(now)) frame = requestAnimationFrame(next);
      else stop();
    };
    frame = requestAnimationFrame(next);
  };
  return { start, stop, cancel, runs: () => frame !== 0 };
}
