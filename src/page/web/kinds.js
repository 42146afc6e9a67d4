// What nodes look like: colours and shapes of kinds, signs of states. Nothing is told by colour alone.
import { h, s } from "./dom.js";

/// Families of kinds: a colour that colour-blind people tell from the others (Okabe and Ito), and a shape for each.
export const FAMILIES = {
  data: {
    label: "data",
    kinds: ["Digits", "ImageFolder", "WebDataset", "EncodeLatents", "OdePairs"],
    shape: "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z",
  },
  teacher: { label: "models", kinds: ["Diffusers", "TrainTeacher", "TrainVae"], shape: "M6 0l6 6l-6 6l-6-6z" },
  judge: {
    label: "judges",
    kinds: ["PretrainedClip", "ScoreModel", "TrainClip", "TrainJudge", "TrainSegmenter", "CommandScorer"],
    shape: "M6 .5l6 10.5h-12z",
  },
  distil: {
    label: "LoRA training",
    kinds: ["SegmentDistill", "RewardFinetune", "ScoreDistill", "FinetuneLora"],
    shape: "M1 1h10v10h-10z",
  },
  combine: {
    label: "LoRA handling",
    kinds: ["LoraMerge", "LoraFuse", "LoraExtract", "PretrainedLora", "Export"],
    shape: "M4 0h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
  },
  result: {
    label: "results",
    kinds: ["Sample", "Eval", "Gate", "Summary"],
    shape: "M6 0l1.8 4l4.2.4l-3.2 2.9l1 4.3l-3.8-2.3l-3.8 2.3l1-4.3l-3.2-2.9l4.2-.4z",
  },
  program: { label: "programs", kinds: [], shape: "M3 .5h6l3 5.5l-3 5.5h-6l-3-5.5z" },
};

/// The family of a kind.
export function family(kind) {
  const found = Object.entries(FAMILIES).find(([, one]) => one.kinds.includes(kind));
  return found ? found[0] : "program";
}

/// The shape of a family.
export function glyph(name) {
  return s("path", { class: `glyph k-${name}`, d: FAMILIES[name].shape });
}

/// The shape of a family, in a line of text.
export function mark(name) {
  return s("svg", { class: "mark", viewBox: "-1 -1 14 14", width: 12, height: 12, "aria-hidden": "true" }, glyph(name));
}

/// The states of nodes, those first that most need to be seen.
export const STATES = ["failed", "died", "running", "interrupted", "skipped", "waiting", "ran", "cached"];

const SIGNS = {
  done: "M2.5 6.5l2.5 2.5l5-6",
  ran: "M2.5 6.5l2.5 2.5l5-6",
  cached: "M2.5 6.5l2.5 2.5l5-6",
  running: "M4 2.5l5.5 3.5l-5.5 3.5z",
  failed: "M3 3l6 6M9 3l-6 6",
  died: "M6 2.5v4.2M6 9v.4",
  interrupted: "M4.3 3v6M7.7 3v6",
  skipped: "M3 6h6",
  waiting: "M6 3v3l2 1.5",
};

/// The sign of a state, 12 × 12.
export function sign(state) {
  return s(
    "g",
    { class: `sign s-${state}` },
    s("circle", { cx: 6, cy: 6, r: 6.2 }),
    s("path", { d: SIGNS[state] || SIGNS.waiting }),
  );
}

/// A state in a word, with its sign.
export function chip(state) {
  return h(
    "span",
    { class: `chip s-${state}` },
    s("svg", { viewBox: "-1 -1 14 14", width: 14, height: 14, "aria-hidden": "true" }, sign(state)),
    state,
  );
}

/// Line colours that are told apart, each with a dash of its own; then the colours once more, with other dashes.
export const LINES = [
  ["c0", ""],
  ["c1", "6 3"],
  ["c2", "2 2"],
  ["c3", "8 3 2 3"],
  ["c4", "1 3"],
  ["c5", "10 4"],
  ["c1", ""],
  ["c2", "6 3"],
  ["c3", "2 2"],
  ["c4", "8 3 2 3"],
  ["c5", "1 3"],
  ["c0", "10 4"],
];
