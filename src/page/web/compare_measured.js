// What both of two runs have measured: curves over step counts, and what changed by more than chance.
import { h } from "./dom.js";
import { number, plain, signed } from "./format.js";
import { LINES } from "./kinds.js";
import { byNumber, candidatesOf, lineOf, numbersOf, overSteps, verdict } from "./numbers.js";
import { part, spoken, table } from "./parts.js";

/// The evaluations that both runs have.
export function measuredBoth(a, b) {
  const pairs = a.results
    .filter((one) => one.metrics)
    .map((one) => [one, b.results.find((other) => other.metrics && other.node === one.node)])
    .filter(([, other]) => other);
  if (!pairs.length) return null;
  return h("div", {}, pairs.map(measuredPair));
}

function measuredPair([{ node, metrics, lower }, other]) {
  const [left, right] = [metrics.rows, other.metrics.rows];
  const candidates = candidatesOf([...left, ...right]);
  return part(
    node,
    byNumber(numbersOf([...left, ...right]), lower, (name) =>
      h(
        "div",
        {},
        overSteps(
          name,
          candidates.flatMap((candidate, i) => linesOfBoth(left, right, candidate, name, i)),
        ),
        differences(left, right, name, lower.includes(name)),
      ),
    ),
  );
}

/// A candidate in both runs: one colour, B with dashes.
function linesOfBoth(left, right, candidate, name, index) {
  const [colour] = LINES[index % LINES.length];
  const line = (letter, rows, dash) => ({
    ...lineOf(rows, candidate, name),
    name: `${letter} ${candidate}`,
    style: [colour, dash],
  });
  return [line("A", left, ""), line("B", right, "5 4")].filter((one) => one.points.length);
}

function differences(left, right, name, less) {
  const columns = ["candidate", "steps", "A", "B", "B − A", spoken("verdict")];
  const row = (one) => {
    const other = right.find((row) => row.candidate === one.candidate && row.steps === one.steps);
    const change = other && Number.isFinite(one[name]) && Number.isFinite(other[name]) ? other[name] - one[name] : null;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, one.candidate),
      h("td", {}, one.steps),
      h("td", {}, number(one[name])),
      h("td", {}, other ? number(other[name]) : "–"),
      h("td", {}, change === null ? "–" : signed(change)),
      h("td", { class: "left" }, change === null ? null : judged(change, outside(one, other, name), less)),
    );
  };
  return h(
    "div",
    {},
    table(`${plain(name)} in both runs`, columns, left.filter((one) => one.steps !== null).map(row)),
    h("p", { class: "soft" }, "Called better or worse only where the 95 % intervals do not meet."),
  );
}

function judged(change, apart, less) {
  if (!apart) return h("span", { class: "soft" }, change === 0 ? "the same" : "");
  return verdict((less ? change < 0 : change > 0) ? "better" : "worse");
}

/// Whether the intervals of both do not meet.
function outside(one, other, name) {
  const [x, y] = [one.intervals?.[name], other.intervals?.[name]];
  return Boolean(x && y && (x[1] < y[0] || y[1] < x[0]));
}
