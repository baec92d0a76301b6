"""Two profiles in, their comparison out: every metric with its paired change, and the problems that flipped."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ratchet.compare.changes import changed
from ratchet.compare.flips import Flip, FlipCounts, flip_counts, flips, with_texts
from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, Profile, read_profile
from ratchet.evaluate.suite import Suite, read_suites, require_same_problems
from ratchet.metrics.intervals import LEVEL, TAIL
from ratchet.storage import file_digest

MOST_FLIPS = 20  # a suite and direction: a list is read, not searched


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two profiles."""

    name: str
    checkpoint: str | None
    profile_digest: str


@dataclass(frozen=True, slots=True)
class Row:
    """One metric on both sides; the change from before to after with its interval, or the reason why there is none."""

    suite: str
    name: str
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two profiles side by side; `notes` say what a reader should know before trusting the changes."""

    before: Side
    after: Side
    rows: tuple[Row, ...]
    flip_counts: tuple[FlipCounts, ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...]
    confidence_level: float = LEVEL


def compare(before: Path, after: Path, most_flips: int = MOST_FLIPS, embeddings: Path | None = None) -> Comparison:
    """The comparison of two profile folders over the suites that both have, problem by problem.

    With `embeddings`, a folder with a sentence-embedding model, diversity by embeddings is compared as well.
    """
    profiles = read_profile(before), read_profile(after)
    sides = [read_suites(folder, texts=True, embeddings=embeddings) for folder in (before, after)]
    shared = [name for name in sides[0] if name in sides[1]]
    if not shared:
        raise InputError(
            f"suites {', '.join(sides[0])} and {', '.join(sides[1])}",
            where=after,
            expected=f"a suite that {before} has too",
            next="evaluate both checkpoints on the same problems",
        )
    pairs = [(sides[0][name], sides[1][name]) for name in shared]
    for pair in pairs:
        require_same_problems(*pair, "the second profile", after)
    found = [flip for pair in pairs for flip in flips(*pair, most_flips)]
    return Comparison(
        before=_side(before, profiles[0]),
        after=_side(after, profiles[1]),
        rows=tuple(row for pair in pairs for row in _rows(*profiles, *pair)),
        flip_counts=tuple(flip_counts(*pair) for pair in pairs),
        flips=tuple(with_texts(found, before / ATTEMPTS_FILE, after / ATTEMPTS_FILE)),
        notes=tuple(_notes(*profiles, list(sides[0]), list(sides[1]))),
    )


def _rows(profile_before: Profile, profile_after: Profile, before: Suite, after: Suite) -> Iterator[Row]:
    theirs = {metric.name: metric for metric in profile_before.metrics if metric.suite == before.name}
    for metric in profile_after.metrics:
        if metric.suite != after.name or metric.name not in theirs:
            continue
        found = changed(metric.name, before, after)
        ends = (theirs[metric.name].estimate, metric.estimate)
        if isinstance(found, str):
            yield Row(after.name, metric.name, *ends, None, None, None, metric.reason or found)
        else:
            change = found.change
            yield Row(after.name, metric.name, *ends, change.value, change.lower(TAIL), change.upper(TAIL))


def _side(folder: Path, profile: Profile) -> Side:
    return Side(profile.name, profile.checkpoint, file_digest(folder / PROFILE_FILE))


def _notes(before: Profile, after: Profile, suites_before: list[str], suites_after: list[str]) -> Iterator[str]:
    if before.checkpoint is not None and before.checkpoint == after.checkpoint:
        yield "both profiles are of one checkpoint: what differs is chance"
    for kind in ("sampling", "confidence"):
        mine, theirs = getattr(before, kind), getattr(after, kind)
        if mine is None or theirs is None:
            if kind == "sampling":
                yield "the sampling parameters of a side are unknown: equal ones are assumed"
        elif _without_seed(mine) != _without_seed(theirs):
            yield f"the sides differ in {kind}: {theirs} after, {mine} before"
    alone = sorted(set(suites_before) ^ set(suites_after))
    if alone:
        yield f"suites that one side alone has are left out: {', '.join(alone)}"


def _without_seed(parameters: object) -> object:
    return {k: v for k, v in parameters.items() if k != "seed"} if isinstance(parameters, dict) else parameters
