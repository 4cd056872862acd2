// Cells: small numbered pictures, and a square pad of them that a mouse, a finger or the keyboard
// paints.

const ENLARGED = 6; // times, before the browser shrinks a picture to its cell

// Pictures of side × side pixels, `count` of them one below the other. `draw` puts one of them
// with its number on a canvas, in CSS pixels.
function numberedPictures(values, side, count, colour) {
  const sheet = raster(side, side * count).fill(values, colour);
  const large = make("canvas", { width: ENLARGED * side, height: ENLARGED * side * count });
  const sharp = large.getContext("2d");
  sharp.imageSmoothingEnabled = false;
  sharp.drawImage(sheet, 0, 0, large.width, large.height);
  return function draw(pen, which, x, y, wide, family) {
    const from = ENLARGED * side;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(large, 0, which * from, from, from, x, y, wide, wide);
    if (wide < 18) return;
    pen.font = `500 ${wide > 40 ? 11 : 9}px ${family}`;
    pen.textAlign = "right";
    pen.textBaseline = "alphabetic";
    pen.lineJoin = "round";
    [pen.strokeStyle, pen.fillStyle, pen.lineWidth] = ["rgb(0 0 0 / 0.75)", "#fff", 2.5];
    pen.strokeText(which, x + wide - 3, y + wide - 3);
    pen.fillText(which, x + wide - 3, y + wide - 3);
  };
}

// A pad of side × side cells. `put(place, goesOn)` paints a cell and tells whether that changed
// something; `goesOn` if the same stroke did so before. `rest` is told when a stroke that did ends,
// `pick` which cell the right button or enter was on, `moved` when the current cell is another.
// `keys` has further keys and what they do to the current cell, which is `current()`.
function cellPad({ name, kind, side, put, rest, pick, moved, keys }) {
  const canvas = make("canvas", {
    class: "aew-cells",
    tabindex: "0",
    role: "application",
    "aria-roledescription": kind,
    "aria-label": `${name}: arrow keys move, space paints, enter picks up what a cell has`,
  });
  let place = Math.floor((side * side) / 2);
  const go = (to) => {
    if (to === place) return false;
    place = to;
    moved();
    return true;
  };

  // ---- with a pointer

  let pointer = null; // the one that paints: a second finger does not
  let changed = false; // by its stroke
  const below = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const inside = (part) => Math.min(side - 1, Math.max(0, Math.floor(part * side)));
    const row = inside((clientY - box.top) / box.height);
    return row * side + inside((clientX - box.left) / box.width);
  };
  const paintOn = () => (changed = put(place, changed) || changed);
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    changed = false;
    go(below(event));
    paintOn();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (pointer !== null && event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? []; // more than one a frame
    for (const one of between.length ? between : [event]) {
      if (go(below(one)) && pointer !== null) paintOn();
    }
  });
  canvas.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    if (changed) rest();
  });
  canvas.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    pick(place);
  });

  // ---- with the keyboard

  const alone = (event) => !(event.ctrlKey || event.metaKey || event.altKey);
  arrowKeys(canvas, ([right, up]) => {
    const [row, column] = [Math.floor(place / side) - up, (place % side) + right];
    if (Math.min(row, column) >= 0 && Math.max(row, column) < side) go(row * side + column);
  }, () => {});
  const paintKey = () => put(place, false) && rest();
  const all = { " ": paintKey, Enter: () => pick(place), ...keys };
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in all) || !alone(event)) return;
    event.preventDefault();
    all[event.key](place);
  });

  return { canvas, current: () => place };
}
