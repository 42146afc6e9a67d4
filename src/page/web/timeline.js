// When nodes ran.
import { h, s, put } from "./dom.js";
import { between, duration, many } from "./format.js";
import { family, sign } from "./kinds.js";

const ROW = 22;
const LABELS = 150;

/// Bars for the nodes that ran; `choose(name)` is called with one that is clicked. Has `refresh()`.
export function timeline(run, choose) {
  const holder = h("div", { class: "timeline", tabindex: 0, role: "group", "aria-label": "When each node ran" });
  const note = h("p", { class: "soft" });
  let width = 0;
  const draw = () => {
    width = holder.clientWidth || 800;
    const ran = run.nodes.filter((node) => node.started);
    const cached = run.nodes.filter((node) => node.state === "cached").length;
    put(
      note,
      cached ? `${many(cached, "node")} had ${cached === 1 ? "its" : "their"} result already, and took no time.` : "",
    );
    put(holder, ran.length ? bars(run, ran, width, choose) : h("p", { class: "soft" }, "No node had to run."));
  };
  new ResizeObserver(() => Math.abs(holder.clientWidth - width) > 4 && draw()).observe(holder);
  draw();
  return { element: h("div", {}, holder, note), refresh: draw };
}

function bars(run, ran, width, choose) {
  const now = run.state === "running" ? new Date().toISOString() : (run.last ?? run.started);
  const end = Math.max(
    between(run.started, now) ?? 0,
    ...ran.map((node) => between(run.started, node.ended ?? now) ?? 0),
    0.001,
  );
  const labels = width < 520 ? 96 : LABELS;
  const x = (seconds) => labels + (seconds / end) * (width - labels - 74);
  const rows = [...ran].sort((a, b) => Date.parse(a.started) - Date.parse(b.started));
  const svg = s("svg", { width, height: rows.length * ROW + 24, role: "presentation" });
  const step = nice(end / Math.max(2, Math.floor((width - labels) / 120)));
  for (let at = 0; at <= end; at += step) {
    svg.append(s("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: rows.length * ROW }));
    svg.append(
      s(
        "text",
        { class: "tick", x: x(at), y: rows.length * ROW + 16, "text-anchor": "middle" },
        at === 0 ? "0" : duration(at),
      ),
    );
  }
  rows.forEach((node, row) => {
    const [from, to] = [between(run.started, node.started) ?? 0, between(run.started, node.ended ?? now) ?? end];
    const y = row * ROW;
    svg.append(
      s(
        "g",
        { class: `time s-${node.state}`, onclick: () => choose(node.name) },
        s("rect", { class: "hit", x: 0, y, width, height: ROW }),
        s("g", { transform: `translate(2 ${y + 5})` }, sign(node.state)),
        s(
          "text",
          { class: "name", x: 20, y: y + 15 },
          [...node.name].length > labels / 7.4 ? `${[...node.name].slice(0, labels / 7.6).join("")}…` : node.name,
        ),
        s("rect", {
          class: `bar k-${family(node.kind)}`,
          x: x(from),
          y: y + 5,
          width: Math.max(2, x(to) - x(from)),
          height: ROW - 10,
          rx: 3,
        }),
        s("text", { class: "tick", x: x(to) + 6, y: y + 15 }, duration(to - from)),
        s("title", {}, `${node.name}: ${node.state}, ${duration(to - from)}`),
      ),
    );
  });
  return svg;
}

function nice(rough) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
  return steps.find((step) => step >= rough) ?? Math.ceil(rough / 86400) * 86400;
}
