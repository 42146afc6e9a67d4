// An evaluation: numbers over step counts with their intervals, as curves and as a table, and what was compared.
import { h, s } from "./dom.js";
import { many, number, plain, range, signed } from "./format.js";
import { LINES } from "./kinds.js";
import { arrow, byNumber, candidatesOf, lineOf, numbersOf, overSteps, verdict } from "./numbers.js";
import { part, spoken, table } from "./parts.js";

/// What an evaluation has.
export function evaluation({ node, metrics, lower }) {
  const { rows, samples, resamples } = metrics;
  const names = numbersOf(rows);
  const candidates = candidatesOf(rows);
  const drawn = byNumber(names, lower, (name) =>
    overSteps(
      name,
      candidates.map((candidate) => lineOf(rows, candidate, name)),
    ),
  );
  return part(
    node,
    h(
      "p",
      { class: "soft" },
      `${many(samples, "picture")} of each candidate at each step count, from the same noise and captions. Bars and brackets: 95 % of ${many(resamples, "resample")}.`,
    ),
    drawn,
    numbersTable(rows, names, lower, candidates),
    comparisons(metrics.comparisons, lower),
  );
}

const REAL = "real, held out";

function numbersTable(rows, names, lower, candidates) {
  const best = new Map(names.map((name) => [name, bestOf(rows, name, lower)]));
  const columns = ["candidate", "steps", ...names.map((name) => [plain(name), arrow(lower.includes(name))])];
  const row = (one, i) =>
    h(
      "tr",
      { class: i && rows[i - 1].candidate !== one.candidate ? "begins" : null },
      h("th", { scope: "row" }, one.candidate === REAL ? null : dash(candidates.indexOf(one.candidate)), one.candidate),
      h("td", {}, one.steps ?? "–"),
      names.map((name) => cell(one, name, best.get(name) === one)),
    );
  return table("Numbers of each candidate and step count", columns, rows.map(row));
}

function dash(index) {
  const [colour, pattern] = LINES[index % LINES.length];
  return s(
    "svg",
    { class: "mark", width: 18, height: 8, "aria-hidden": "true" },
    s("line", { class: `line ${colour}`, x1: 0, x2: 18, y1: 4, y2: 4, "stroke-dasharray": pattern || null }),
  );
}

function bestOf(rows, name, lower) {
  const drawn = rows.filter((row) => row.steps !== null && Number.isFinite(row[name]));
  const sign = lower.includes(name) ? 1 : -1;
  return drawn.reduce((best, row) => (!best || sign * row[name] < sign * best[name] ? row : best), null);
}

function cell(row, name, best) {
  const interval = row.intervals?.[name];
  const half = interval ? h("small", {}, `± ${number((interval[1] - interval[0]) / 2)}`) : null;
  return h(
    "td",
    { class: best ? "best" : null, title: interval ? `from ${number(interval[0])} to ${number(interval[1])}` : null },
    Number.isFinite(row[name]) ? number(row[name]) : "–",
    best ? h("span", { class: "sr" }, " best") : null,
    half,
  );
}

function comparisons(all, lower) {
  if (!all.length) return null;
  const decided = all.filter((one) => one.verdict !== "undecided").sort((a, b) => a.p - b.p);
  const open = all.filter((one) => one.verdict === "undecided");
  const compared = (rows, label) => comparisonsTable(rows, label, lower);
  return h(
    "details",
    { class: "fold", open: decided.length > 0 && decided.length <= 12 },
    h("summary", {}, `${many(all.length, "comparison")}: ${decided.length} decided, ${open.length} not`),
    decided.length ? compared(decided, "Decided comparisons") : null,
    open.length
      ? h(
          "details",
          { class: "fold" },
          h("summary", {}, `${open.length} in which no difference is shown`),
          compared(open, "Undecided comparisons"),
        )
      : null,
  );
}

function comparisonsTable(rows, label, lower) {
  const columns = [spoken("verdict"), "candidate", "against", "steps", "number", "difference", "p"];
  const row = (one) =>
    h(
      "tr",
      {},
      h("td", {}, verdict(one.verdict)),
      h("th", { scope: "row" }, one.candidate),
      h("td", { class: "left" }, one.against),
      h("td", {}, one.steps),
      h("td", { class: "left" }, plain(one.number), arrow(lower.includes(one.number))),
      h("td", {}, signed(one.difference), h("small", {}, range(one.interval))),
      h("td", {}, one.p < 0.001 ? "< 0.001" : one.p.toFixed(3)),
    );
  return table(label, columns, rows.map(row));
}
