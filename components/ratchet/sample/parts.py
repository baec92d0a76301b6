"""Finished attempts on disk: a part holds what finished since the last one, so that a killed run loses a second."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ratchet.records import Sample
from ratchet.storage import read_records, write_records

SECONDS_BETWEEN_PARTS = 1.0
PARTS = "parts"  # the folder of them within a partial result
SURE, UNSURE = "part-", "unchecked-"  # file names begin so

Key = tuple[str, str, int]


def key_of(sample: Sample) -> Key:
    """What names an attempt: suite, problem and number."""
    return sample.suite, sample.problem_id, sample.attempt


class Mirror(Protocol):
    """Told of what changes in a partial result, to keep a copy of it elsewhere."""

    def begun(self, partial: Path) -> None:
        """The partial result has its stamp."""

    def written(self, path: Path) -> None:
        """A part is there."""

    def removed(self, path: Path) -> None:
        """A part is no more."""


class Parts:
    """The parts in a folder.

    Attempts of a model that may have been exchanged unseen are written as unchecked; `confirm` and `reject` settle what
    they are, when it is known which model answers.
    """

    def __init__(self, folder: Path, sure: bool, mirror: Mirror | None = None) -> None:
        self._folder = folder
        self._prefix = SURE if sure else UNSURE
        self._waiting: list[Sample] = []
        self._last = time.monotonic()
        self._mirror = mirror
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, samples: Sequence[Sample]) -> None:
        """Take attempts in, and write what is waiting if the last part is a second old."""
        self._waiting.extend(samples)
        if time.monotonic() - self._last >= SECONDS_BETWEEN_PARTS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one part."""
        self._last = time.monotonic()
        if self._waiting:
            path = self._folder / f"{self._prefix}{time.time_ns():020d}.parquet"
            write_records(path, self._waiting, Sample)
            self._waiting = []
            if self._mirror is not None:
                self._mirror.written(path)

    def read(self) -> list[Sample]:
        """All attempts on disk, unchecked ones included, by suite, problem and number."""
        found = [sample for path in self._paths(SURE) + self._paths(UNSURE) for sample in read_records(path, Sample)]
        return sorted(found, key=key_of)

    def unsure(self) -> bool:
        """Whether there are unchecked attempts."""
        return bool(self._paths(UNSURE))

    def confirm(self) -> None:
        """Keep the unchecked attempts: the same model answered before and after them."""
        self.flush()
        for path in self._paths(UNSURE):
            kept = path.with_name(SURE + path.name.removeprefix(UNSURE))
            path.rename(kept)
            if self._mirror is not None:
                self._mirror.written(kept)
                self._mirror.removed(path)

    def reject(self) -> int:
        """Remove the unchecked attempts, and return how many there were."""
        self.flush()
        paths = self._paths(UNSURE)
        count = sum(len(read_records(path, Sample)) for path in paths)
        for path in paths:
            path.unlink()
            if self._mirror is not None:
                self._mirror.removed(path)
        return count

    def remove(self) -> None:
        """Remove the folder, when its attempts stand elsewhere."""
        for path in self._folder.iterdir():  # among them what a kill left of a part that was being written
            path.unlink()
        self._folder.rmdir()

    def _paths(self, prefix: str) -> list[Path]:
        return sorted(self._folder.glob(f"{prefix}*.parquet"))
