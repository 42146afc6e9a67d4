// What a node has printed, fetched when it is asked for.
import { h, put } from "./dom.js";
import { bytes } from "./format.js";

/// The log of a node, closed at first.
export function log(node, host) {
  const body = h("div");
  const show = async () => {
    put(body, h("p", { class: "soft" }, "…"));
    const { stdout, stderr } = await host.log(node);
    const one = (name, { text, before }) =>
      text
        ? h(
            "section",
            {},
            h("h4", {}, name),
            before ? h("p", { class: "soft" }, `${bytes(before)} before this are not shown`) : null,
            h("pre", { class: "log", tabindex: 0 }, text),
          )
        : null;
    put(
      body,
      one("standard error", stderr),
      one("standard output", stdout),
      !stdout.text && !stderr.text ? h("p", { class: "soft" }, "It printed nothing.") : null,
    );
  };
  return h(
    "details",
    { class: "fold printed", ontoggle: (event) => event.target.open && show() },
    h("summary", {}, "Log", node.started ? "" : " of the run that made it"),
    body,
  );
}
