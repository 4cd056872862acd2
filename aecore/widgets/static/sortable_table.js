// A table of measurements, beside what is commonly said; the head of a column sorts by it.

const AS_GIVEN = -2;
const BY_NAME = -1;
const BETTER = { less: "less is better", more: "more is better" };
const SIGNS = { true: ["✓", "the run agrees"], false: ["×", "the run does not"] };

function render({ model, el }) {
  const label = model.get("label");
  const columns = model.get("columns");
  const rows = model.get("rows");
  const ranked = model.get("reference") ? rows.slice(0, -1) : rows;
  const titles = ["Model", ...columns.map(({ title }) => title)];

  // ---- elements

  const heads = titles.map((title, place) => {
    const { unit, better } = columns[place - 1] ?? {};
    const notes = [unit, BETTER[better]].filter(Boolean);
    const arrow = make("span", { class: "aew-arrow", "aria-hidden": "true" });
    const words = title.split(" ");
    const end = make("span", { class: "aew-last" }, words.pop(), arrow);
    const sort = make("button", { type: "button", class: "aew-head" }, words.concat("").join(" "), end);
    const lines = notes.map((note) => make("span", { class: "aew-note" }, note));
    return { cell: make("th", { scope: "col" }, sort, ...lines), sort, arrow };
  });
  heads.forEach(({ cell }, place) => cell.classList.toggle("aew-numbers", isNumeric(place - 1)));
  const lines = new Map(rows.map((row) => [row, line(row)]));
  const body = make("tbody", {});
  const foot = make("tfoot", {}, ...rows.slice(ranked.length).map((row) => lines.get(row)));
  const table = make(
    "table",
    { class: "aew-table" },
    make("thead", {}, make("tr", {}, ...heads.map(({ cell }) => cell))),
    body,
    foot,
  );
  const status = make("span", { class: "aew-hidden", role: "status" });
  el.append(
    group(
      label,
      // wider than a phone: the table scrolls, and with the keyboard too
      make("div", { class: "aew-scroll", role: "region", "aria-label": label, tabindex: "0" }, table),
      hint(legend()),
      status,
    ),
  );

  function isNumeric(place) {
    return columns[place]?.numbers ?? false;
  }

  function line({ name, cells }) {
    const fields = cells.map((cell, place) => {
      const field = make("td", {}, ...content(cell));
      field.classList.toggle("aew-numbers", isNumeric(place));
      return field;
    });
    return make("tr", {}, make("th", { scope: "row" }, name), ...fields);
  }

  function content({ text, interval, bar, ends, best, said, agrees }) {
    const hidden = (words) => make("span", { class: "aew-hidden" }, words);
    const shown = (words, ...kind) => make("span", { "aria-hidden": "true", class: kind.join(" ") }, words);
    const parts = [];
    if (best) parts.push(make("strong", {}, shown("● ", "aew-best"), text, hidden(", the best")));
    else if (text) parts.push(make("span", {}, text));
    else parts.push(shown("–"), hidden("not measured"));
    if (interval) parts.push(make("span", { class: "aew-note" }, interval));
    if (bar !== undefined) {
      const [low, high] = ends ?? [0, 0];
      const style = `--part: ${bar}; --low: ${low}; --high: ${high}`;
      parts.push(make("span", { class: ends ? "aew-bar aew-interval" : "aew-bar", style }));
    }
    if (said) {
      const [sign, words] = SIGNS[agrees];
      const mark = shown(sign, agrees ? "aew-yes" : "aew-no");
      parts.push(make("span", { class: "aew-note aew-said" }, `“${said}” `, mark, hidden(words)));
    }
    return parts;
  }

  function legend() {
    const cells = rows.flatMap((row) => row.cells);
    const some = (field) => cells.some((cell) => field in cell);
    return [
      some("best") ? "● the best of its column." : "",
      some("bar") ? `Bars start at zero${some("ends") ? ", with the interval on them" : ""}.` : "",
      some("said") ? "In quotation marks what is commonly said: ✓ this run agrees, × it does not." : "",
    ].join(" ");
  }

  // ---- sorting

  function ordered(by, descending) {
    if (by === AS_GIVEN) return ranked;
    const key = (row) => (by === BY_NAME ? row.name : row.cells[by].key);
    const known = ranked.filter((row) => key(row) !== null);
    const sign = descending ? -1 : 1;
    known.sort((a, b) => sign * ((key(a) > key(b)) - (key(a) < key(b))));
    return [...known, ...ranked.filter((row) => key(row) === null)];
  }

  // the best first, or the largest, or the first of the alphabet
  const firstDescending = (by) => isNumeric(by) && columns[by].better !== "less";

  function show() {
    const [by, descending] = [model.get("by"), model.get("descending")];
    body.append(...ordered(by, descending).map((row) => lines.get(row)));
    heads.forEach(({ cell, arrow }, place) => {
      const chosen = place - 1 === by;
      arrow.textContent = chosen ? (descending ? "▼" : "▲") : "↕";
      cell.setAttribute("aria-sort", chosen ? (descending ? "descending" : "ascending") : "none");
    });
  }

  function tell() {
    const [by, descending] = [model.get("by"), model.get("descending")];
    const ways = isNumeric(by) ? ["the least first", "the largest first"] : ["A to Z", "Z to A"];
    const how = `Sorted by ${titles[by + 1]}, ${ways[Number(descending)]}`;
    const words = by === AS_GIVEN ? "In the order given" : how;
    const names = ordered(by, descending).map(({ name }) => name);
    status.textContent = `${words}: ${names.join(", ")}.`;
  }

  // once, the other way round, as given
  heads.forEach(({ sort }, place) => {
    const by = place - 1;
    sort.addEventListener("click", () => {
      const first = firstDescending(by);
      const again = model.get("by") === by;
      const over = again && model.get("descending") !== first;
      model.set("descending", over ? false : again ? !first : first);
      model.set("by", over ? AS_GIVEN : by);
      model.save_changes();
      show();
      tell();
    });
  });

  const fields = ["by", "descending"];
  for (const field of fields) model.on(`change:${field}`, show);
  show();
  return () => fields.forEach((field) => model.off(`change:${field}`, show));
}
