"""A project on disk and the model of it: sources, pipelines, parameters. What the model says is the truth that is written
out before a clean run; in between the disk may say something else."""

import dataclasses
import json
import os
import pathlib
import shutil

from torture.recipes import MANNERS, Node, Tree, evaluate, script

# Few of each, so that what was left behind is met again and keys of old come back.
VALUES = ("v0", "v1", "v2")
WORDS = ("alpha", "beta")
VARIANTS = 4


@dataclasses.dataclass
class Pipeline:
    """A pipeline file; its path is relative to the project."""

    path: str
    name: str
    parameters: dict
    nodes: dict
    settings: str


def content(name, variant, lines):
    """The content of a source file. Variants have one size, so that only their stamps and bytes tell them apart."""
    return f"{name} variant {variant}\n".encode() * lines


class Project:
    """What is on disk under `root`, as it should be."""

    def __init__(self, root, random, allows):
        self.root, self.allows = pathlib.Path(root), allows
        self.word = random.choice(WORDS)
        self.sources = {}
        self.lines = {}
        self.pipelines = []
        self.counter = 0
        # Values of parameters that stand in for those of the model until they are mended: (pipeline, name) → value.
        self.spoilt = {}
        for _ in range(random.randint(2, 5)):
            self.add_source(random)
        for _ in range(random.choice((1, 2, 2, 3))):
            self.add_pipeline(random)
        self.write_all()

    def fresh(self, prefix):
        self.counter += 1
        return f"{prefix}{self.counter}"

    # Making things up.

    def add_source(self, random):
        name = self.fresh(random.choice(("data/s", "s", "data/deep er/s")))
        self.lines[name] = random.choice((1, 1, 1, 100, 5000, 1_000_000 if random.random() < 0.1 else 10))
        if random.random() < 0.5:
            self.sources[name] = self.made(name, random.randrange(VARIANTS))
        else:
            count = random.randint(1, 6)
            self.lines[name] = min(self.lines[name], 100)
            inside = random.sample(("a", "b.txt", "sub/c", "sub/d", "sub/sub/e", "ü f"), count)
            self.sources[name] = Tree({path: (self.made(name, 0), random.random() < 0.2) for path in inside})
        return name

    def made(self, name, variant):
        return content(name, variant, self.lines[name])

    def add_pipeline(self, random):
        number = self.fresh("p")
        path = random.choice((f"{number}.ron", f"{number}.ron", f"sub/{number}.ron"))
        pipeline = Pipeline(path, random.choice((number, f"{number}/x")), {}, {}, "")
        for name in ("first", "second", "third")[: random.randint(1, 3)]:
            pipeline.parameters[name] = random.choice(VALUES)
        # Deep ones take from the last nodes, wide ones from the first.
        shape = random.choice(("deep", "wide", "mixed"))
        for _ in range(random.choice((5, 5, 8, 8, 12, 20, 40))):
            self.add_node(pipeline, random, shape)
        pipeline.settings = random.choice(("", '"*": (retries: 1)', '"*": (timeout: "300 s")', '"*": (threads: 2)'))
        self.pipelines.append(pipeline)

    def add_node(self, pipeline, random, shape):
        before = list(pipeline.nodes)
        choice = {"deep": before[-2:], "wide": before[:3], "mixed": before}[shape]
        count = min(len(choice), random.choice((0, 1, 1, 2, 3)) or (shape == "deep"))
        inputs = dict(zip(("left", "right", "up"), random.sample(choice, count)))
        files = dict(zip(("src", "other"), random.sample(sorted(self.sources), random.choice((0, 0, 1, 1, 1, 2)))))
        if random.random() < 0.1 and before:
            # A twin: another name for the same key, as long as nobody edits one of the two.
            name = self.fresh("twin")
            pipeline.nodes[name] = dataclasses.replace(pipeline.nodes[random.choice(before)])
            return name
        parameter = random.choice((None, *pipeline.parameters))
        digits = random.choice((64, 64, 64, 12, 1, 1))
        more = (random.random() < 0.1, self.tag(random), digits, self.pieces(random, inputs), manners(random))
        node = Node(inputs, files, parameter, *more)
        name = self.fresh(random.choice(("n", "n", "Group/n", "ü n.")))
        pipeline.nodes[name] = node
        return name

    def tag(self, random):
        return f"t{random.randrange(30)}"

    def pieces(self, random, inputs):
        """What a node writes beside its value."""
        choice = [
            ("nested", "a/b c/ü.txt"),
            ("nested", "value2/x"),
            ("tool", "bin/tool"),
            ("private", "private"),
            ("empty", "nothing"),
            ("hollow", "h/hollow"),
            ("large", random.choice((5_000, 20_000, 60_000))),
            ("many", random.randint(2, 20)),
            ("twin",),
            *(("pass", port) for port in inputs),
            *(("link", port) for port in inputs),
        ]
        chosen = random.sample(choice, random.choice((0, 1, 1, 2, 3)))
        return tuple(piece for piece in chosen if piece[0] != "hollow" or self.allows("hollow"))

    # What it comes to.

    def evaluate(self, pipeline):
        """The artifact of every node, one after the other."""
        found = {}
        for name, node in pipeline.nodes.items():
            inputs = {port: found[other] for port, other in node.inputs.items()}
            sources = {port: self.sources[source] for port, source in node.files.items()}
            value = pipeline.parameters[node.parameter] if node.parameter else ""
            found[name] = evaluate(node, inputs, sources, value, self.word)
        return found

    # On disk.

    def write_all(self):
        for name in self.sources:
            self.write_source(name)
        for pipeline in self.pipelines:
            self.write_pipeline(pipeline)

    def write_source(self, name):
        """Makes the disk say what the model does, touching only what differs."""
        wanted, path = self.sources[name], self.root / name
        if isinstance(wanted, bytes):
            return put(path, wanted, False)
        if path.exists() and not path.is_dir():
            path.unlink()
        for there in sorted(path.rglob("*"), reverse=True) if path.exists() else ():
            rel = str(there.relative_to(path))
            if there.is_dir() and not there.is_symlink():
                if rel not in wanted.directories():
                    shutil.rmtree(there)
            elif rel not in wanted.files:
                there.unlink()
        for rel, (data, executable) in wanted.files.items():
            put(path / rel, data, executable)

    def write_pipeline(self, pipeline):
        put(self.root / pipeline.path, self.text(pipeline).encode(), False)

    def text(self, pipeline):
        quote = lambda text: json.dumps(text, ensure_ascii=False)
        pairs = lambda entries: "{" + ", ".join(f"{quote(key)}: {value}" for key, value in entries.items()) + "}"
        home = (self.root / pipeline.path).parent
        value = lambda name: self.spoilt.get((pipeline.path, name), pipeline.parameters[name])
        nodes = []
        for name, node in pipeline.nodes.items():
            folders = {port for port, source in node.files.items() if isinstance(self.sources[source], Tree)}
            given = f"Param({quote(node.parameter)})" if node.parameter else '""'
            program = f'["bash", "-c", {quote(script(node, folders))}, "node", {given}]'
            files = {port: quote(os.path.relpath(self.root / source, home)) for port, source in node.files.items()}
            inputs = {port: quote(other) for port, other in node.inputs.items()}
            word = ', env: ["TORTURE_WORD"]' if node.word else ""
            fields = f"program: {program}, inputs: {pairs(inputs)}, files: {pairs(files)}{word}"
            nodes.append(f"{quote(name)}: Command({fields}),")
        parameters = pairs({name: quote(value(name)) for name in pipeline.parameters})
        body = "\n        ".join(nodes)
        return (
            f"Pipeline(\n    name: {quote(pipeline.name)},\n    params: {parameters},\n"
            f"    nodes: {{\n        {body}\n    }},\n"
            f"    settings: {{{pipeline.settings}}},\n)\n"
        )


def manners(random):
    return tuple(random.sample(sorted(MANNERS), random.choice((0, 0, 0, 1, 2))))


def put(path, data, executable):
    """Writes a file unless it is there as wanted."""
    if path.is_symlink() or path.is_dir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
    mode = path.stat().st_mode & 0o777
    if bool(mode & 0o100) != executable:
        path.chmod(0o755 if executable else 0o644)
