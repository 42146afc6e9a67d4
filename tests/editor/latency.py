"""How long the language server takes: from a keystroke in ablation.ron to its mistake underlined, and for each answer.

    cargo build --release
    python3 tests/editor/latency.py target/release/hyper-flow

Prints the median and the longest of 20, in milliseconds; nothing is asserted, for machines differ.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "pipelines" / "ablation.ron"
TEXT = FILE.read_text()
REPEATS = 20


class Editor:
    def __init__(self, program):
        self.server = subprocess.Popen([program, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.uri, self.version = FILE.as_uri(), 1
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.tell("initialized", {})
        document = {"uri": self.uri, "languageId": "ron", "version": 1, "text": TEXT}
        self.tell("textDocument/didOpen", {"textDocument": document})
        self.diagnostics()

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.server.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def receive(self):
        length = 0
        while line := self.server.stdout.readline().strip():
            name, value = line.split(b": ")
            length = int(value) if name == b"Content-Length" else length
        return json.loads(self.server.stdout.read(length))

    def ask(self, method, params):
        self.send({"id": 1, "method": method, "params": params})
        while "id" not in (message := self.receive()):
            pass
        return message["result"]

    def diagnostics(self):
        while (params := self.receive().get("params", {})).get("version") != self.version:
            pass
        return params["diagnostics"]

    def type_in(self, text):
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        return self.diagnostics()


def position(piece):
    before = TEXT[: TEXT.index(piece)]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1 + 2}


def measured(name, what):
    times = []
    for i in range(REPEATS):
        start = time.perf_counter()
        what(i)
        times.append(1000 * (time.perf_counter() - start))
    print(f"{name:<28} {sorted(times)[REPEATS // 2]:7.1f} ms   longest {max(times):7.1f} ms")


def main():
    editor = Editor(sys.argv[1])
    typo = TEXT.replace('TrainClip(data: "digits", steps', 'TrainClip(data: "digits", stepz', 1)

    def underlined(i):
        assert any("stepz" in found["message"] for found in editor.type_in(typo + "\n" * i))

    measured("typo underlined", underlined)
    measured("right again", lambda i: editor.type_in(TEXT + "\n" * i))
    at = {"textDocument": {"uri": editor.uri}}
    for method, piece, more in [
        ("completion", "teacher: \"teacher\"", {}),
        ("hover", "solver_steps", {}),
        ("definition", "\"teacher\", data", {}),
        ("references", "\"teacher\": ", {"context": {"includeDeclaration": True}}),
        ("rename", "\"{method}-1-{regime}@{seed}\": ", {"newName": "{method}-first-{regime}@{seed}"}),
        ("formatting", "Pipeline", {"options": {"tabSize": 4, "insertSpaces": True}}),
    ]:
        params = {**at, "position": position(piece), **more}
        measured(method, lambda _, m=method, p=params: editor.ask(f"textDocument/{m}", p))


main()
