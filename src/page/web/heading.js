// The head of the page of a run, and its end: what it was, and whom to thank for it.
import { h } from "./dom.js";
import { between, duration, many, moment } from "./format.js";
import { chip, STATES } from "./kinds.js";
import { list } from "./parts.js";

/// When and how a run went, and the command that it came from.
export function heading(run, host) {
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

/// The papers behind a run, and the licences of its data.
export function cite(run) {
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
