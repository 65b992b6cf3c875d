// Numbers and names as people read them.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const column = Object.fromEntries(data.columns.map((each) => [each.name, each]));
const count = data.columns[0].values.length;

const PREFIXES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""],
  [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
const FOUR_DIGITS = new Intl.NumberFormat("en", {maximumSignificantDigits: 4});
const WITHOUT_PREFIX = ["", "mm²", "USD", "GOP/s", "GOP/s/W", "GOP/s/mm²"];

// 0.0227 s as 22.7 ms; squares, money, ratios and what has a prefix already get none.
function si(value, unit) {
  if (WITHOUT_PREFIX.includes(unit) || value === 0) {
    return `${FOUR_DIGITS.format(value)} ${unit}`.trim();
  }
  const rounded = Number(value.toPrecision(4));
  const [factor, prefix] = PREFIXES.find(([least]) => Math.abs(rounded) >= least) ?? [1e-12, "p"];
  return `${Number((rounded / factor).toPrecision(4))} ${prefix}${unit}`;
}

// A cell as text.
function shown(each, place) {
  const value = each.values[place];
  if (value === null) return "";
  return typeof value === "number" && !Number.isInteger(value) ? si(value, each.unit)
    : each.unit && typeof value === "number" ? si(value, each.unit) : String(value);
}

// Plotly reads some HTML in texts; names and values are never meant as such.
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function title(each) {
  return plain(each.unit ? `${each.label} [${each.unit}]` : each.label);
}

function named(place) {
  return `design ${Number(place) + 1}`;
}

function bestBy(place) {
  const names = data.best[place];
  return names ? `best by ${names.map((name) => column[name].label).join(" and ")}` : "";
}

const varied = data.columns.filter((each) => new Set(each.values).size > 1);

// What a hover says: the parameters and the plan that differ, and the objectives.
function hover(place) {
  const lines = varied.filter((each) => each.role !== "metric").slice(0, 24)
    .map((each) => `${plain(each.label)}: ${plain(shown(each, place))}`);
  const best = bestBy(place);
  return [`<b>${named(place)}</b>`, ...(best ? [plain(best)] : []), ...lines].join("<br>");
}
