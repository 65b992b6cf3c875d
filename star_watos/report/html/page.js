// What the page does: axes are chosen, designs picked, tables sorted; figures follow.

const FIRST_LINES = 100; // of the table
const MOST_CLICKED = 4; // designs beside the best
const PARTS = ["time", "energy", "memory", "area"];
const CONFIG = {responsive: true, displaylogo: false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"]};

const byId = (id) => document.getElementById(id);
const objectives = data.columns.filter((each) => each.role === "objective");
const best = Object.keys(data.best).map(Number);
const state = {
  x: objectives[0].name,
  y: (objectives[1] ?? varied.find((each) => each !== objectives[0]) ?? objectives[0]).name,
  colour: (objectives[2] ?? varied.find((each) => each.role === "parameter") ?? objectives[0]).name,
  logX: false, logY: false, picked: [...best], current: best[0],
  close: null, sort: null, down: false, every: false,
};

// Figures are drawn when they come into sight, and again when something changes.

const drawers = new Map(), seen = new Set();
const sight = new IntersectionObserver((entries) => entries
  .filter((entry) => entry.isIntersecting).forEach(({target}) => {
    sight.unobserve(target);
    seen.add(target.id);
    draw(target.id);
  }));

function draw(id) {
  const made = seen.has(id) && drawers.get(id)();
  byId(id).hidden = made === null;
  if (!made) return;
  Plotly.react(id, ...made, CONFIG);
  byId(id).removeAllListeners?.("plotly_click");
  byId(id).on("plotly_click", ({points: [point]}) => {
    if (typeof point.customdata === "number") pick(point.customdata);
  });
}

function drawAll() {
  drawers.forEach((_, id) => draw(id));
}

// Picking.

function pick(place) {
  state.current = place;
  if (!state.picked.includes(place)) {
    const clicked = state.picked.filter((other) => !best.includes(other));
    const gone = clicked.length >= MOST_CLICKED ? clicked[0] : null;
    state.picked = [...state.picked.filter((other) => other !== gone), place];
  }
  if (data.looks[place]?.timeline || data.looks[place]?.dies) state.close = place;
  showPicked();
}

function drop(place) {
  state.picked = state.picked.filter((other) => other !== place);
  if (state.current === place) state.current = state.picked[0] ?? best[0];
  showPicked();
}

function showPicked() {
  showDesign();
  showChips();
  showClose();
  document.querySelectorAll("#table tbody tr").forEach((line) =>
    line.classList.toggle("current", Number(line.dataset.place) === state.current));
  ["front", "parallel", "dies", "timeline", ...PARTS.map((key) => `parts-${key}`)].forEach(draw);
}

function showDesign() {
  const place = state.current;
  byId("design-name").textContent = `Design ${place + 1} of ${count.toLocaleString("en")}`;
  byId("design-best").textContent = bestBy(place);
  byId("again").textContent = data.again + (place + 1);
  byId("design-values").replaceChildren(...data.columns.map((each) =>
    row("td", [each.sense ? `${each.label}, ${each.sense}` : each.label, shown(each, place)])));
}

function showChips() {
  byId("picked").replaceChildren(...state.picked.map((place) => {
    const chip = element("span", "", place === state.current ? "chip current" : "chip");
    const best = bestBy(place);
    const name = element("button", best ? `${named(place)}, ${best}` : named(place));
    const cross = element("button", "×");
    cross.setAttribute("aria-label", `take ${named(place)} away`);
    name.onclick = () => pick(place);
    cross.onclick = () => drop(place);
    chip.append(name, cross);
    return chip;
  }));
  const without = state.picked.filter((place) => !data.looks[place]).map(named);
  const worked = Object.keys(data.looks).length;
  byId("without-parts").textContent = without.length === 0 ? ""
    : `No parts of ${without.join(", ")}: they were worked out for ${worked} designs of ` +
      `${count.toLocaleString("en")}, evenly spread. The command beside the front shows them.`;
}

function closeLook() {
  return state.close === null ? {} : data.looks[state.close];
}

function showClose() {
  if (state.close !== null) byId("close").value = state.close;
  byId("close-note").textContent = closeLook().dies?.note ?? "";
}

// Small helpers of the document; text is only ever set as text.

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function row(tag, cells) {
  const line = document.createElement("tr");
  line.append(...cells.map((cell) => element(tag, cell)));
  return line;
}

function options(id, values, chosen, change) {
  byId(id).append(...values.map(([value, text]) => {
    const option = element("option", text);
    option.value = value;
    return option;
  }));
  byId(id).value = chosen;
  byId(id).onchange = () => change(byId(id).value);
}

// The table.

function showTable() {
  const head = row("th", ["design", ...data.columns.map((each) =>
    (each.unit ? `${each.label} [${each.unit}]` : each.label))]);
  [...head.children].forEach((cell, i) => {
    cell.onclick = () => sortBy(i - 1);
    if (state.sort === i - 1) cell.ariaSort = state.down ? "descending" : "ascending";
  });
  document.querySelector("#table thead").replaceChildren(head);
  const lines = sorted().slice(0, state.every ? count : FIRST_LINES).map((place) => {
    const line = row("td", [place + 1, ...data.columns.map((each) => shown(each, place))]);
    line.dataset.place = place;
    line.className = place === state.current ? "current" : "";
    line.onclick = () => pick(place);
    return line;
  });
  document.querySelector("#table tbody").replaceChildren(...lines);
  byId("more").hidden = state.every || count <= FIRST_LINES;
  byId("more").textContent = `show all ${count.toLocaleString("en")}`;
}

function sortBy(place) {
  state.down = state.sort === place && !state.down;
  state.sort = place;
  showTable();
}

function sorted() {
  const places = [...Array(count).keys()];
  if (state.sort === null) return places;
  const values = state.sort < 0 ? places : data.columns[state.sort].values;
  const sign = state.down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", {numeric: true}));
  return places.sort((a, b) => sign * compare(values[a], values[b]) || a - b);
}

// Light or dark.

function theme(name) {
  document.documentElement.dataset.theme = name;
  drawAll();
}

// Begin.

const dark = matchMedia("(prefers-color-scheme: dark)");
theme(dark.matches ? "dark" : "light");
dark.onchange = () => theme(dark.matches ? "dark" : "light");
byId("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
byId("copy").onclick = () => {
  getSelection().selectAllChildren(byId("again"));
  navigator.clipboard?.writeText(byId("again").textContent);
};
byId("more").onclick = () => { state.every = true; showTable(); };

const names = varied.map((each) => [each.name, each.label]);
const offered = names.length ? names : objectives.map((each) => [each.name, each.label]);
const choose = (key) => (value) => { state[key] = value; draw("front"); draw("parallel"); };
options("x", offered, state.x, choose("x"));
options("y", offered, state.y, choose("y"));
options("colour", offered, state.colour, choose("colour"));
byId("log-x").onchange = () => { state.logX = byId("log-x").checked; draw("front"); };
byId("log-y").onchange = () => { state.logY = byId("log-y").checked; draw("front"); };

const close = Object.keys(data.looks).map(Number)
  .filter((place) => data.looks[place].dies || data.looks[place].timeline);
state.close = close.includes(state.current) ? state.current : close[0] ?? null;
byId("closely").hidden = close.length === 0;
options("close", close.map((place) => [place, [named(place), bestBy(place)].filter(Boolean).join(", ")]),
  state.close, (value) => { state.close = Number(value); showClose(); draw("dies"); draw("timeline"); });

const figure = drawers.set.bind(drawers);
figure("front", () => frontFigure(state));
PARTS.forEach((key) => figure(`parts-${key}`, () => {
  const places = state.picked.filter((place) => data.looks[place]);
  return places.length ? partsFigure(key, places) : null;
}));
figure("dies", () => (closeLook().dies ? diesFigure(closeLook().dies) : null));
figure("timeline", () => (closeLook().timeline ? timelineFigure(closeLook().timeline) : null));
figure("parallel", () => parallelFigure(state));
figure("importances", () => (data.importances ? importancesFigure() : null));
figure("convergence", () => (data.convergence ? convergenceFigure() : null));

byId("importances-note").textContent = data.importances
  ? `How far the values of a parameter among the best tenth of ${data.importances.trials.toLocaleString("en")} ` +
    "trials differ from those among all (PED-ANOVA), a trial counting with the best that its hardware " +
    "reaches in an objective. 0 means that good designs have any value of it; it does not say which is better."
  : "Too few trials that worked out to tell, or no trials.csv beside the front.";
byId("convergence-note").textContent = data.convergence
  ? "Hypervolume: the part of the objectives' space that the front covers, from the worst value of each that was seen."
  : "The run does not say.";
showPicked();
showTable();
seen.add("front");
draw("front");
document.documentElement.dataset.ready = "true";
setTimeout(() => drawers.forEach((_, id) => seen.has(id) || sight.observe(byId(id))));
