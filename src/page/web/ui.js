// The pages of a server: all runs of a store.
import { h, put } from "./dom.js";
import { many } from "./format.js";
import { view } from "./run.js";
import { comparison } from "./compare.js";
import { app, bar, keyboard, search, shown } from "./frame.js";
import { artifactsFound, overview, runList } from "./lists.js";

async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

const runOf = (id) => json(`api/runs/${encodeURIComponent(id)}`);

/// What the page of a run may ask for.
function host(id) {
  const nothing = { stdout: { text: "" }, stderr: { text: "" } };
  return {
    source: (name) => `picture/${name.split("/").map(encodeURIComponent).join("/")}`,
    log: (node) => {
      const [of, name] = node.started ? [id, node.name] : [node.made.run, node.made.node];
      return json(`api/runs/${of}/log?node=${encodeURIComponent(name)}`).catch(() => nothing);
    },
    node: (name) => json(`api/runs/${id}/node?node=${encodeURIComponent(name)}`).catch(() => null),
    drawn: (node, path) => `r/${id}/${node.folder}/${path}`,
    chosen: (name) => history.replaceState(null, "", `#/run/${id}/${encodeURIComponent(name)}`),
  };
}

/// Takes what happens in a run from a place of its log on. A browser that lost the connection says itself what it had last.
function follow(id, from, page) {
  const stream = new EventSource(`api/runs/${id}/live?from=${from}`);
  stream.addEventListener("lines", (event) => page.take(JSON.parse(event.data)));
  stream.addEventListener("over", () => {
    stream.close();
    page.over();
  });
  return stream;
}

/// The two runs that are meant: those that are chosen, or the one that is shown and the one before it of its pipeline.
function pairOf(all, picked) {
  const ids = all.map((one) => one.id).filter((id) => picked.has(id));
  if (ids.length === 2) return [ids[1], ids[0]];
  const now = ids[0] ?? location.hash.match(/^#\/run\/([^/]+)/)?.[1] ?? all[0]?.id;
  const at = all.findIndex((one) => one.id === now);
  const before = all.slice(at + 1).find((one) => one.pipeline === all[at]?.pipeline);
  return before && now ? [before.id, now] : null;
}

/// Shows what the address says, and goes on as it changes.
export function ui() {
  const [side, main, found] = [
    h("aside", { class: "side-bar", id: "runs", "aria-label": "Runs" }),
    h("main", { id: "main" }),
    h("div", { class: "found" }),
  ];
  const narrow = h(
    "button",
    {
      class: "quiet narrow",
      type: "button",
      "aria-expanded": "false",
      "aria-controls": "runs",
      onclick: () => {
        narrow.setAttribute("aria-expanded", String(document.body.classList.toggle("with-runs")));
      },
    },
    "Runs",
  );
  const top = bar(narrow);
  const picked = new Set();
  let [all, live, asked, timer] = [null, null, 0, null];

  const lines = () => put(side, runList(all ?? [], search.value, location.hash.split("/"), picked, pick, compare));
  function pick(id, on) {
    picked.delete(id);
    if (on) picked.add(id);
    // The two that were chosen last.
    while (picked.size > 2) picked.delete(picked.values().next().value);
    lines();
  }
  function compare() {
    const pair = pairOf(all, picked);
    if (pair) location.hash = `#/compare/${pair.join("/")}`;
    else put(main, h("p", { class: "notice n-note" }, "Choose two runs in the list, then compare."));
  }

  async function go() {
    live?.close();
    shown.run = null;
    document.body.classList.remove("with-runs");
    document.title = "hyper-flow";
    lines();
    const [, what, ...rest] = location.hash.split("/").map(decodeURIComponent);
    const pages = { run: () => open(...rest), compare: () => both(...rest) };
    const page = pages[what] ?? (() => put(main, overview(all)));
    try {
      await page();
    } catch (error) {
      put(
        main,
        h(
          "p",
          { class: "notice n-failed" },
          `This cannot be had: ${error.message}. Is `,
          h("code", {}, "hyper-flow ui"),
          " still there?",
        ),
      );
    }
    window.scrollTo(0, 0);
  }
  async function open(id, node) {
    put(main, h("p", { class: "soft wait" }, "…"));
    const page = await runOf(id);
    // Something else may have been chosen meanwhile.
    if (!location.hash.includes(id)) return;
    document.title = `${page.pipeline} · hyper-flow`;
    shown.run = view(page, { ...host(id), first: node });
    put(main, shown.run.element);
    if (page.state === "running") live = follow(id, page.read, shown.run);
  }
  async function both(one, other) {
    put(main, h("p", { class: "soft wait" }, "…"));
    const [a, b] = await Promise.all([runOf(one), runOf(other)]);
    put(main, comparison(a, b, host(other)));
  }

  async function seek() {
    const words = search.value.trim();
    const mine = (asked += 1);
    lines();
    if (!words) return put(found);
    const nodes = shown.run?.search(words) ?? [];
    const artifacts = await json(`api/artifacts?q=${encodeURIComponent(words)}`).catch(() => []);
    if (mine !== asked) return;
    put(
      found,
      artifactsFound(
        artifacts,
        `${many(side.querySelectorAll("li").length, "run")}, ${many(nodes.length, "node")} here`,
      ),
    );
  }
  function beside(by) {
    const at = all.findIndex((one) => location.hash.includes(one.id));
    const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
    if (next) location.hash = `#/run/${next.id}`;
  }
  function changed(event) {
    const first = all === null;
    const known = new Map((all ?? []).map((one) => [one.id, one]));
    JSON.parse(event.data).forEach((one) => known.set(one.id, one));
    all = [...known.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    if (first) go();
    else if (!/^#\/(run|compare)/.test(location.hash)) put(main, overview(all));
    lines();
  }

  put(app, top.element, h("div", { class: "with-side" }, side, h("div", { class: "page" }, found, main)));
  keyboard(
    { "[": () => beside(-1), "]": () => beside(1), c: compare, r: () => (location.hash = "#/") },
    top.dialog,
    top.colours,
  );
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(seek, 150);
  });
  window.addEventListener("hashchange", go);
  new EventSource("api/live").addEventListener("runs", changed);
}
