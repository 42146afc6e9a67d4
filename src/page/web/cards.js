// What the graph of a run is made of: which cards there are, which of them are the chain, which belong together.
import { family, STATES } from "./kinds.js";

/// Cards: a node each, or a group that is folded.
export function fold(run, folded) {
  const groupOf = new Map();
  run.groups
    .filter((group) => folded.has(group.name))
    .forEach((group) => group.nodes.forEach((node) => groupOf.set(node, group.name)));
  const cards = new Map();
  for (const node of run.nodes) {
    const group = groupOf.get(node.name);
    const id = group ?? node.name;
    const card = cards.get(id) ?? {
      id,
      label: id,
      kind: node.kind,
      family: family(node.kind),
      group,
      nodes: [],
      inputs: [],
    };
    card.nodes.push(node);
    card.inputs.push(...node.inputs.map(([, from]) => groupOf.get(from) ?? from).filter((from) => from !== id));
    cards.set(id, card);
  }
  return ordered([...cards.values()]);
}

/// Cards after those that they need: a group comes after all that its nodes need.
function ordered(cards) {
  const byId = new Map(cards.map((card) => [card.id, card]));
  const waits = new Map(cards.map((card) => [card.id, new Set(card.inputs.filter((id) => byId.has(id)))]));
  const feeds = new Map();
  waits.forEach((inputs, id) => inputs.forEach((from) => feeds.set(from, [...(feeds.get(from) ?? []), id])));
  const ready = cards.filter((card) => waits.get(card.id).size === 0).map((card) => card.id);
  const out = [];
  while (ready.length) {
    const id = ready.shift();
    out.push(byId.get(id));
    for (const next of feeds.get(id) ?? []) {
      waits.get(next).delete(id);
      if (waits.get(next).size === 0) ready.push(next);
    }
  }
  // Two groups may need each other's nodes; then they are drawn in the order in which they came.
  return out.length === cards.length ? out : cards;
}

/// The way with the most LoRA trainings, the longest of those: for each of its cards that which comes before it.
export function chainOf(cards) {
  const best = new Map();
  for (const card of cards) {
    const own = [card.family === "distil" ? 1 : 0, 1];
    let from = null;
    for (const id of new Set(card.inputs)) {
      const before = best.get(id);
      if (before && (!from || better(before.score, best.get(from).score))) from = id;
    }
    const base = from ? best.get(from).score : [0, 0];
    best.set(card.id, { score: [base[0] + own[0], base[1] + own[1]], from });
  }
  const chain = new Map();
  let end = null;
  best.forEach((one, id) => {
    if (!end || better(one.score, best.get(end).score)) end = id;
  });
  while (end) {
    chain.set(end, best.get(end).from);
    end = best.get(end).from;
  }
  return chain;
}

function better(a, b) {
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

/// A card with all that it needs and all that needs it.
export function related(id, edges) {
  const found = new Set([id]);
  const walk = (start, from, to) => {
    const next = new Map();
    edges.forEach((edge) => next.set(edge[from], [...(next.get(edge[from]) ?? []), edge[to]]));
    const open = [start];
    const seen = new Set(open);
    while (open.length) {
      for (const one of next.get(open.pop()) ?? []) {
        if (seen.has(one)) continue;
        seen.add(one);
        found.add(one);
        open.push(one);
      }
    }
  };
  walk(id, "from", "to");
  walk(id, "to", "from");
  return found;
}

/// The state of several nodes: that which most needs to be seen.
export function stateOf(nodes) {
  return STATES.find((state) => nodes.some((node) => node.state === state)) ?? "waiting";
}
