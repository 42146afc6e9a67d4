// The nodes of two runs, and how what was set of them differs.
import { h } from "./dom.js";
import { short } from "./format.js";
import { listed } from "./parts.js";

/// Every node of two runs, by its name: `[name, the one, the other]`; a run may not have it.
export function nodePairs(a, b) {
  const byName = (run) => new Map(run.nodes.map((node) => [node.name, node]));
  const [left, right] = [byName(a), byName(b)];
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => [name, left.get(name), right.get(name)]);
}

/// What is not the same in both, node by node.
export function differingSettings(a, b) {
  const rows = nodePairs(a, b).flatMap(([name, one, other]) => differing(one, other).map((row) => [name, ...row]));
  if (!rows.length) return h("p", { class: "soft" }, "None: both runs have the same nodes with the same parameters.");
  const code = ([node, field, one, other]) => [node, field, h("code", {}, one), h("code", {}, other)];
  return listed("Settings that differ", ["node", "parameter", "A", "B"], rows.map(code));
}

/// `[field, of the one, of the other]` for each field that differs.
function differing(one, other) {
  if (!one || !other) return [["", one?.kind ?? "–", other?.kind ?? "–"]];
  const [left, right] = [settingsOf(one), settingsOf(other)];
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((field) => left.get(field) !== right.get(field))
    .map((field) => [field, left.get(field) ?? "–", right.get(field) ?? "–"]);
}

/// All that was set of a node, by name.
function settingsOf(node) {
  return new Map([
    ...node.params.map(({ name, value }) => [name, value]),
    ["kind", node.kind],
    ["kind version", String(node.version)],
    ["seed", String(node.seed ?? "–")],
    ...node.settings.map(([name, value]) => [`settings ${name}`, value]),
    ...Object.entries(node.digests).map(([port, digest]) => [`file ${port}`, short(digest)]),
  ]);
}
