// Curves of trainings: a card for each node.
import { h, put, whenSeen } from "./dom.js";
import { number } from "./format.js";
import { chart } from "./chart.js";
import { family, mark } from "./kinds.js";
import { chartOf, controls, linesOf } from "./series.js";

/// The cards of all trainings in `run`. Has `refresh(names)`.
export function curves(run, choose) {
  const trained = () => run.nodes.filter((node) => Object.keys(node.curve.series).length);
  const cards = new Map();
  const grid = h("div", { class: "cards" });
  const redraw = () => cards.forEach((card) => card.update());
  const element = h("div", {}, controls(trained(), redraw), grid);

  function refresh(names) {
    for (const node of trained()) {
      const known = cards.get(node.name);
      if (!known) {
        const made = curveCard(node, choose);
        cards.set(node.name, made);
        grid.append(made.element);
      } else if (names?.has(node.name)) known.update();
    }
    element.parentElement?.classList.toggle("empty", cards.size === 0);
  }
  refresh();
  return { element, refresh, count: () => cards.size };
}

/// The curve of a node, drawn when it is seen. Has `update()`.
function curveCard(node, choose) {
  const title = h(
    "h3",
    {},
    mark(family(node.kind)),
    h("button", { class: "link", type: "button", onclick: () => choose(node.name) }, node.name),
  );
  const last = h("span", { class: "soft" });
  const body = h("div", { class: "holder" });
  const element = h("article", { class: "card-box" }, h("header", { class: "row spread" }, title, last), body);
  let drawn = null;
  const options = () => {
    const series = linesOf(node.curve);
    const [first] = series;
    put(last, first?.points.length ? `${first.name} ${number(first.points.at(-1)[1])}` : "");
    return chartOf(node.name, series, node.curve.resumed);
  };
  whenSeen(element, () => {
    drawn = chart(options(), 200);
    put(body, drawn.element);
  });
  return { element, update: () => drawn?.update(options()) };
}
