// Curves of trainings: a card for each node.
import { h, put, whenSeen } from "./dom.js";
import { number, plain } from "./format.js";
import { chart } from "./chart.js";
import { family, mark } from "./kinds.js";

/// What is chosen for all curves.
const how = { what: "losses", log: false, smooth: 0 };

/// The names of series that are no losses.
function measures(nodes) {
  const names = new Set(
    nodes.flatMap((node) => Object.keys(node.curve.series)).filter((name) => name.startsWith("· ")),
  );
  return [...names].sort();
}

/// The series of a node that are shown: `[name, points]`.
export function chosen(curve, what) {
  const all = Object.entries(curve.series);
  const shown =
    what === "losses" ? all.filter(([name]) => !name.startsWith("· ")) : all.filter(([name]) => name === what);
  return shown.sort(([a], [b]) => (b === "loss") - (a === "loss") || a.localeCompare(b));
}

/// An exponential mean; how much of the past is in it grows from 0 to 1.
export function smoothed(points, weight) {
  if (!weight) return points;
  let [mean, share] = [0, 0];
  return points.map(([x, y]) => {
    mean = weight * mean + (1 - weight) * y;
    share = weight * share + (1 - weight);
    return [x, mean / share];
  });
}

/// The cards of all trainings in `run`. Has `refresh(names)`.
export function curves(run, choose) {
  const trained = () => run.nodes.filter((node) => Object.keys(node.curve.series).length);
  const cards = new Map();
  const grid = h("div", { class: "cards" });
  const redraw = () => cards.forEach((card) => card.update());
  const element = h(
    "div",
    {},
    controls(() => measures(trained()), redraw),
    grid,
  );

  function card(node) {
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
      const series = chosen(node.curve, how.what).map(([name, points]) => ({
        name: plain(name.replace("· ", "")),
        points: smoothed(points, how.smooth),
      }));
      const [first] = series;
      put(last, first?.points.length ? `${first.name} ${number(first.points.at(-1)[1])}` : "");
      return { series, log: how.log, x: "step", marks: node.curve.resumed, title: node.name, always: true };
    };
    whenSeen(element, () => {
      drawn = chart(options(), 200);
      put(body, drawn.element);
    });
    return { element, update: () => drawn?.update(options()) };
  }

  function refresh(names) {
    for (const node of trained()) {
      const known = cards.get(node.name);
      if (!known) {
        const made = card(node);
        cards.set(node.name, made);
        grid.append(made.element);
      } else if (names?.has(node.name)) known.update();
    }
    element.parentElement?.classList.toggle("empty", cards.size === 0);
  }
  refresh();
  return { element, refresh, count: () => cards.size };
}

/// What is shown, on which scale, how smooth.
export function controls(names, redraw) {
  const select = h(
    "select",
    {
      id: "curve-what",
      onchange: (event) => {
        how.what = event.target.value;
        redraw();
      },
    },
    h("option", { value: "losses" }, "losses"),
    names().map((name) => h("option", { value: name }, plain(name.replace("· ", "")))),
  );
  select.value = how.what;
  return h(
    "div",
    { class: "row controls" },
    h("label", {}, "show ", select),
    h(
      "label",
      {},
      h("input", {
        type: "checkbox",
        checked: how.log,
        onchange: (event) => {
          how.log = event.target.checked;
          redraw();
        },
      }),
      " logarithmic",
    ),
    h(
      "label",
      {},
      "smooth ",
      h("input", {
        type: "range",
        min: 0,
        max: 0.98,
        step: 0.02,
        value: how.smooth,
        oninput: (event) => {
          how.smooth = Number(event.target.value);
          redraw();
        },
      }),
    ),
  );
}

/// As it is chosen now.
export function chosenHow() {
  return how;
}
