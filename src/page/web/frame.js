// What is around a page: the bar with the search, colours, keys.
import { h, put } from "./dom.js";

/// Where all of it is put.
export const app = document.getElementById("app");
/// The data of a file with one run in it; none where a server has it.
export const island = document.getElementById("data");
/// The field for what is sought.
export const search = h("input", {
  type: "search",
  id: "search",
  placeholder: "Search  ( / )",
  autocomplete: "off",
  spellcheck: "false",
  "aria-label": island ? "Search nodes" : "Search runs, nodes and artifacts",
});
/// The run that is shown.
export const shown = { run: null };

/// Dark, light, or as the system has it; kept where the browser allows it.
function theme() {
  const order = ["auto", "dark", "light"];
  const read = () => {
    try {
      return localStorage.getItem("hyper-flow-theme") ?? "auto";
    } catch {
      return "auto";
    }
  };
  let now = read();
  const button = h("button", {
    class: "quiet",
    type: "button",
    id: "theme",
    onclick: () => set(order[(order.indexOf(now) + 1) % 3]),
  });
  function set(next) {
    now = next;
    document.documentElement.dataset.theme = now;
    put(button, { auto: "◐ auto", dark: "● dark", light: "○ light" }[now]);
    button.setAttribute("aria-label", `Colours: ${now}`);
    try {
      localStorage.setItem("hyper-flow-theme", now);
    } catch {
      // It is as it is for this page.
    }
  }
  set(now);
  return { button, next: () => button.click() };
}

function help(ui) {
  const rows = [
    ["?", "this help"],
    ["/", "search"],
    ["j  k", "next and previous node"],
    ["1 – 7", "parts of the page"],
    ["t", "dark, light, as the system has it"],
    ["Esc", "close, leave the search"],
  ];
  if (ui) rows.push(["[  ]", "newer and older run"], ["c", "compare with the run before"], ["r", "all runs"]);
  const close = h("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = h(
    "dialog",
    { "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keys"),
    h(
      "dl",
      { class: "help" },
      rows.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
    ),
    close,
  );
  document.body.append(dialog);
  return dialog;
}

/// Keys that are no text.
export function keyboard(actions, dialog, colours) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return document.activeElement?.blur();
    if (
      /^(input|select|textarea)$/i.test(event.target.tagName) &&
      event.target.type !== "range" &&
      event.target.type !== "checkbox"
    )
      return;
    const part = Number(event.key);
    const act = {
      "?": () => (dialog.open ? dialog.close() : dialog.showModal()),
      "/": () => search.focus(),
      t: colours.next,
      j: () => shown.run?.step(1),
      k: () => shown.run?.step(-1),
      ...actions,
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    } else if (part >= 1) document.querySelectorAll("nav.sections a")[part - 1]?.click();
  });
}

/// The bar above everything.
export function bar(...extra) {
  const colours = theme();
  const dialog = help(!island);
  const ask = h(
    "button",
    { class: "quiet", type: "button", "aria-label": "Keys", onclick: () => dialog.showModal() },
    "?",
  );
  const element = h(
    "div",
    { class: "bar" },
    h("a", { class: "brand", href: island ? "#graph" : "#/" }, "hyper-flow"),
    extra,
    search,
    colours.button,
    ask,
  );
  return { element, colours, dialog };
}
