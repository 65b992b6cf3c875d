// Figures of the whole front: what Plotly is given, from the data and what is chosen.

const SCALE = [[0, "#3f7fd0"], [0.5, "#e3a83c"], [1, "#d1495b"]];
const PALETTE = ["#3f7fd0", "#e3a83c", "#4aa36c", "#d1495b", "#8a68c8", "#3fa7b5", "#c97a3a",
  "#8f9aa8", "#b85c9e", "#7a9a3a"];
const BINS = 12; // of colours of lines

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(text, more = {}) {
  return {title: {text, standoff: 8}, gridcolor: ink("line"), zerolinecolor: ink("line"),
    automargin: true, ...more};
}

function layout(more) {
  const colours = {paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)"};
  const hoverlabel = {bgcolor: ink("paper"), bordercolor: ink("line"),
    font: {color: ink("ink"), size: 12}, align: "left"};
  return {...colours, font: {color: ink("ink"), size: 12}, hoverlabel, hovermode: "closest",
    margin: {l: 60, r: 20, t: 36, b: 50}, ...more};
}

// How numbers of a unit are written on an axis.
function ticks(unit) {
  return WITHOUT_PREFIX.includes(unit) ? ",.6~r" : "~s";
}

// The axis of a column: numbers with SI prefixes, or its values as they are.
function axisOf(each, log) {
  if (!each.numeric) {
    return axis(title(each), {type: "category", categoryorder: "array",
      categoryarray: each.order.map(plain)});
  }
  return axis(title(each), {type: log ? "log" : "linear", tickformat: ticks(each.unit)});
}

function coordinate(each, place) {
  const value = each.values[place];
  return each.numeric ? value : plain(value ?? "");
}

function points(places, more) {
  return {type: "scatter", mode: "markers", customdata: places, text: places.map(hover),
    hovertemplate: "%{text}<extra></extra>", ...more};
}

// Designs in groups of one colour: [name, colour, places]; of numbers, BINS groups.
function groups(each) {
  const places = [...Array(count).keys()];
  if (!each.numeric) {
    return each.order.map((name, i) => [plain(name), PALETTE[i % PALETTE.length],
      places.filter((place) => String(each.values[place] ?? "") === name)]);
  }
  const low = Math.min(...each.values), wide = Math.max(...each.values) - low || 1;
  const bin = (place) => Math.min(BINS - 1, Math.floor((BINS * (each.values[place] - low)) / wide));
  return [...Array(BINS).keys()].map((i) => ["", mixed((i + 0.5) / BINS),
    places.filter((place) => bin(place) === i)]).filter(([, , found]) => found.length);
}

function mixed(share) {
  const [from, to] = share < 0.5 ? [SCALE[0], SCALE[1]] : [SCALE[1], SCALE[2]];
  const part = (share - from[0]) / (to[0] - from[0]);
  const channel = (text, i) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mix = [0, 1, 2].map((i) =>
    Math.round(channel(from[1], i) * (1 - part) + channel(to[1], i) * part));
  return `rgb(${mix.join(",")})`;
}

function frontFigure(chosen) {
  const [x, y, colour] = [chosen.x, chosen.y, chosen.colour].map((name) => column[name]);
  const at = (places) => ({x: places.map((p) => coordinate(x, p)),
    y: places.map((p) => coordinate(y, p))});
  const every = [...Array(count).keys()];
  const edge = {width: 0.6, color: ink("paper")};
  const bar = {title: {text: title(colour), side: "right"}, tickformat: ticks(colour.unit),
    thickness: 12, outlinewidth: 0};
  const marks = colour.numeric
    ? [points(every, {...at(every), showlegend: false, marker: {size: 9, line: edge,
      color: colour.values, colorscale: SCALE, colorbar: bar}})]
    : groups(colour).map(([name, paint, places]) => points(places, {...at(places), name,
      marker: {size: 9, line: edge, color: paint}}));
  const rings = points(chosen.picked, {...at(chosen.picked), showlegend: false,
    marker: {size: chosen.picked.map((p) => (p === chosen.current ? 19 : 14)),
      symbol: "circle-open", color: ink("ink"), line: {width: 2}}});
  return [[...marks, rings], layout({xaxis: axisOf(x, chosen.logX), yaxis: axisOf(y, chosen.logY),
    legend: {title: {text: title(colour)}}, margin: {l: 70, r: 10, t: 10, b: 50}})];
}

// Every design as a line over axes from 0, the least value, to 1, the greatest.
function parallelFigure(chosen) {
  const axes = varied.filter((each) => ["parameter", "objective"].includes(each.role));
  const scaled = axes.map((each) => {
    const values = each.values.map((value) =>
      (each.numeric ? value : each.order.indexOf(String(value ?? ""))));
    const low = Math.min(...values), wide = Math.max(...values) - low || 1;
    return values.map((value) => (value - low) / wide);
  });
  const line = (places) => ({
    x: places.flatMap(() => [...axes.keys(), null]),
    y: places.flatMap((place) => [...scaled.map((values) => values[place]), null]),
    customdata: places.flatMap((place) => [...axes.map(() => place), null]),
    text: places.flatMap((place) => [...axes.map((each) =>
      `<b>${named(place)}</b><br>${plain(each.label)}: ${plain(shown(each, place))}`), ""]),
  });
  const opacity = Math.max(0.25, Math.min(0.9, 60 / count));
  const lines = groups(column[chosen.colour]).map(([name, paint, places]) => ({type: "scatter",
    mode: "lines", ...line(places), name, showlegend: Boolean(name), opacity,
    line: {color: paint, width: 1.4}, hovertemplate: "%{text}<extra></extra>"}));
  const current = {type: "scatter", mode: "lines+markers", ...line([chosen.current]),
    showlegend: false, line: {color: ink("ink"), width: 3}, hovertemplate: "%{text}<extra></extra>"};
  const ends = axes.flatMap((each, i) => [[i, 1.05, end(each, Math.max)],
    [i, -0.05, end(each, Math.min)]]);
  const annotations = ends.map(([x, y, text]) => ({x, y, text, showarrow: false,
    font: {size: 11, color: ink("quiet")}}));
  return [[...lines, current], layout({annotations, height: 460,
    xaxis: axis("", {tickvals: [...axes.keys()], ticktext: axes.map((each) => wrapped(plain(each.label))),
      range: [-0.3, axes.length - 0.7], zeroline: false, tickangle: 0}),
    yaxis: axis("", {range: [-0.12, 1.12], showticklabels: false, showgrid: false,
      zeroline: false})})];
}

// The text of the greatest or least value.
function end(each, pick) {
  if (!each.numeric) return plain(each.order.at(pick === Math.max ? -1 : 0));
  return plain(shown(each, each.values.indexOf(pick(...each.values))));
}

// A name of several words on several lines.
function wrapped(text) {
  return text.replace(/ /g, "<br>");
}

function importancesFigure() {
  const {parameters, shares} = data.importances;
  const order = [...parameters.keys()].sort((a, b) => mean(shares, a) - mean(shares, b));
  const bars = Object.entries(shares).map(([name, values], i) => ({type: "bar", orientation: "h",
    name: plain(column[name].label), y: order.map((p) => plain(label(parameters[p]))),
    x: order.map((p) => 100 * values[p]), marker: {color: PALETTE[i % PALETTE.length]},
    hovertemplate: "%{y}: %{x:.1f} %<extra>%{fullData.name}</extra>"}));
  return [bars, layout({barmode: "group", height: 120 + 34 * parameters.length,
    xaxis: axis("importance [%]", {rangemode: "tozero"}), yaxis: axis("", {type: "category"}),
    legend: {orientation: "h", y: -0.2, yanchor: "top"}})];
}

function mean(shares, place) {
  return Object.values(shares).reduce((sum, values) => sum + values[place], 0);
}

function label(name) {
  return column[name]?.label ?? name;
}

function convergenceFigure() {
  const {trials, hypervolume, total} = data.convergence, last = hypervolume.at(-1);
  const y = [...hypervolume, last].map((value) => (last ? (100 * value) / last : 0));
  const line = {type: "scatter", mode: "lines+markers", x: [...trials, total], y,
    line: {shape: "hv", color: PALETTE[0]}, hovertemplate: "%{x:,} trials: %{y:.2f} %<extra></extra>"};
  return [[line], layout({height: 300, xaxis: axis("trials", {rangemode: "tozero", tickformat: ",d"}),
    yaxis: axis("hypervolume [% of the last]", {})})];
}
