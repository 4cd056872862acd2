// A slider for each latent of a decoder that runs in the page, and what one of them does alone.

const REACH = 3; // standard deviations of the prior: of the traversal, and of a sweep
const STRIP = Array.from({ length: 2 * REACH + 1 }, (_, i) => i - REACH);
const SWEEP = 6000; // milliseconds of one sweep, there and back

function render({ model, el }) {
  const decode = network(model.get("layers"), model.get("weights"));
  const kl = model.get("kl"); // nats of each latent
  const codes = numbers(model.get("codes"), Float32Array); // (N, q)
  const count = codes.length / kl.length;
  const reach = model.get("reach");
  const label = model.get("label");
  const order = [...kl.keys()].sort((a, b) => kl[b] - kl[a]); // a stable sort: of equals, the first
  const silent = (latent) => kl[latent] < model.get("least");
  const code = (index) => Array.from(codes.subarray(index * kl.length, (index + 1) * kl.length));

  // ---- elements

  const image = make("canvas", { class: "aew-tile", role: "img" });
  const zero = button("All to zero");
  const real = button("An image’s code");
  const play = button("");
  play.classList.add("aew-sweep");
  const readout = make("p", { class: "aew-readout" });
  const title = make("p", { class: "aew-title" });
  const words = make("p", { class: "aew-readout aew-words" });
  const { status, say: speak, hush } = voice();

  const sliders = kl.map((nats, latent) => {
    const one = slider(named(latent), {
      min: -reach,
      max: reach,
      step: 0.05,
      spoken: `Latent ${latent + 1}, KL ${nats.toFixed(2)} nats${silent(latent) ? ", says nothing" : ""}`,
    });
    const bar = make("span", { class: "aew-kl" });
    bar.style.setProperty("--part", nats / Math.max(...kl));
    one.row.append(
      make("span", { class: "aew-nats" }, silent(latent) ? `<${model.get("least")}` : nats.toFixed(2)),
      silent(latent) ? make("span", { class: "aew-silent" }, "says nothing") : bar,
    );
    one.row.classList.toggle("aew-says-nothing", silent(latent));
    return one;
  });
  const strip = STRIP.map((value) => {
    const canvas = make("canvas", { class: "aew-tile", "aria-hidden": "true" });
    const box = make("button", { type: "button", class: "aew-card" }, canvas, decimal(value, 0));
    return { box, canvas, value };
  });

  const root = group(
    label,
    make(
      "div",
      { class: "aew-traversals" },
      make(
        "div",
        { class: "aew-decoding" },
        make("div", {}, image, readout),
        make("div", { class: "aew-buttons" }, zero, real, play),
      ),
      make(
        "div",
        { class: "aew-latents" },
        make(
          "p",
          { class: "aew-hint", "aria-hidden": "true" },
          make("span", {}, "latent"),
          make("span", {}, "value"),
          make("span", {}, "KL, nats"),
        ),
        ...order.map((latent) => sliders[latent].row),
        make("p", { class: "aew-hint aew-keys" }, "The space bar sweeps the latent whose slider has the focus."),
      ),
      make(
        "div",
        { class: "aew-traversal" },
        title,
        make("div", { class: "aew-tiles" }, ...strip.map(({ box }) => box)),
        words,
      ),
    ),
    status,
  );
  el.append(root);

  // ---- drawing

  const side = model.get("side");
  const small = raster(side, side);
  const tone = ramp(model.get("tones"), 0, 1);
  const logits = model.get("output") === "logits";
  const pixels = (z) =>
    decode(z).map((v) => (logits ? 1 / (1 + Math.exp(-v)) : Math.min(1, Math.max(0, v))));
  const draw = (canvas, values) => paint(canvas, small.fill(values, tone));

  // which of the given codes z is, or -1
  const isCode = (z) =>
    Array.from({ length: count }, (_, i) => i).findIndex((i) =>
      code(i).every((v, latent) => Math.abs(v - z[latent]) < 1e-6),
    );
  const whose = (z) => {
    if (z.every((v) => v === 0)) return "z = 0, the mean of the prior";
    const index = isCode(z);
    if (index >= 0) return `The code of image ${index + 1} of ${count}`;
    return `‖z‖ = ${decimal(Math.hypot(...z), 2)}, a code of your own`;
  };

  let strips = ""; // what the traversal was drawn for: a sweep of its latent leaves it
  function drawStrip(z, latent) {
    const asked = [latent, ...z.with(latent, 0)].join();
    if (asked === strips) return;
    strips = asked;
    const found = strip.map(({ value }) => pixels(z.with(latent, value)));
    strip.forEach(({ canvas }, i) => draw(canvas, found[i]));
    const change = found[0].reduce((sum, v, i) => sum + (v - found.at(-1)[i]) ** 2, 0);
    words.replaceChildren(
      `Between −${REACH} and ${REACH} the image changes by a squared error of `,
      strong(change.toFixed(1)),
      silent(latent) ? ": this latent says nothing." : ".",
    );
  }

  let shown = -1; // the code that the button showed last
  function show() {
    const z = model.get("position");
    const latent = model.get("latent");
    draw(image, pixels(z));
    drawStrip(z, latent);
    sliders.forEach(({ row, say }, j) => {
      say(z[j], decimal(z[j], 2));
      row.classList.toggle("aew-current", j === latent);
    });
    for (const { box, value } of strip) {
      box.setAttribute("aria-label", `Put latent ${latent + 1} at ${decimal(value, 0)}`);
      box.setAttribute("aria-pressed", String(Math.abs(z[latent] - value) < 0.025));
    }
    if (isCode(z) >= 0) shown = isCode(z);
    readout.textContent = whose(z);
    title.textContent = `${named(latent)} from −${REACH} to ${REACH}, the others as they are`;
    play.textContent = sweeping.runs() ? "Stop" : `Sweep ${named(latent)}`;
    image.setAttribute("aria-label", `Decoded image. ${readout.textContent}`);
    speak(`${readout.textContent}. Latent ${latent + 1} at ${decimal(z[latent], 2)}. ${words.textContent}`);
  }

  // ---- moving

  const { update, set, commit, end } = follow(model, ["position", "latent"], show);
  const moveTo = (z) => set("position", z);
  const put = (latent, value) => {
    model.set("latent", latent);
    moveTo(model.get("position").with(latent, value));
  };

  // One sweep of the chosen latent, from where it is through both ends and back again.
  const still = stillness();
  const sweeping = motion(() => {
    commit();
    update();
  });
  function sweep() {
    if (sweeping.runs()) return sweeping.stop();
    const latent = model.get("latent");
    const from = model.get("position")[latent];
    const phase = Math.asin(Math.min(1, Math.max(-1, from / REACH)));
    let begin = null;
    sweeping.start((now) => {
      begin ??= now;
      const part = (now - begin) / SWEEP;
      const value = REACH * Math.sin(phase + 2 * Math.PI * part);
      // who asked for less motion gets a few pictures instead
      const place = still.matches ? Math.round(value) : value;
      model.set("position", model.get("position").with(latent, part < 1 ? place : from));
      if (part < 1) show();
      return part < 1;
    });
    update();
  }

  sliders.forEach(({ input }, latent) => {
    input.addEventListener("focus", () => {
      if (latent === model.get("latent")) return;
      sweeping.stop();
      model.set("latent", latent);
      commit();
      update();
    });
    input.addEventListener("input", () => {
      sweeping.stop();
      put(latent, Number(input.value));
    });
    input.addEventListener("change", commit);
    input.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      if (!event.repeat) sweep();
    });
  });
  for (const { box, value } of strip) {
    box.addEventListener("click", () => {
      sweeping.stop();
      put(model.get("latent"), value);
      commit();
    });
  }
  const jump = (z) => {
    sweeping.stop();
    moveTo(z);
    commit();
  };
  zero.addEventListener("click", () => jump(kl.map(() => 0)));
  real.addEventListener("click", () => jump(code((shown + 1) % count)));
  play.addEventListener("click", sweep);

  const undrawn = keepDrawn(root, () => {
    strips = "";
    update();
  });
  return () => {
    sweeping.cancel();
    end();
    hush();
    undrawn();
  };
}

// z with the latent's number below the line: z₁, z₁₀.
const named = (latent) => `z${String(latent + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit])}`;
