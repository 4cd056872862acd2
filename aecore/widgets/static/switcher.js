// Sliders that choose one of several precomputed pictures.

function render({ model, el }) {
  const names = model.get("names");
  const values = model.get("values");
  const captions = model.get("captions");
  const [height, width] = model.get("shape");
  const label = model.get("label");

  // every picture is decoded at once, so that a slider never waits
  const bytes = numbers(model.get("images"), Uint8Array);
  let start = 0;
  const pictures = model.get("sizes").map((size) => {
    const file = new Blob([bytes.subarray(start, (start += size))], { type: "image/png" });
    return createImageBitmap(file);
  });

  const canvas = make("canvas", { class: "aew-picture", role: "img", width, height });
  const caption = make("p", { class: "aew-caption", "aria-live": "polite" });
  const sliders = names.map((name, axis) => {
    const one = slider(name, { min: 0, max: values[axis].length - 1, step: 1 });
    if (values[axis].join("").length <= 30) one.row.append(scale(values[axis]));
    return one;
  });
  el.append(
    group(
      label,
      canvas,
      ...(captions.length ? [caption] : []),
      make("div", { class: "aew-sliders aew-beside" }, ...sliders.map(({ row }) => row)),
    ),
  );

  async function show() {
    const chosen = model.get("chosen");
    const state = chosen.reduce((sum, choice, axis) => sum * values[axis].length + choice, 0);
    const setting = names.map((name, axis) => `${name} ${values[axis][chosen[axis]]}`);
    sliders.forEach((one, axis) => one.say(chosen[axis], values[axis][chosen[axis]]));
    canvas.setAttribute("aria-label", [setting.join(", "), captions[state]].join(". "));
    caption.textContent = captions[state] ?? "";
    const picture = await pictures[state];
    if (chosen === model.get("chosen")) paint(canvas, picture);
  }

  const { update, set, commit, end } = follow(model, ["chosen"], show);
  sliders.forEach(({ input }, axis) => {
    input.addEventListener("input", () => {
      const chosen = [...model.get("chosen")];
      chosen[axis] = Number(input.value);
      set("chosen", chosen);
      commit();
    });
  });
  const undrawn = keepDrawn(canvas, update);
  return () => {
    end();
    undrawn();
  };
}
