"""The same graph of small programs for both engines: a fan (no node needs another) or a chain (each needs the one before)."""

from __future__ import annotations

import pathlib


def write(folder: pathlib.Path, shape: str, count: int, text: str = "0") -> None:
    """Writes `graph.ron` and `build.ninja`. Another `text` makes every node another one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.ron").write_text(pipeline(shape, count, text))
    (folder / "build.ninja").write_text(ninja(shape, count, text))


def pipeline(shape: str, count: int, text: str) -> str:
    return 'Pipeline(name: "graph", nodes: {\n' + "".join(node(shape, at, text) for at in range(count)) + "})\n"


def node(shape: str, at: int, text: str) -> str:
    if shape == "fan" or at == 0:
        return f'"n{at}": Command(program: ["sh", "-c", "echo {text} {at} > $FLOW_OUT/o"]),\n'
    script = f"read line < $FLOW_IN_P/o; echo {text} {at} $line > $FLOW_OUT/o"
    return f'"n{at}": Command(program: ["sh", "-c", "{script}"], inputs: {{"p": "n{at - 1}"}}),\n'


def ninja(shape: str, count: int, text: str) -> str:
    rules = f"rule first\n  command = echo {text} $at > $out\nrule next\n  command = read line < $in; echo {text} $at $$line > $out\n"
    return rules + "".join(edge(shape, at) for at in range(count))


def edge(shape: str, at: int) -> str:
    if shape == "fan" or at == 0:
        return f"build out/n{at}: first\n  at = {at}\n"
    return f"build out/n{at}: next out/n{at - 1}\n  at = {at}\n"
