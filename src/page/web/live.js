// What happens in a run while its page is open: each event changes what is known of the run.
import { MEASURE } from "./series.js";

/// The engine is gone: what ran does not any more.
export function over(run) {
  const any = (state) => run.nodes.some((node) => node.state === state);
  for (const node of run.nodes) if (node.state === "running") node.state = "died";
  const ends = ["died", "failed", "interrupted"];
  run.state = ends.find(any) ?? (any("skipped") || any("waiting") ? "interrupted" : "done");
}

/// Puts what a node has made, as the server tells it, in the place of what was known.
export function remade(run, node, page) {
  Object.assign(node, { made: page.node.made, key: page.node.key, digests: page.node.digests });
  const replace = (list, one) => {
    const kept = list.filter((other) => other.node !== node.name);
    list.splice(0, list.length, ...kept, ...(one ? [one] : []));
  };
  replace(run.results, page.results);
  replace(run.grids, page.grid);
  replace(run.drawn, page.drawn);
}

/// Notes a picture that a training has drawn after a step.
export function sampled(run, node, step, picture) {
  const one = run.training.find((other) => other.node === node.name) ?? { node: node.name, samples: [] };
  if (!run.training.includes(one)) run.training.push(one);
  one.samples = one.samples
    .filter(([at]) => at !== step)
    .concat([[step, picture]])
    .sort((a, b) => a[0] - b[0]);
}

/// What an event of the log says of a node.
export function happened(node, event) {
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
    if (typeof value === "number") push(MEASURE + name, value);
    else if (value && typeof value === "object")
      Object.entries(value).forEach(([part, one]) => push(`${MEASURE}${name} ${part}`, one));
  }
}
