"""The capability profile: a folder of `profile.json` (what it can do) and `attempts.parquet` (how we know)."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from ratchet.metrics.calibration import Bin
from ratchet.metrics.suggestion import Suggestion
from ratchet.records import Isolation, Served
from ratchet.storage import as_record, file_digest, read_json, write_json

PROFILE_FILE, ATTEMPTS_FILE, PAGE_FILE = "profile.json", "attempts.parquet", "profile.html"
SHOWN_OVER_ROUNDS = ("pass@", "diversity.", "calibration.ece", "disparity")
PROFILE_VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Metric:
    """One number with what it was computed from; `estimate` is None with a `reason` where it can't be computed.

    `low` and `high` are the ends of its interval; a number that is out of sight (a crossover beyond the last k) is None
    with the end that is known. `numerator` and `denominator` are what the estimate is the ratio of: for an average the
    sum of the problems' values and the number of problems that have one. `left_out` counts the other problems.
    """

    suite: str
    name: str
    estimate: float | None
    low: float | None
    high: float | None
    numerator: float | None
    denominator: float
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
class Relative:
    """Another checkpoint that this profile speaks of: its base, or an earlier one of its history.

    `metrics` holds, for an earlier checkpoint, each number that a chart over rounds shows, as `suite/name`.
    """

    name: str
    checkpoint: str | None
    profile_digest: str
    metrics: dict[str, tuple[float, float | None, float | None]] = field(default_factory=dict)

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Profile:
    """What `profile.json` holds: identity, evidence and metrics of one checkpoint.

    `checkpoint`, `sampling` and `confidence` (where the attempts' confidences come from) are None where the attempts
    came without saying: unknown, not empty. So is `isolation`, the weakest level at which any program was run, `none`
    where there was none to run, and `served`, whose weights drew the attempts. `embedding_model` is the digest of the
    model that diversity by embeddings was computed with, which no other model's numbers can be compared with.
    `reliability` holds the bins of each suite's reliability diagram and `suggestions` what its coverage of correct
    answers suggests. `base` is the profile that it was compared with, and `history` the earlier checkpoints, oldest
    first.
    """

    name: str
    checkpoint: str | None
    sampling: dict[str, Any] | None
    suites: dict[str, SuiteCounts]
    metrics: tuple[Metric, ...]
    attempts_digest: str
    confidence_level: float
    confidence: str | None = None
    isolation: Isolation | None = None
    served: Served | None = None
    embedding_model: str | None = None
    reliability: dict[str, tuple[Bin, ...]] = field(default_factory=dict)
    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    base: Relative | None = None
    history: tuple[Relative, ...] = ()
    version: Literal[1] = PROFILE_VERSION

    __pydantic_config__ = ConfigDict(extra="forbid")

    def metric(self, suite: str, name: str) -> Metric | None:
        """The metric of that suite and name, or None where the profile has none."""
        return next((m for m in self.metrics if (m.suite, m.name) == (suite, name)), None)


def read_profile(folder: Path) -> Profile:
    """The profile in a folder that `ratchet evaluate` wrote."""
    path = folder / PROFILE_FILE
    return as_record(read_json(path), Profile, path, "a profile that `ratchet evaluate` wrote")


def write_profile(folder: Path, profile: Profile) -> None:
    """Write `profile.json`."""
    write_json(folder / PROFILE_FILE, asdict(profile))


def relative(folder: Path) -> Relative:
    """The profile in a folder as another one speaks of it."""
    profile = read_profile(folder)
    shown = [m for m in profile.metrics if m.name.startswith(SHOWN_OVER_ROUNDS) and "[" not in m.name]
    return Relative(
        name=profile.name,
        checkpoint=profile.checkpoint,
        profile_digest=file_digest(folder / PROFILE_FILE),
        metrics={f"{m.suite}/{m.name}": (m.estimate, m.low, m.high) for m in shown if m.estimate is not None},
    )
