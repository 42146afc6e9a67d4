// Lists of runs and artifacts.
import { h } from "./dom.js";
import { bytes, duration, many, moment, short } from "./format.js";
import { chip } from "./kinds.js";
import { listed } from "./parts.js";

/// The newest runs, and what can be done here.
export function overview(runs) {
  const counts = (run) =>
    Object.entries(run.counts)
      .map(([state, count]) => `${count} ${state}`)
      .join(", ");
  const row = (run) => [
    h("a", { href: `#/run/${run.id}` }, run.pipeline),
    moment(run.started),
    chip(run.state),
    duration(run.seconds),
    counts(run),
    run.set.map((one) => h("code", { class: "set" }, one)),
  ];
  const words = [
    "Choose one, or two to compare. ",
    h("kbd", {}, "/"),
    " searches runs, nodes and artifacts; ",
    h("kbd", {}, "?"),
    " tells all keys.",
  ];
  const list = listed(
    "Newest runs",
    ["pipeline", "began", "result", "took", "nodes", "set"],
    runs.slice(0, 60).map(row),
  );
  return h(
    "div",
    { class: "run" },
    h("header", { class: "head" }, h("h1", {}, "Runs"), h("p", { class: "soft" }, words)),
    h(
      "section",
      { class: "box" },
      h("h2", {}, "Newest"),
      runs.length ? list : h("p", { class: "soft" }, "Nothing was run in this store yet."),
    ),
  );
}

/// Artifacts that were found, beside `others`, words on what else was.
export function artifactsFound(all, others) {
  const row = (one) => [
    h("a", { href: `#/run/${one.run}/${encodeURIComponent(one.node)}` }, one.node),
    one.kind,
    one.pipeline,
    moment(new Date(one.finished * 1000).toISOString()),
    bytes(one.bytes),
    h("code", { title: one.key }, short(one.key)),
  ];
  return h(
    "section",
    { class: "box", id: "found" },
    h("h2", {}, "Found"),
    h("p", { class: "soft", role: "status" }, `${others}, ${many(all.length, "artifact")}`),
    all.length ? listed("Artifacts", ["node", "kind", "pipeline", "made", "size", "key"], all.map(row)) : null,
  );
}

/// The runs beside the page: those with all of the `words` in them, each with a box to choose it.
export function runList(runs, words, open, picked, pick, compare) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (run) => [run.id, run.pipeline, run.file, run.state, ...run.set, ...run.targets].join(" ").toLowerCase();
  const found = runs.filter((run) => wanted.every((word) => text(run).includes(word)));
  const box = (run) =>
    h("input", {
      type: "checkbox",
      "aria-label": `Choose ${run.pipeline} of ${moment(run.started)} to compare`,
      checked: picked.has(run.id),
      onchange: (event) => pick(run.id, event.target.checked),
    });
  const link = (run) =>
    h(
      "a",
      { href: `#/run/${run.id}`, "aria-current": open.includes(run.id) ? "page" : null },
      h("span", { class: "row spread" }, h("b", {}, run.pipeline), chip(run.state)),
      h("span", { class: "soft" }, moment(run.started)),
      run.set.length ? h("span", { class: "sets" }, run.set.join("  ")) : null,
    );
  return [
    h(
      "div",
      { class: "row spread" },
      h("h2", {}, many(found.length, "run")),
      h("button", { class: "quiet", type: "button", id: "compare", onclick: compare }, "Compare"),
    ),
    h(
      "ul",
      {},
      found.slice(0, 400).map((run) => h("li", { class: open.includes(run.id) ? "open" : null }, box(run), link(run))),
    ),
  ];
}
