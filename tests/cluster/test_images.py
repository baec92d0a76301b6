"""Every image does its steps' work in a locked pod: another user than root's, and a root that can't be written to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet import __version__
from ratchet.images import COMPILES, IMAGES, SCRATCH, SERVERS, USER
from ratchet_pipelines.catalogue import COMPONENTS, load
from ratchet_pipelines.hardening import labels, locked_pod

pytestmark = pytest.mark.cluster

# Said by the image itself: that what runs in it can be imported, which compilers it has, and where it may write.
LOOK = """
import importlib, json, os, shutil, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
import ratchet
print(json.dumps({
    "version": ratchet.__version__,
    "user": [os.getuid(), os.getgid()],
    "home": os.environ["HOME"],
    "compilers": [name for name in ("cc", "gcc", "clang", "c++", "ld", "make", "pip", "uv") if shutil.which(name)],
    "writable": [f for f in ("/", "/opt", "/opt/ratchet", "/etc", "/usr", "/var", "/tmp") if os.access(f, os.W_OK)],
}))
"""


def _modules(name: str) -> list[str]:
    """What runs in this image: the components of steps and what starts them, or a server."""
    if name in SERVERS:
        return [f"ratchet_{name}.app"]
    images = {
        room: {load(room, step).component_spec.implementation.container.image for step in steps}
        for room, steps in COMPONENTS.items()
    }
    rooms = [f"ratchet.{room}.component" for room, used in images.items() if IMAGES[name] in used]
    return [*rooms, "kfp.dsl.executor_main"]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_what_runs_in_it_and_a_compiler_only_where_steps_compile(
    name: str, image: Callable[[str], str], run: Any
) -> None:
    command = ["python", "-c", LOOK, *_modules(name)]
    ended = run(locked_pod({"name": "look", "image": image(name), "command": command}), labels())
    assert ended.succeeded, ended
    assert ended.printed == {
        "version": __version__,
        "user": [USER, USER],
        "home": SCRATCH,
        "compilers": ["cc", "gcc", "ld"] if name in COMPILES else [],
        "writable": [SCRATCH],
    }


def test_the_image_base_validates_problems_with_a_read_only_root(
    image: Callable[[str], str], files: Any, run: Any, problems: Path
) -> None:
    data = files("data", {"problems.parquet": problems.read_bytes()})
    mounts = [{"name": "data", "mountPath": "/data", "readOnly": True}]
    command = ["ratchet", "validate", "/data/problems.parquet", "--out", "/tmp/validated"]
    container = {"name": "validate", "image": image("base"), "command": command, "volumeMounts": mounts}
    ended = run(locked_pod(container, [data]), labels())
    assert ended.succeeded, ended
