// Means over seeds: a line for each candidate and step count, the spread around the mean, each seed as a point.
import { h, s } from "./dom.js";
import { many, number, plain } from "./format.js";
import { byNumber, ranked } from "./numbers.js";
import { part, scroll } from "./parts.js";

/// What a summary over seeds has.
export function summary({ node, summary, lower }) {
  const names = new Set(summary.rows.flatMap((row) => Object.keys(row.numbers)));
  const repeats = Math.max(...summary.rows.flatMap((row) => Object.values(row.numbers).map((one) => one.n)), 0);
  return part(
    node,
    h(
      "p",
      { class: "soft" },
      `Means of ${many(repeats, "repeat")}, with the standard deviation between them; each repeat is a small mark.`,
    ),
    byNumber(ranked(names), lower, (name) => strips(summary.rows, name)),
  );
}

const STRIP = { height: 24, width: 760, labels: 250 };

function strips(rows, name) {
  const all = rows.filter((row) => row.numbers[name]);
  const x = scaleOf(all.map((row) => row.numbers[name]));
  const svg = s("svg", {
    class: "strips",
    viewBox: `0 0 ${STRIP.width} ${all.length * STRIP.height + 8}`,
    role: "img",
    "aria-label": `${plain(name)}: ${all.map((row) => `${row.candidate} ${row.steps ?? ""} ${number(row.numbers[name].mean)}`).join("; ")}`,
  });
  all.forEach((row, i) => {
    const y = i * STRIP.height + STRIP.height / 2 + 2;
    if (i && all[i - 1].candidate !== row.candidate)
      svg.append(
        s("line", { class: "grid", x1: 0, x2: STRIP.width, y1: y - STRIP.height / 2, y2: y - STRIP.height / 2 }),
      );
    const steps = row.steps === null ? "" : `, ${many(row.steps, "step")}`;
    svg.append(
      s("text", { class: "name", x: 0, y: y + 4 }, `${row.candidate}${steps}`),
      ...strip(row.numbers[name], x, y),
    );
  });
  return scroll(`${plain(name)} of each candidate`, svg);
}

/// From numbers to places: all means, deviations and repeats find room.
function scaleOf(numbers) {
  const values = numbers
    .flatMap(({ mean, deviation, values }) => [mean - (deviation ?? 0), mean + (deviation ?? 0), ...(values ?? [])])
    .filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return (value) => STRIP.labels + ((value - low) / (high - low || 1)) * (STRIP.width - STRIP.labels - 150) + 8;
}

/// One number on its line.
function strip({ mean, deviation, values }, x, y) {
  const spread = Number.isFinite(deviation);
  const seeds = (values ?? []).filter(Number.isFinite);
  const end = { class: "tick", x: STRIP.width, y: y + 4, "text-anchor": "end" };
  return [
    ...(spread
      ? [s("line", { class: "whisker c0 wide", x1: x(mean - deviation), x2: x(mean + deviation), y1: y, y2: y })]
      : []),
    ...seeds.map((value) => s("line", { class: "seed", x1: x(value), x2: x(value), y1: y - 6, y2: y + 6 })),
    s("circle", { class: "dot c0", cx: x(mean), cy: y, r: 4.2 }),
    s("text", end, spread ? `${number(mean)} ± ${number(deviation)}` : number(mean)),
  ];
}
