// The grammar, by VS Code's own tokenizer, on a pipeline: `npm test`.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { loadWASM, createOnigScanner, createOnigString } = require("vscode-oniguruma");
const { INITIAL, Registry, parseRawGrammar } = require("vscode-textmate");

const here = (...names) => path.join(__dirname, ...names);

const TEXT = `// why
Pipeline(name: "p", nodes: {
    "eval@{seed}": Eval(steps: [1, 2.5e-3], split: HeldOut, on: true, w: Param("w"), raw: r#"a "b" c"#),
    /* a /* nested */ one */ "x\\n": A(),
})`;

async function main() {
  await loadWASM(fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
  const file = here("syntaxes", "ron.tmLanguage.json");
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    loadGrammar: async () => parseRawGrammar(fs.readFileSync(file, "utf8"), file),
  });
  const grammar = await registry.loadGrammar("source.ron");
  const scopes = new Map();
  let state = INITIAL;
  for (const line of TEXT.split("\n")) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    for (const token of tokens) {
      scopes.set(line.slice(token.startIndex, token.endIndex).trim(), token.scopes.at(-1));
    }
  }
  const expected = {
    "// why": "comment.line.double-slash.ron",
    Pipeline: "entity.name.type.ron",
    nodes: "variable.other.property.ron",
    "{seed}": "constant.other.placeholder.axis.ron",
    "2.5e-3": "constant.numeric.ron",
    HeldOut: "variable.other.enummember.ron",
    true: "constant.language.ron",
    Param: "keyword.other.param.ron",
    'a "b" c': "string.quoted.other.raw.ron",
    one: "comment.block.ron",
    "\\n": "constant.character.escape.ron",
  };
  for (const [text, scope] of Object.entries(expected)) {
    assert.equal(scopes.get(text), scope, text);
  }
}

main();
