// A normal q against the prior p: both densities, samples of q, and the area that is KL(q‖p).

const SAMPLES = 100;
const SPAN = 6; // the axis of z runs from -6 to 6
const STEP = 0.05; // of μ, and of log σ
const MU = [-4, 4];
const SIGMA = [0.05, 3];
const LOG_SIGMA = [-3, 1.1]; // the slider's: the same ends, on a grid that has σ = 1
const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));

function render({ model, el }) {
  const label = model.get("label");

  // ---- elements

  const densities = make("canvas", {
    class: "aew-densities",
    tabindex: "0",
    role: "application",
    "aria-roledescription": "chart with handles",
    "aria-label": `${label}: left and right move μ, up and down change σ`,
  });
  const draws = make("canvas", { class: "aew-draws", role: "img" });
  const integrand = make("canvas", { class: "aew-integrand", role: "img" });
  const sliders = {
    mu: slider("μ", { min: MU[0], max: MU[1], step: STEP, spoken: "Mean μ of q" }),
    sigma: slider("σ", {
      min: LOG_SIGMA[0],
      max: LOG_SIGMA[1],
      step: STEP,
      spoken: "Standard deviation σ of q",
    }),
  };
  const again = button("New samples");
  const status = make("span", { class: "aew-hidden", role: "status" });
  const hint = (...children) => make("p", { class: "aew-hint" }, ...children);
  const key = (colour) => make("span", { class: "aew-key", style: `--key: var(--aew-${colour})` });
  const [curve, above, below] = ["amber", "amber", "petrol"].map(key);
  const difference = make("span", {});
  const prior = key("grey");
  prior.textContent = "p = N(0, 1)";

  // a name, a number, and of what it is made
  const sum = (name, ...lines) => {
    const value = make("span", { class: "aew-number" });
    const notes = lines.map(() => hint());
    const row = make(
      "div",
      { class: "aew-sum" },
      make("p", { class: "aew-title" }, name),
      make("p", {}, value, " nats"),
      ...notes,
    );
    const say = (number, ...words) => {
      value.textContent = number;
      notes.forEach((note, i) => (note.textContent = words[i]));
    };
    return { row, say };
  };
  const sums = {
    forward: sum("KL(q‖p)", "mean", "width"),
    estimate: sum(`Estimate from ${SAMPLES} samples`, "error"),
    reverse: sum("KL(p‖q)", "other"),
  };

  const root = make(
    "div",
    { class: "aew", role: "group", "aria-label": label },
    make("p", { class: "aew-label" }, label),
    make(
      "div",
      { class: "aew-playground" },
      make(
        "div",
        { class: "aew-charts" },
        hint(curve, prior),
        densities,
        draws,
        hint("q log(q/p): area", make("span", { class: "aew-equation" }, above, "−", below, difference)),
        integrand,
      ),
      make(
        "div",
        { class: "aew-sliders" },
        sliders.mu.row,
        sliders.sigma.row,
        hint(
          "Or drag the peak and its flanks",
          make("span", { class: "aew-keys" }, ", or use the arrow keys there"),
          ".",
        ),
      ),
      make(
        "div",
        { class: "aew-sums" },
        sums.forward.row,
        sums.reverse.row,
        sums.estimate.row,
        again,
      ),
    ),
    hint(
      `Ticks: ${SAMPLES} draws of ε from N(0, 1), and below them z = μ + σε. Move μ or σ: the draws `,
      "stay and every z follows, with slope 1 in μ and ε in σ. That is the reparameterisation trick.",
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  const handles = ({ mu, sigma }) =>
    [0, -1, 1]
      .map((side) => ({ side, z: mu + side * sigma, q: normalDensity(mu + side * sigma, mu, sigma) }))
      .filter(({ z }) => Math.abs(z) <= SPAN);

  let toPlace; // of a point of the densities on their canvas

  function drawDensities({ mu, sigma }, places) {
    const top = roundUp(1.08 * normalDensity(0, 0, Math.min(1, sigma)));
    const q = places.map((z) => [z, normalDensity(z, mu, sigma)]);
    const p = places.map((z) => [z, normalDensity(z, 0, 1)]);
    const { pen, theme, at } = chart(densities, root, [[-SPAN, SPAN], [0, top]], [
      { points: p, colour: "grey" },
      { points: q, colour: "amber" },
    ]);
    toPlace = at;
    fill(pen, at, q, theme.amber, 0.2);
    const flank = normalDensity(sigma, 0, sigma);
    pen.strokeStyle = theme.amber;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(...at(mu, normalDensity(0, 0, sigma)));
    pen.lineTo(...at(mu, 0));
    pen.moveTo(...at(Math.max(-SPAN, mu - sigma), flank));
    pen.lineTo(...at(Math.min(SPAN, mu + sigma), flank));
    pen.stroke();
    for (const { side, z, q } of handles({ mu, sigma }).toReversed()) {
      const radius = side ? 5 : 8;
      disc(pen, at(z, q), radius + 3, theme.ink);
      disc(pen, at(z, q), radius + 2, theme.paper);
      disc(pen, at(z, q), radius, theme.amber);
    }
  }

  // ε above and z below on the axis of the densities, and the way from one to the other
  function drawDraws(noise, samples) {
    const theme = colours(root);
    const pen = sharpen(draws);
    const across = (z) => toPlace(z, 0)[0];
    const [left, right] = [-SPAN, SPAN].map(across);
    const [high, low] = [3, draws.clientHeight - 3];
    const tick = 9;
    pen.font = fontOf(root, 13);
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.fillStyle = theme.muted;
    pen.fillText("ε", left - 9, high + tick / 2);
    pen.fillText("z", left - 9, low - tick / 2);
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, draws.clientHeight);
    pen.clip();
    const strokes = (colour, alpha, between) => {
      pen.strokeStyle = colour;
      pen.globalAlpha = alpha;
      pen.beginPath();
      noise.forEach((e, i) => {
        const [[x0, y0], [x1, y1]] = between(across(e), across(samples[i]));
        pen.moveTo(x0, y0);
        pen.lineTo(x1, y1);
      });
      pen.stroke();
    };
    pen.lineWidth = 1;
    strokes(theme.grey, 0.35, (e, z) => [[e, high + tick], [z, low - tick]]);
    strokes(theme.grey, 1, (e) => [[e, high], [e, high + tick]]);
    strokes(theme.amber, 1, (_, z) => [[z, low - tick], [z, low]]);
    pen.restore();

    pen.font = fontOf(root, 11);
    pen.fillStyle = theme.muted;
    const before = samples.filter((z) => z < -SPAN).length;
    const after = samples.filter((z) => z > SPAN).length;
    if (after) write(pen, theme, `${after} ›`, right, low - tick / 2);
    pen.textAlign = "left";
    if (before) write(pen, theme, `‹ ${before}`, left, low - tick / 2);
  }

  function drawIntegrand({ mu, sigma }, places) {
    const points = places.map((z) => [z, normalDensity(z, mu, sigma) * logRatio(z, mu, sigma)]);
    const values = points.map(([, value]) => value);
    const top = roundUp(Math.max(0.1, ...values));
    const bottom = -roundUp(Math.max(top / 5, -Math.min(...values)));
    const limits = [[-SPAN, SPAN], [bottom, top]];
    const { pen, theme, at } = chart(integrand, root, limits, []);
    fill(pen, at, points.map(([z, value]) => [z, Math.max(0, value)]), theme.amber, 0.5);
    fill(pen, at, points.map(([z, value]) => [z, Math.min(0, value)]), theme.petrol, 0.5);
    const line = (colour, width, some) => {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      for (const point of some) pen.lineTo(...at(...point));
      pen.stroke();
    };
    line(theme.muted, 1, [[-SPAN, 0], [SPAN, 0]]);
    line(theme.ink, 1.5, points);
  }

  let speech = 0;
  function show() {
    const [mu, sigma] = [model.get("mu"), model.get("sigma")];
    const noise = normals(model.get("seed"), SAMPLES);
    const samples = noise.map((e) => mu + sigma * e);
    const ratios = samples.map((z) => logRatio(z, mu, sigma));
    const estimate = ratios.reduce((total, r) => total + r, 0) / SAMPLES;
    const spread = ratios.reduce((total, r) => total + (r - estimate) ** 2, 0) / (SAMPLES - 1);
    const found = divergences(mu, sigma);
    const area = positivePart(mu, sigma);

    const places = placesFor(mu, sigma);
    drawDensities({ mu, sigma }, places);
    drawDraws(noise, samples);
    drawIntegrand({ mu, sigma }, places);

    const [m, s] = [decimal(mu, 2), sigma.toPrecision(3)];
    sliders.mu.say(mu, m);
    sliders.sigma.say(Math.log(sigma), s);
    curve.textContent = `q = N(${m}, ${s}²)`;
    above.textContent = nats(area);
    below.textContent = nats(area - found.forward);
    difference.textContent = `= ${nats(found.forward)}`;
    sums.forward.say(
      nats(found.forward),
      `${nats(found.mean)} for the mean, ½μ²`,
      `${nats(found.width)} for the width, ½(σ² − 1 − log σ²)`,
    );
    sums.estimate.say(
      nats(estimate),
      `mean of log(q/p) at z, give or take ${nats(Math.sqrt(spread / SAMPLES))}`,
    );
    sums.reverse.say(nats(found.reverse), "the other way round");
    draws.setAttribute("aria-label", `${SAMPLES} draws of ε, and the samples z = μ + σε`);
    integrand.setAttribute(
      "aria-label",
      `q log(q/p): area ${nats(area)} above zero, ${below.textContent} below`,
    );
    // a screen reader hears how things came to rest, not every step of the way
    clearTimeout(speech);
    const words = `μ ${m}, σ ${s}: KL of q from p ${nats(found.forward)} nats, of p from q ${nats(found.reverse)}`;
    speech = setTimeout(() => (status.textContent = words), 600);
  }

  // ---- moving

  const update = onceAFrame(show);
  const set = (field, value) => {
    model.set(field, clamp(value, field === "mu" ? MU : SIGMA));
    update();
  };
  const commit = () => model.save_changes();

  // the handle that is nearest is dragged from wherever the pointer is
  let held = null;
  densities.addEventListener("pointerdown", (event) => {
    if (event.button || held) return;
    const state = { mu: model.get("mu"), sigma: model.get("sigma") };
    const far = ({ z, q }) => {
      const [x, y] = toPlace(z, q);
      return Math.hypot(x - event.offsetX, y - event.offsetY);
    };
    const [{ side }] = handles(state).sort((a, b) => far(a) - far(b));
    held = { ...state, side, x: event.offsetX };
    densities.setPointerCapture(event.pointerId);
    densities.focus({ preventScroll: true });
  });
  densities.addEventListener("pointermove", (event) => {
    if (!held || !densities.hasPointerCapture(event.pointerId)) return;
    const unit = toPlace(1, 0)[0] - toPlace(0, 0)[0];
    const moved = (event.offsetX - held.x) / unit;
    if (held.side) set("sigma", onGrid(held.sigma + held.side * moved));
    else set("mu", onGrid(held.mu + moved));
  });
  densities.addEventListener("lostpointercapture", () => {
    held = null;
    commit();
  });

  const steps = { ArrowLeft: ["mu", -1], ArrowRight: ["mu", 1], ArrowDown: ["sigma", -1], ArrowUp: ["sigma", 1] };
  densities.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [field, sign] = step;
    const by = sign * STEP * (event.shiftKey ? 5 : 1);
    if (field === "mu") set("mu", onGrid(model.get("mu") + by));
    else set("sigma", Math.exp(onGrid(Math.log(model.get("sigma")) + by)));
  });
  densities.addEventListener("keyup", commit);

  sliders.mu.input.addEventListener("input", () => set("mu", Number(sliders.mu.input.value)));
  sliders.sigma.input.addEventListener("input", () =>
    set("sigma", Math.exp(Number(sliders.sigma.input.value))),
  );
  for (const { input } of Object.values(sliders)) input.addEventListener("change", commit);
  again.addEventListener("click", () => {
    model.set("seed", (model.get("seed") + 1) % 2 ** 32);
    commit();
    update();
  });

  const fields = ["mu", "sigma", "seed"];
  for (const field of fields) model.on(`change:${field}`, update);
  const end = keepDrawn(root, update);
  return () => {
    for (const field of fields) model.off(`change:${field}`, update);
    clearTimeout(speech);
    end();
  };
}

// ---- normal distributions

const normalDensity = (z, mu, sigma) =>
  Math.exp(-0.5 * ((z - mu) / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI));

// log(q(z) / p(z))
const logRatio = (z, mu, sigma) => 0.5 * z ** 2 - 0.5 * ((z - mu) / sigma) ** 2 - Math.log(sigma);

function divergences(mu, sigma) {
  const mean = mu ** 2 / 2;
  const width = (sigma ** 2 - 1 - 2 * Math.log(sigma)) / 2;
  const reverse = ((1 + mu ** 2) / sigma ** 2 - 1 + 2 * Math.log(sigma)) / 2;
  return { mean, width, forward: mean + width, reverse };
}

// The area of q log(q/p) where it is above zero, by the midpoint rule out to nine σ.
function positivePart(mu, sigma) {
  const step = 0.005;
  let area = 0;
  for (let e = -9 + step / 2; e < 9; e += step) {
    area += step * normalDensity(e, 0, 1) * Math.max(0, logRatio(mu + sigma * e, mu, sigma));
  }
  return area;
}

// ---- curves and numbers

// Places on the axis, closer where a narrow q needs them.
function placesFor(mu, sigma) {
  const even = (low, high, count) =>
    Array.from({ length: count + 1 }, (_, i) => low + (i / count) * (high - low));
  return [...even(-SPAN, SPAN, 400), ...even(mu - 5 * sigma, mu + 5 * sigma, 160)]
    .filter((z) => Math.abs(z) <= SPAN)
    .sort((a, b) => a - b);
}

function fill(pen, at, points, colour, alpha) {
  pen.fillStyle = colour;
  pen.globalAlpha = alpha;
  pen.beginPath();
  pen.moveTo(...at(points[0][0], 0));
  for (const point of points) pen.lineTo(...at(...point));
  pen.lineTo(...at(points.at(-1)[0], 0));
  pen.fill();
  pen.globalAlpha = 1;
}

// The end of an axis, a round number: it stays while a curve grows a little.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 1.5, 2, 3, 5, 7, 10].find((end) => end * power >= value * (1 - 1e-9));
}

const onGrid = (value) => Math.round(value / STEP) * STEP;
const nats = (value) => decimal(value, Math.abs(value) < 100 ? 3 : 1);
