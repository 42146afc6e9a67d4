// The page of one run, and what changes of it while it goes on.
import { h, put, throttled, whenSeen } from "./dom.js";
import { between, duration, many, moment } from "./format.js";
import { curves } from "./curves.js";
import { details, list, parameters } from "./details.js";
import { graph } from "./graph.js";
import { chip, family, mark } from "./kinds.js";
import { pictures } from "./pictures.js";
import { results } from "./results.js";
import { timeline } from "./timeline.js";

const STATES = ["failed", "died", "running", "interrupted", "skipped", "waiting", "ran", "cached"];

/// The view of a run. `host` has `source(name)` for pictures, and, where there is a server, `log(node)` and `node(name)`.
export function view(run, host) {
  const pane = h("aside", { class: "pane", id: "node", "aria-label": "The chosen node", "aria-live": "polite" });
  const state = { chosen: null };
  const choose = (name, quiet = false) => {
    const node = run.nodes.find((one) => one.name === name);
    if (!node) return;
    state.chosen = name;
    put(pane, details(run, node, { ...host, choose }));
    pane.scrollTop = 0;
    drawn.select(name);
    if (!quiet) host.chosen?.(name);
  };
  const drawn = graph(run, choose);
  const time = timeline(run, choose);
  const training = curves(run, choose);
  const head = h("header", { class: "head" });
  const measured = h("div");
  const shown = h("div");
  const sections = [
    ["graph", "Graph", h("div", { class: "split" }, drawn.element, pane), () => true],
    ["time", "Timeline", time.element, () => run.nodes.some((node) => node.started)],
    ["curves", "Curves", training.element, () => training.count() > 0],
    ["measured", "Measured", measured, () => run.results.length > 0],
    ["pictures", "Pictures", shown, () => run.grids.length + run.drawn.length + run.training.length > 0],
    ["settings", "Settings", settings(run), () => true],
    ["cite", "Cite", cite(run), () => run.papers.length + run.licences.length > 0],
  ];
  const nav = h("nav", { class: "sections", "aria-label": "Parts of the page" });
  const boxes = sections.map(([id, title, content]) =>
    h(
      "section",
      { id, class: "box", "aria-labelledby": `${id}-title` },
      h("h2", { id: `${id}-title` }, title),
      content,
    ),
  );
  const element = h("div", { class: "run" }, head, nav, boxes);

  const present = () => {
    sections.forEach(([, , , there], i) => boxes[i].toggleAttribute("hidden", !there()));
    put(
      nav,
      sections
        .filter(([, , , there]) => there())
        .map(([id, title]) =>
          h(
            "a",
            {
              href: `#${id}`,
              onclick: (event) => {
                event.preventDefault();
                document.getElementById(id).scrollIntoView();
              },
            },
            title,
          ),
        ),
    );
  };
  const drawResults = () => put(measured, results(run));
  const drawPictures = () => put(shown, pictures(run, host.source));
  const refresh = () => {
    put(head, heading(run, host));
    drawn.refresh();
    time.refresh();
    present();
  };
  put(head, heading(run, host));
  drawResults();
  drawPictures();
  present();
  // Once it is in the page, and has a size.
  requestAnimationFrame(() => choose(host.first ?? first(run), true));

  const later = throttled(400, () => {
    refresh();
    training.refresh(touched);
    if (touched.has(state.chosen) && !pane.contains(document.activeElement)) again();
    touched.clear();
  });
  const touched = new Set();
  const again = () =>
    put(
      pane,
      details(
        run,
        run.nodes.find((one) => one.name === state.chosen),
        { ...host, choose },
      ),
    );

  return {
    element,
    choose,
    /// Goes to the next or an earlier node.
    step: (by) => {
      const at = run.nodes.findIndex((node) => node.name === state.chosen);
      choose(run.nodes[Math.min(run.nodes.length - 1, Math.max(0, at + by))]?.name);
    },
    /// Shows nodes with these words alone in the settings, and the first of them in the graph.
    search: (words) => {
      const found = run.nodes.filter((node) => matches(node, words));
      element
        .querySelectorAll("[data-node]")
        .forEach((one) => one.toggleAttribute("hidden", !found.some((node) => node.name === one.dataset.node)));
      return found;
    },
    /// Takes events that have happened since.
    take: (events) => {
      for (const event of events) {
        run.last = event.time;
        if (event.node === undefined) {
          if (event.event === "summary") over(run);
          continue;
        }
        const node = run.nodes.find((one) => one.name === event.node);
        if (!node) continue;
        happened(node, event);
        touched.add(node.name);
        if (event.event === "sample") sampled(run, node, event, host);
        if (event.event === "node_ran" || event.event === "node_cached") ended(node.name);
      }
      later();
    },
    over: () => {
      over(run);
      later();
    },
  };

  /// Fetches what a node has made.
  async function ended(name) {
    const page = await host.node?.(name);
    if (!page) return;
    const node = run.nodes.find((one) => one.name === name);
    Object.assign(node, { made: page.node.made, key: page.node.key, digests: page.node.digests });
    const replace = (list, one) => {
      const kept = list.filter((other) => other.node !== name);
      list.splice(0, list.length, ...kept, ...(one ? [one] : []));
    };
    replace(run.results, page.results);
    replace(run.grids, page.grid);
    replace(run.drawn, page.drawn);
    if (page.results) drawResults();
    if (page.grid || page.drawn) drawPictures();
    touched.add(name);
    later();
  }

  function sampled(run, node, { step, path }, host) {
    const one = run.training.find((other) => other.node === node.name) ?? { node: node.name, samples: [] };
    if (!run.training.includes(one)) run.training.push(one);
    one.samples = one.samples
      .filter(([at]) => at !== step)
      .concat([[step, host.drawn(node, path)]])
      .sort((a, b) => a[0] - b[0]);
    if (!shown.contains(document.activeElement)) drawPictures();
  }
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
export function matches(node, words) {
  const text = [node.name, node.kind, node.output, node.state, node.key ?? "", node.made?.artifact ?? ""]
    .join(" ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function heading(run, host) {
  const counts = STATES.map((state) => [state, run.nodes.filter((node) => node.state === state).length]).filter(
    ([, count]) => count,
  );
  const seconds = between(run.started, run.state === "running" ? new Date().toISOString() : run.last);
  const command = ["hyper-flow", ...run.arguments]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
  return h(
    "div",
    {},
    h("h1", {}, run.pipeline, chip(run.state)),
    h(
      "p",
      { class: "facts" },
      h("span", {}, moment(run.started)),
      h("span", {}, duration(seconds)),
      h(
        "span",
        {},
        many(run.nodes.length, "node"),
        ": ",
        counts.map(([state, count], i) => `${i ? ", " : ""}${count} ${state}`),
      ),
      h("span", {}, `hyper-flow ${run.version}`),
      h("span", {}, "run ", h("code", {}, run.id)),
    ),
    h("p", { class: "command" }, h("code", {}, command)),
    run.notes.map((note) => h("p", { class: "notice n-note" }, note)),
    run.warnings.map((note) => h("p", { class: "notice n-note" }, note)),
    host.leftOut?.length
      ? h(
          "p",
          { class: "soft", id: "left-out" },
          h("b", {}, "Left out of this file, to keep it small: "),
          host.leftOut.join("; "),
          ".",
        )
      : null,
  );
}

/// Every node with all of its parameters; made when it is opened.
function settings(run) {
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

function cite(run) {
  return h(
    "div",
    {},
    run.papers.length
      ? h(
          "ul",
          { class: "papers" },
          run.papers.map((paper) =>
            h(
              "li",
              {},
              h("b", {}, paper.title),
              ` ${paper.by}. `,
              h("a", { href: `https://arxiv.org/abs/${paper.arxiv}`, rel: "noreferrer" }, `arXiv ${paper.arxiv}`),
              h("span", { class: "soft" }, ` ${paper.of}`),
            ),
          ),
        )
      : null,
    run.licences.length
      ? list(
          "Licences of the data",
          run.licences.map(({ node, file, text }) => [node, `${text} (${file})`]),
        )
      : null,
  );
}

/// The engine is gone: what ran does not any more.
function over(run) {
  const any = (state) => run.nodes.some((node) => node.state === state);
  for (const node of run.nodes) if (node.state === "running") node.state = "died";
  const ends = ["died", "failed", "interrupted"];
  run.state = ends.find(any) ?? (any("skipped") || any("waiting") ? "interrupted" : "done");
}

/// What an event of the log says of a node.
function happened(node, event) {
  const end = (state) => Object.assign(node, { state, ended: event.time });
  switch (event.event) {
    case "node_started":
      Object.assign(node, {
        state: "running",
        started: node.started ?? event.time,
        attempts: event.attempt,
        reason: event.reason ?? null,
        key: event.key,
      });
      break;
    case "node_cached":
      return end("cached");
    case "node_ran":
      return end("ran");
    case "node_failed":
      Object.assign(node, { message: event.message, printed: event.output ?? null });
      return end("failed");
    case "node_interrupted":
      node.checkpoint = event.checkpoint ?? node.checkpoint;
      return end("interrupted");
    case "node_skipped":
      return Object.assign(node, { state: "skipped", message: event.because });
    case "message":
      return node.said.push({ time: event.time, level: event.level, text: event.text });
    case "node_retried":
      return node.said.push({ time: event.time, level: "warning", text: event.message });
    case "metric":
      return (node.metrics[event.name] = event.value);
    case "checkpoint":
      return (node.checkpoint = event.step);
    case "resumed":
      return node.curve.resumed.push(event.step);
    case "step":
      return stepped(node, event);
  }
}

/// So many points of a live series are kept.
const POINTS = 4000;

function stepped(node, event) {
  const { step, of, losses } = event;
  node.step = [step, of];
  const series = node.curve.series;
  for (const [name, points] of Object.entries(series)) {
    while (points.length && points.at(-1)[0] >= step) points.pop();
    if (points.length > POINTS) series[name] = points.filter((_, i) => i % 2 === 0 || i > points.length - 20);
  }
  const push = (name, value) => Number.isFinite(value) && (series[name] ??= []).push([step, value]);
  const terms = Object.entries(losses ?? {});
  terms.forEach(([name, value]) => push(name, value));
  if (terms.length > 1 && !("loss" in losses))
    push(
      "loss",
      terms.reduce((sum, [, value]) => sum + value, 0),
    );
  for (const [name, value] of Object.entries(event)) {
    if (["step", "of", "losses"].includes(name)) continue;
    if (typeof value === "number") push(`· ${name}`, value);
    else if (value && typeof value === "object")
      Object.entries(value).forEach(([part, one]) => push(`· ${name} ${part}`, one));
  }
}
