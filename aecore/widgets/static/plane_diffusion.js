// Points of the plane that dissolve into noise, and a network that brings them back.

const STEPS = [5, 10, 20, 50];
const REACH = 3; // a point is near a centre within so many standard deviations
const SHARE = 0.2; // a centre is reached by this part of an equal share of the points
const PIECES = 50; // of the way to the noise, each with a draw of its own
const STREAMS = 2 ** 16; // draws of one seed
const RUN = 4000; // ms from one end of time to the other
const PATIENCE = 12; // ms of a frame for the network
const WAYS = { [-1]: ["◂ Remove noise", "Remove noise"], 1: ["Add noise ▸", "Add noise"] };
const TRAIL = 10; // places that a moving point leaves behind, one in three frames

function render({ model, el }) {
  const label = model.get("label");
  const { last, data, centres, scale, bar, forth, back } = diffusion(model);
  const count = data.length / 2;
  const span = Math.max(2.9, 1.1 * data.reduce((most, v) => Math.max(most, Math.abs(v)), 0));

  // ---- elements

  const canvas = make("canvas", { class: "aew-cloud", role: "img" });
  const time = slider("Time t", { min: 0, max: 100, step: 1, spoken: "Time: data left, noise right" });
  const ways = { [-1]: button(""), 1: button("") };
  const reset = button("Data again");
  const fresh = button("New noise");
  const results = STEPS.map(() => make("span", { class: "aew-result" }));
  const title = "Network steps from noise to data";
  const faces = STEPS.map((n, i) => [make("span", {}, String(n), results[i]), `${n} steps`]);
  const steps = choice(title, faces);
  const rules = choice("Rule", [
    ["DDIM", "DDIM: no new noise on the way back"],
    ["Ancestral", "Ancestral: new noise in every step back"],
  ]);
  const verdict = make("p", { class: "aew-words" });
  const amount = hint();
  const { status, say: speak, hush } = voice();
  const key = (colour, words) =>
    make("span", { class: "aew-key aew-dot", style: `--key: var(--aew-${colour})` }, words);
  const root = group(
    label,
    make(
      "div",
      { class: "aew-diffusion" },
      make("div", { class: "aew-seen" }, canvas),
      make(
        "div",
        { class: "aew-sliders" },
        time.row,
        make("div", { class: "aew-ways" }, ways[-1], ways[1]),
        amount,
        verdict,
      ),
      make(
        "div",
        { class: "aew-settings" },
        make("p", { class: "aew-title" }, title),
        steps.row,
        hint("Below each number: how many points ended near a centre."),
        rules.row,
        make("div", { class: "aew-ways" }, reset, fresh),
      ),
    ),
    hint(
      key("grey", `data; inside a ring, of ${REACH} standard deviations, a point is near a centre`),
      key("amber", `${count} moving points`),
    ),
    status,
  );
  el.append(root);

  // ---- points x at time t, on a leg of their way; one network evaluation makes a leg back

  let x, t, leg, draw, origin, arrival, whole;
  let goal = 0; // the time to be reached
  let playing = 0; // −1 to the data, 1 to the noise
  let trail = [];
  let found = {}; // by rule and steps: the share that ended near a centre, from this noise
  const setting = (steps) => `${steps}, stochastic: ${model.get("stochastic")}`;
  const noise = () =>
    Float32Array.from(normals((model.get("seed") * STREAMS + draw) % 2 ** 32, 2 * count));

  function begin(time) {
    draw = 0;
    x = time ? noise() : data;
    [t, goal, playing] = [time, time, 0];
    leg = arrival = null;
    trail = [];
    whole = time === last; // so far one way back, from the very noise
    origin = time ? null : toNearest(x, centres).centre;
  }

  function nextLeg(direction) {
    draw += 1;
    if (direction > 0) {
      whole = false;
      return { direction, end: Math.min(last, t + last / PIECES), at: forth(x, t, noise()) };
    }
    const turned = leg?.direction < 0 ? leg.turned : t;
    const at = back(x, t, model.get("stochastic") ? noise() : null);
    return { direction, turned, end: timesBack(model.get("steps"), last).findLast((s) => s < t), at };
  }

  // towards the goal, at most to the end of a leg
  function move() {
    const direction = Math.sign(goal - t);
    if (leg?.direction !== direction || t === leg.end) leg = nextLeg(direction);
    t = direction > 0 ? Math.min(goal, leg.end) : Math.max(goal, leg.end);
    x = leg.at(t);
    arrival = null;
    if (t > 0) return;
    const { centre } = toNearest(x, centres);
    if (whole) found[setting(model.get("steps"))] = quality(x, centres, scale).near;
    const home = origin && share(centre, (c, i) => c === origin[i]);
    arrival = { whole: whole && model.get("steps"), turned: leg.turned, home };
    [origin, whole, leg] = [centre, false, null];
  }

  // ---- showing

  let theme, pen, backdrop, side;
  const across = (v) => ((1 + v / span) / 2) * side;
  const down = (v) => across(-v);
  const dots = (context, points, radius) => {
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      context.moveTo(across(points[i]) + radius, down(points[i + 1]));
      context.arc(across(points[i]), down(points[i + 1]), radius, 0, 7);
    }
  };

  function prepare() {
    theme = colours(root);
    pen = sharpen(canvas);
    side = canvas.clientWidth;
    backdrop = make("canvas", { width: canvas.width, height: canvas.height });
    const below = backdrop.getContext("2d");
    below.setTransform(pen.getTransform());
    below.strokeStyle = theme.line;
    below.strokeRect(0.5, 0.5, side - 1, side - 1);
    dots(below, centres, (REACH * scale * side) / (2 * span));
    below.strokeStyle = theme.grey;
    below.globalAlpha = 0.8;
    below.stroke();
    dots(below, data, side / 280);
    below.fillStyle = theme.grey;
    below.fill();
  }

  function paintPoints() {
    pen.clearRect(0, 0, side, side);
    pen.drawImage(backdrop, 0, 0, side, side);
    pen.strokeStyle = theme.amber;
    pen.lineWidth = 1.2;
    trail.forEach((from, k) => {
      const to = trail[k + 1] ?? x;
      pen.globalAlpha = (0.6 * (k + 1)) / trail.length;
      pen.beginPath();
      for (let i = 0; i < from.length; i += 2) {
        pen.moveTo(across(from[i]), down(from[i + 1]));
        pen.lineTo(across(to[i]), down(to[i + 1]));
      }
      pen.stroke();
    });
    pen.globalAlpha = 0.9;
    pen.fillStyle = theme.amber;
    dots(pen, x, Math.max(1.8, side / 170));
    pen.fill();
    pen.globalAlpha = 1;
  }

  function say() {
    const { near, modes } = quality(x, centres, scale);
    const where = `${percent(near)} near a centre`;
    const all = `${modes} of ${centres.length / 2} reached`;
    let words = `On their way: ${where}.`;
    if (x === data) words = `The data: ${where}, ${all}.`;
    else if (t === last) words = `Noise: ${where}.`;
    else if (arrival?.whole) words = `Back from noise in ${arrival.whole} steps: ${where}, ${all}.`;
    else if (arrival) {
      const { turned, home } = arrival;
      const back = home === null ? "" : `, ${percent(home)} at the one that they left`;
      words = `Turned back at t = ${Math.round(turned)}: ${where}${back}.`;
    }
    verdict.textContent = words;
    const a = bar(t);
    amount.textContent = `x = ${Math.sqrt(a).toFixed(2)} · data + ${Math.sqrt(1 - a).toFixed(2)} · noise`;
    time.say((100 * (playing ? t : goal)) / last, `${Math.round(t)} of ${last}`);
    steps.say(STEPS.indexOf(model.get("steps")));
    rules.say(Number(model.get("stochastic")));
    STEPS.forEach((n, i) => {
      results[i].textContent = setting(n) in found ? percent(found[setting(n)]) : "–";
    });
    for (const way of [-1, 1]) {
      const [seen, heard] = playing === way ? ["Pause", "Pause"] : WAYS[way];
      ways[way].textContent = seen;
      ways[way].setAttribute("aria-label", heard);
    }
    canvas.setAttribute("aria-label", `${count} points at time ${Math.round(t)} of ${last}: ${where}`);
  }

  // ---- moving

  const still = stillness();
  let pending = 0;
  let [before, frames] = [0, 0]; // when the last frame was, and how many there were
  const wake = () => (pending ||= requestAnimationFrame(frame));

  function frame(now) {
    pending = 0;
    if (playing) {
      const passed = Math.min(50, now - before); // as much as between slow frames, not after a rest
      const moved = goal + (playing * last * passed) / RUN;
      goal = still.matches ? last * (playing > 0) : Math.min(last, Math.max(0, moved));
    }
    before = now;
    const rests = t === goal || still.matches;
    if (++frames % 3 === 0) trail = rests ? trail.slice(1) : [...trail, x].slice(-TRAIL);
    const enough = performance.now() + PATIENCE;
    while (t !== goal && (still.matches || performance.now() < enough)) move();
    if (t === (playing > 0 ? last : 0)) playing = 0;
    paintPoints();
    say();
    if (playing || t !== goal || trail.length) wake();
    speak(verdict.textContent);
  }

  const play = (way) => {
    playing = way;
    goal = t;
    wake();
  };
  for (const way of [-1, 1]) {
    ways[way].addEventListener("click", () => {
      const over = way > 0 ? last : 0;
      if (playing !== way && t === over) begin(last - over);
      play(playing === way ? 0 : way);
    });
  }
  time.input.addEventListener("input", () => {
    playing = 0;
    goal = (time.input.value / 100) * last;
    wake();
  });
  const stand = (time) => {
    begin(time);
    wake();
  };
  reset.addEventListener("click", () => stand(0));
  const choose = (field, value) => {
    model.set(field, value);
    model.save_changes();
  };
  fresh.addEventListener("click", () => choose("seed", (model.get("seed") + 1) % 2 ** 32));
  steps.row.addEventListener("change", () => choose("steps", STEPS[steps.chosen()]));
  rules.row.addEventListener("change", () => choose("stochastic", rules.chosen() === 1));

  const again = () => {
    begin(last);
    play(-1);
  };
  const renew = () => {
    found = {};
    stand(last);
  };
  const changes = { steps: again, stochastic: again, seed: renew };
  for (const [field, change] of Object.entries(changes)) model.on(`change:${field}`, change);
  begin(0);
  const redraw = () => {
    prepare();
    wake();
  };
  const end = keepDrawn(canvas, onceAFrame(redraw));
  return () => {
    for (const [field, change] of Object.entries(changes)) model.off(`change:${field}`, change);
    cancelAnimationFrame(pending);
    hush();
    end();
  };
}

// ---- counting: plane_diffusion.py computes the same

function quality(points, centres, scale) {
  const { distance, centre } = toNearest(points, centres);
  const found = new Array(centres.length / 2).fill(0);
  distance.forEach((far, n) => (found[centre[n]] += far < REACH * scale));
  const reached = found.filter((n) => n >= (SHARE * distance.length) / found.length);
  return { near: share(distance, (far) => far < REACH * scale), modes: reached.length };
}

const share = (values, test) => values.reduce((n, v, i) => n + test(v, i), 0) / values.length;
const percent = (part) => `${Math.round(100 * part)} %`;
