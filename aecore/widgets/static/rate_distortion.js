// Models of several β in the plane of rate and distortion; one β is chosen, with its pictures.

function render({ model, el }) {
  const betas = model.get("betas");
  const tables = ["rates", "distortions", "active"].map((field) => model.get(field)); // (seeds, β)
  const [rates, distortions, active] = tables;
  const names = model.get("names");
  const places = model.get("places");
  const [count, height, width] = model.get("shape");
  const label = model.get("label");

  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const column = (table, b) => table.map((row) => row[b]);
  const means = betas.map((_, b) => [mean(column(rates, b)), mean(column(distortions, b))]);
  const loss = (b, [rate, distortion]) => distortion + betas[b] * rate;
  const models = rates.flatMap((row, seed) =>
    row.map((rate, b) => ({ b, point: [rate, distortions[seed][b]] })),
  );

  // the plane: with every model, and with where each line meets the left edge
  const highs = [...models.map(({ point }) => point[1]), ...means.map((point, b) => loss(b, point))];
  const low = Math.min(...models.map(({ point }) => point[1]));
  const room = 0.06 * Math.max(Math.max(...highs) - low, 1e-9);
  const limits = [
    [0, 1.06 * Math.max(1e-9, ...rates.flat())],
    [low - room, Math.max(...highs) + room],
  ];

  // ---- elements

  const plane = make("canvas", { class: "aew-tradeoff", role: "img" });
  const price = slider("β", { min: 0, max: betas.length - 1, step: 1, spoken: "β, the price of a nat" });
  if (betas.join("").length <= 30) price.row.append(scale(betas));
  const words = make("p", { class: "aew-readout aew-words" });
  const { status, say: speak, hush } = voice();
  const sums = [
    ["Rate R", (b) => column(rates, b)],
    ["Distortion D", (b) => column(distortions, b)],
    ["−ELBO, D + R", (b) => column(rates, b).map((rate, seed) => rate + distortions[seed][b])],
    ["Active latents", (b) => column(active, b)],
  ].map(([name, values], i) => {
    const [value, range] = ["aew-nats", "aew-range"].map((kind) => make("span", { class: kind }));
    const row = make("p", {}, make("span", {}, name), value, range);
    return { row, value, range, values, whole: i === 3 };
  });
  const rows = names.map((name) => {
    // its size before it is drawn, so that nothing moves
    const canvas = make("canvas", { role: "img", width: count * (width + 2) - 2, height });
    return { name, canvas, box: make("div", {}, hint(name), canvas) };
  });

  const root = group(
    label,
    make(
      "div",
      { class: "aew-prices" },
      make(
        "div",
        {},
        hint("Distortion D against rate R, both in nats"),
        hint(
          key("petrol", rates.length > 1 ? `mean of ${rates.length} models a β` : "one model a β"),
          key("amber", "slope −β"),
        ),
        plane,
      ),
      make(
        "div",
        { class: "aew-price" },
        price.row,
        make("div", { class: "aew-account" }, ...sums.map(({ row }) => row)),
        words,
      ),
      make("div", { class: "aew-rows" }, ...rows.map(({ box }) => box)),
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  let toPlace; // of a point of the plane on its canvas

  function drawPlane(b) {
    const lines = [{ points: means, colour: "petrol" }];
    const { pen, theme, at } = chart(plane, root, limits, lines);
    toPlace = at;
    const [[left, right], [bottom, top]] = limits;

    pen.save();
    pen.beginPath();
    const [[x0, y0], [x1, y1]] = [at(left, top), at(right, bottom)];
    pen.rect(x0, y0, x1 - x0, y1 - y0);
    pen.clip();
    pen.strokeStyle = theme.amber;
    pen.beginPath();
    pen.moveTo(...at(left, loss(b, means[b])));
    pen.lineTo(...at(right, loss(b, means[b]) - betas[b] * right));
    pen.stroke();
    pen.restore();

    for (const one of models) {
      if (one.b === b) continue;
      pen.globalAlpha = 0.65;
      disc(pen, at(...one.point), 3, theme.petrol);
      pen.globalAlpha = 1;
    }
    const own = models.filter((one) => one.b === b);
    if (own.length > 1) for (const { point } of own) disc(pen, at(...point), 4.5, theme.amber);
    disc(pen, at(...means[b]), 10, theme.ink);
    disc(pen, at(...means[b]), 9, theme.paper);
    disc(pen, at(...means[b]), 6.5, theme.amber);

    pen.textAlign = "left";
    pen.textBaseline = "middle";
    means.forEach((point, i) => {
      const [x, y] = at(...point);
      pen.fillStyle = i === b ? theme.ink : theme.muted;
      pen.font = fontOf(root, 11, i === b ? 600 : 400);
      const apart = i === b ? 12 : 7;
      write(pen, theme, i === b ? `β = ${betas[i]}` : String(betas[i]), x + apart, y - apart);
    });
  }

  const sheet = createImageBitmap(new Blob([model.get("sheet")], { type: "image/png" }));

  // The images of one row, their pixels enlarged by a whole number, with room between them.
  function drawRow({ canvas, name }, bitmap, place, b) {
    const factor = Math.max(1, Math.ceil((canvas.clientWidth * devicePixelRatio) / (count * (width + 2))));
    canvas.width = factor * (count * (width + 2) - 2);
    canvas.height = factor * height;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    for (let i = 0; i < count; i++) {
      const from = [i * width, place * height, width, height];
      pen.drawImage(bitmap, ...from, factor * i * (width + 2), 0, factor * width, factor * height);
    }
    canvas.setAttribute("aria-label", `${name} at β = ${betas[b]}`);
  }

  async function show() {
    const b = model.get("chosen");
    drawPlane(b);
    price.say(b, String(betas[b]));
    for (const { value, range, values, whole } of sums) {
      const found = values(b);
      const [least, most] = [Math.min(...found), Math.max(...found)];
      const say = whole ? (v) => decimal(v, Number.isInteger(v) ? 0 : 1) : nats;
      value.replaceChildren(say(mean(found)), make("span", {}, whole ? "" : " nats"));
      range.textContent = least < most ? `${say(least)} to ${say(most)}` : "";
    }
    const line = loss(b, means[b]);
    const others = models.filter((one) => one.b !== b);
    const below = others.filter((one) => loss(b, one.point) < line).length;
    words.replaceChildren(
      `The line through the mean has slope −β\u00a0=\u00a0${betas[b] ? `−${betas[b]}` : 0}, the price of a nat `,
      "of rate in distortion, and meets the left edge at D\u00a0+\u00a0βR\u00a0= ",
      strong(nats(line)),
      " nats, which training at this β lowers. What lies below it would do better at this price: ",
      strong(below ? String(below) : "none"),
      ` of the other ${others.length} models.`,
    );
    const [rate, distortion] = means[b].map(nats);
    const spoken = `β = ${betas[b]}: rate ${rate} nats, distortion ${distortion} nats`;
    plane.setAttribute("aria-label", `Distortion against rate, ${betas.length} values of β. ${spoken}`);
    speak(`${spoken}. ${words.textContent}`);

    const bitmap = await sheet;
    if (b === model.get("chosen")) rows.forEach((row, i) => drawRow(row, bitmap, places[i][b], b));
  }

  // ---- choosing

  const { update, set, commit, end } = follow(model, ["chosen"], show);
  const choose = (b) => {
    if (b === model.get("chosen")) return;
    set("chosen", b);
    commit();
  };
  price.input.addEventListener("input", () => choose(Number(price.input.value)));

  // the model that is nearest to the pointer
  const point = (event) => {
    const far = ({ point }) => {
      const [x, y] = toPlace(...point);
      return Math.hypot(x - event.offsetX, y - event.offsetY);
    };
    choose(models.reduce((best, one) => (far(one) < far(best) ? one : best)).b);
  };
  plane.addEventListener("click", point);
  plane.addEventListener("pointermove", (event) => {
    // a finger scrolls the page: it chooses by tapping
    if (event.pointerType === "mouse" && event.buttons === 1) point(event);
  });

  const undrawn = keepDrawn(root, update);
  return () => {
    end();
    hush();
    undrawn();
  };
}

const nats = (value) => decimal(value, Math.abs(value) < 100 ? 2 : 1);
