"""A profile over its rounds: where pass@1 peaked and how far it fell, on the same problems."""

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.rounds import over_rounds
from ratchet.evaluate.suite import Suite, load_suites
from ratchet.records import Attempt
from ratchet.storage import table_of

PROBLEMS = 8


def round_of(right: int, prefix: str = "p", failed: bool = False) -> Suite:
    """Eight equal problems, `right` of whose ten attempts are right; all attempts of the last may have failed."""
    rows = [
        Attempt(
            f"{prefix}{i}",
            "error" if failed and i == PROBLEMS - 1 else "correct" if j < right else "incorrect",
            attempt=j,
        )
        for i in range(PROBLEMS)
        for j in range(10)
    ]
    return load_suites(table_of(rows, Attempt))["default"]


def of(suites: list[Suite]) -> dict[str, Metric]:
    return {metric.name: metric for metric in over_rounds(suites)}


def test_three_rounds_by_hand() -> None:
    # pass@1 is .5, .9, .6: the peak is step 1, the gap .3, the ratio 2/3. All problems are equal, so that the halves
    # agree. Half of the gap below the peak is .75: the first step below it is 2; all of the gap fell in one step.
    found = of([round_of(5), round_of(9), round_of(6)])
    expected = {"peak": 0.9, "gap": 0.3, "ratio": 2 / 3, "peak_step": 1, "collapse": 1, "onset": 2, "jump_share": 1.0}
    assert {name.removeprefix("dynamics."): metric.estimate for name, metric in found.items()} == pytest.approx(
        expected
    )
    gap = found["dynamics.gap"]
    assert gap.low is not None and gap.high is not None
    assert gap.low <= 0.3 <= gap.high
    assert found["dynamics.onset"].low is None  # it describes the curve that was seen


def test_a_run_that_only_rises_has_no_onset() -> None:
    found = of([round_of(2), round_of(3), round_of(4)])
    assert found["dynamics.gap"].estimate == pytest.approx(0.0)
    assert found["dynamics.collapse"].estimate == 0
    for name in ("dynamics.onset", "dynamics.jump_share"):
        assert (found[name].estimate, found[name].reason) == (None, "nothing fell after the peak")


def test_a_problem_without_a_graded_attempt_in_one_round_is_left_out_of_all() -> None:
    found = of([round_of(5), round_of(9, failed=True), round_of(6)])
    assert (found["dynamics.peak"].denominator, found["dynamics.peak"].left_out) == (PROBLEMS - 1, 1)
    assert found["dynamics.onset"].denominator == PROBLEMS - 1


def test_other_problems_than_before_are_refused_with_the_round() -> None:
    with pytest.raises(InputError, match=r"round 1 of the history has other problems of suite 'default' \('p0' is on"):
        of([round_of(5), round_of(5, prefix="q"), round_of(6)])
