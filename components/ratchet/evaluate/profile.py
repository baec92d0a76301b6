"""The capability profile: a folder of `profile.json` (what it can do) and `attempts.parquet` (how we know)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from ratchet.records import Attempt
from ratchet.storage import as_record, read_json, read_table

if TYPE_CHECKING:
    import pyarrow as pa

PROFILE_FILE = "profile.json"
ATTEMPTS_FILE = "attempts.parquet"
PROFILE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with what it was computed from; `estimate` is None with a `reason` where it can't be computed.

    `numerator` is the sum of the problems' values and `denominator` the number of problems that have one; `left_out`
    counts the other problems.
    """

    suite: str
    name: str
    estimate: float | None
    low: float | None
    high: float | None
    numerator: float | None
    denominator: int
    ungradable: int
    errors: int
    left_out: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SuiteCounts:
    """How much evidence a suite holds."""

    problems: int
    attempts: int
    fewest_attempts: int
    correct: int
    incorrect: int
    ungradable: int
    errors: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What `profile.json` holds: identity, evidence and metrics of one checkpoint.

    `checkpoint` and `sampling` are None where the attempts came without a header: unknown, not empty.
    """

    name: str
    checkpoint: str | None
    sampling: dict[str, Any] | None
    suites: dict[str, SuiteCounts]
    metrics: tuple[Metric, ...]
    attempts_digest: str
    confidence_level: float
    version: int = PROFILE_VERSION

    __pydantic_config__ = ConfigDict(extra="forbid")

    def metric(self, suite: str, name: str) -> Metric | None:
        """The metric of that suite and name, or None where the profile has none."""
        return next((m for m in self.metrics if (m.suite, m.name) == (suite, name)), None)


def read_profile(folder: Path) -> Profile:
    """The profile in a folder that `ratchet evaluate` wrote."""
    path = folder / PROFILE_FILE
    return as_record(read_json(path), Profile, path, "a profile that `ratchet evaluate` wrote")


def read_attempts(folder: Path) -> "pa.Table":
    """The attempts table of a profile folder."""
    return read_table(folder / ATTEMPTS_FILE, Attempt)[0]
