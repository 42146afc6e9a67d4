"""What is pinned stays as it was, whatever becomes of its pipeline."""

from torture.checks import compare, export_once
from torture.scene import Fault


def pin(scene, random):
    """Pins a node's artifact, right after a check of all."""
    pipeline = random.choice(scene.project.pipelines)
    node = random.choice(sorted(pipeline.nodes))
    name = f"pin-{scene.commands}"
    code, _, said = scene.flow("tag", pipeline.path, node, name)
    if code != 0:
        raise Fault(f"`tag {pipeline.path} {node} {name}` ended with {code}: {said}")
    scene.pins[name] = (scene.injuries, scene.project.evaluate(pipeline)[node])
    scene.count("pins", "made")


def check_pins(scene, random):
    """Every pin is there, and what it was; it may be lost to damage, from which nobody can make it anew."""
    for name, (injuries, expected) in list(scene.pins.items()):
        dest = scene.exports / name
        code, said = export_once(scene, f"@{name}", str(dest), "--force")
        if code == 0:
            compare(scene, name, dest, expected, {})
            scene.count("pins", "held")
        elif injuries == scene.injuries:
            raise Fault(f"nothing was damaged since {name} was pinned, and its export ended with {code}: {said}")
        if code != 0 or random.random() < 0.2:
            scene.flow("unpin", name)
            del scene.pins[name]
