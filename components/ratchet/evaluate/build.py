"""Attempts in, capability profile out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.errors import InputError
from ratchet.evaluate.attempts import AttemptsHeader, gather
from ratchet.evaluate.measures import CONFIDENCE_LEVEL, suite_counts, suite_metrics
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, PROFILE_VERSION, Profile
from ratchet.steps import run_step
from ratchet.storage import file_digest, write_json, write_table

if TYPE_CHECKING:
    import pyarrow as pa


def evaluate(attempts: Sequence[Path], out: Path, name: str, ks: Sequence[int] | None = None) -> Path:
    """The profile folder `out`: `profile.json` and `attempts.parquet` of all attempts in the files.

    Without `ks`, pass@k is computed for every power of two that some problem has graded attempts for.
    """
    if not attempts:
        raise InputError("no attempts file", expected="at least one")
    if ks is not None and min(ks, default=0) < 1:
        raise InputError(f"k = {min(ks, default=None)}", expected="every k at least 1")
    table, header = gather(attempts)
    made_from = {
        "profile_version": PROFILE_VERSION,
        "attempts": [file_digest(path) for path in attempts],
        "name": name,
        "ks": None if ks is None else sorted(set(ks)),
    }

    def work(partial: Path) -> None:
        write_table(partial / ATTEMPTS_FILE, table, asdict(header))
        profile = build_profile(table, header, name, file_digest(partial / ATTEMPTS_FILE), ks)
        write_json(partial / PROFILE_FILE, asdict(profile))

    return run_step(out, made_from, work)


def build_profile(
    table: "pa.Table", header: AttemptsHeader, name: str, attempts_digest: str, ks: Sequence[int] | None = None
) -> Profile:
    """The profile of a table that `gather` has checked."""
    import pyarrow.compute as pc

    suites = sorted(pc.unique(table["suite"]).to_pylist())
    parts = {suite: table.filter(pc.equal(table["suite"], suite)) for suite in suites}
    return Profile(
        name=name,
        checkpoint=header.checkpoint,
        sampling=header.sampling,
        suites={suite: suite_counts(part) for suite, part in parts.items()},
        metrics=tuple(metric for suite, part in parts.items() for metric in suite_metrics(suite, part, ks)),
        attempts_digest=attempts_digest,
        confidence_level=CONFIDENCE_LEVEL,
    )


def tracked_metrics(profile: Profile, intervals: bool = False) -> dict[str, float]:
    """What trackers are given: `suite/pass_at_16` and so on, undefined metrics left out.

    With `intervals` also `suite/pass_at_16/low` and `/high`. KFP refuses NaN and MLflow refuses `@`, `[` and `=`.
    """
    found: dict[str, float] = {}
    for metric in profile.metrics:
        named = f"{_trackable(metric.suite)}/{_trackable(metric.name)}"
        ends = {"": metric.estimate, "/low": metric.low, "/high": metric.high}
        for suffix, value in ends.items():
            if value is not None and (intervals or not suffix):
                found[named + suffix] = value
    return found


def _trackable(name: str) -> str:
    plain = name.replace("[group=", "/group_").replace("]", "").replace("@", "_at_")
    return "".join(character if character.isalnum() or character in "_-./ " else "_" for character in plain)
