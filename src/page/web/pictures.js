// Pictures: candidates below each other at the step count of a slider, pictures of a training at its steps.
import { h, s, put } from "./dom.js";
import { many } from "./format.js";
import { part, scroll } from "./parts.js";

/// A slider over a list of values; `show(value)` is called with that which is chosen.
export function slider(label, values, start, show) {
  const out = h("output", {});
  const set = (at) => {
    put(out, `${values[at]}`);
    input.setAttribute("aria-valuetext", `${values[at]} steps`);
    show(values[at]);
  };
  const input = h("input", {
    type: "range",
    min: 0,
    max: values.length - 1,
    step: 1,
    oninput: () => set(Number(input.value)),
  });
  input.value = String(start);
  const element = h("label", { class: "slider" }, label, input, out);
  set(start);
  return element;
}

/// A part of a picture, by its corner and size in pixels.
function crop(src, size, [x, y, width, height], label) {
  return s(
    "svg",
    {
      class: "strip",
      viewBox: `${x} ${y} ${width} ${height}`,
      role: "img",
      "aria-label": label,
      style: { "--width": `${width}px`, "--height": `${height}px` },
    },
    s("image", { href: src, x: 0, y: 0, width: size[0], height: size[1], preserveAspectRatio: "none" }),
  );
}

/// The rows of a grid at a step count, with the captions above.
export function stripes(grid, src, steps) {
  const { size, corner, row, rows } = grid;
  const wide = size[0] - corner[0];
  const candidates = [...new Set(rows.map((one) => one.candidate))];
  const line = (candidate) => {
    const at = rows.findIndex((one) => one.candidate === candidate && one.steps === steps);
    const label = `${candidate}, ${many(steps, "step")}`;
    return h(
      "div",
      { class: "stripe" },
      h("span", { class: "who" }, candidate),
      at < 0
        ? h("span", { class: "soft none" }, `not drawn in ${many(steps, "step")}`)
        : crop(src, size, [corner[0], corner[1] + at * row, wide, row], label),
    );
  };
  return h(
    "div",
    { class: "stripes" },
    h(
      "div",
      { class: "stripe" },
      h("span", { class: "who soft" }, "captions"),
      crop(src, size, [corner[0], 0, wide, corner[1]], "captions"),
    ),
    candidates.map(line),
  );
}

/// The step counts of a grid.
export function stepsOf(grids) {
  return [...new Set(grids.flatMap((grid) => grid.rows.map((row) => row.steps)))].sort((a, b) => a - b);
}

function whole(src, alt) {
  return src ? h("img", { src, alt }) : h("p", { class: "soft none" }, `${alt}: left out of this file`);
}

/// All pictures of a run; `source(name)` gives the address of one, or nothing.
export function pictures(run, source) {
  const grids = run.grids.map((grid) => gridded(grid, source(grid.picture)));
  const drawn = run.drawn.length ? [samples(run.drawn, source)] : [];
  const training = run.training.map((one) => trained(one, source));
  return h("div", {}, grids, drawn, training.length ? h("div", { class: "cards" }, training) : null);
}

/// A sheet of paper, which pictures were drawn for: it is white in the dark, too.
export function sheet(label, ...children) {
  return scroll(label, children, "paper scroll");
}

function gridded(grid, src) {
  if (!src || !grid.row) return part(grid.node, h("div", { class: "paper" }, whole(src, `pictures of ${grid.node}`)));
  const holder = sheet(`Pictures of ${grid.node}`);
  return part(
    grid.node,
    h("p", { class: "soft" }, "The same noise and captions in every row."),
    slider("steps", stepsOf([grid]), 0, (steps) => put(holder, stripes(grid, src, steps))),
    holder,
  );
}

/// Samples of one candidate in several step counts are one, with a slider.
function samples(drawn, source) {
  const steps = [...new Set(drawn.map((one) => Number(one.steps)))].sort((a, b) => a - b);
  const holder = h("div");
  const show = (value) =>
    put(
      holder,
      drawn.filter((one) => Number(one.steps) === value).map((one) => prints(one, source)),
    );
  if (steps.length < 2) {
    show(steps[0]);
    return h("div", {}, holder);
  }
  return h("div", {}, slider("steps", steps, 0, show), holder);
}

function prints({ node, candidate, steps, pictures: all, more }, source) {
  const print = ([name, caption]) => h("figure", {}, whole(source(name), caption), h("figcaption", {}, caption));
  return part(
    [node, h("span", { class: "soft" }, ` ${candidate}, ${many(Number(steps), "step")}`)],
    h("div", { class: "prints" }, all.map(print)),
    more ? h("p", { class: "soft" }, `${more} more are not shown here.`) : null,
  );
}

function trained({ node, samples }, source) {
  const holder = h("div", { class: "paper" });
  const byStep = new Map(samples);
  const steps = [...byStep.keys()];
  const show = (step) => put(holder, whole(source(byStep.get(step)), `what ${node} draws after step ${step}`));
  return h(
    "article",
    { class: "card-box" },
    h("h3", {}, node, h("span", { class: "soft" }, " while it trains")),
    slider("after step", steps, steps.length - 1, show),
    holder,
  );
}
