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
  const { status, say: speak, hush } = voice();
  const [curve, above, below] = [key("amber"), key("amber"), key("petrol")];
  const difference = make("span", {});

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

  const root = group(
    label,
    make(
      "div",
      { class: "aew-playground" },
      make(
        "div",
        { class: "aew-charts" },
        hint(curve, key("grey", "p = N(0, 1)")),
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
      make("div", { class: "aew-sums" }, sums.forward.row, sums.reverse.row, sums.estimate.row, again),
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
    fillBelow(pen, at, q, theme.amber, 0.2);
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
    fillBelow(pen, at, points.map(([z, value]) => [z, Math.max(0, value)]), theme.amber, 0.5);
    fillBelow(pen, at, points.map(([z, value]) => [z, Math.min(0, value)]), theme.petrol, 0.5);
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

  function show() {
    const [mu, sigma] = [model.get("mu"), model.get("sigma")];
    const noise = normals(model.get("seed"), SAMPLES);
    const samples = noise.map((e) => mu + sigma * e);
    const ratios = samples.map((z) => logRatio(z, mu, sigma));
    const estimate = ratios.reduce((total, r) => total + r, 0) / SAMPLES;
    const spread = ratios.reduce((total, r) => total + (r - estimate) ** 2, 0) / (SAMPLES - 1);
    const found = divergences(mu, sigma);
    const area = positivePart(mu, sigma);

    const places = placesFor(mu, sigma, SPAN);
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
    speak(`μ ${m}, σ ${s}: KL of q from p ${nats(found.forward)} nats, of p from q ${nats(found.reverse)}`);
  }

  // ---- moving

  const { update, set, commit, end } = follow(model, ["mu", "sigma", "seed"], show);
  const move = (field, value) => set(field, clamp(value, field === "mu" ? MU : SIGMA));

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
    if (held.side) move("sigma", onGrid(held.sigma + held.side * moved));
    else move("mu", onGrid(held.mu + moved));
  });
  densities.addEventListener("lostpointercapture", () => {
    held = null;
    commit();
  });

  const walk = ([across, up], far) => {
    const by = STEP * (far ? 5 : 1);
    if (across) move("mu", onGrid(model.get("mu") + across * by));
    else move("sigma", Math.exp(onGrid(Math.log(model.get("sigma")) + up * by)));
  };
  arrowKeys(densities, walk, commit);

  sliders.mu.input.addEventListener("input", () => move("mu", Number(sliders.mu.input.value)));
  sliders.sigma.input.addEventListener("input", () =>
    move("sigma", Math.exp(Number(sliders.sigma.input.value))),
  );
  for (const { input } of Object.values(sliders)) input.addEventListener("change", commit);
  again.addEventListener("click", () => {
    set("seed", (model.get("seed") + 1) % 2 ** 32);
    commit();
  });

  const undrawn = keepDrawn(root, update);
  return () => {
    end();
    hush();
    undrawn();
  };
}

const onGrid = (value) => Math.round(value / STEP) * STEP;
const nats = (value) => decimal(value, Math.abs(value) < 100 ? 3 : 1);
