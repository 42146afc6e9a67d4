// Pieces that all parts of the page are made of: headed sections, lists, tables, what scrolls in itself.
import { h } from "./dom.js";

/// A part of a section, under its title.
export function part(title, ...children) {
  return h("section", { class: "part" }, h("h3", {}, title), children);
}

/// A list of names and values; what has no value is not in it.
export function list(title, rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!shown.length) return null;
  return h(
    "section",
    {},
    title ? h("h4", {}, title) : null,
    h(
      "dl",
      {},
      shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
  );
}

/// For those alone who have the page read to them.
export function spoken(text) {
  return h("span", { class: "sr" }, text);
}

/// What scrolls in itself, also by the keyboard.
export function scroll(label, content, look = "scroll") {
  return h("div", { class: look, tabindex: 0, role: "region", "aria-label": label }, content);
}

/// A row of heads over columns.
export function heads(names) {
  return h(
    "tr",
    {},
    names.map((name) => h("th", { scope: "col" }, name)),
  );
}

/// A table with `columns` above its rows, which are elements.
export function table(label, columns, rows, look = "numbers") {
  return scroll(label, h("table", { class: look }, h("thead", {}, heads(columns)), h("tbody", {}, rows)));
}

/// A table of words; the first of each row says what the row is about.
export function listed(label, columns, rows) {
  const row = ([first, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, first),
      cells.map((cell) => h("td", { class: "left" }, cell)),
    );
  return table(label, columns, rows.map(row), "numbers text");
}
