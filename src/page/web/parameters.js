// What was set of nodes.
import { h, put, whenSeen } from "./dom.js";
import { family, mark } from "./kinds.js";
import { heads, list } from "./parts.js";

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
      h("thead", { class: "sr" }, heads(["name", "value", "where from"])),
      h("tbody", {}, rows, settings),
    ),
  );
}

/// Every node with all of its parameters; made when it is opened.
export function settings(run) {
  const one = (node) => {
    const body = h("div", { class: "body" });
    let filled = false;
    const fill = () => {
      if (filled) return;
      filled = true;
      put(
        body,
        h(
          "p",
          { class: "soft" },
          node.kind,
          ` version ${node.version}`,
          node.seed === null ? "" : `, seed ${node.seed}`,
        ),
        parameters(run, node),
        list("", [
          ["key", node.key && h("code", {}, node.key)],
          ["artifact", node.made && h("code", {}, node.made.artifact)],
        ]),
      );
    };
    const fold = h(
      "details",
      { class: "fold", "data-node": node.name, ontoggle: (event) => event.target.open && fill() },
      h("summary", {}, mark(family(node.kind)), h("b", {}, node.name), h("span", { class: "soft" }, ` ${node.kind}`)),
      body,
    );
    folds.push(() => {
      fill();
      fold.open = true;
    });
    return fold;
  };
  const folds = [];
  const holder = h("div", { class: "all" });
  whenSeen(holder, () => put(holder, run.nodes.map(one)));
  // After it was made, if it was not seen before.
  window.addEventListener("beforeprint", () => folds.forEach((open) => open()));
  return h(
    "div",
    {},
    list("", [
      ["pipeline", run.file],
      ["set on the command line", run.set.join("  ") || null],
      ["asked for", run.targets.join(", ") || null],
    ]),
    holder,
  );
}
