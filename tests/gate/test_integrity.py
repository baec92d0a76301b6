"""Each way in which evidence is refused: read, found wanting, ERROR with exit code 3; never PROMOTE."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.gate.case import load_case
from ratchet.gate.decide import decide
from ratchet.gate.verdict import Verdict
from ratchet.records import Attempt

Maker = Callable[..., Path]
Rows = Callable[..., list[Attempt]]
GOOD = [8] * 100


def judged(candidate: Path, policy: Path, first: bool = False, **references: Path) -> Verdict:
    return decide(load_case(candidate, references, policy, first), datetime(2026, 1, 1, tzinfo=UTC))


def refused(verdict: Verdict, said: str) -> None:
    assert (verdict.verdict, verdict.kind, verdict.exit_code, verdict.axes) == ("ERROR", "none", 3, ())
    assert any(said in reason for reason in verdict.reasons), verdict.reasons


def with_outcomes(rows: list[Attempt], outcome: str, every: int) -> list[Attempt]:
    return [dataclasses.replace(row, outcome=outcome) if i % every == 0 else row for i, row in enumerate(rows)]


def test_nothing_measured(write: Maker, profile: Maker, policy: Maker, tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", [], "sha256:empty")
    refused(judged(empty, policy(), base=profile("base", GOOD)), "candidate: nothing was measured")
    refused(judged(empty, policy(), first=True), "candidate: nothing was measured")


def test_a_folder_without_a_profile_is_an_input_error(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file"):
        load_case(tmp_path / "nowhere", {"base": profile("base", GOOD)}, policy())


def test_a_missing_suite(profile: Maker, policy: Maker) -> None:
    both = policy("{main: sums}", "{main: sums, ood: [long]}")
    verdict = judged(profile("new", GOOD), both, base=profile("base", GOOD))
    refused(verdict, "candidate: no attempt at suite 'long'")
    refused(verdict, "base: no attempt at suite 'long'")


def test_other_problems_than_the_reference(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", GOOD), policy(), base=profile("base", GOOD, prefix="q"))
    refused(verdict, "100 are the candidate's alone, 100 base's")


def test_a_reference_with_more_problems(profile: Maker, policy: Maker) -> None:
    # a candidate must not choose on which of the problems it is judged
    verdict = judged(profile("new", GOOD), policy(), base=profile("base", [8] * 120))
    refused(verdict, "0 are the candidate's alone, 20 base's ('p100' only base has)")


def test_other_clusters(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", GOOD), policy(), base=profile("base", GOOD, cluster_size=5))
    refused(verdict, "other clusters in suite 'sums' than base")


def test_too_few_problems(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", [8] * 99), policy(), base=profile("base", [8] * 99))
    refused(verdict, "candidate: 99 problems of suite 'sums', the policy asks for 100")


def test_too_few_attempts_at_one_problem(
    rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    short = write(tmp_path / "new", rows("sums", GOOD)[:-1], "sha256:new")
    verdict = judged(short, policy(), base=profile("base", GOOD))
    refused(verdict, "1 problems of suite 'sums' have fewer than 16 attempts (the fewest is 15)")


def test_a_problem_with_too_few_graded_attempts_for_an_axis(
    rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    # one ungradable attempt of 1,600 is below every limit, but leaves pass@16 of that problem undefined
    new = write(tmp_path / "new", with_outcomes(rows("sums", GOOD), "ungradable", 1600), "sha256:new")
    verdict = judged(new, policy(), base=profile("base", GOOD))
    refused(verdict, "1 problems of suite 'sums' have fewer than 16 graded attempts, which pass@16 needs")


@pytest.mark.parametrize(("outcome", "every", "said"), [("error", 50, "2.0% of"), ("ungradable", 40, "2.5% of")])
@pytest.mark.parametrize("side", ["candidate", "base"])
def test_too_many_failures_on_either_side(
    outcome: str, every: int, said: str, side: str, rows: Rows, write: Maker, policy: Maker, tmp_path: Path
) -> None:
    good, bad = rows("sums", GOOD, attempts=20), with_outcomes(rows("sums", GOOD, attempts=20), outcome, every)
    candidate = write(tmp_path / "new", bad if side == "candidate" else good, "sha256:new")
    base = write(tmp_path / "base", bad if side == "base" else good, "sha256:base")
    refused(judged(candidate, policy(), base=base), f"{side}: {said}")


def test_failures_within_the_limits_are_accepted(rows: Rows, write: Maker, policy: Maker, tmp_path: Path) -> None:
    few = with_outcomes(rows("sums", GOOD, attempts=20), "error", 100)
    verdict = judged(
        write(tmp_path / "new", few, "sha256:new"), policy(), base=write(tmp_path / "base", few, "sha256:base")
    )
    assert verdict.verdict == "PROMOTE"


def test_other_sampling_parameters(profile: Maker, policy: Maker) -> None:
    new = profile("new", GOOD, sampling={"temperature": 0.2, "top_p": 0.95, "seed": 1})
    base = profile("base", GOOD)
    refused(judged(new, policy(), base=base), "temperature = 0.2 and 0.8")
    loose = policy("max_ungradable_rate: 0.02", "max_ungradable_rate: 0.02, same_items: false")
    assert judged(new, loose, base=base).verdict == "PROMOTE"


def test_another_seed_is_the_same_sampling(profile: Maker, policy: Maker) -> None:
    new = profile("new", GOOD, sampling={"temperature": 0.8, "top_p": 0.95, "seed": 2})
    assert judged(new, policy(), base=profile("base", GOOD)).verdict == "PROMOTE"


@pytest.mark.parametrize("found", ["namespaces", "landlock", "process", "none", None])
@pytest.mark.parametrize("asked", ["namespaces", "landlock", "process"])
def test_programs_run_at_a_weaker_or_unknown_isolation_than_the_policy_asks_for(
    found: str | None, asked: str, profile: Maker, policy: Maker
) -> None:
    order = ["none", "namespaces", "landlock", "process", None]  # best first: what ran no program can't be too weak
    new, base = profile("new", GOOD, isolation=found), profile("base", GOOD)
    verdict = judged(new, policy("0.02}", f"0.02, min_isolation: {asked}}}"), base=base)
    if order.index(found) <= order.index(asked):
        assert verdict.verdict == "PROMOTE"
    elif found is None:
        refused(
            verdict, f"candidate: it is unknown at which isolation programs were run, the policy asks for '{asked}'"
        )
    else:
        refused(
            verdict, f"candidate: programs were run at '{found}', the policy asks for '{asked}' or better; grade it"
        )
    assert judged(new, policy(), base=base).verdict == "PROMOTE"


def test_a_reference_run_too_weakly_is_refused_as_well(profile: Maker, policy: Maker) -> None:
    base = profile("base", GOOD, isolation="process")
    asked = policy("0.02}", "0.02, min_isolation: landlock}")
    refused(judged(profile("new", GOOD), asked, base=base), "base: programs were run at 'process'")


def test_an_isolation_that_its_attempts_do_not_state(profile: Maker, policy: Maker) -> None:
    new = profile("new", GOOD, isolation="process")
    stated = json.loads((new / "profile.json").read_text())
    (new / "profile.json").write_text(json.dumps(stated | {"isolation": "namespaces"}))
    refused(judged(new, policy(), base=profile("base", GOOD)), "states another isolation than attempts.parquet")


def test_unknown_sampling_is_noted_and_can_be_refused(profile: Maker, policy: Maker) -> None:
    new, base = profile("new", GOOD, sampling=None), profile("base", GOOD)
    noted = judged(new, policy(), base=base)
    assert noted.verdict == "PROMOTE"
    assert "note: the sampling parameters of candidate are unknown, so equal ones are assumed" in noted.reasons
    strict = policy("max_ungradable_rate: 0.02", "max_ungradable_rate: 0.02, known_sampling: true")
    refused(judged(new, strict, base=base), "candidate: its sampling parameters are unknown")


def test_the_candidate_compared_with_itself(profile: Maker, policy: Maker) -> None:
    base = profile("base", GOOD)
    refused(judged(base, policy(), base=base), "the candidate is base itself (same checkpoint digest)")
    resampled = profile("again", [9] * 100, checkpoint="sha256:base")
    refused(judged(resampled, policy(), base=base), "the candidate is base itself")
    unnamed = profile("unnamed", GOOD, checkpoint=None)
    refused(judged(unnamed, policy(), base=unnamed), "the candidate is base itself (same profile digest)")


def test_equal_outcomes_alone_are_no_crime(profile: Maker, policy: Maker) -> None:
    assert judged(profile("new", GOOD), policy(), base=profile("base", GOOD)).verdict == "PROMOTE"
    unknown = judged(profile("new2", GOOD, checkpoint=None), policy(), base=profile("base2", GOOD, checkpoint=None))
    assert unknown.verdict == "PROMOTE"


def test_a_reference_that_nobody_gave(profile: Maker, policy: Maker) -> None:
    both = policy("against: [base]", "against: [base, champion]")
    verdict = judged(profile("new", [9] * 100), both, base=profile("base", GOOD))
    refused(verdict, "the policy compares with champion, which nobody gave; give --champion")
    refused(judged(profile("new2", GOOD), policy()), "compares with base, which nobody gave")


def test_attempts_changed_after_the_profile_was_made(
    rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", rows("sums", [16] * 100), "sha256:new")
    new = profile("new", GOOD)
    (other / "attempts.parquet").replace(new / "attempts.parquet")
    refused(judged(new, policy(), base=profile("base", GOOD)), "candidate: attempts.parquet has the digest sha256:")


def edited(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = folder / "profile.json"
    stated = json.loads(path.read_text())
    change(stated)
    path.write_text(json.dumps(stated))
    return folder


def test_a_profile_that_names_another_checkpoint_than_its_attempts(profile: Maker, policy: Maker) -> None:
    new = edited(profile("new", GOOD), lambda stated: stated.update(checkpoint="sha256:other"))
    refused(judged(new, policy(), base=profile("base", GOOD)), "states another checkpoint than attempts.parquet")


def test_a_profile_whose_numbers_its_attempts_do_not_bear_out(profile: Maker, policy: Maker) -> None:
    new = edited(profile("new", GOOD), lambda stated: stated["suites"]["sums"].update(errors=1))
    refused(judged(new, policy(), base=profile("base", GOOD)), "does not state what attempts.parquet holds")


def test_nan_in_a_profile(profile: Maker, policy: Maker) -> None:
    bad = dict(suite="sums", name="pass@1", estimate=float("nan"), low=None, high=None, numerator=1.0)
    bad |= dict(denominator=1, ungradable=0, errors=0)
    new = edited(profile("new", GOOD), lambda stated: stated.update(metrics=[bad]))
    refused(judged(new, policy(), base=profile("base", GOOD)), "sums pass@1 is not a finite number")


def test_an_attempt_that_is_there_twice(
    rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    doubled = rows("sums", GOOD)
    new = write(tmp_path / "new", [*doubled, doubled[0]], "sha256:new")
    refused(judged(new, policy(), base=profile("base", GOOD)), "1 attempts have the number of another attempt")


def test_an_unknown_outcome(rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path) -> None:
    new = write(tmp_path / "new", with_outcomes(rows("sums", GOOD), "passed", 1000), "sha256:new")
    refused(judged(new, policy(), base=profile("base", GOOD)), "unknown outcome 'passed'")


def test_a_missing_problem_name(rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path) -> None:
    nameless = [dataclasses.replace(r, problem_id=None) if r.problem_id == "p7" else r for r in rows("sums", GOOD)]
    new = write(tmp_path / "new", nameless, "sha256:new")
    refused(judged(new, policy(), base=profile("base", GOOD)), "16 attempts have no problem_id")


def test_a_problem_in_two_clusters(rows: Rows, write: Maker, profile: Maker, policy: Maker, tmp_path: Path) -> None:
    mixed = rows("sums", GOOD)
    mixed[0] = dataclasses.replace(mixed[0], cluster="x")
    new = write(tmp_path / "new", mixed, "sha256:new")
    refused(judged(new, policy(), base=profile("base", GOOD)), "attempts at one problem name different clusters")


def test_several_faults_are_all_named_at_once(profile: Maker, policy: Maker) -> None:
    new = profile("new", [8] * 99, sampling={"temperature": 0.2})
    verdict = judged(new, policy(), base=profile("base", GOOD))
    refused(verdict, "99 problems")
    refused(verdict, "other problems of suite 'sums'")
    refused(verdict, "temperature = 0.2 and 0.8")
