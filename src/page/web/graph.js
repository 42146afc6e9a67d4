// The graph of a run: cards for nodes, those of a matrix folded into one, the chain of the distillation in view.
import { h, s, put } from "./dom.js";
import { many } from "./format.js";
import { chainOf, fold, related, stateOf } from "./cards.js";
import { FAMILIES, family, glyph, mark, sign } from "./kinds.js";
import { layout } from "./layout.js";

const CARD = { width: 148, height: 44, gapX: 16, gapY: 30 };

/// The graph of `run`; `choose(name)` is called with a node that is clicked. Has `select(name)` and `refresh()`.
export function graph(run, choose) {
  const folded = new Set(run.groups.map((group) => group.name));
  const canvas = h("div", {
    class: "canvas",
    tabindex: 0,
    role: "group",
    "aria-label": "Graph of the nodes; the keys j and k go through them",
  });
  const view = { zoom: null, selected: null, cards: new Map(), edges: [], size: [0, 0] };

  function draw() {
    const cards = fold(run, folded);
    const drawn = layout(
      cards.map((card) => ({ id: card.id, inputs: card.inputs, width: CARD.width })),
      CARD,
    );
    const chain = chainOf(cards);
    const [width, height] = [drawn.width + 24, drawn.height + 24];
    view.size = [width, height];
    view.cards = new Map();
    const svg = s("svg", { viewBox: `-12 -12 ${width} ${height}`, width, height, role: "presentation" });
    view.edges = drawn.edges.map((edge) => {
      const on = chain.get(edge.to) === edge.from;
      const path = s("path", { class: on ? "edge chain" : "edge", d: way(edge.points) });
      return { ...edge, path };
    });
    svg.append(...view.edges.map((edge) => edge.path).sort((a, b) => a.classList.length - b.classList.length));
    for (const card of cards) {
      const place = drawn.places.get(card.id);
      card.element = drawCard(card, place, () => (card.group ? toggle(card.group) : choose(card.id)));
      view.cards.set(card.id, card);
      svg.append(card.element);
    }
    view.svg = svg;
    put(canvas, svg);
    scale();
    select(view.selected, false);
  }

  function toggle(name) {
    if (folded.has(name)) folded.delete(name);
    else folded.add(name);
    folds();
    draw();
  }

  function select(name, scroll) {
    view.selected = name;
    const card =
      view.cards.get(name) || [...view.cards.values()].find((one) => one.nodes.some((node) => node.name === name));
    const near = card ? related(card.id, view.edges) : null;
    for (const one of view.cards.values()) {
      one.element.classList.toggle("selected", one === card);
      one.element.classList.toggle("dim", Boolean(near) && !near.has(one.id));
    }
    for (const edge of view.edges) {
      edge.path.classList.toggle("dim", Boolean(near) && !(near.has(edge.from) && near.has(edge.to)));
    }
    if (card && scroll) reveal(card.element);
  }

  function reveal(element) {
    const [box, around] = [element.getBoundingClientRect(), canvas.getBoundingClientRect()];
    canvas.scrollTo({
      left: canvas.scrollLeft + box.left - around.left - (around.width - box.width) / 2,
      top: canvas.scrollTop + box.top - around.top - (around.height - box.height) / 2,
    });
  }

  function scale() {
    const room = canvas.clientWidth - 4;
    const fit = room > 0 ? Math.min(1.15, Math.max(0.62, room / view.size[0])) : 1;
    const zoom = view.zoom ?? fit;
    view.svg.setAttribute("width", view.size[0] * zoom);
    view.svg.setAttribute("height", view.size[1] * zoom);
    view.shown = zoom;
  }

  const zoom = (by) => {
    view.zoom = by === null ? null : Math.min(2.5, Math.max(0.15, view.shown * by));
    scale();
  };
  const folding = h("button", {
    class: "quiet",
    type: "button",
    onclick: () => {
      if (folded.size) folded.clear();
      else run.groups.forEach((group) => folded.add(group.name));
      folds();
      draw();
    },
  });
  const folds = () => put(folding, folded.size ? "Unfold all" : "Fold all");
  folds();
  const tools = h(
    "div",
    { class: "tools" },
    run.groups.length ? folding : null,
    h("button", { class: "quiet", type: "button", "aria-label": "Smaller", onclick: () => zoom(1 / 1.25) }, "−"),
    h("button", { class: "quiet", type: "button", "aria-label": "Larger", onclick: () => zoom(1.25) }, "+"),
    h("button", { class: "quiet", type: "button", onclick: () => zoom(null) }, "Fit"),
  );
  new ResizeObserver(() => view.svg && scale()).observe(canvas);
  draw();

  const element = h("div", { class: "graph" }, h("div", { class: "row spread" }, legend(run), tools), canvas);
  return {
    element,
    select: (name) => {
      // One in a folded group is to be seen.
      const group = run.groups.find((one) => one.nodes.includes(name) && folded.has(one.name));
      if (group) toggle(group.name);
      select(name, true);
    },
    refresh: () => view.cards.forEach((card) => status(card, card.element)),
  };
}

/// A card in its place: a node with its kind and state, or a folded group with what its nodes have in common.
function drawCard(card, { x, y }, onclick) {
  const { group } = card;
  const element = s("g", {
    class: "card",
    transform: `translate(${(x - CARD.width / 2).toFixed(1)} ${y})`,
    onclick,
  });
  if (group) {
    element.append(s("rect", { class: "under", x: 5, y: 5, width: CARD.width, height: CARD.height, rx: 7 }));
  }
  element.append(
    s("rect", { class: "box", width: CARD.width, height: CARD.height, rx: 7 }),
    s("rect", { class: `bar k-${card.family}`, x: 0, y: 0, width: 5, height: CARD.height, rx: 2.5 }),
    s("g", { transform: "translate(13 9) scale(.85)" }, glyph(card.family)),
    s("text", { class: "name", x: 28, y: 18 }, cut(card.label, 13)),
    s(
      "text",
      { class: "kind", x: 13, y: 35 },
      group ? `${cut(card.kind, 14)} × ${card.nodes.length}` : cut(card.kind, 20),
    ),
    s("g", { class: "state", transform: `translate(${CARD.width - 19} 8)` }),
    s("title", {}, group ? `${card.label}: ${many(card.nodes.length, "node")}, click to unfold` : card.id),
  );
  status(card, element);
  return element;
}

function status(card, element) {
  put(element.querySelector(".state"), sign(stateOf(card.nodes)));
  element.setAttribute("data-state", stateOf(card.nodes));
}

function way(points) {
  const [first, ...rest] = points;
  let path = `M${first[0].toFixed(1)} ${first[1]}`;
  let [x, y] = first;
  for (const [toX, toY] of rest) {
    const half = (y + toY) / 2;
    path += `C${x.toFixed(1)} ${half} ${toX.toFixed(1)} ${half} ${toX.toFixed(1)} ${toY}`;
    [x, y] = [toX, toY];
  }
  return path;
}

function cut(text, most) {
  return [...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text;
}

function legend(run) {
  const there = new Set(run.nodes.map((node) => family(node.kind)));
  const families = Object.keys(FAMILIES).filter((name) => there.has(name));
  return h(
    "ul",
    { class: "legend", "aria-label": "What the colours and shapes stand for" },
    families.map((name) => h("li", {}, mark(name), FAMILIES[name].label)),
  );
}
