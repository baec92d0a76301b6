"""Axes beside pass@K, each by hand: retained, diversity, relative margins, rises, fringe, and the unmeasured."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ratchet.gate.case import load_case
from ratchet.gate.decide import decide
from ratchet.gate.verdict import AxisResult, Verdict
from ratchet.records import Attempt

Maker = Callable[..., Path]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AXIS = "pass@16: {tier: critical, max_drop: 0.05}"


def judged(candidate: Path, policy: Path, **references: Path) -> Verdict:
    return decide(load_case(candidate, references, policy), NOON)


def axis(verdict: Verdict, name: str) -> AxisResult:
    return next(result for result in verdict.axes if result.axis == name)


def alternating(name: str, patterns: list[str], write: Maker, folder: Path, **fields: object) -> Path:
    """A profile whose problem i has the outcomes that pattern i spells, + for a right attempt."""
    rows = [
        Attempt(f"p{i}", "correct" if sign == "+" else "incorrect", suite="sums", attempt=j, **fields)
        for i, pattern in enumerate(patterns)
        for j, sign in enumerate(pattern)
    ]
    return write(folder / name, rows, f"sha256:{name}")


def test_retained_judges_by_even_attempts_and_compares_by_odd_ones(tmp_path: Path, policy: Maker, write: Maker) -> None:
    # Even attempts right, odd ones wrong: reliable by one half (8 of 8), 0 of 8 by the other. Judged and compared by
    # the same attempts the base would keep 1.0; by the half that did not judge it keeps 0, and .5 is a gain.
    base = alternating("base", ["+-" * 8] * 100 + ["-" * 16] * 50, write, tmp_path)
    new = alternating("new", ["+" * 8 + "-" * 8] * 100 + ["-" * 16] * 50, write, tmp_path)
    rules = policy(AXIS, "retained: {tier: critical, max_drop: 0.03, reliable: 0.75}")
    found = axis(judged(new, rules, base=base), "retained")
    assert (found.candidate_estimate, found.reference_estimate, found.difference) == (0.5, 0.0, 0.5)
    assert found.problems == 100
    assert found.outcome == "ok"


def test_chance_alone_loses_none_of_what_is_retained(tmp_path: Path, policy: Maker, write: Maker) -> None:
    # The same model twice, every problem at rate .8: by the half that judged it would seem to lose .08 and more.
    rng = np.random.default_rng(1)
    names = {"base": 1, "new": 2}
    folders = {
        name: alternating(
            name, ["".join("+-"[int(rng.random() > 0.8)] for _ in range(16)) for _ in range(300)], write, tmp_path
        )
        for name in names
    }
    rules = policy(AXIS, "retained: {tier: critical, max_drop: 0.03}")
    found = axis(judged(folders["new"], rules, base=folders["base"]), "retained")
    assert found.difference == pytest.approx(0.0, abs=0.03)
    assert found.by_chance is not None
    assert found.by_chance[0] < found.difference < found.by_chance[1]
    assert found.outcome == "undecided" or found.outcome == "ok"


def test_problems_lost_outright_are_not_retained(profile: Maker, policy: Maker) -> None:
    rules = policy(AXIS, "retained: {tier: critical, max_drop: 0.03}")
    base, new = profile("base", [16] * 200), profile("new", [16] * 160 + [0] * 40)
    verdict = judged(new, rules, base=base)
    found = axis(verdict, "retained")
    assert (found.difference, found.outcome) == (pytest.approx(-0.2), "harm")
    assert verdict.kind == "regression"  # pass@1 fell as well


def test_a_reference_that_solves_nothing_reliably_leaves_retained_undecided(profile: Maker, policy: Maker) -> None:
    rules = policy(AXIS, "retained: {tier: critical, max_drop: 0.03}")
    verdict = judged(profile("new", [5] * 200), rules, base=profile("base", [4] * 200))
    assert verdict.verdict == "INCONCLUSIVE"
    assert (
        "retained against base can't be measured: the reference solves no problem in 75% of its attempts"
        in verdict.reasons
    )


def test_a_relative_margin_is_held_against_the_ratio(profile: Maker, policy: Maker) -> None:
    # pass@1 .25 -> .1875: a fall of a quarter. Within 30 %, beyond 20 %.
    base, new = profile("base", [4] * 800), profile("new", [3] * 800)
    wide = axis(
        judged(
            new,
            policy("pass@1: {tier: critical, max_drop: 0.05}", "pass@1: {tier: critical, max_relative_drop: 0.3}"),
            base=base,
        ),
        "pass@1",
    )
    tight = axis(
        judged(
            new,
            policy("pass@1: {tier: critical, max_drop: 0.05}", "pass@1: {tier: critical, max_relative_drop: 0.2}"),
            base=base,
        ),
        "pass@1",
    )
    assert wide.difference == pytest.approx(-0.25)
    assert (wide.outcome, tight.outcome) == ("ok", "harm")
    assert wide.low is not None and wide.high is not None and -0.3 < wide.low < -0.25 < wide.high < -0.2


def with_groups(rows: Maker, write: Maker, folder: Path, name: str, right: list[int]) -> Path:
    return write(folder / name, rows("sums", right, groups=2), f"sha256:{name}")


def test_a_rise_of_disparity_is_harm(tmp_path: Path, policy: Maker, rows: Maker, write: Maker) -> None:
    # groups 1 and 2 alternate: both at .5 before (disparity 0), then .75 and .25 (disparity 2/3), pass@1 unchanged
    base = with_groups(rows, write, tmp_path, "base", [8] * 400)
    new = with_groups(rows, write, tmp_path, "new", [12, 4] * 200)
    verdict = judged(new, policy(AXIS, "disparity.sums: {tier: critical, max_rise: 0.05}"), base=base)
    found = axis(verdict, "disparity.sums")
    assert (found.reference_estimate, found.candidate_estimate) == (0.0, pytest.approx(2 / 3))
    assert (verdict.verdict, verdict.kind, found.outcome) == ("BLOCK", "reversal", "harm")
    assert verdict.reasons[0].startswith("disparity.sums rose by 0.667")
    assert judged(base, policy(AXIS, "disparity: {tier: critical, max_rise: 0.05}"), base=new).axes[1].outcome == "ok"


def test_a_rise_of_ece_is_harm_and_supporting_it_only_stops(tmp_path: Path, policy: Maker, write: Maker) -> None:
    base = alternating("base", ["+" * 8 + "-" * 8] * 300, write, tmp_path, confidence=0.5)
    new = alternating("new", ["+" * 8 + "-" * 8] * 300, write, tmp_path, confidence=0.9)
    supporting = policy(AXIS, "calibration.ece: {tier: supporting, max_rise: 0.05}")
    verdict = judged(new, supporting, base=base)
    found = axis(verdict, "calibration.ece")
    assert (found.reference_estimate, found.candidate_estimate) == (0.0, pytest.approx(0.4))
    assert (found.outcome, verdict.verdict) == ("harm", "INCONCLUSIVE")


def test_diversity_is_compared_on_problems_where_both_have_enough_right_answers(
    tmp_path: Path, policy: Maker, write: Maker
) -> None:
    def rows_of(texts: Callable[[int, int], str]) -> list[Attempt]:
        return [
            Attempt(f"p{i}", "correct", suite="sums", attempt=j, text=texts(i, j))
            for i in range(300)
            for j in range(16)
        ]

    base = write(tmp_path / "base", rows_of(lambda i, j: f"{j} + {i} = {i + j}"), "sha256:base")
    new = write(tmp_path / "new", rows_of(lambda i, j: f"{i} + {i} = {2 * i}"), "sha256:new")
    rules = policy(AXIS, "diversity.equations.correct: {tier: critical, max_relative_drop: 0.3}")
    verdict = judged(new, rules, base=base)
    found = axis(verdict, "diversity.equations.correct")
    assert (found.reference_estimate, found.candidate_estimate) == (1.0, 0.25)
    assert (found.difference, verdict.verdict, verdict.kind) == (pytest.approx(-0.75), "BLOCK", "reversal")
    assert "fell by 75.0%" in verdict.reasons[0]


def test_the_fringe_is_judged_on_the_problems_that_touch_it(tmp_path: Path, policy: Maker, write: Maker) -> None:
    def rows_of(fringe: str) -> list[Attempt]:
        return [
            Attempt(
                f"p{i}",
                "correct" if (fringe if i % 4 == 0 else "+" * 16)[j] == "+" else "incorrect",
                suite="sums",
                attempt=j,
                concepts=("carry", "rare") if i % 4 == 0 else ("add",),
            )
            for i in range(800)
            for j in range(16)
        ]

    base = write(tmp_path / "base", rows_of("+" * 16), "sha256:base")
    new = write(tmp_path / "new", rows_of("+" * 14 + "-" * 2), "sha256:new")
    rules = policy(
        AXIS, "concepts.fringe: {tier: critical, max_drop: 0.1}", "against:", "concepts: {fringe: [rare]}\nagainst:"
    )
    verdict = judged(new, rules, base=base)
    found = axis(verdict, "concepts.fringe")
    assert (found.problems, found.difference, found.outcome) == (200, pytest.approx(-1 / 8), "harm")
    assert axis(verdict, "pass@1").outcome == "ok"  # -1/32 over all problems
