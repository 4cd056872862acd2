// From one face to another, through the latent space and by a cross-fade of the pixels.

const SECONDS = 2.5; // from the first face to the last
const STILLS = 6; // steps of the way for who asked for less motion
const PATHS = { line: "Straight line", sphere: "Sphere" };

function render({ model, el }) {
  const faces = portraits(model);
  const label = model.get("label");

  // ---- elements

  const ends = [["start", "From"], ["end", "To"]].map(([field, name]) => {
    const options = faces.thumbs().map((thumb, i) => [thumb, `${name} face ${i + 1}`]);
    const picker = choice(`${name} face`, options);
    picker.row.classList.add("aew-thumbs", "aew-faces");
    return { field, name, picker };
  });
  const [decoded, faded] = [0, 1].map(() => faces.canvas({ role: "img" }));
  const way = slider("On the way, t", { min: 0, max: 1, step: 0.01 });
  const play = button("Play");
  play.classList.add("aew-play");
  const path = choice("Path", Object.values(PATHS).map((words) => [words, words]));
  const readout = make("p", { class: "aew-readout aew-words" });
  const { status, say: speak, hush } = voice();
  const panel = (title, canvas) =>
    make("div", { class: "aew-figure" }, make("p", { class: "aew-title" }, title), canvas);
  const root = group(
    label,
    make(
      "div",
      { class: "aew-morph" },
      ...ends.map(({ name, picker }) =>
        make("div", { class: "aew-end" }, make("p", { class: "aew-title" }, name), picker.row),
      ),
      make(
        "div",
        { class: "aew-pair" },
        panel("Between the codes", decoded),
        panel("Between the pixels", faded),
      ),
      make("div", { class: "aew-way" }, way.row, make("div", { class: "aew-between" }, play, path.row)),
      readout,
    ),
    status,
  );
  el.append(root);

  // ---- showing

  const mix = (a, b, t) => a.map((value, i) => (1 - t) * value + t * b[i]);

  function show() {
    const [a, b] = ends.map(({ field }) => faces.code(model.get(field)));
    const t = model.get("t");
    const z = between(a, b, t, model.get("path"));
    const pixels = faces.draw(z);
    const mixed = mix(faces.images[model.get("start")], faces.images[model.get("end")], t);
    faces.show(decoded, pixels);
    faces.show(faded, mixed);
    for (const { field, picker } of ends) picker.say(model.get(field));
    path.say(Object.keys(PATHS).indexOf(model.get("path")));
    way.say(t, t.toFixed(2));
    play.ariaLabel = play.textContent = going.runs() ? "Stop" : "Play";

    const from = model.get("start") + 1;
    const to = model.get("end") + 1;
    const square = pixels.reduce((sum, value, i) => sum + (value - mixed[i]) ** 2, 0);
    readout.replaceChildren(
      from === to ? `Face ${from} to itself. ` : `Face ${from} to face ${to}. The two pictures differ by `,
      ...(from === to ? [] : [strong(square.toFixed(1)), ", a squared error. "]),
      "The code is ",
      strong(norm(z).toFixed(2)),
      ` from the origin, the ends are ${norm(a).toFixed(2)} and ${norm(b).toFixed(2)}.`,
    );
    const where = `${t.toFixed(2)} of the way from face ${from} to face ${to}`;
    decoded.setAttribute("aria-label", `Decoded ${where}, on the ${PATHS[model.get("path")].toLowerCase()}`);
    faded.setAttribute("aria-label", `Cross-fade ${where}`);
    if (going.runs()) hush();
    else speak(`${way.input.value} of the way. ${readout.textContent}`);
  }

  // ---- moving

  const { update, set, commit, end } = follow(model, ["start", "end", "t", "path"], show);

  // There and back again, slowest at the ends, until it is stopped; out of sight it rests.
  const still = stillness();
  const going = motion(() => {
    commit();
    update();
  });
  let visible = true;
  function run() {
    let phase = Math.acos(1 - 2 * model.get("t")) / Math.PI;
    let last = null;
    going.start((now) => {
      if (visible) phase += (now - (last ?? now)) / (1000 * SECONDS);
      last = now;
      const t = (1 - Math.cos(Math.PI * phase)) / 2;
      const next = still.matches ? Math.round(t * STILLS) / STILLS : t;
      if (visible && next !== model.get("t")) {
        model.set("t", next);
        show();
      }
      return true;
    });
    update();
  }
  const seen = new IntersectionObserver((entries) => (visible = entries.at(-1).isIntersecting));
  seen.observe(root);

  play.addEventListener("click", () => (going.runs() ? going.stop() : run()));
  way.input.addEventListener("input", () => {
    going.stop();
    set("t", Number(way.input.value));
  });
  way.input.addEventListener("change", commit);
  for (const { field, picker } of ends) {
    picker.row.addEventListener("change", () => {
      set(field, picker.chosen());
      commit();
    });
  }
  path.row.addEventListener("change", () => {
    set("path", Object.keys(PATHS)[path.chosen()]);
    commit();
  });

  update();
  return () => {
    going.cancel();
    seen.disconnect();
    end();
    hush();
  };
}

// ---- codes: portraits.py computes the same

const norm = (z) => Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));

// From a to b, on the straight line or on the sphere: on that one, at a constant angle a step.
function between(a, b, t, path) {
  const length = norm(a) * norm(b);
  const cosine = length ? a.reduce((sum, value, i) => sum + value * b[i], 0) / length : 1;
  const angle = Math.acos(Math.max(-1, Math.min(1, cosine)));
  const straight = path === "line" || Math.sin(angle) < 1e-4;
  const part = (share) => (straight ? share : Math.sin(share * angle) / Math.sin(angle));
  const [before, after] = [part(1 - t), part(t)];
  return a.map((value, i) => before * value + after * b[i]);
}
