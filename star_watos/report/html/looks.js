// Figures of single designs: parts, dies with their links, timeline.

const LEVELS = 10; // of colours of links

function partsFigure(key, places) {
  const panels = places.map((place) => data.looks[place].panels[key]);
  const {title: heading, unit, stacked} = panels[0];
  const names = [...new Set(panels.flatMap((panel) => Object.keys(panel.parts)))]
    .filter((name) => panels.some((panel) => panel.parts[name]));
  const y = places.map(named);
  const bars = names.map((name, i) => ({type: "bar", orientation: "h", y, name: plain(name),
    x: panels.map((panel) => panel.parts[name] ?? 0),
    text: panels.map((panel) => si(panel.parts[name] ?? 0, unit)), textposition: "none",
    marker: {color: name === "free" ? ink("line") : PALETTE[i % PALETTE.length]},
    hovertemplate: "%{y}, %{fullData.name}: %{text}<extra></extra>"}));
  const tall = stacked ? 28 * places.length : 14 * places.length * names.length;
  return [bars, layout({title: {text: plain(heading), font: {size: 14}, x: 0.01},
    barmode: stacked ? "stack" : "group", height: 200 + tall, bargap: 0.25,
    xaxis: axis(`[${unit}]`, {tickformat: ticks(unit), ticksuffix: unit.length < 2 ? unit : ""}),
    yaxis: axis("", {autorange: "reversed", type: "category"}),
    margin: {l: 80, r: 20, t: 40, b: 50}, legend: {orientation: "h", y: -50 / (tall + 60), yanchor: "top",
      traceorder: "normal"}})];
}

function diesFigure(dies) {
  const places = [...dies.labels.keys()];
  const used = (place) => dies.groups[place] >= 0;
  const several = Math.max(...dies.groups) > 0;
  const squares = {type: "scatter", mode: "markers+text", showlegend: false,
    x: places.map((p) => p % dies.cols), y: places.map((p) => Math.floor(p / dies.cols)),
    text: places.map((p) => (used(p) && several ? String(dies.groups[p]) : "")),
    hovertext: places.map((p) => plain(dies.labels[p] || "not used")),
    hovertemplate: "%{hovertext}<extra></extra>", textfont: {size: 11, color: "#10141a"},
    marker: {symbol: "square", size: Math.max(10, Math.min(30, 300 / dies.rows)),
      color: places.map((p) => (used(p) ? tint(dies.groups[p]) : ink("sheet"))),
      line: {color: ink("quiet"), width: 1}}};
  const carried = dies.links.length ? linkTraces(dies) : [];
  return [[...carried, squares], layout({title: {text: plain(dies.title), font: {size: 14}, x: 0.01},
    height: Math.max(300, 110 + 62 * dies.rows),
    xaxis: axis("column", {range: [-0.7, dies.cols - 0.3], dtick: 1, showgrid: false, zeroline: false,
      constrain: "domain"}),
    yaxis: axis("row", {range: [dies.rows - 0.3, -0.7], dtick: 1, showgrid: false, zeroline: false,
      scaleanchor: "x"})})];
}

function tint(group) {
  return ["#b9d3f0", "#f3dba8", "#bfe0cb", "#efc0c7", "#d6caee", "#bfe2e7"][group % 6];
}

// A line a link, coloured by what it carries; the dots in their middles hover and hold the scale.
function linkTraces(dies) {
  const most = Math.max(...dies.links.map((link) => link[4])) || 1;
  const level = (link) => Math.min(LEVELS - 1, Math.floor((LEVELS * link[4]) / most));
  const lines = [...Array(LEVELS).keys()].map((i) => {
    const own = dies.links.filter((link) => level(link) === i);
    return {type: "scatter", mode: "lines", showlegend: false, hoverinfo: "skip",
      x: own.flatMap((link) => [link[0], link[2], null]),
      y: own.flatMap((link) => [link[1], link[3], null]),
      line: {width: 4, color: mixed((i + 0.5) / LEVELS)}};
  });
  const dots = {type: "scatter", mode: "markers", showlegend: false,
    x: dies.links.map((link) => (link[0] + link[2]) / 2),
    y: dies.links.map((link) => (link[1] + link[3]) / 2),
    text: dies.links.map((link) => `${si(link[4], "B")} ${plain(dies.carried)}`),
    hovertemplate: "%{text}<extra></extra>",
    marker: {size: 5, color: dies.links.map((link) => link[4]), colorscale: SCALE, cmin: 0,
      cmax: most, colorbar: {title: {text: `B ${plain(dies.carried)}`, side: "right"},
        tickformat: "~s", thickness: 12, outlinewidth: 0}}};
  return [...lines, dots];
}

function timelineFigure(line) {
  const bars = line.kinds.map((kind, i) => {
    const own = line.bars.filter((bar) => bar[1] === i);
    return {type: "bar", orientation: "h", name: plain(kind), y: own.map((bar) => bar[0]),
      base: own.map((bar) => bar[2]), x: own.map((bar) => bar[3]), width: 0.8,
      marker: {color: PALETTE[i % PALETTE.length], line: {width: 0}},
      text: own.map((bar) => `${plain(line.lanes[bar[0]])}: ${plain(kind)}, ` +
        `${si(bar[3], "s")} from ${si(bar[2], "s")}`),
      textposition: "none", hovertemplate: "%{text}<extra></extra>"};
  });
  return [bars, layout({title: {text: plain(line.title), font: {size: 14}, x: 0.01},
    barmode: "overlay", height: 170 + 22 * line.lanes.length,
    xaxis: axis("time [s]", {tickformat: "~s", ticksuffix: "s", rangemode: "tozero"}),
    yaxis: axis("", {tickvals: [...line.lanes.keys()], ticktext: line.lanes.map(plain),
      range: [line.lanes.length - 0.4, -0.6], zeroline: false, showgrid: false}),
    legend: {orientation: "h", y: -50 / (22 * line.lanes.length + 40), yanchor: "top"}})];
}
