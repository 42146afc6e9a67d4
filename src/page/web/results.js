// What was measured: numbers over step counts with their intervals, tables, comparisons, gates, and means over seeds.
import { h, s, put } from "./dom.js";
import { many, number, plain } from "./format.js";
import { chart } from "./chart.js";
import { LINES } from "./kinds.js";

const REAL = "real, held out";
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

/// The numbers that rows have, in the order of the table.
export function numbersOf(rows) {
  const names = new Set(
    rows.flatMap((row) => Object.keys(row)).filter((name) => !["candidate", "steps", "intervals"].includes(name)),
  );
  const given = [...names].filter((name) => rows.some((row) => Number.isFinite(row[name])));
  const rank = (name) => FIRST.indexOf(name) + 1 || 99;
  return given.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/// Everything that the results of a run have.
export function results(run) {
  const parts = run.results.flatMap((one) => [
    one.metrics && evaluation(one),
    one.summary && summary(one),
    one.checks && gate(one),
    one.guard && guarded(one),
  ]);
  return h("div", {}, parts.filter(Boolean));
}

/// A choice of one of the numbers, and what is drawn for it.
export function byNumber(names, lower, draw) {
  const holder = h("div");
  const note = h("span", { class: "soft" });
  const show = (name) => {
    put(note, lower.includes(name) ? "less is better" : "more is better");
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

function evaluation({ node, metrics, lower }) {
  const rows = metrics.rows;
  const names = numbersOf(rows);
  const candidates = [...new Set(rows.filter((row) => row.steps !== null).map((row) => row.candidate))];
  const drawn = byNumber(
    names,
    lower,
    (name) =>
      chart(
        {
          series: candidates.map((candidate) => ({
            name: candidate,
            dots: true,
            points: pointsOf(rows, candidate, name),
          })),
          x: "steps",
          ordinal: true,
          always: true,
          title: plain(name),
          zero: true,
        },
        260,
      ).element,
  );
  return h(
    "section",
    { class: "part" },
    h("h3", {}, node),
    h(
      "p",
      { class: "soft" },
      `${many(metrics.samples, "picture")} of each candidate at each step count, from the same noise and captions. Bars and brackets: 95 % of ${many(metrics.resamples, "resample")}.`,
    ),
    drawn,
    table(rows, names, lower, candidates),
    comparisons(metrics.comparisons, lower),
  );
}

/// The points of a candidate for a chart over step counts.
export function pointsOf(rows, candidate, name) {
  const own = rows.filter((row) => row.candidate === candidate && row.steps !== null && Number.isFinite(row[name]));
  return own.map((row) => [row.steps, row[name], ...(row.intervals?.[name] ?? [])]).sort((a, b) => a[0] - b[0]);
}

function table(rows, names, lower, candidates) {
  const best = new Map(names.map((name) => [name, bestOf(rows, name, lower)]));
  const body = rows.map((row, i) =>
    h(
      "tr",
      { class: i && rows[i - 1].candidate !== row.candidate ? "begins" : null },
      h("th", { scope: "row" }, row.candidate === REAL ? null : dash(candidates.indexOf(row.candidate)), row.candidate),
      h("td", {}, row.steps ?? "–"),
      names.map((name) => cell(row, name, best.get(name) === row)),
    ),
  );
  return scroll(
    "Numbers of each candidate and step count",
    h(
      "table",
      { class: "numbers" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "candidate"),
          h("th", { scope: "col" }, "steps"),
          names.map((name) => h("th", { scope: "col" }, plain(name), arrow(lower.includes(name)))),
        ),
      ),
      h("tbody", {}, body),
    ),
  );
}

function arrow(less) {
  return h("span", { class: "soft", title: less ? "less is better" : "more is better" }, less ? " ↓" : " ↑");
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

/// A table that scrolls in itself, also by the keyboard.
export function scroll(label, element) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, element);
}

function comparisons(all, lower) {
  if (!all.length) return null;
  const decided = all.filter((one) => one.verdict !== "undecided").sort((a, b) => a.p - b.p);
  const open = all.filter((one) => one.verdict === "undecided");
  const row = (one) =>
    h(
      "tr",
      {},
      h("td", {}, verdict(one.verdict)),
      h("th", { scope: "row" }, one.candidate),
      h("td", { class: "left" }, one.against),
      h("td", {}, one.steps),
      h("td", { class: "left" }, plain(one.number), arrow(lower.includes(one.number))),
      h(
        "td",
        {},
        `${one.difference > 0 ? "+" : ""}${number(one.difference)}`,
        h("small", {}, `[${number(one.interval[0])}, ${number(one.interval[1])}]`),
      ),
      h("td", {}, one.p < 0.001 ? "< 0.001" : one.p.toFixed(3)),
    );
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      ["", "candidate", "against", "steps", "number", "difference", "p"].map((name) =>
        h("th", { scope: "col" }, name || h("span", { class: "sr" }, "verdict")),
      ),
    ),
  );
  const list = (rows, label) =>
    scroll(label, h("table", { class: "numbers" }, head.cloneNode(true), h("tbody", {}, rows.map(row))));
  return h(
    "details",
    { class: "fold", open: decided.length > 0 && decided.length <= 12 },
    h("summary", {}, `${many(all.length, "comparison")}: ${decided.length} decided, ${open.length} not`),
    decided.length ? list(decided, "Decided comparisons") : null,
    open.length
      ? h(
          "details",
          { class: "fold" },
          h("summary", {}, `${open.length} in which no difference is shown`),
          list(open, "Undecided comparisons"),
        )
      : null,
  );
}

function verdict(word) {
  const signs = { better: "▲", worse: "▼", undecided: "·" };
  return h("span", { class: `verdict v-${word}` }, signs[word] ?? "·", " ", word);
}

function gate({ node, checks }) {
  return h(
    "section",
    { class: "part" },
    h("h3", {}, node),
    h(
      "ul",
      { class: "checks" },
      checks.map((check) =>
        h(
          "li",
          {},
          verdict(check.holds ? "better" : "worse").firstChild,
          check.holds ? " holds: " : " does not hold: ",
          check.text,
        ),
      ),
    ),
  );
}

function guarded({ node, guard }) {
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, `${node}: what its guard saw`),
    h("pre", {}, JSON.stringify(guard, null, 1)),
  );
}

/// Means over seeds: a line for each candidate and step count, the spread around the mean, each seed as a point.
function summary({ node, summary, lower }) {
  const names = [...new Set(summary.rows.flatMap((row) => Object.keys(row.numbers)))];
  const repeats = Math.max(...summary.rows.flatMap((row) => Object.values(row.numbers).map((one) => one.n)), 0);
  const ranked = FIRST.filter((name) => names.includes(name)).concat(names.filter((name) => !FIRST.includes(name)));
  return h(
    "section",
    { class: "part" },
    h("h3", {}, node),
    h(
      "p",
      { class: "soft" },
      `Means of ${many(repeats, "repeat")}, with the standard deviation between them; each repeat is a small mark.`,
    ),
    byNumber(ranked, lower, (name) => strips(summary.rows, name)),
  );
}

function strips(rows, name) {
  const all = rows.filter((row) => row.numbers[name]);
  const spread = ({ mean, deviation, values }) =>
    [mean - (deviation ?? 0), mean + (deviation ?? 0), ...(values ?? [])].filter(Number.isFinite);
  const values = all.flatMap((row) => spread(row.numbers[name]));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [height, width, labels] = [24, 760, 250];
  const x = (value) => labels + ((value - low) / (high - low || 1)) * (width - labels - 150) + 8;
  const svg = s("svg", {
    class: "strips",
    viewBox: `0 0 ${width} ${all.length * height + 8}`,
    role: "img",
    "aria-label": `${plain(name)}: ${all.map((row) => `${row.candidate} ${row.steps ?? ""} ${number(row.numbers[name].mean)}`).join("; ")}`,
  });
  all.forEach((row, i) => {
    const { mean, deviation, values } = row.numbers[name];
    const y = i * height + height / 2 + 2;
    if (i && all[i - 1].candidate !== row.candidate)
      svg.append(s("line", { class: "grid", x1: 0, x2: width, y1: y - height / 2, y2: y - height / 2 }));
    const steps = row.steps === null ? "" : `, ${many(row.steps, "step")}`;
    svg.append(s("text", { class: "name", x: 0, y: y + 4 }, `${row.candidate}${steps}`));
    if (Number.isFinite(deviation))
      svg.append(
        s("line", { class: "whisker c0 wide", x1: x(mean - deviation), x2: x(mean + deviation), y1: y, y2: y }),
      );
    for (const value of values ?? [])
      if (Number.isFinite(value))
        svg.append(s("line", { class: "seed", x1: x(value), x2: x(value), y1: y - 6, y2: y + 6 }));
    svg.append(s("circle", { class: "dot c0", cx: x(mean), cy: y, r: 4.2 }));
    svg.append(
      s(
        "text",
        { class: "tick", x: width, y: y + 4, "text-anchor": "end" },
        Number.isFinite(deviation) ? `${number(mean)} ± ${number(deviation)}` : number(mean),
      ),
    );
  });
  return scroll(`${plain(name)} of each candidate`, svg);
}
