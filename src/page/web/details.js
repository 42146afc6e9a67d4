// All of one node.
import { h } from "./dom.js";
import { many, number, plain, short } from "./format.js";
import { chart } from "./chart.js";
import { chip, family, FAMILIES, mark } from "./kinds.js";
import { log } from "./log.js";
import { made } from "./made.js";
import { parameters } from "./parameters.js";
import { list } from "./parts.js";
import { isLoss } from "./series.js";

/// What is known of a node; `host` has `choose(name)` and, where logs can be had, `log(node)`.
export function details(run, node, host) {
  const uses = run.nodes
    .filter((other) => other.inputs.some(([, from]) => from === node.name))
    .map((other) => other.name);
  return h(
    "div",
    { class: "details" },
    h("header", {}, h("h3", {}, mark(family(node.kind)), node.name), chip(node.state)),
    h("p", { class: "soft" }, h("b", {}, node.kind), ` → ${node.output} · ${FAMILIES[family(node.kind)].label}`),
    h("p", {}, run.kinds[node.kind]?.doc ?? ""),
    problem(node),
    facts(node),
    lineage(node, uses, host),
    Object.keys(node.curve.series).length ? curve(node) : null,
    Object.keys(node.metrics).length
      ? list(
          "Numbers",
          Object.entries(node.metrics).map(([name, value]) => [plain(name), number(value)]),
        )
      : null,
    parameters(run, node),
    made(node, run),
    said(node),
    host.log && (node.started || node.made) ? log(node, host) : null,
  );
}

function problem(node) {
  if (!node.message) return null;
  return h(
    "div",
    { class: `notice n-${node.state}` },
    h("pre", {}, node.message),
    node.printed ? h("details", {}, h("summary", {}, "the end of what it printed"), h("pre", {}, node.printed)) : null,
  );
}

function facts(node) {
  const steps = node.step ? `${node.step[0]} of ${node.step[1]}` : null;
  return list("", [
    ["steps", steps],
    ["last checkpoint", node.checkpoint && node.state !== "ran" ? `after step ${node.checkpoint}` : null],
    ["tried", node.attempts > 1 ? many(node.attempts, "time") : null],
    ["why it ran", node.reason],
    ["seed", node.seed === null ? null : String(node.seed)],
  ]);
}

function lineage(node, uses, host) {
  const link = (name) => h("button", { class: "link", type: "button", onclick: () => host.choose(name) }, name);
  const rows = node.inputs.map(([port, from]) => [port, link(from)]);
  const files = node.files.map(([port, file]) => [
    port,
    h(
      "span",
      {},
      file,
      node.digests[port] ? h("code", { title: node.digests[port] }, ` ${short(node.digests[port])}`) : null,
    ),
  ]);
  return h(
    "div",
    { class: "two" },
    list("Made from", rows.concat(files)),
    uses.length
      ? h(
          "section",
          {},
          h("h4", {}, "Used by"),
          h(
            "p",
            { class: "names" },
            uses.slice(0, 40).map(link),
            uses.length > 40 ? ` and ${uses.length - 40} more` : null,
          ),
        )
      : null,
  );
}

function curve(node) {
  const series = Object.entries(node.curve.series)
    .filter(([name]) => isLoss(name))
    .map(([name, points]) => ({ name: plain(name), points }));
  return h(
    "section",
    {},
    h("h4", {}, "Training"),
    chart({ series, x: "step", marks: node.curve.resumed, title: `losses of ${node.name}`, always: true }, 180).element,
  );
}

function said(node) {
  if (!node.said.length) return null;
  return h(
    "section",
    {},
    h("h4", {}, "Messages"),
    h(
      "ul",
      { class: "told" },
      node.said
        .slice(-60)
        .map(({ level, text }) =>
          h("li", { class: `l-${level}` }, level === "info" ? null : h("b", {}, `${level}: `), text),
        ),
    ),
  );
}
