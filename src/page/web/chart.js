// Line charts: axes, whiskers, a readout under the pointer. Lines differ by dash as well as by colour.
import { h, s, put } from "./dom.js";
import { number, range } from "./format.js";
import { LINES } from "./kinds.js";

const ROOM = { left: 56, right: 14, top: 10, bottom: 30 };

/// A chart of `{series: [{name, points: [[x, y, low, high]], dots, style}], x, y, log, ordinal, marks, title}`. Has `update(options)`.
export function chart(options, height = 220) {
  const holder = h("div", { class: "chart" });
  const tip = h("div", { class: "tip", hidden: true });
  const keys = h("ul", { class: "keys" });
  const element = h("figure", { class: "figure" }, keys, h("div", { class: "plot" }, holder, tip));
  let width = 0;
  const draw = () => {
    width = holder.clientWidth || 640;
    put(holder, plot(options, width, height, tip));
    put(keys, options.series.length > 1 || options.always ? options.series.map((one, i) => key(one, i)) : null);
  };
  new ResizeObserver(() => Math.abs(holder.clientWidth - width) > 4 && draw()).observe(holder);
  draw();
  return {
    element,
    update: (next) => {
      options = { ...options, ...next };
      draw();
    },
  };
}

function key(one, index) {
  const [colour, dash] = one.style ?? LINES[index % LINES.length];
  return h(
    "li",
    {},
    s(
      "svg",
      { width: 26, height: 8, "aria-hidden": "true" },
      s("line", { class: `line ${colour}`, x1: 1, x2: 25, y1: 4, y2: 4, "stroke-dasharray": dash || null }),
    ),
    one.name,
  );
}

function plot(options, width, height, tip) {
  const { series, log, ordinal } = options;
  const points = series.flatMap((one) => one.points).filter(([, y]) => Number.isFinite(y) && (!log || y > 0));
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words(options) });
  if (!points.length) {
    svg.append(
      s("text", { class: "tick", x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing to draw yet"),
    );
    return svg;
  }
  const xs = ordinal ? [...new Set(points.map(([x]) => x))].sort((a, b) => a - b) : null;
  const place = (x) => (xs ? xs.indexOf(x) : x);
  const across = xs ? [-0.4, xs.length - 0.6] : extent(points.map(([x]) => x));
  const values = points
    .flatMap(([, y, low, high]) => [y, low, high])
    .filter((y) => Number.isFinite(y) && (!log || y > 0));
  const up = padded(extent(values), log, options.zero);
  const x = linear(across, [ROOM.left, width - ROOM.right]);
  const y = log
    ? linear(up.map(Math.log10), [height - ROOM.bottom, ROOM.top])
    : linear(up, [height - ROOM.bottom, ROOM.top]);
  const at = (value) => y(log ? Math.log10(Math.max(value, 1e-300)) : value);

  for (const tick of log ? decades(up) : ticks(up, Math.max(3, Math.floor(height / 50)))) {
    svg.append(s("line", { class: "grid", x1: ROOM.left, x2: width - ROOM.right, y1: at(tick), y2: at(tick) }));
    svg.append(s("text", { class: "tick", x: ROOM.left - 7, y: at(tick) + 4, "text-anchor": "end" }, number(tick)));
  }
  for (const tick of xs ?? ticks(across, Math.max(3, Math.floor(width / 110)))) {
    svg.append(
      s(
        "text",
        { class: "tick", x: x(place(tick)), y: height - ROOM.bottom + 17, "text-anchor": "middle" },
        number(tick),
      ),
    );
  }
  svg.append(
    s("text", { class: "tick axis", x: width - ROOM.right, y: height - 1, "text-anchor": "end" }, options.x ?? ""),
  );
  for (const mark of options.marks ?? []) {
    svg.append(
      s(
        "line",
        { class: "resumed", x1: x(mark), x2: x(mark), y1: ROOM.top, y2: height - ROOM.bottom },
        s("title", {}, `taken up again after step ${mark}`),
      ),
    );
  }
  series.forEach((one, index) => svg.append(line(one, index, series.length, (px) => x(place(px)), at, log, ordinal)));
  svg.append(readout(options, { svg, tip, width, height, place, x, xs }));
  return svg;
}

function line(one, index, count, x, y, log, ordinal) {
  const [colour, dash] = one.style ?? LINES[index % LINES.length];
  const shift = ordinal && count > 1 ? (index - (count - 1) / 2) * 5 : 0;
  const shown = one.points.filter(([, value]) => Number.isFinite(value) && (!log || value > 0));
  const path = shown.map(([px, py], i) => `${i ? "L" : "M"}${(x(px) + shift).toFixed(1)} ${y(py).toFixed(1)}`).join("");
  const group = s("g", { class: colour });
  group.append(
    s("path", { class: `line ${colour} ${one.faint ? "faint" : ""}`, d: path, "stroke-dasharray": dash || null }),
  );
  if (one.dots || shown.length === 1) {
    for (const [px, py, low, high] of shown) {
      if (Number.isFinite(low))
        group.append(
          s("line", { class: `whisker ${colour}`, x1: x(px) + shift, x2: x(px) + shift, y1: y(low), y2: y(high) }),
        );
      group.append(s("circle", { class: `dot ${colour}`, cx: x(px) + shift, cy: y(py), r: 3.4 }));
    }
  }
  return group;
}

/// What the lines have where the pointer is.
function readout(options, { svg, tip, width, height, place, x }) {
  const hair = s("line", { class: "hair", y1: ROOM.top, y2: height - ROOM.bottom, visibility: "hidden" });
  const all = options.series.map((one) => one.points);
  const move = (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const nearest = (points) =>
      points.reduce(
        (best, point) => (!best || Math.abs(x(place(point[0])) - at) < Math.abs(x(place(best[0])) - at) ? point : best),
        null,
      );
    const rows = all.map((points, i) => [options.series[i].name, nearest(points)]).filter(([, point]) => point);
    if (!rows.length) return;
    const step = rows
      .map(([, point]) => point[0])
      .reduce((a, b) => (Math.abs(x(place(a)) - at) <= Math.abs(x(place(b)) - at) ? a : b));
    hair.setAttribute("x1", x(place(step)));
    hair.setAttribute("x2", x(place(step)));
    hair.setAttribute("visibility", "visible");
    put(
      tip,
      h("b", {}, `${options.x ?? ""} ${number(step)}`),
      rows
        .slice(0, 12)
        .map(([name, [, value, low, high]]) =>
          h(
            "div",
            {},
            h("span", {}, name),
            h("span", {}, Number.isFinite(low) ? `${number(value)}  ${range([low, high])}` : number(value)),
          ),
        ),
    );
    tip.hidden = false;
    const left = x(place(step));
    tip.style.setProperty("left", left > width / 2 ? "auto" : `${left + 12}px`);
    tip.style.setProperty("right", left > width / 2 ? `${width - left + 12}px` : "auto");
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
    hair.setAttribute("visibility", "hidden");
  });
  return hair;
}

/// The chart in words, for those who do not see it.
function words({ title, series, x }) {
  const one = ({ name, points }) => {
    const [first, last] = [points[0], points[points.length - 1]];
    return points.length
      ? `${name}: ${number(first[1])} at ${x} ${number(first[0])}, ${number(last[1])} at ${number(last[0])}`
      : `${name}: nothing`;
  };
  return `${title ?? "chart"}. ${series.slice(0, 8).map(one).join("; ")}`;
}

function linear([from, to], [low, high]) {
  const span = to - from || 1;
  return (value) => low + ((value - from) / span) * (high - low);
}

function extent(values) {
  return [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
}

function padded([low, high], log, zero) {
  if (log) return [low / 1.15, high * 1.15];
  const from = zero && low > 0 && low < 0.6 * high ? 0 : low;
  const room = (high - from || Math.abs(high) || 1) * 0.06;
  return [from === 0 ? 0 : from - room, high + room];
}

function ticks([low, high], count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough);
  const out = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step)
    out.push(Math.abs(at) < step / 1e6 ? 0 : Number(at.toPrecision(12)));
  return out;
}

function decades([low, high]) {
  const out = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const times of Math.log10(high / low) > 2.5 ? [1] : [1, 2, 5]) {
      const tick = times * 10 ** power;
      if (tick >= low && tick <= high) out.push(tick);
    }
  }
  return out;
}
