// Two runs beside each other: what was set, how it went, curves over one another, numbers, pictures.
import { h, put } from "./dom.js";
import { between, duration, many, moment, number, plain } from "./format.js";
import { chart } from "./chart.js";
import { chosen, chosenHow, controls, smoothed } from "./curves.js";
import { chip, LINES } from "./kinds.js";
import { slider, stepsOf, stripes } from "./pictures.js";
import { byNumber, numbersOf, pointsOf, scroll } from "./results.js";

/// The view of two runs.
export function comparison(a, b, host) {
  const box = (id, title, content) => content && h("section", { class: "box", id }, h("h2", {}, title), content);
  return h(
    "div",
    { class: "run compare" },
    h("header", { class: "head" }, h("h1", {}, "Two runs"), h("div", { class: "two" }, side("A", a), side("B", b))),
    box("settings", "Settings that differ", settingsTable(a, b)),
    box("curves", "Curves", overlaid(a, b)),
    box("measured", "Measured", measuredBoth(a, b)),
    box("pictures", "Pictures", beside(a, b, host)),
    box("nodes", "Nodes", nodesTable(a, b)),
  );
}

function side(letter, run) {
  return h(
    "div",
    { class: "side" },
    h("p", {}, h("b", { class: "letter" }, letter), h("a", { href: `#/run/${run.id}` }, run.pipeline), chip(run.state)),
    h(
      "p",
      { class: "soft" },
      moment(run.started),
      " · ",
      duration(between(run.started, run.last)),
      " · ",
      h("code", {}, run.id),
    ),
    h(
      "p",
      {},
      run.set.length
        ? run.set.map((one) => h("code", { class: "set" }, one))
        : h("span", { class: "soft" }, "nothing set on the command line"),
    ),
  );
}

function byName(run) {
  return new Map(run.nodes.map((node) => [node.name, node]));
}

function names(a, b) {
  return [...new Set([...a.nodes, ...b.nodes].map((node) => node.name))];
}

function settingsTable(a, b) {
  const [left, right] = [byName(a), byName(b)];
  const rows = [];
  for (const name of names(a, b)) {
    const [one, other] = [left.get(name), right.get(name)];
    if (!one || !other) {
      rows.push([name, "", one ? one.kind : "–", other ? other.kind : "–"]);
      continue;
    }
    const fields = new Map();
    const note = (node, at) => {
      node.params.forEach((param) =>
        fields.set(param.name, Object.assign(fields.get(param.name) ?? {}, { [at]: param.value })),
      );
      fields.set("kind", Object.assign(fields.get("kind") ?? {}, { [at]: node.kind }));
      fields.set("kind version", Object.assign(fields.get("kind version") ?? {}, { [at]: String(node.version) }));
      fields.set("seed", Object.assign(fields.get("seed") ?? {}, { [at]: String(node.seed ?? "–") }));
      node.settings.forEach(([field, value]) =>
        fields.set(`settings ${field}`, Object.assign(fields.get(`settings ${field}`) ?? {}, { [at]: value })),
      );
      Object.entries(node.digests).forEach(([port, digest]) =>
        fields.set(`file ${port}`, Object.assign(fields.get(`file ${port}`) ?? {}, { [at]: digest.slice(0, 12) })),
      );
    };
    note(one, "a");
    note(other, "b");
    fields.forEach((value, field) => value.a !== value.b && rows.push([name, field, value.a ?? "–", value.b ?? "–"]));
  }
  if (!rows.length) return h("p", { class: "soft" }, "None: both runs have the same nodes with the same parameters.");
  return scroll(
    "Settings that differ",
    h(
      "table",
      { class: "numbers text" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["node", "parameter", "A", "B"].map((one) => h("th", { scope: "col" }, one)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([node, field, x, y]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, node),
            h("td", { class: "left" }, field),
            h("td", { class: "left" }, h("code", {}, x)),
            h("td", { class: "left" }, h("code", {}, y)),
          ),
        ),
      ),
    ),
  );
}

function overlaid(a, b) {
  const [left, right] = [byName(a), byName(b)];
  const both = names(a, b).filter((name) =>
    [left, right].some((run) => Object.keys(run.get(name)?.curve.series ?? {}).length),
  );
  if (!both.length) return null;
  const same = (name) => left.get(name)?.key && left.get(name).key === right.get(name)?.key;
  const differ = both.filter((name) => !same(name));
  const cards = differ.map((name) => {
    const options = () => {
      const how = chosenHow();
      const of = (run, letter, style) =>
        chosen(run.get(name)?.curve ?? { series: {} }, how.what)
          .slice(0, how.what === "losses" ? 1 : 9)
          .map(([series, points]) => ({
            name: `${letter} ${plain(series.replace("· ", ""))}`,
            points: smoothed(points, how.smooth),
            style,
          }));
      return {
        series: [...of(left, "A", LINES[0]), ...of(right, "B", LINES[1])],
        log: how.log,
        x: "step",
        title: name,
        always: true,
      };
    };
    const drawn = chart(options(), 200);
    return {
      element: h("article", { class: "card-box" }, h("h3", {}, name), drawn.element),
      update: () => drawn.update(options()),
    };
  });
  const measures = () =>
    [
      ...new Set(
        [...a.nodes, ...b.nodes]
          .flatMap((node) => Object.keys(node.curve.series))
          .filter((name) => name.startsWith("· ")),
      ),
    ].sort();
  const alike = both.length - differ.length;
  return h(
    "div",
    {},
    controls(measures, () => cards.forEach((card) => card.update())),
    h(
      "div",
      { class: "cards" },
      cards.map((card) => card.element),
    ),
    alike
      ? h(
          "p",
          { class: "soft" },
          `${many(alike, "training")} ${alike === 1 ? "is" : "are"} the same in both, to the key.`,
        )
      : null,
  );
}

function measuredBoth(a, b) {
  const pairs = a.results
    .filter((one) => one.metrics)
    .map((one) => [one, b.results.find((other) => other.metrics && other.node === one.node)])
    .filter(([, other]) => other);
  if (!pairs.length) return null;
  return h(
    "div",
    {},
    pairs.map(([one, other]) => {
      const [left, right] = [one.metrics.rows, other.metrics.rows];
      const shared = [...new Set([...left, ...right].filter((row) => row.steps !== null).map((row) => row.candidate))];
      return h(
        "section",
        { class: "part" },
        h("h3", {}, one.node),
        byNumber(numbersOf([...left, ...right]), one.lower, (name) =>
          h(
            "div",
            {},
            chart(
              {
                series: shared
                  .flatMap((candidate, i) =>
                    [
                      ["A", left, LINES[i % LINES.length][0], ""],
                      ["B", right, LINES[i % LINES.length][0], "5 4"],
                    ].map(([letter, rows, colour, dash]) => ({
                      name: `${letter} ${candidate}`,
                      points: pointsOf(rows, candidate, name),
                      dots: true,
                      style: [colour, dash],
                    })),
                  )
                  .filter((series) => series.points.length),
                x: "steps",
                ordinal: true,
                always: true,
                title: plain(name),
                zero: true,
              },
              260,
            ).element,
            differences(left, right, name, one.lower.includes(name)),
          ),
        ),
      );
    }),
  );
}

function differences(left, right, name, less) {
  const rows = left
    .filter((row) => row.steps !== null)
    .map((row) => [row, right.find((other) => other.candidate === row.candidate && other.steps === row.steps)]);
  const row = ([one, other]) => {
    const change = other && Number.isFinite(one[name]) && Number.isFinite(other[name]) ? other[name] - one[name] : null;
    const apart = change !== null && outside(one, other, name);
    const better = change !== null && (less ? change < 0 : change > 0);
    const verdict = apart
      ? h("span", { class: `verdict v-${better ? "better" : "worse"}` }, better ? "▲ better" : "▼ worse")
      : h("span", { class: "soft" }, change === 0 ? "the same" : "");
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, one.candidate),
      h("td", {}, one.steps),
      h("td", {}, number(one[name])),
      h("td", {}, other ? number(other[name]) : "–"),
      h("td", {}, change === null ? "–" : `${change > 0 ? "+" : ""}${number(change)}`),
      h("td", { class: "left" }, verdict),
    );
  };
  return h(
    "div",
    {},
    scroll(
      `${plain(name)} in both runs`,
      h(
        "table",
        { class: "numbers" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["candidate", "steps", "A", "B", "B − A"].map((one) => h("th", { scope: "col" }, one)),
            h("th", { scope: "col" }, h("span", { class: "sr" }, "verdict")),
          ),
        ),
        h("tbody", {}, rows.map(row)),
      ),
    ),
    h("p", { class: "soft" }, "Called better or worse only where the 95 % intervals do not meet."),
  );
}

/// Whether the intervals of both do not meet.
function outside(one, other, name) {
  const [x, y] = [one.intervals?.[name], other.intervals?.[name]];
  return Boolean(x && y && (x[1] < y[0] || y[1] < x[0]));
}

function beside(a, b, host) {
  const pairs = a.grids
    .map((one) => [one, b.grids.find((other) => other.node === one.node)])
    .filter(([one, other]) => other && one.row && other.row);
  if (!pairs.length) return null;
  return h(
    "div",
    {},
    pairs.map(([one, other]) => {
      const holder = h("div", { class: "two" });
      const half = (letter, grid, steps) =>
        h(
          "div",
          { class: "paper scroll", tabindex: 0, role: "region", "aria-label": `Pictures of run ${letter}` },
          h("b", { class: "letter" }, letter),
          stripes(grid, host.source(grid.picture), steps),
        );
      return h(
        "section",
        { class: "part" },
        h("h3", {}, one.node),
        slider("steps", stepsOf([one, other]), 0, (steps) =>
          put(holder, half("A", one, steps), half("B", other, steps)),
        ),
        holder,
      );
    }),
  );
}

function nodesTable(a, b) {
  const [left, right] = [byName(a), byName(b)];
  const state = (node) =>
    node
      ? h(
          "span",
          {},
          chip(node.state),
          node.made ? h("span", { class: "soft" }, ` ${duration(node.made.seconds)}`) : null,
        )
      : "–";
  const row = (name) => {
    const [one, other] = [left.get(name), right.get(name)];
    const same = one?.made && other?.made && one.made.artifact === other.made.artifact;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "left" }, state(one)),
      h("td", { class: "left" }, state(other)),
      h("td", { class: "left" }, same ? "the same artifact" : one?.made && other?.made ? "another artifact" : ""),
    );
  };
  return scroll(
    "Nodes of both runs",
    h(
      "table",
      { class: "numbers text" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["node", "A", "B", "artifact"].map((one) => h("th", { scope: "col" }, one)),
        ),
      ),
      h("tbody", {}, names(a, b).map(row)),
    ),
  );
}
