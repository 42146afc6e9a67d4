// All of one node.
import { h, put } from "./dom.js";
import { bytes, duration, many, moment, number, plain, short } from "./format.js";
import { chart } from "./chart.js";
import { chip, family, FAMILIES, mark } from "./kinds.js";

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

/// A list of names and values.
export function list(title, rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!shown.length) return null;
  return h(
    "section",
    {},
    title ? h("h4", {}, title) : null,
    h(
      "dl",
      {},
      shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
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
    .filter(([name]) => !name.startsWith("· "))
    .map(([name, points]) => ({ name: plain(name), points }));
  return h(
    "section",
    {},
    h("h4", {}, "Training"),
    chart({ series, x: "step", marks: node.curve.resumed, title: `losses of ${node.name}`, always: true }, 180).element,
  );
}

/// Every parameter, those that the file says first.
export function parameters(run, node) {
  const words = run.kinds[node.kind]?.fields ?? {};
  const row = (param) =>
    h(
      "tr",
      { class: param.default ? "default" : null },
      h("th", { scope: "row", title: words[param.name] ?? null }, param.name),
      h("td", {}, h("code", {}, param.value)),
      h("td", { class: "soft" }, param.default ? "default" : ""),
    );
  const rows = [...node.params].sort((a, b) => a.default - b.default).map(row);
  const settings = node.settings.map(([name, value]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, h("code", {}, value)),
      h("td", { class: "soft" }, "how it is run"),
    ),
  );
  if (!rows.length && !settings.length) return null;
  return h(
    "section",
    {},
    h("h4", {}, "Parameters"),
    h(
      "table",
      { class: "params" },
      h(
        "thead",
        { class: "sr" },
        h(
          "tr",
          {},
          ["name", "value", "where from"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, rows, settings),
    ),
  );
}

function made(node, run) {
  const made = node.made;
  if (!made) return node.key ? list("Hashes", [["key", h("code", {}, node.key)]]) : null;
  const memory = made.memory
    ? bytes(made.memory.peak) + (made.memory.gpu ? `, ${bytes(made.memory.gpu)} of the GPU` : "")
    : null;
  const elsewhere = made.run !== run.id;
  return h(
    "section",
    {},
    list("How it was made", [
      ["when", moment(new Date(made.finished * 1000).toISOString())],
      ["in", duration(made.seconds)],
      ["run", elsewhere ? `${made.run}${made.node !== node.name ? ` (as ${made.node})` : ""}` : null],
      ["on", made.device],
      ["threads", String(made.threads)],
      ["memory", memory],
      ["libtorch", made.libtorch],
      ["worker", made.worker],
      ["kind version", String(node.version)],
      ["size", `${bytes(made.bytes)} in ${many(made.count, "file")}`],
      ["artifact", h("code", {}, made.artifact)],
      ["key", h("code", {}, node.key)],
    ]),
    made.told.length
      ? h(
          "ul",
          { class: "told" },
          made.told.map((text) => h("li", {}, text)),
        )
      : null,
    made.files.length
      ? h(
          "details",
          { class: "fold" },
          h("summary", {}, many(made.count, "file")),
          h(
            "table",
            { class: "params" },
            h(
              "tbody",
              {},
              made.files.map(([path, size]) => h("tr", {}, h("th", { scope: "row" }, path), h("td", {}, bytes(size)))),
            ),
          ),
          made.count > made.files.length
            ? h("p", { class: "soft" }, `and ${made.count - made.files.length} more`)
            : null,
        )
      : null,
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

function log(node, host) {
  const body = h("div");
  const show = async () => {
    put(body, h("p", { class: "soft" }, "…"));
    const { stdout, stderr } = await host.log(node);
    const one = (name, { text, before }) =>
      text
        ? h(
            "section",
            {},
            h("h4", {}, name),
            before ? h("p", { class: "soft" }, `${bytes(before)} before this are not shown`) : null,
            h("pre", { class: "log", tabindex: 0 }, text),
          )
        : null;
    put(
      body,
      one("standard error", stderr),
      one("standard output", stdout),
      !stdout.text && !stderr.text ? h("p", { class: "soft" }, "It printed nothing.") : null,
    );
  };
  return h(
    "details",
    { class: "fold printed", ontoggle: (event) => event.target.open && show() },
    h("summary", {}, "Log", node.started ? "" : " of the run that made it"),
    body,
  );
}
