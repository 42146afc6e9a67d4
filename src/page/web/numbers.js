// Numbers of candidates at step counts: which there are, in which order, and what is drawn of one of them.
import { h, put } from "./dom.js";
import { plain } from "./format.js";
import { chart } from "./chart.js";

const FIRST = [
  "frechet",
  "clip_score",
  "reward",
  "diversity",
  "precision",
  "recall",
  "coverage",
  "accuracy",
  "trajectory_mse",
];

/// Names of numbers, those first that tell most.
export function ranked(names) {
  const rank = (name) => FIRST.indexOf(name) + 1 || 99;
  return [...names].sort((a, b) => rank(a) - rank(b));
}

/// The numbers that rows have, in the order of the table.
export function numbersOf(rows) {
  const names = new Set(
    rows.flatMap((row) => Object.keys(row)).filter((name) => !["candidate", "steps", "intervals"].includes(name)),
  );
  const given = [...names].filter((name) => rows.some((row) => Number.isFinite(row[name])));
  return ranked(given.sort((a, b) => a.localeCompare(b)));
}

/// The candidates that draw in steps: pictures that are real do not.
export function candidatesOf(rows) {
  return [...new Set(rows.filter((row) => row.steps !== null).map((row) => row.candidate))];
}

/// A number of a candidate over step counts, as a line of a chart with intervals.
export function lineOf(rows, candidate, name) {
  const own = rows.filter((row) => row.candidate === candidate && row.steps !== null && Number.isFinite(row[name]));
  const points = own.map((row) => [row.steps, row[name], ...(row.intervals?.[name] ?? [])]);
  return { name: candidate, dots: true, points: points.sort((a, b) => a[0] - b[0]) };
}

/// A chart of such lines.
export function overSteps(name, series) {
  const options = { series, x: "steps", ordinal: true, always: true, title: plain(name), zero: true };
  return chart(options, 260).element;
}

/// A choice of one of the numbers, and what is drawn for it.
export function byNumber(names, lower, draw) {
  const holder = h("div");
  const note = h("span", { class: "soft" });
  const show = (name) => {
    put(note, direction(lower.includes(name)));
    put(holder, draw(name));
  };
  const select = h(
    "select",
    { "aria-label": "Number", onchange: (event) => show(event.target.value) },
    names.map((name) => h("option", { value: name }, plain(name))),
  );
  if (names.length) show(names[0]);
  return h("div", {}, h("div", { class: "row controls" }, h("label", {}, "number ", select), note), holder);
}

function direction(less) {
  return less ? "less is better" : "more is better";
}

/// Where a number gets better.
export function arrow(less) {
  return h("span", { class: "soft", title: direction(less) }, less ? " ↓" : " ↑");
}

const VERDICTS = { better: "▲", worse: "▼", undecided: "·" };

/// A verdict in a word, with its sign.
export function verdict(word) {
  return h("span", { class: `verdict v-${word}` }, VERDICTS[word] ?? "·", " ", word);
}
