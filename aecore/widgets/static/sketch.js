// A pad to draw a digit on, as the digits of the data are drawn: 28 × 28 pixels of soft ink. A
// mouse, a finger, a pen and the keyboard draw; after a pause the ink moves to the centre.

const SIDE = 28;
const CENTRE = 14; // of mass, in rows and columns: where the training digits have theirs
const PAUSE = 900; // ms without a stroke

// A stroke is full ink as far as `core` from its middle and none from `reach` on, in pixels: a
// line drawn along the middle of the training digits' strokes then has as much ink as they have.
const BRUSH = { core: 0.7, reach: 2 };

// `read` gives the pixels (Uint8Array) and `write` takes them back, after each piece of a stroke;
// `done` is told when it ends, `redraw` when only the cursor moved, `say` what is to be heard.
// `show(picture, empty)` draws on the pad's canvas, `wipe` empties it, `rest` leaves the ink
// where it is.
function sketchpad({ name, read, write, done, redraw, say }) {
  const canvas = make("canvas", {
    class: "aew-pad",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "drawing pad",
    "aria-label":
      `${name}: arrow keys move, space puts ink, shift with an arrow key draws, delete empties`,
  });

  let pause = 0;
  let moved = false; // ink that may not be in the centre
  const edit = (change) => {
    moved = true;
    write(change(read()));
  };
  const rest = () => {
    clearTimeout(pause);
    moved = false;
  };
  const settle = () => {
    const way = offCentre(read());
    moved = way.some(Boolean);
    if (moved) write(shifted(read(), way));
    else done();
  };
  const glide = () => {
    settle();
    if (moved) pause = setTimeout(glide, 40); // a pixel at a time, so that it is seen to move
  };
  const wipe = () => {
    rest();
    write(read().fill(0));
    done();
  };

  // ---- with a pointer

  let pointer = null; // the one that draws: a second finger does not
  let last; // where its stroke has come to
  const draw = (events) =>
    edit((pixels) => {
      const box = canvas.getBoundingClientRect();
      for (const { clientX, clientY, pointerType, pressure, buttons } of events) {
        const place = [
          ((clientX - box.left) / box.width) * SIDE - 0.5,
          ((clientY - box.top) / box.height) * SIDE - 0.5,
        ];
        const width = pointerType === "pen" ? 0.6 + 0.8 * pressure : 1;
        const erases = buttons & (2 | 32); // the right button, the other end of a pen
        pixels = stroke(pixels, last ?? place, place, width, erases);
        last = place;
      }
      return pixels;
    });
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || ![0, 2, 5].includes(event.button)) return;
    clearTimeout(pause);
    pointer = event.pointerId;
    last = undefined;
    canvas.setPointerCapture(pointer);
    canvas.focus({ preventScroll: true });
    draw([event]);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? []; // more than one a frame
    draw(between.length ? between : [event]);
  });
  canvas.addEventListener("lostpointercapture", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    done();
    pause = setTimeout(glide, PAUSE);
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  // ---- with the keyboard

  let cursor = [CENTRE, CENTRE];
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const dab = () => edit((pixels) => stroke(pixels, cursor, cursor));
  const keys = { " ": dab, Enter: dab, Backspace: wipe, Delete: wipe };
  canvas.addEventListener("keydown", (event) => {
    const arrow = arrows[event.key];
    if (!(arrow || keys[event.key]) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    clearTimeout(pause);
    if (!arrow) return keys[event.key]();
    const from = cursor;
    cursor = cursor.map((v, axis) => Math.min(SIDE - 1, Math.max(0, v + arrow[axis])));
    if (event.shiftKey) edit((pixels) => stroke(pixels, from, cursor));
    say(`Row ${cursor[1] + 1}, column ${cursor[0] + 1}`);
    redraw();
  });
  canvas.addEventListener("keyup", done);
  canvas.addEventListener("focus", redraw);
  canvas.addEventListener("blur", () => {
    clearTimeout(pause);
    while (moved) settle(); // to draw with the keyboard takes pauses: it ends by leaving the pad
    redraw();
  });

  function show(picture, empty) {
    paint(canvas, picture);
    const pen = canvas.getContext("2d");
    pen.scale(canvas.width / SIDE, canvas.height / SIDE);
    if (empty) {
      // the box that the training digits fill
      pen.strokeStyle = pen.fillStyle = "rgb(255 255 255 / 0.55)";
      pen.lineWidth = 0.12;
      pen.setLineDash([0.5, 0.5]);
      pen.strokeRect(4, 4, 20, 20);
      pen.font = `2px ${getComputedStyle(canvas).fontFamily}`;
      pen.textAlign = "center";
      pen.fillText("draw a digit", SIDE / 2, SIDE / 2 + 0.7);
    }
    if (canvas.matches(":focus-visible")) {
      pen.strokeStyle = colours(canvas.parentElement).amber;
      pen.lineWidth = 0.35;
      pen.setLineDash([]);
      pen.strokeRect(...cursor, 1, 1);
    }
  }
  return { canvas, show, wipe, rest };
}

// A line of soft ink between two places, in columns and rows, or of paper where it erases.
function stroke(pixels, [x0, y0], [x1, y1], width = 1, erases = false) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy;
  const core = width * BRUSH.core;
  const reach = width * BRUSH.reach;
  return pixels.map((value, i) => {
    const [x, y] = [(i % SIDE) - x0, Math.floor(i / SIDE) - y0];
    const along = squared ? Math.min(1, Math.max(0, (x * dx + y * dy) / squared)) : 0;
    const far = Math.hypot(x - along * dx, y - along * dy);
    const ink = 255 * Math.min(1, Math.max(0, (reach - far) / (reach - core)));
    return Math.round(erases ? Math.min(value, 255 - ink) : Math.max(value, ink));
  });
}

// One pixel of the way, across and down, that brings the ink's centre of mass to where it
// belongs; 0 where it is there, and where ink would leave the image.
function offCentre(pixels) {
  const mass = pixels.reduce((sum, value) => sum + value, 0);
  if (!mass) return [0, 0];
  return [(i) => i % SIDE, (i) => Math.floor(i / SIDE)].map((of) => {
    const middle = pixels.reduce((sum, value, i) => sum + value * of(i), 0) / mass;
    const way = Math.sign(Math.round(CENTRE - middle));
    const edge = way > 0 ? SIDE - 1 : 0;
    return pixels.some((value, i) => value && of(i) === edge) ? 0 : way;
  });
}

// What is moved beyond an edge is empty, so it may come in again at the other one.
function shifted(pixels, [across, down]) {
  const by = down * SIDE + across;
  return pixels.map((_, i) => pixels[(i - by + SIDE ** 2) % SIDE ** 2]);
}
