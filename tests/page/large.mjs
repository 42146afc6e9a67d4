// A report with as many nodes as are wanted, made of a real one.

/// Layers of twenty nodes; each takes two of the layer before.
export function large(report, count) {
  const [, text] = report.match(/<script type="application\/json" id="data">(.*?)<\/script>/s);
  const data = JSON.parse(text);
  const kinds = ["TrainTeacher", "SegmentDistill", "ScoreDistill", "LoraMerge", "Eval", "Command"];
  const model = data.run.nodes.find((node) => node.kind === "SegmentDistill");
  const name = (i) => `node-${String(i).padStart(4, "0")}`;
  const points = Array.from({ length: 60 }, (_, i) => [i + 1, 1 / (i + 1)]);
  data.run.nodes = Array.from({ length: count }, (_, i) => {
    const before = i - 20;
    const inputs =
      before < 0
        ? []
        : [
            ["a", name(before)],
            ["b", name(Math.max(0, before - (before % 20 ? 1 : -1)))],
          ];
    return {
      ...model,
      name: name(i),
      kind: kinds[i % kinds.length],
      inputs,
      curve: { series: { loss: points }, resumed: [], thinned: false },
    };
  });
  Object.assign(data.run, { groups: [], results: [], grids: [], drawn: [], training: [] });
  return report.replace(text, () => JSON.stringify(data).replaceAll("<", "\\u003c"));
}
