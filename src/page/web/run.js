// The page of one run, and what changes of it while it goes on.
import { h, put, throttled } from "./dom.js";
import { curves } from "./curves.js";
import { details } from "./details.js";
import { graph } from "./graph.js";
import { cite, heading } from "./heading.js";
import { family } from "./kinds.js";
import { happened, over, remade, sampled } from "./live.js";
import { settings } from "./parameters.js";
import { pictures } from "./pictures.js";
import { results } from "./results.js";
import { sections } from "./sections.js";
import { timeline } from "./timeline.js";

/// The view of a run. `host` has `source(name)` for pictures, and, where there is a server, `log(node)` and `node(name)`.
export function view(run, host) {
  const pane = h("aside", { class: "pane", id: "node", "aria-label": "The chosen node", "aria-live": "polite" });
  const drawn = graph(run, choose);
  const time = timeline(run, choose);
  const training = curves(run, choose);
  const head = h("header", { class: "head" });
  const measured = h("div");
  const shown = h("div");
  const page = sections([
    ["graph", "Graph", h("div", { class: "split" }, drawn.element, pane), () => true],
    ["time", "Timeline", time.element, () => run.nodes.some((node) => node.started)],
    ["curves", "Curves", training.element, () => training.count() > 0],
    ["measured", "Measured", measured, () => run.results.length > 0],
    ["pictures", "Pictures", shown, () => run.grids.length + run.drawn.length + run.training.length > 0],
    ["settings", "Settings", settings(run), () => true],
    ["cite", "Cite", cite(run), () => run.papers.length + run.licences.length > 0],
  ]);
  const element = h("div", { class: "run" }, head, page.nav, page.boxes);
  const named = (name) => run.nodes.find((node) => node.name === name);
  const touched = new Set();
  let chosen = null;

  function choose(name, quiet = false) {
    if (!named(name)) return;
    chosen = name;
    drawPane();
    pane.scrollTop = 0;
    drawn.select(name);
    if (!quiet) host.chosen?.(name);
  }
  function drawPane() {
    put(pane, details(run, named(chosen), { ...host, choose }));
  }
  function drawHead() {
    put(head, heading(run, host));
  }
  function drawResults() {
    put(measured, results(run));
  }
  function drawPictures() {
    put(shown, pictures(run, host.source));
  }

  const later = throttled(400, () => {
    drawHead();
    drawn.refresh();
    time.refresh();
    page.present();
    training.refresh(touched);
    if (touched.has(chosen) && !pane.contains(document.activeElement)) drawPane();
    touched.clear();
  });

  /// Takes one event that has happened since.
  function take(event) {
    run.last = event.time;
    if (event.node === undefined) {
      if (event.event === "summary") over(run);
      return;
    }
    const node = named(event.node);
    if (!node) return;
    happened(node, event);
    touched.add(node.name);
    if (event.event === "sample") {
      sampled(run, node, event.step, host.drawn(node, event.path));
      if (!shown.contains(document.activeElement)) drawPictures();
    }
    if (event.event === "node_ran" || event.event === "node_cached") ended(node);
  }

  /// Fetches what a node has made.
  async function ended(node) {
    const made = await host.node?.(node.name);
    if (!made) return;
    remade(run, node, made);
    if (made.results) drawResults();
    if (made.grid || made.drawn) drawPictures();
    touched.add(node.name);
    later();
  }

  drawHead();
  drawResults();
  drawPictures();
  page.present();
  // Once it is in the page, and has a size.
  requestAnimationFrame(() => choose(host.first ?? first(run), true));

  return {
    element,
    choose,
    /// Goes to the next or an earlier node.
    step: (by) => {
      const at = run.nodes.findIndex((node) => node.name === chosen);
      choose(run.nodes[Math.min(run.nodes.length - 1, Math.max(0, at + by))]?.name);
    },
    /// Shows nodes with these words alone in the settings, and gives them.
    search: (words) => {
      const found = run.nodes.filter((node) => matches(node, words));
      element
        .querySelectorAll("[data-node]")
        .forEach((one) => one.toggleAttribute("hidden", !found.some((node) => node.name === one.dataset.node)));
      return found;
    },
    /// Takes events that have happened since.
    take: (events) => {
      events.forEach(take);
      later();
    },
    over: () => {
      over(run);
      later();
    },
  };
}

/// The node to begin with: what went wrong, what goes on, or where the distillation ends.
function first(run) {
  const urgent = ["failed", "died", "running", "interrupted"]
    .map((state) => run.nodes.find((node) => node.state === state))
    .find(Boolean);
  const last = [...run.nodes].reverse().find((node) => family(node.kind) === "distil") ?? run.nodes.at(-1);
  return (urgent ?? last)?.name;
}

/// Whether a node has all of these words in its name, kind, state, artifact or key.
function matches(node, words) {
  const text = [node.name, node.kind, node.output, node.state, node.key ?? "", node.made?.artifact ?? ""]
    .join(" ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
