"""Steps that survive being killed: a result appears whole or not at all, a second start goes on where the first was.

A step works in `<out>.partial` and renames it to `<out>` when it is done. `step.json` holds what the result was made
from; a folder made from something else is never reused or overwritten. A lock keeps two processes from working on one
result: the second waits, then finds it done.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.failures import noted
from ratchet.storage import file_digest, read_json, write_json

STAMP = "step.json"
POINTER = "pointer.json"
PARTIAL = ".partial"


def run_step(out: Path, made_from: Mapping[str, Any], work: Callable[[Path], None]) -> Path:
    """`out`, after `work(partial)` has filled it, or at once where a result made from the same things is there."""
    wanted = json.loads(json.dumps(dict(made_from), allow_nan=False))
    partial = out.with_name(out.name + PARTIAL)
    with _locked(out):
        if out.exists():
            _require_same(out, wanted)
            return out
        begun = (partial / STAMP).exists()
        if begun:
            _require_same(partial, wanted)
        partial.mkdir(parents=True, exist_ok=True)
        write_json(partial / STAMP, wanted)
        try:
            work(partial)
        except InputError:
            if not begun:  # nothing to go on from: what was given must be mended first, and is then another input
                shutil.rmtree(partial)
            raise
        partial.rename(out)
    return out


@contextmanager
def placed(workspace: str, name: str, artifact: str, as_pointer: bool = False) -> Iterator[Path]:
    """Where a pipeline step writes its result: `<workspace>/<name>`, handed on at the artifact's path when it is done.

    The workspace outlives a run that is killed, the artifact's path (new in every run of a pipeline) does not. What is
    handed on is a copy, or with `as_pointer` where the result lies: weights are not uploaded and fetched for each step.
    What a step fails with is noted in the workspace too.
    """
    out = Path(workspace, name)
    with noted(workspace, name):
        yield out
    if as_pointer:
        point(out, Path(artifact))
    else:
        publish(out, Path(artifact))


def located(artifact: str) -> Path:
    """The folder that an artifact stands for: itself, or the one in the workspace that it points to.

    A pointer to a folder that is gone, or holds another result by now, is refused.
    """
    pointer = Path(artifact, POINTER)
    if not pointer.is_file():
        return Path(artifact)
    said = read_json(pointer)
    folder = Path(str(said.get("folder")))
    if not folder.is_dir():
        raise InputError(
            "no such folder", where=folder, expected="what a step left there", next="mount the run's workspace there"
        )
    stamp = folder / STAMP
    if said.get("stamp") != (file_digest(stamp) if stamp.is_file() else None):
        raise InputError(
            "another result than the one pointed to", where=folder, expected="a workspace for this run alone"
        )
    return folder


def files(artifacts: Iterable[Any], name: str) -> list[Path]:
    """The files of that name in a list of artifacts, as the steps of a loop hand them on."""
    return [Path(artifact.path, name) for artifact in artifacts]


def point(folder: Path, artifact: Path) -> None:
    """Hand on, at `artifact`, where a folder lies; its stamp, where it has one, says later whether it is the same."""
    shutil.rmtree(artifact, ignore_errors=True)
    artifact.mkdir(parents=True)
    stamp = folder / STAMP
    digest = file_digest(stamp) if stamp.is_file() else None
    write_json(artifact / POINTER, {"folder": str(folder.absolute()), "stamp": digest})


def publish(out: Path, artifact: Path) -> None:
    """Copy a result to `artifact`, as hard links where the file system can."""
    shutil.rmtree(artifact, ignore_errors=True)
    shutil.copytree(out, artifact, copy_function=link_or_copy)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """The file at `target` too: as a hard link where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_same(folder: Path, wanted: Mapping[str, Any]) -> None:
    if not (folder / STAMP).is_file():
        raise InputError(
            "a folder that Ratchet did not write", where=folder, expected="a new folder, or a result to go on with"
        )
    found = read_json(folder / STAMP)
    different = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    if different:
        key = different[0]
        raise InputError(
            f"a result made with {key} = {json.dumps(found.get(key))}",
            where=folder,
            expected=f"{key} = {json.dumps(wanted.get(key))}",
            next="choose another folder or remove this one",
        )
