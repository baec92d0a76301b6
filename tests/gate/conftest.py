"""Profiles to judge, written as `ratchet evaluate` writes them, from how many of each problem's attempts are right."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.gate.room import Room, gated

from ratchet.cli import invoke
from ratchet.evaluate.profile import ATTEMPTS_FILE, PROFILE_FILE, Profile, SuiteCounts
from ratchet.records import Attempt
from ratchet.storage import file_digest, table_of, write_json, write_table

SAMPLING = {"temperature": 0.8, "top_p": 0.95, "seed": 1}
POLICY = """version: 1
alpha: 0.05
suites: {main: sums}
evidence: {min_problems: 100, min_attempts: 16, max_error_rate: 0.01, max_ungradable_rate: 0.02}
axes:
  pass@1: {tier: critical, max_drop: 0.05}
  pass@16: {tier: critical, max_drop: 0.05}
against: [base]
"""


def attempts_at(
    suite: str, right: Sequence[int], attempts: int = 16, cluster_size: int = 0, groups: int = 0, prefix: str = "p"
) -> list[Attempt]:
    """`attempts` attempts a problem, of which the first `right[i]` are correct."""
    return [
        Attempt(
            problem_id=f"{prefix}{i}",
            suite=suite,
            attempt=j,
            outcome="correct" if j < number else "incorrect",
            group=str(i % groups + 1) if groups else None,
            cluster=f"c{i // cluster_size}" if cluster_size else None,
        )
        for i, number in enumerate(right)
        for j in range(attempts)
    ]


def write_profile(folder: Path, rows: Sequence[Attempt], checkpoint: str | None = None, **changed: Any) -> Path:
    """A profile folder that holds `rows`; `changed` overrides what `profile.json` states."""
    sampling = changed.pop("sampling", SAMPLING)
    isolation = changed.pop("isolation", "none")
    served = changed.pop("served", None)
    header = {"checkpoint": checkpoint, "sampling": sampling, "isolation": isolation}
    if served is not None:  # else as files were written before they said so
        header["served"] = asdict(served)
    write_table(folder / ATTEMPTS_FILE, table_of(rows, Attempt), header)
    stated = {
        "name": folder.name,
        "checkpoint": checkpoint,
        "sampling": sampling,
        "suites": {suite: _counts([row for row in rows if row.suite == suite]) for suite in {r.suite for r in rows}},
        "metrics": (),
        "attempts_digest": file_digest(folder / ATTEMPTS_FILE),
        "confidence_level": 0.95,
        "isolation": isolation,
        "served": served,
    }
    write_json(folder / PROFILE_FILE, asdict(Profile(**{**stated, **changed})))
    return folder


def _counts(rows: list[Attempt]) -> SuiteCounts:
    problems, outcomes = Counter(row.problem_id for row in rows), Counter(row.outcome for row in rows)
    return SuiteCounts(
        problems=len(problems),
        attempts=len(rows),
        fewest_attempts=min(problems.values()),
        correct=outcomes["correct"],
        incorrect=outcomes["incorrect"],
        ungradable=outcomes["ungradable"],
        errors=outcomes["error"],
    )


Maker = Callable[..., Path]


@pytest.fixture
def profile(tmp_path: Path) -> Maker:
    """`profile("candidate", right)`: a profile on the suite `sums` of a checkpoint named like it."""

    def make(name: str, right: Sequence[int], suite: str = "sums", checkpoint: str | None = "", **options: Any) -> Path:
        shape = {key: options.pop(key) for key in ("attempts", "cluster_size", "groups", "prefix") if key in options}
        digest = f"sha256:{name}" if checkpoint == "" else checkpoint
        return write_profile(tmp_path / name, attempts_at(suite, right, **shape), digest, **options)

    return make


@pytest.fixture
def rows() -> Callable[..., list[Attempt]]:
    """`attempts_at`, for profiles that need other rows."""
    return attempts_at


@pytest.fixture
def write() -> Callable[..., Path]:
    """`write_profile`, for profiles of rows made by hand."""
    return write_profile


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Path]:
    """`policy(old, new, ...)`: the plain policy in a file, with texts replaced."""

    def make(*replaced: str) -> Path:
        text = POLICY
        for old, new in zip(replaced[::2], replaced[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "policy.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture
def room(
    profile: Callable[..., Path], policy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Room:
    """A verdict to promote that is signed, the profiles, policy and keys beside it, and no key in the environment."""
    for variable in ("RATCHET_SIGNING_KEY", "RATCHET_VERIFY_KEY"):
        monkeypatch.delenv(variable, raising=False)
    profile("new", [9] * 100)
    profile("base", [8] * 100)
    policy()
    room = Room(tmp_path)
    for name in ("signing.pem", "other.pem"):
        assert invoke(["keys", "new", "--out", str(room / name)]) == 0
    assert gated(room) == 0
    return room
