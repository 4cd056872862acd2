// Sliders that ask a latent space for a factor, and a judge that measures what comes.

const STEP = 0.01; // of a slider

function render({ model, el }) {
  const faces = portraits(model);
  const judge = network(model.get("judge_layers"), model.get("judge_weights"));
  const directions = numbers(model.get("directions"), Float32Array); // (F, q)
  const names = model.get("names");
  const reach = model.get("reach");
  const label = model.get("label");

  // ---- elements

  const picker = choice("Face", faces.thumbs().map((thumb, i) => [thumb, `Face ${i + 1}`]));
  picker.row.classList.add("aew-thumbs", "aew-faces");
  const face = faces.canvas({ role: "img" });
  const change = faces.canvas({ role: "img" });
  const rows = names.map((name) => {
    const row = slider(name, { min: -reach, max: reach, step: STEP, spoken: `Ask for ${name}` });
    const mark = make("span", { class: "aew-mark", "aria-hidden": "true" });
    row.row.append(mark);
    return { ...row, value: row.row.querySelector(".aew-value") };
  });
  const reset = button("Back to the face as it was");
  const readout = make("p", { class: "aew-readout aew-words" });
  const { status, say: speak, hush } = voice();
  const root = group(
    label,
    picker.row,
    make(
      "div",
      { class: "aew-asking" },
      make("div", { class: "aew-drawn" }, face),
      make("div", { class: "aew-changed" }, change, hint("what changed")),
      make(
        "div",
        { class: "aew-factors" },
        hint(
          make("span", { class: "aew-asked" }, "where you ask a factor to be"),
          make("span", { class: "aew-found" }, "where a judge finds it in the picture"),
        ),
        ...rows.map(({ row }) => row),
      ),
      make("div", { class: "aew-answer" }, readout, reset),
    ),
    status,
  );
  el.append(root);

  // ---- what is drawn, and what the judge finds in it

  let known = null; // about the face that was chosen last, before any move
  function start() {
    const chosen = model.get("face");
    if (known?.chosen === chosen) return known;
    const pixels = faces.images[chosen];
    known = { chosen, pixels, found: Float32Array.from(judge(pixels)) };
    return known;
  }

  function moved() {
    const z = Float32Array.from(faces.code(model.get("face")));
    model.get("moves").forEach((move, k) => {
      for (let i = 0; i < z.length; i++) z[i] += move * directions[k * z.length + i];
    });
    return z;
  }

  // ---- showing

  const signed = (value) => (value < 0 ? "" : "+") + decimal(value, 2);
  const inside = (value) => Math.min(reach, Math.max(-reach, value));
  const place = (value) => (inside(value) + reach) / (2 * reach);
  const contrast = model.get("contrast");
  const colour = ramp(model.get("signed"), -contrast, contrast);
  const small = raster(...model.get("shape").slice(1).toReversed());

  function show() {
    const before = start();
    const pixels = faces.draw(moved());
    const found = judge(pixels);
    const moves = model.get("moves");
    picker.say(before.chosen);
    faces.show(face, pixels);
    const brighter = Float32Array.from({ length: faces.size }, (_, i) =>
      [0, 1, 2].reduce((sum, c) => sum + pixels[c * faces.size + i] - before.pixels[c * faces.size + i], 0) / 3,
    );
    change.getContext("2d").drawImage(small.fill(brighter, colour), 0, 0);
    rows.forEach(({ row, value, say }, k) => {
      const asked = before.found[k] + moves[k];
      say(inside(asked), `asked for ${signed(asked)}, found ${signed(found[k])}`);
      value.replaceChildren(make("span", { class: "aew-found" }, signed(found[k])));
      row.style.setProperty("--from", place(Math.min(asked, before.found[k])));
      row.style.setProperty("--to", place(Math.max(asked, before.found[k])));
      row.style.setProperty("--found", place(found[k]));
    });
    readout.replaceChildren(...answer(names, moves, found.map((value, k) => value - before.found[k])));
    face.setAttribute("aria-label", `Face ${before.chosen + 1}. ${readout.textContent}`);
    change.setAttribute("aria-label", `What changed in face ${before.chosen + 1}: amber where it is lighter, blue where darker`);
    speak(readout.textContent);
  }

  // What was asked for and what came, in words; with `gains`, by how much each factor moved.
  function answer(names, moves, gains) {
    const all = names.map((name, k) => ({ name, move: moves[k], gain: gains[k] }));
    const asked = all.filter(({ move }) => Math.abs(move) >= STEP / 2);
    const others = all.filter((one) => !asked.includes(one));
    const largest = (list, size) => list.reduce((a, b) => (size(b) > size(a) ? b : a));
    if (!asked.length) return ["Move a slider: ask this face for more of a factor, or for less."];
    const words = [];
    if (asked.length === 1) {
      const [{ name, move, gain }] = asked;
      words.push(`You asked to move ${name} by ${signed(move)}; it moved by `, strong(signed(gain)), ".");
    } else {
      const worst = largest(asked, ({ move, gain }) => Math.abs(gain - move));
      const miss = Math.abs(worst.gain - worst.move).toFixed(2);
      words.push(`You asked to move ${asked.length} factors; the judge's worst miss is `, strong(miss), ` in ${worst.name}.`);
    }
    if (others.length) {
      const most = largest(others, ({ gain }) => Math.abs(gain));
      words.push(` Of the others, ${most.name} moved most, by `, strong(signed(most.gain)), ".");
    }
    return words;
  }

  // ---- choosing

  const { update, set, commit, end } = follow(model, ["face", "moves"], show);
  picker.row.addEventListener("change", () => {
    set("face", picker.chosen());
    commit();
  });
  rows.forEach(({ input }, k) => {
    input.addEventListener("input", () => {
      const move = Number(input.value) - start().found[k];
      const most = 2 * reach; // only a judge that finds nonsense asks for more
      set("moves", model.get("moves").with(k, Math.min(most, Math.max(-most, move))));
    });
    input.addEventListener("change", commit);
  });
  reset.addEventListener("click", () => {
    set("moves", names.map(() => 0));
    commit();
  });

  update();
  return () => {
    end();
    hush();
  };
}
