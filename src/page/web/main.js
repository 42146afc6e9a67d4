// Where it begins: a file with one run in it, or a server with all runs of a store.
import { h, put, throttled } from "./dom.js";
import { many } from "./format.js";
import { view } from "./run.js";
import { app, bar, island, keyboard, search, shown } from "./frame.js";
import { ui } from "./ui.js";

/// The page of a file.
function report({ run, pictures, left_out }) {
  const top = bar();
  const main = h("main", { id: "main" });
  const found = h("p", { class: "found soft", role: "status" });
  put(app, top.element, found, main);
  shown.run = view(run, { source: (name) => pictures[name], leftOut: left_out });
  put(main, shown.run.element);
  keyboard({}, top.dialog, top.colours);
  search.addEventListener(
    "input",
    throttled(120, () => {
      const words = search.value.trim();
      const hits = shown.run.search(words);
      put(
        found,
        words
          ? `${many(hits.length, "node")}: ${hits
              .slice(0, 8)
              .map((node) => node.name)
              .join(", ")}`
          : "",
      );
      if (words && hits.length) shown.run.choose(hits[0].name);
    }),
  );
  search.addEventListener(
    "keydown",
    (event) => event.key === "Enter" && document.getElementById("graph").scrollIntoView(),
  );
}

if (island) report(JSON.parse(island.textContent));
else ui();
