// Many small pictures on one canvas, of which one is chosen: a click, a drag or the arrow keys
// choose another.

// CSS pixels: the least that a picture takes up, what is between two, and what is around all of
// them, for the mark of the chosen one.
const MOSAIC = { cell: 17, gap: 2, edge: 5 };

// `picture` has them all in one column, each of `shape`; `order` says which comes where, and
// `isFaint` which are drawn faint. `read()` is the chosen one, `choose` takes another. `draw`
// draws them for each size, and `mark` then a frame around one of them, at each move.
function mosaic({ name, kind, picture, shape, order, isFaint, read, choose }) {
  const { cell, gap, edge } = MOSAIC;
  const [height, width] = shape;
  const count = order.length;
  const places = new Uint32Array(count);
  order.forEach((one, place) => (places[one] = place));
  const canvas = make("canvas", {
    class: "aew-units",
    tabindex: "0",
    role: "application",
    "aria-roledescription": kind,
    "aria-label": name,
  });

  // ---- where the pictures are, in CSS pixels

  const layout = () => {
    const room = canvas.clientWidth - 2 * edge + gap;
    const across = Math.min(Math.ceil(Math.sqrt(count)), Math.floor(room / (cell + gap)));
    const wide = room / across; // with the gap, as `tall`
    return { across, wide, tall: (height / width) * (wide - gap) + gap };
  };

  // ---- drawing

  const unmarked = make("canvas");

  function drawOne(pen, one) {
    const { across, wide, tall } = layout();
    const sharp = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const x = sharp(edge + (places[one] % across) * wide);
    const y = sharp(edge + Math.floor(places[one] / across) * tall);
    const box = [x, y, sharp(wide - gap), sharp(tall - gap)];
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, one * height, width, height, ...box);
    return box;
  }

  function draw() {
    const { across, tall } = layout();
    canvas.style.height = `${Math.ceil(count / across) * tall - gap + 2 * edge}px`;
    const pen = sharpen(canvas);
    order.forEach((one) => {
      pen.globalAlpha = isFaint(one) ? 0.3 : 1;
      drawOne(pen, one);
    });
    unmarked.width = canvas.width;
    unmarked.height = canvas.height;
    unmarked.getContext("2d").drawImage(canvas, 0, 0);
  }

  function mark(one) {
    const theme = colours(canvas.parentElement);
    const pen = sharpen(canvas);
    pen.drawImage(unmarked, 0, 0, canvas.clientWidth, canvas.clientHeight);
    const [x, y, w, h] = drawOne(pen, one);
    for (const [around, colour] of [[edge, theme.amber], [edge - 3, theme.paper]]) {
      pen.fillStyle = colour;
      pen.fillRect(x - around, y - around, w + 2 * around, h + 2 * around);
    }
    drawOne(pen, one);
  }

  // ---- choosing

  const point = (event) => {
    const { across, wide, tall } = layout();
    const x = Math.floor((event.offsetX - edge) / wide);
    const y = Math.max(0, Math.floor((event.offsetY - edge) / tall));
    const one = order[y * across + Math.min(across - 1, Math.max(0, x))];
    if (one !== undefined) choose(one);
  };
  canvas.addEventListener("click", point);
  canvas.addEventListener("pointermove", (event) => {
    // a finger scrolls the page: it chooses by tapping
    if (event.pointerType === "mouse" && event.buttons === 1) point(event);
  });
  canvas.addEventListener("keydown", (event) => {
    const place = places[read()];
    const moves = {
      ArrowLeft: place - 1,
      ArrowRight: place + 1,
      ArrowUp: place - layout().across,
      ArrowDown: place + layout().across,
      Home: 0,
      End: count - 1,
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = moves[event.key];
    if (next >= 0 && next < count) choose(order[next]);
  });

  return { canvas, draw, mark };
}
