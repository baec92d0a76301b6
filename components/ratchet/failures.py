"""What a step said when it failed, kept in the run's workspace: Kubeflow hands an exit handler no message of a step."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ratchet.errors import InputError
from ratchet.storage import read_json, write_json

SUFFIX = ".failed.json"
MOST_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """A step of a run that failed, what it said, and when (ISO 8601, UTC)."""

    step: str
    message: str
    at: str


@contextlib.contextmanager
def noted(workspace: str, step: str) -> Iterator[None]:
    """Keep what ends the block with an error, beside where the step's result would be.

    A start that goes through leaves no note, and the note of an earlier start of the same step is removed.
    """
    note = Path(workspace, step + SUFFIX)
    note.unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        said = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):  # a full volume may be the very error, which must not be covered up
            note.parent.mkdir(parents=True, exist_ok=True)
            write_json(note, {"step": step, "message": said[:MOST_CHARACTERS], "at": now()})
        raise


def failures(folder: Path) -> list[Failure]:
    """The failures noted in a folder and in the folders of its stages, the first first."""
    notes = [read_json(path) for pattern in (f"*{SUFFIX}", f"*/*{SUFFIX}") for path in folder.glob(pattern)]
    return sorted((Failure(**note) for note in notes), key=lambda failure: failure.at)


def now() -> str:
    """The time, as notes have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
