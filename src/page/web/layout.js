// A layered drawing of a graph: each node below what it needs, few crossings, short edges.

/// More bends than this are not made: edges of very large graphs go straight.
const BENDS = 3000;
const SWEEPS = 10;

/// Places `nodes`, `{id, inputs, width}` in an order in which they can run. Gives `{places: Map of id to {x, y}, edges: [{from, to,
/// points}], width, height}`; x is a middle, y a top.
export function layout(nodes, { height, gapX, gapY }) {
  const index = new Map(nodes.map((node, i) => [node.id, i]));
  const inputs = nodes.map((node) =>
    [...new Set(node.inputs)].map((id) => index.get(id)).filter((i) => i !== undefined),
  );
  const layer = layers(inputs);
  const graph = bend(nodes, inputs, layer);
  sort(graph);
  const rows = graph.rows;
  const x = align(graph, gapX);
  const y = (row) => row * (height + gapY);
  const left = Math.min(...x.map((middle, i) => middle - graph.width[i] / 2), 0);
  const places = new Map(nodes.map((node, i) => [node.id, { x: x[i] - left, y: y(layer[i]) }]));
  const edges = graph.edges.map(({ from, to, bends }) => ({
    from: nodes[from].id,
    to: nodes[to].id,
    points: [
      [x[from] - left, y(layer[from]) + height],
      ...bends.map((i) => [x[i] - left, y(graph.layer[i]) + height / 2]),
      [x[to] - left, y(layer[to])],
    ],
  }));
  const width = Math.max(...x.map((middle, i) => middle + graph.width[i] / 2 - left), 0);
  return { places, edges, width, height: Math.max(y(rows.length) - gapY, 0) };
}

/// The longest way from a source to each node; then what feeds few moves down to them.
function layers(inputs) {
  const layer = inputs.map(() => 0);
  inputs.forEach((from, i) => from.forEach((j) => (layer[i] = Math.max(layer[i], layer[j] + 1))));
  const outputs = inputs.map(() => []);
  inputs.forEach((from, i) => from.forEach((j) => outputs[j].push(i)));
  for (let i = inputs.length - 1; i >= 0; i -= 1) {
    if (outputs[i].length && outputs[i].length >= inputs[i].length) {
      layer[i] = Math.max(layer[i], Math.min(...outputs[i].map((j) => layer[j])) - 1);
    }
  }
  return layer;
}

/// Edges over several layers get a bend in each.
function bend(nodes, inputs, own) {
  const graph = { layer: [...own], width: nodes.map((node) => node.width), edges: [], up: [], down: [], rows: [] };
  const edges = inputs.flatMap((from, to) => from.map((j) => ({ from: j, to, bends: [] })));
  const wanted = edges.reduce((sum, { from, to }) => sum + own[to] - own[from] - 1, 0);
  const shared = new Map();
  for (const edge of edges) {
    if (wanted > BENDS) break;
    for (let at = own[edge.from] + 1; at < own[edge.to]; at += 1) {
      // Edges out of one node go together as far as they can.
      const name = `${edge.from} ${at}`;
      if (!shared.has(name)) {
        shared.set(name, graph.layer.length);
        graph.layer.push(at);
        graph.width.push(6);
      }
      edge.bends.push(shared.get(name));
    }
  }
  graph.up = graph.layer.map(() => []);
  graph.down = graph.layer.map(() => []);
  for (const { from, to, bends } of edges) {
    const way = [from, ...bends, to];
    for (let i = 1; i < way.length; i += 1) {
      if (graph.down[way[i - 1]].includes(way[i])) continue;
      graph.up[way[i]].push(way[i - 1]);
      graph.down[way[i - 1]].push(way[i]);
    }
  }
  graph.edges = edges;
  graph.layer.forEach((at, i) => (graph.rows[at] ??= []).push(i));
  graph.rows = [...graph.rows].map((row) => row || []);
  return graph;
}

/// Orders each row by the middle of its neighbours, down and up again; keeps the order with the fewest crossings.
function sort(graph) {
  const place = [];
  const note = () => graph.rows.forEach((row) => row.forEach((i, at) => (place[i] = at)));
  note();
  let best = { crossings: crossings(graph, place), rows: graph.rows.map((row) => [...row]) };
  for (let sweep = 0; sweep < SWEEPS && best.crossings > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const rows = down ? graph.rows : [...graph.rows].reverse();
    for (const row of rows) {
      const middle = new Map(
        row.map((i) => [
          i,
          median(
            (down ? graph.up : graph.down)[i].map((j) => place[j]),
            place[i],
          ),
        ]),
      );
      row.sort((a, b) => middle.get(a) - middle.get(b) || place[a] - place[b]);
      row.forEach((i, at) => (place[i] = at));
    }
    const count = crossings(graph, place);
    if (count < best.crossings) best = { crossings: count, rows: graph.rows.map((row) => [...row]) };
  }
  graph.rows = best.rows;
}

function median(places, otherwise) {
  if (!places.length) return otherwise;
  places.sort((a, b) => a - b);
  const half = places.length >> 1;
  return places.length % 2 ? places[half] : (places[half - 1] + places[half]) / 2;
}

/// Of large graphs they are not counted.
function crossings(graph, place) {
  if (graph.layer.length > 1500) return 1;
  let count = 0;
  for (const row of graph.rows) {
    const edges = row.flatMap((i) => graph.down[i].map((j) => [place[i], place[j]]));
    for (let a = 0; a < edges.length; a += 1) {
      for (let b = a + 1; b < edges.length; b += 1) {
        if ((edges[a][0] - edges[b][0]) * (edges[a][1] - edges[b][1]) < 0) count += 1;
      }
    }
  }
  return count;
}

/// Middles that are near those of the neighbours, in the order of the rows and without overlaps.
function align(graph, gap) {
  const x = graph.layer.map(() => 0);
  for (const row of graph.rows) {
    let at = 0;
    for (const i of row) {
      x[i] = at + graph.width[i] / 2;
      at += graph.width[i] + gap;
    }
    for (const i of row) x[i] -= at / 2;
  }
  for (let sweep = 0; sweep < 12; sweep += 1) {
    const rows = sweep % 2 ? [...graph.rows].reverse() : graph.rows;
    for (const row of rows) {
      const wish = row.map((i) => {
        const near = sweep % 2 ? graph.down[i] : graph.up[i];
        return near.length ? near.reduce((sum, j) => sum + x[j], 0) / near.length : x[i];
      });
      spread(row, wish, graph.width, gap, x);
    }
  }
  return x;
}

/// The places nearest to what is wished that keep the order and the gaps: neighbours that are in each other's way are moved
/// together to the mean of their wishes.
function spread(row, wish, width, gap, x) {
  let offset = 0;
  const blocks = [];
  const offsets = row.map((i, at) => {
    if (at > 0) offset += (width[row[at - 1]] + width[i]) / 2 + gap;
    return offset;
  });
  row.forEach((_, at) => {
    blocks.push({ sum: wish[at] - offsets[at], count: 1 });
    while (blocks.length > 1) {
      const [before, last] = blocks.slice(-2);
      if (before.sum / before.count <= last.sum / last.count) break;
      blocks.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  });
  let at = 0;
  for (const { sum, count } of blocks) {
    for (let i = 0; i < count; i += 1, at += 1) x[row[at]] = sum / count + offsets[at];
  }
}
