// The sections of a page and the way to them; those with nothing in them are not shown.
import { h, put } from "./dom.js";

/// Sections for `all`, `[id, title, content, there]`: `there()` says whether one has something to show. Has `present()`.
export function sections(all) {
  const nav = h("nav", { class: "sections", "aria-label": "Parts of the page" });
  const boxes = all.map(([id, title, content]) =>
    h(
      "section",
      { id, class: "box", "aria-labelledby": `${id}-title` },
      h("h2", { id: `${id}-title` }, title),
      content,
    ),
  );
  const present = () => {
    all.forEach(([, , , there], i) => boxes[i].toggleAttribute("hidden", !there()));
    put(nav, all.filter(([, , , there]) => there()).map(link));
  };
  return { nav, boxes, present };
}

function link([id, title]) {
  const onclick = (event) => {
    event.preventDefault();
    document.getElementById(id).scrollIntoView();
  };
  return h("a", { href: `#${id}`, onclick }, title);
}
