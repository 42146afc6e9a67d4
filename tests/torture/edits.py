"""Edits of a project, as people make them: each changes the model and the disk, and says in words what it did."""

import dataclasses
import os

from torture.project import VALUES, VARIANTS, WORDS
from torture.recipes import Tree


def edit(project, random, allows):
    """One random edit, with the clean state in model and disk; gives its name and its words."""
    choice = [change_source] * 5 + [change_parameter] * 5 + [retag] * 2 + [rewire] * 2 + [change_word, add, remove]
    choice += [rename_node, rename_source, change_settings, add_source, reorder]
    choice += [move_pipeline, rename_pipeline] if allows("moves") else []
    choice += [copy_pipeline, delete_pipeline] if allows("copies") else []
    chosen = random.choice(choice)
    words = chosen(project, random)
    return chosen.__name__, words or "nothing to do"


def change_source(project, random):
    name = random.choice(sorted(project.sources))
    before, path = project.sources[name], project.root / name
    if isinstance(before, bytes):
        project.sources[name] = project.made(name, random.randrange(VARIANTS))
        return f"{name} is {overwrite(path, project.sources[name], random)}"
    files = dict(before.files)
    what = random.choice(("content", "mode", "add", "remove", "rename"))
    inside = random.choice(sorted(files))
    match what:
        case "content":
            files[inside] = (project.made(name, random.randrange(VARIANTS)), files[inside][1])
        case "mode":
            files[inside] = (files[inside][0], not files[inside][1])
        case "add":
            files[f"sub/new{random.randrange(3)}"] = (project.made(name, 1), False)
        case "remove" if len(files) > 1:
            del files[inside]
        case "rename":
            files[f"moved/to{random.randrange(3)}"] = files.pop(inside)
    project.sources[name] = Tree(files)
    project.write_source(name)
    return f"{name}: {what} {inside}"


def overwrite(path, data, random):
    """Writes a file in one of the ways that programs have."""
    way = random.choice(("in place", "renamed over", "in place, with the mtime put back", "removed and made anew"))
    before = path.stat()
    match way:
        case "renamed over":
            new = path.with_name("." + path.name + ".new")
            new.write_bytes(data)
            os.replace(new, path)
        case "removed and made anew":
            path.unlink()
            path.write_bytes(data)
        case _:
            with open(path, "r+b") as file:
                file.write(data)
                file.truncate()
    if "mtime" in way:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return way


def change_parameter(project, random):
    pipeline = random.choice(project.pipelines)
    name = random.choice(sorted(pipeline.parameters))
    pipeline.parameters[name] = random.choice(VALUES)
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: {name} = {pipeline.parameters[name]}"


def change_word(project, random):
    project.word = random.choice(WORDS)
    return f"TORTURE_WORD={project.word}"


def retag(project, random):
    pipeline, name = any_node(project, random)
    pipeline.nodes[name] = dataclasses.replace(pipeline.nodes[name], tag=project.tag(random))
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: {name} does something else"


def rewire(project, random):
    pipeline, name = any_node(project, random)
    node, before = pipeline.nodes[name], list(pipeline.nodes)
    before = before[: before.index(name)]
    if not before or not node.inputs:
        return None
    port = random.choice(sorted(node.inputs))
    inputs = {**node.inputs, port: random.choice(before)}
    pipeline.nodes[name] = dataclasses.replace(node, inputs=inputs)
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: {name} takes {inputs[port]} for {port}"


def add(project, random):
    pipeline = random.choice(project.pipelines)
    name = project.add_node(pipeline, random, "mixed")
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: new {name}"


def remove(project, random):
    pipeline, name = any_node(project, random)
    taken = any(name in node.inputs.values() for node in pipeline.nodes.values())
    if taken or len(pipeline.nodes) < 3:
        return None
    del pipeline.nodes[name]
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: {name} is gone"


def rename_node(project, random):
    pipeline, old = any_node(project, random)
    new = project.fresh("renamed")
    now = lambda name: new if name == old else name
    renamed = lambda node: dataclasses.replace(node, inputs={port: now(other) for port, other in node.inputs.items()})
    pipeline.nodes = {now(name): renamed(node) for name, node in pipeline.nodes.items()}
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: {old} is called {new}"


def rename_source(project, random):
    old = random.choice(sorted(project.sources))
    new = project.fresh("data/moved")
    (project.root / new).parent.mkdir(exist_ok=True)
    os.rename(project.root / old, project.root / new)
    # Its content stays, which names the old name.
    project.sources[new], project.lines[new] = project.sources.pop(old), project.lines.pop(old)
    now = lambda name: new if name == old else name
    for pipeline in project.pipelines:
        for name, node in pipeline.nodes.items():
            files = {port: now(source) for port, source in node.files.items()}
            pipeline.nodes[name] = dataclasses.replace(node, files=files)
        project.write_pipeline(pipeline)
    return f"{old} is called {new}"


def add_source(project, random):
    if len(project.sources) > 8:
        return None
    name = project.add_source(random)
    project.write_source(name)
    return f"new {name}"


def change_settings(project, random):
    pipeline = random.choice(project.pipelines)
    pipeline.settings = random.choice(("", '"*": (retries: 2)', '"*": (timeout: "200 s", threads: 1)'))
    project.write_pipeline(pipeline)
    return f"{pipeline.path}: settings {pipeline.settings!r}"


def reorder(project, random):
    """The order of a pipeline's text means nothing."""
    pipeline = random.choice(project.pipelines)
    order = list(pipeline.nodes)
    nodes = {name: pipeline.nodes[name] for name in random.sample(order, len(order))}
    project.write_pipeline(dataclasses.replace(pipeline, nodes=nodes))
    return f"{pipeline.path}: nodes in another order"


def move_pipeline(project, random):
    pipeline = random.choice(project.pipelines)
    old, pipeline.path = pipeline.path, project.fresh(random.choice(("m", "sub/m", "else where/m"))) + ".ron"
    project.write_pipeline(pipeline)
    (project.root / old).unlink()
    return f"{old} is now {pipeline.path}"


def rename_pipeline(project, random):
    pipeline = random.choice(project.pipelines)
    pipeline.name = project.fresh("name")
    project.write_pipeline(pipeline)
    return f"{pipeline.path} says that it is {pipeline.name}"


def copy_pipeline(project, random):
    """A copy keeps the name that its text says, and goes its own way from then on."""
    if len(project.pipelines) > 3:
        return None
    pipeline = random.choice(project.pipelines)
    nodes = {name: dataclasses.replace(node) for name, node in pipeline.nodes.items()}
    path, parameters = project.fresh("copy") + ".ron", dict(pipeline.parameters)
    copy = dataclasses.replace(pipeline, path=path, parameters=parameters, nodes=nodes)
    project.pipelines.append(copy)
    project.write_pipeline(copy)
    return f"{copy.path} is a copy of {pipeline.path}"


def delete_pipeline(project, random):
    if len(project.pipelines) < 2:
        return None
    pipeline = project.pipelines.pop(random.randrange(len(project.pipelines)))
    (project.root / pipeline.path).unlink()
    return f"{pipeline.path} is gone"


def any_node(project, random):
    pipeline = random.choice(project.pipelines)
    return pipeline, random.choice(list(pipeline.nodes))
