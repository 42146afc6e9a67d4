// Series of trainings: which of them are shown, and how. What is chosen holds for all curves.
import { h } from "./dom.js";
import { plain } from "./format.js";

const how = { what: "losses", log: false, smooth: 0 };

/// What the names of series that are no losses begin with.
export const MEASURE = "· ";

/// Whether the series of this name is a loss.
export function isLoss(name) {
  return !name.startsWith(MEASURE);
}

/// The series of a node that are chosen, as lines of a chart; the loss of all terms comes first.
export function linesOf(curve) {
  return Object.entries(curve.series)
    .filter(([name]) => (how.what === "losses" ? isLoss(name) : name === how.what))
    .sort(([a], [b]) => (b === "loss") - (a === "loss") || a.localeCompare(b))
    .map(([name, points]) => ({ name: titleOf(name), points: smoothed(points, how.smooth) }));
}

/// What a chart of such lines needs.
export function chartOf(title, series, marks) {
  return { series, log: how.log, x: "step", marks, title, always: true };
}

function titleOf(name) {
  return plain(name.replace(MEASURE, ""));
}

/// An exponential mean; how much of the past is in it grows from 0 to 1.
function smoothed(points, weight) {
  if (!weight) return points;
  let [mean, share] = [0, 0];
  return points.map(([x, y]) => {
    mean = weight * mean + (1 - weight) * y;
    share = weight * share + (1 - weight);
    return [x, mean / share];
  });
}

/// A choice of what is shown of these nodes, on which scale, how smooth; `redraw()` is called as it changes.
export function controls(nodes, redraw) {
  const set = (name, value) => {
    how[name] = value;
    redraw();
  };
  const check = h("input", {
    type: "checkbox",
    checked: how.log,
    onchange: (event) => set("log", event.target.checked),
  });
  const range = h("input", {
    type: "range",
    min: 0,
    max: 0.98,
    step: 0.02,
    value: how.smooth,
    oninput: (event) => set("smooth", Number(event.target.value)),
  });
  return h(
    "div",
    { class: "row controls" },
    h("label", {}, "show ", choice(nodes, set)),
    h("label", {}, check, " logarithmic"),
    h("label", {}, "smooth ", range),
  );
}

function choice(nodes, set) {
  const measures = new Set(nodes.flatMap((node) => Object.keys(node.curve.series)).filter((name) => !isLoss(name)));
  const select = h(
    "select",
    { id: "curve-what", onchange: (event) => set("what", event.target.value) },
    h("option", { value: "losses" }, "losses"),
    [...measures].sort().map((name) => h("option", { value: name }, titleOf(name))),
  );
  select.value = how.what;
  return select;
}
