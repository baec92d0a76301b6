"""Every image does its steps' work in a locked pod: another user than root's, and a root that can't be written to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet import __version__
from ratchet.images import COMPILES, IMAGES, SCRATCH, USER
from ratchet_pipelines.catalogue import COMPONENTS, load
from ratchet_pipelines.hardening import labels, locked_pod

pytestmark = pytest.mark.cluster

# Said by the image itself: that its steps can be imported, which compilers it has, and where it may write.
LOOK = """
import importlib, json, os, shutil, sys
rooms = sys.argv[1].split(",")
for room in rooms:
    importlib.import_module(f"ratchet.{room}.component")
import kfp.dsl.executor_main
import ratchet
print(json.dumps({
    "version": ratchet.__version__,
    "user": [os.getuid(), os.getgid()],
    "home": os.environ["HOME"],
    "compilers": [name for name in ("cc", "gcc", "clang", "c++", "ld", "make", "pip", "uv") if shutil.which(name)],
    "writable": [f for f in ("/", "/opt", "/opt/ratchet", "/etc", "/usr", "/var", "/tmp") if os.access(f, os.W_OK)],
}))
"""


def _rooms(name: str) -> list[str]:
    """The rooms of the library whose steps run in this image."""
    images = {
        room: {load(room, step).component_spec.implementation.container.image for step in steps}
        for room, steps in COMPONENTS.items()
    }
    return [room for room, used in images.items() if IMAGES[name] in used]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_its_steps_and_a_compiler_only_where_they_compile(
    name: str, image: Callable[[str], str], run: Any
) -> None:
    command = ["python", "-c", LOOK, ",".join(_rooms(name))]
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
