// What was measured: evaluations, gates, what guards saw, and means over seeds.
import { h } from "./dom.js";
import { evaluation } from "./evaluation.js";
import { verdict } from "./numbers.js";
import { part } from "./parts.js";
import { summary } from "./summary.js";

/// Everything that the results of a run have.
export function results(run) {
  const parts = run.results.flatMap((one) => [
    one.metrics && evaluation(one),
    one.summary && summary(one),
    one.checks && gate(one),
    one.guard && guarded(one),
  ]);
  return h("div", {}, parts.filter(Boolean));
}

function gate({ node, checks }) {
  const check = ({ holds, text }) =>
    h("li", {}, verdict(holds ? "better" : "worse").firstChild, holds ? " holds: " : " does not hold: ", text);
  return part(node, h("ul", { class: "checks" }, checks.map(check)));
}

function guarded({ node, guard }) {
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, `${node}: what its guard saw`),
    h("pre", {}, JSON.stringify(guard, null, 1)),
  );
}
