"""The profile: what its numbers mean, what they must not depend on, and what is null."""

import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.evaluate.attempts import read_light
from ratchet.evaluate.build import evaluate
from ratchet.evaluate.measures import powers_of_two
from ratchet.evaluate.profile import Metric, Profile, read_profile
from ratchet.evaluate.tracked import tracked_metrics
from ratchet.records import Attempt, Outcome
from ratchet.storage import file_digest, write_records


def profile_of(attempts: list[Attempt], ks: list[int] | None = None) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "attempts.parquet")
        write_records(path, attempts, Attempt, {"checkpoint": "sha256:c", "sampling": {"temperature": 1.0}})
        return read_profile(evaluate([path], Path(folder, "out"), "test", ks))


def attempts_of(problem_id: str, pattern: str, group: str | None = None, cluster: str | None = None) -> list[Attempt]:
    """One attempt a letter: + correct, - incorrect, u ungradable, e error."""
    outcomes: dict[str, Outcome] = {"+": "correct", "-": "incorrect", "u": "ungradable", "e": "error"}
    return [
        Attempt(problem_id, outcomes[sign], attempt=i, group=group, cluster=cluster, text=f"{problem_id} {i}")
        for i, sign in enumerate(pattern)
    ]


def metric(profile: Profile, name: str) -> Metric:
    found = profile.metric("default", name)
    assert found is not None, name
    return found


def test_pass_at_k_is_the_mean_over_problems_with_its_counts() -> None:
    profile = profile_of([*attempts_of("a", "++--"), *attempts_of("b", "----"), *attempts_of("c", "+---")])
    one, two, four = (metric(profile, f"pass@{k}") for k in (1, 2, 4))
    # a: 2/4, 0 + 1 - C(2,2)/C(4,2) = 5/6, 1; b: 0; c: 1/4, 1 - C(3,2)/C(4,2) = 1/2, 1
    assert one.estimate == pytest.approx((2 / 4 + 1 / 4) / 3)
    assert one.numerator == pytest.approx(3 / 4)
    assert two.estimate == pytest.approx((5 / 6 + 1 / 2) / 3)
    assert four.estimate == pytest.approx(2 / 3)
    assert (one.denominator, one.left_out) == (3, 0)
    assert profile.metric("default", "pass@8") is None


def test_intervals_of_certain_outcomes_are_those_of_clopper_and_pearson() -> None:
    # 20 problems all solved: the lower end solves p^20 = .025, the upper end is 1 although nothing varies.
    one = metric(profile_of([row for i in range(20) for row in attempts_of(f"p{i}", "+")]), "pass@1")
    assert one.low == pytest.approx(0.025 ** (1 / 20), abs=1e-9)
    assert one.high == 1.0


def test_problems_that_share_a_cluster_count_as_one_observation() -> None:
    alone = metric(profile_of([r for i in range(20) for r in attempts_of(f"p{i}", "+")]), "pass@1")
    pairs = metric(
        profile_of([r for i in range(20) for r in attempts_of(f"p{i}", "+", cluster=f"c{i // 2}")]), "pass@1"
    )
    # ten clusters of two, all solved: as ten problems
    assert pairs.low == pytest.approx(0.025 ** (1 / 10), abs=1e-9)
    assert pairs.estimate == alone.estimate


def test_an_error_is_no_wrong_answer_and_makes_the_largest_k_undefined() -> None:
    profile = profile_of([*attempts_of("a", "+-+e"), *attempts_of("b", "++--"), *attempts_of("c", "uuuu")])
    one, four = metric(profile, "pass@1"), metric(profile, "pass@4")
    assert one.estimate == pytest.approx((2 / 3 + 2 / 4) / 2)
    assert (one.denominator, one.left_out, one.ungradable, one.errors) == (2, 1, 4, 1)
    assert (four.estimate, four.low, four.high, four.numerator) == (None, None, None, None)
    assert four.reason == "1 of 3 problems have fewer than 4 graded attempts"


def test_a_suite_with_nothing_graded_has_null_metrics_and_says_why() -> None:
    one = metric(profile_of(attempts_of("a", "eu")), "pass@1")
    assert (one.estimate, one.reason) == (None, "no graded attempts")


def test_groups_are_measured_at_one_and_at_the_largest_k() -> None:
    profile = profile_of(
        [*attempts_of("a", "++--", "1"), *attempts_of("b", "----", "1"), *attempts_of("c", "+++e", "5")], [1, 3, 4]
    )
    assert metric(profile, "pass@1[group=1]").estimate == pytest.approx(0.25)
    assert metric(profile, "pass@4[group=1]").estimate == pytest.approx(0.5)
    assert metric(profile, "pass@1[group=5]").estimate == 1.0
    assert metric(profile, "pass@1[group=5]").errors == 1
    assert metric(profile, "pass@4[group=5]").estimate is None
    assert profile.metric("default", "pass@3[group=1]") is None


def test_distinct_n_speaks_of_four_correct_samples_a_problem() -> None:
    def row(problem_id: str, attempt: int, text: str) -> Attempt:
        return Attempt(problem_id, "correct", attempt=attempt, text=text)

    same = [row("same", i, "1+2=3") for i in range(5)]
    varied = [row("varied", i, text) for i, text in enumerate(["1+2", "3-4", "5*6", "7/8", "1+2"])]
    profile = profile_of([*same, *varied, *attempts_of("few", "+++-e")])
    unigrams = metric(profile, "diversity.distinct_1.correct")
    # same: 5 different of 20; varied: 12 of the 12 in the first four; `few` has three correct samples and is left out
    assert unigrams.estimate == pytest.approx((5 / 20 + 1) / 2)
    assert (unigrams.denominator, unigrams.left_out) == (2, 1)
    # 4-grams: "1+2=3" has 2, so 2 of 8; the varied texts have three tokens each and therefore none
    longest = metric(profile, "diversity.distinct_4.correct")
    assert (longest.estimate, longest.denominator, longest.left_out) == (2 / 8, 1, 2)


def test_the_profile_names_its_evidence(tmp_path: Path) -> None:
    path = tmp_path / "attempts.parquet"
    rows = [*attempts_of("b", "+-ue"), *attempts_of("a", "+--")]
    write_records(path, rows, Attempt, {"checkpoint": "sha256:c", "sampling": {"temperature": 1.0}})
    folder = evaluate([path], tmp_path / "out", "round-1")
    profile = read_profile(folder)
    assert (profile.name, profile.checkpoint, profile.sampling) == ("round-1", "sha256:c", {"temperature": 1.0})
    assert profile.attempts_digest == file_digest(folder / "attempts.parquet")
    assert read_light(folder / "attempts.parquet")["problem_id"].to_pylist() == ["b"] * 4 + ["a"] * 3
    counts = profile.suites["default"]
    assert (counts.problems, counts.attempts, counts.fewest_attempts) == (2, 7, 3)
    assert (counts.correct, counts.incorrect, counts.ungradable, counts.errors) == (2, 3, 1, 1)


def test_trackers_get_numbers_only_under_names_they_take() -> None:
    profile = profile_of([*attempts_of("a", "+-", "level 1"), *attempts_of("b", "+e", "level 1")])
    found = tracked_metrics(profile, intervals=True)
    assert found["default/pass_at_1"] == pytest.approx(0.75)
    assert found["default/pass_at_1/group_level 1"] == pytest.approx(0.75)
    assert found["default/pass_at_1/low"] < 0.75 < found["default/pass_at_1/high"]
    assert "default/pass_at_2" not in found  # b has one graded attempt: undefined, not 0
    assert set(tracked_metrics(profile)) == {name for name in found if not name.endswith(("/low", "/high"))}


def test_the_names_that_trackers_get() -> None:
    found = tracked_metrics(profile_of([*attempts_of("a", "+-++", "1"), *attempts_of("b", "++-+", "2")]))
    names = ("pass_at_4", "pass_hat_4", "pass_at_4-2", "coverage.correct", "balance", "pass_at_4/group_2", "disparity")
    assert {f"default/{name}" for name in names} <= set(found)
    # all four right: never; at least two of four: always
    assert (found["default/pass_hat_4"], found["default/pass_at_4-2"]) == (0.0, 1.0)


def test_powers_of_two_end_at_the_largest_count() -> None:
    assert [powers_of_two(most) for most in (0, 1, 3, 16)] == [[1], [1], [1, 2], [1, 2, 4, 8, 16]]


def test_k_below_one_and_no_files_are_refused(tmp_path: Path) -> None:
    for files, ks, found in [([tmp_path / "a.jsonl"], [0], "k = 0"), ([], None, "no attempts file")]:
        with pytest.raises(InputError, match=found):
            evaluate(files, tmp_path / "out", "x", ks)


patterns = st.lists(st.text("+-ue", min_size=1, max_size=6), min_size=1, max_size=5)


def estimates(profile: Profile) -> dict[str, float | None]:
    return {m.name: None if m.estimate is None else round(m.estimate, 12) for m in profile.metrics}


def suite_of(shapes: list[str], prefix: str = "p") -> list[Attempt]:
    return [
        Attempt(f"{prefix}{i}", a.outcome, attempt=a.attempt, text=f"{i % 2} + {a.attempt % 3}")
        for i, shape in enumerate(shapes)
        for a in attempts_of("", shape)
    ]


@settings(max_examples=20, deadline=None)
@given(patterns, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_problems_change_nothing(shapes: list[str], rng: random.Random) -> None:
    rows = suite_of(shapes)
    whole = profile_of(rows)
    rng.shuffle(rows)
    shuffled = profile_of(rows)
    assert replace(shuffled, attempts_digest=whole.attempts_digest) == whole
    assert estimates(profile_of(suite_of(shapes, "renamed-"))) == estimates(whole)


@settings(max_examples=20, deadline=None)
@given(patterns)
def test_every_problem_twice_leaves_the_estimates_and_narrows_the_intervals(shapes: list[str]) -> None:
    once, twice = profile_of(suite_of(shapes)), profile_of([*suite_of(shapes), *suite_of(shapes, "again-")])
    assert estimates(twice) == estimates(once)
    for one, two in zip(once.metrics, twice.metrics, strict=True):
        if one.low is not None and one.high is not None and two.low is not None and two.high is not None:
            assert one.low - 1e-9 <= two.low <= two.high <= one.high + 1e-9
