// Two runs beside each other: what was set, how it went, curves over one another, numbers, pictures.
import { h, put } from "./dom.js";
import { between, duration, many, moment } from "./format.js";
import { chart } from "./chart.js";
import { chip, LINES } from "./kinds.js";
import { differingSettings, nodePairs } from "./compare_settings.js";
import { measuredBoth } from "./compare_measured.js";
import { listed, part } from "./parts.js";
import { sheet, slider, stepsOf, stripes } from "./pictures.js";
import { chartOf, controls, linesOf } from "./series.js";

/// The view of two runs.
export function comparison(a, b, host) {
  const box = (id, title, content) => content && h("section", { class: "box", id }, h("h2", {}, title), content);
  return h(
    "div",
    { class: "run compare" },
    h("header", { class: "head" }, h("h1", {}, "Two runs"), h("div", { class: "two" }, side("A", a), side("B", b))),
    box("settings", "Settings that differ", differingSettings(a, b)),
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

function overlaid(a, b) {
  const trained = (node) => node && Object.keys(node.curve.series).length > 0;
  const both = nodePairs(a, b).filter(([, one, other]) => trained(one) || trained(other));
  if (!both.length) return null;
  const differ = both.filter(([, one, other]) => !one?.key || one.key !== other?.key);
  const cards = differ.map(overlay);
  const alike = both.length - differ.length;
  return h(
    "div",
    {},
    controls([...a.nodes, ...b.nodes], () => cards.forEach((card) => card.update())),
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

/// The first of the chosen series of a node, of both runs in one chart. Has `update()`.
function overlay([name, one, other]) {
  const line = (node, letter, style) =>
    (node ? linesOf(node.curve) : []).slice(0, 1).map((line) => ({ ...line, name: `${letter} ${line.name}`, style }));
  const options = () => chartOf(name, [...line(one, "A", LINES[0]), ...line(other, "B", LINES[1])]);
  const drawn = chart(options(), 200);
  return {
    element: h("article", { class: "card-box" }, h("h3", {}, name), drawn.element),
    update: () => drawn.update(options()),
  };
}

function beside(a, b, host) {
  const pairs = a.grids
    .map((one) => [one, b.grids.find((other) => other.node === one.node)])
    .filter(([one, other]) => other && one.row && other.row);
  if (!pairs.length) return null;
  const half = (letter, grid, steps) =>
    sheet(
      `Pictures of run ${letter}`,
      h("b", { class: "letter" }, letter),
      stripes(grid, host.source(grid.picture), steps),
    );
  const pair = ([one, other]) => {
    const holder = h("div", { class: "two" });
    const show = (steps) => put(holder, half("A", one, steps), half("B", other, steps));
    return part(one.node, slider("steps", stepsOf([one, other]), 0, show), holder);
  };
  return h("div", {}, pairs.map(pair));
}

function nodesTable(a, b) {
  const state = (node) =>
    node
      ? h(
          "span",
          {},
          chip(node.state),
          node.made ? h("span", { class: "soft" }, ` ${duration(node.made.seconds)}`) : null,
        )
      : "–";
  const row = ([name, one, other]) => {
    const both = one?.made && other?.made;
    const same = both && one.made.artifact === other.made.artifact;
    return [name, state(one), state(other), same ? "the same artifact" : both ? "another artifact" : ""];
  };
  return listed("Nodes of both runs", ["node", "A", "B", "artifact"], nodePairs(a, b).map(row));
}
