// How an artifact was made, what it says of itself, and its files.
import { h } from "./dom.js";
import { bytes, duration, many, moment } from "./format.js";
import { list } from "./parts.js";

/// What is known of the artifact of a node; its key, while there is none.
export function made(node, run) {
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
    files(made),
  );
}

function files(made) {
  if (!made.files.length) return null;
  const row = ([path, size]) => h("tr", {}, h("th", { scope: "row" }, path), h("td", {}, bytes(size)));
  const more = made.count - made.files.length;
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, many(made.count, "file")),
    h("table", { class: "params" }, h("tbody", {}, made.files.map(row))),
    more > 0 ? h("p", { class: "soft" }, `and ${more} more`) : null,
  );
}
