"""What a node does, told twice: in shell, for the engine, and in Python, by which the engine's result is judged.

Every output is a pure function of inputs, files, parameter and environment. Nothing in a script may fail unseen: a child
that is killed must fail its node, or the node itself would be at fault for what it yields.
"""

import dataclasses
import hashlib

# The value of a parameter with which a node misbehaves; a clean run never has it.
MISBEHAVIOURS = ("broken", "vandal", "vandal", "escape")

PRELUDE = """set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C
names() { find "$@" -print0 | sort -z | tr '\\0' '\\n'; }
sums() { find "$@" -type f -print0 | sort -z | xargs -0r sha256sum; }
look() ( cd "$1"; names . -type d; names . -type f -perm -100; sums . )
outside() ( cd "$1"; names -L . -type f -perm -100; sums -L . )
"""

# Each alters what it must not: its inputs in place, with the stamps that they had, or its output after it ended.
MISBEHAVE = """case $1 in
broken) echo half > "$FLOW_OUT/value"; echo 'told to fail' >&2; exit 3 ;;
vandal)
    for input in "${!FLOW_IN_@}"; do
        chmod -R u+w "${!input}"
        printf '!' | dd of="${!input}/value" conv=notrunc status=none
        touch -d @946684800 "${!input}/value"
    done ;;
escape)
    echo early > "$FLOW_OUT/value"
    exec 3>> "$FLOW_OUT/value"
    setsid bash -c 'sleep 0.0$((RANDOM % 10)); echo late >&3; : > /proc/self/fd/3' > /dev/null 2>&1 &
    exec 3>&- ;;
esac
"""

MANNERS = {
    "slow before": "sleep 0.2\n",
    "slow between": "",
    "slow after": "",
    "background": "(sleep 60; echo late >> \"$FLOW_OUT/value\") &\n",
    "quiet background": "(sleep 60; echo late >> \"$FLOW_OUT/value\") > /dev/null 2>&1 &\n",
    "escaped": "setsid sleep 1 > /dev/null 2>&1 &\n",
    "scribbles": "mkdir -p junk/deep; echo junk > junk/deep/file; echo > .hidden\n",
    "spoils a copy": """for input in "${!FLOW_IN_@}"; do
    cp -r "${!input}" copy-$input; chmod -R u+w copy-$input; echo spoilt >> copy-$input/value; done
""",
    "talks": "printf '\\033[2Jescape \\r%s\\n' {1..50}; echo complaint >&2\n",
}


@dataclasses.dataclass
class Tree:
    """The files of an artifact or folder: path → (content, whether executable); and its empty directories."""

    files: dict
    hollow: frozenset = frozenset()

    def digest(self):
        return hashlib.sha256(repr((sorted(self.files.items()), sorted(self.hollow))).encode()).hexdigest()

    def directories(self):
        above = set(self.hollow)
        for path in [*self.files, *self.hollow]:
            parts = path.split("/")
            above.update("/".join(parts[:count]) for count in range(1, len(parts)))
        return above


@dataclasses.dataclass
class Node:
    """A `Command` node."""

    inputs: dict
    files: dict
    parameter: str | None
    word: bool
    tag: str
    digits: int
    pieces: tuple
    manners: tuple


def port(prefix, name):
    return f'"${prefix}_{name.upper()}"'


def piece_in_shell(piece):
    kind, *rest = piece
    out = lambda path: f'"$FLOW_OUT/{path}"'
    match kind, rest:
        case "nested", [path]:
            return f'mkdir -p {out(path.rpartition("/")[0])}; echo "nested $sum" > {out(path)}'
        case "tool", [path]:
            return f'mkdir -p {out(path.rpartition("/")[0])}; echo "#!$sum" > {out(path)}; chmod 750 {out(path)}'
        case "private", [path]:
            return f'echo "private $sum" > {out(path)}; chmod 600 {out(path)}'
        case "empty", [path]:
            return f": > {out(path)}"
        case "hollow", [path]:
            return f"mkdir -p {out(path)}"
        case "large", [count]:
            return f'printf "$sum.%s\\n" {{1..{count}}} > {out("large")}'
        case "many", [count]:
            return f'mkdir {out("many")}; for i in {{1..{count}}}; do echo "$sum $i" > "$FLOW_OUT/many/$i"; done'
        case "pass", [name]:
            return f'cp {port("FLOW_IN", name)}/value {out("passed-" + name)}'
        case "link", [name]:
            return f'ln {port("FLOW_IN", name)}/value {out("linked-" + name)}'
        case "twin", []:
            return f'ln {out("value")} {out("twin")}'
    raise ValueError(piece)


def piece_in_python(piece, total, inputs):
    """Its files, and its empty directories."""
    kind, *rest = piece
    match kind, rest:
        case "nested", [path]:
            return {path: (f"nested {total}\n", False)}, ()
        case "tool", [path]:
            return {path: (f"#!{total}\n", True)}, ()
        case "private", [path]:
            return {path: (f"private {total}\n", False)}, ()
        case "empty", [path]:
            return {path: ("", False)}, ()
        case "hollow", [path]:
            return {}, (path,)
        case "large", [count]:
            return {"large": ("".join(f"{total}.{i}\n" for i in range(1, count + 1)), False)}, ()
        case "many", [count]:
            return {f"many/{i}": (f"{total} {i}\n", False) for i in range(1, count + 1)}, ()
        case "pass", [name]:
            return {f"passed-{name}": (inputs[name].files["value"][0], False)}, ()
        case "link", [name]:
            return {f"linked-{name}": (inputs[name].files["value"][0], False)}, ()
        case "twin", []:
            return {"twin": (f"{total}\n", False)}, ()
    raise ValueError(piece)


def script(node, folders):
    """The shell of a node; `folders` are the file ports that take one."""
    says = MANNERS.get
    middle = "sleep 0.15\n" if "slow between" in node.manners else ""
    end = "sleep 0.15\n" if "slow after" in node.manners else ""
    looks = [f"look {port('FLOW_IN', name)}" for name in sorted(node.inputs)]
    looks += [f"{'outside' if name in folders else 'cat'} {port('FLOW_FILE', name)}" for name in sorted(node.files)]
    seen = "; ".join([f'echo "{node.tag} $1 ${{TORTURE_WORD-}}"', *looks])
    total = f"sum=$({{ {seen}; }} | sha256sum | cut -c1-{node.digits})\n"
    pieces = "".join(piece_in_shell(piece) + "\n" for piece in node.pieces)
    manners = "".join(says(manner) for manner in node.manners)
    return PRELUDE + MISBEHAVE + manners + total + middle + 'echo "$sum" > "$FLOW_OUT/value"\n' + pieces + end


def listing(tree, outside):
    """What `look` and `outside` print."""
    sort = lambda paths: sorted(f"./{path}".encode() for path in paths)
    lines = [] if outside else sorted([b".", *sort(tree.directories())])
    lines += sort(path for path, (_, executable) in tree.files.items() if executable)
    for path in sort(tree.files):
        lines.append(hashlib.sha256(tree.files[path[2:].decode()][0]).hexdigest().encode() + b"  " + path)
    return b"".join(line + b"\n" for line in lines)


def evaluate(node, inputs, sources, value, word):
    """The artifact of a node from those of its inputs (by port), its sources (by port: bytes or a tree), the value of its
    parameter and the word of the environment."""
    seen = [f"{node.tag} {value} {word if node.word else ''}\n".encode()]
    seen += [listing(inputs[name], outside=False) for name in sorted(node.inputs)]
    for name in sorted(node.files):
        seen.append(listing(sources[name], outside=True) if isinstance(sources[name], Tree) else sources[name])
    total = hashlib.sha256(b"".join(seen)).hexdigest()[: node.digits]
    files, hollow = {"value": (f"{total}\n", False)}, set()
    for piece in node.pieces:
        made, empty = piece_in_python(piece, total, inputs)
        files.update(made)
        hollow.update(empty)
    as_bytes = lambda text: text if isinstance(text, bytes) else text.encode()
    files = {path: (as_bytes(content), executable) for path, (content, executable) in files.items()}
    return Tree(files, frozenset(hollow))
