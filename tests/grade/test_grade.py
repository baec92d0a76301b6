"""Samples in, grades and attempts out, one for one, whatever interrupts the work."""

import itertools
import operator
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.evaluate.profile import read_profile
from ratchet.grade import ATTEMPTS_FILE, GRADES_FILE, Grading, grade, reason_counts
from ratchet.grade.gold import gold_items
from ratchet.grade.grading import weakest_isolation
from ratchet.grade.kinds import Graders
from ratchet.grade.parts import ROWS_A_PART, TooManyErrors, grade_parts, read_parts
from ratchet.grade.sandbox.limits import LEVELS
from ratchet.records import Attempt, Grade, Isolation, Problem, Sample
from ratchet.shards import Shard
from ratchet.storage import read_records, read_with_header, write_records

HEADER = {"checkpoint": "sha256:ab", "sampling": {"temperature": 1.0}}
PROBLEMS = [
    Problem("1", "2+2?", "4", suite="s", group="2", cluster="c", concepts=("add",)),
    Problem("1", "Where?\nA. bank\nB. mall", "B", suite="choice", kind="choice"),
    Problem("1", "Which town?", "Paris", suite="exact", kind="exact"),
    Problem("1", "not a number", "four", suite="never sampled"),
]


def _files(folder: Path, samples: list[Sample], problems: list[Problem] = PROBLEMS) -> tuple[Path, Path]:
    write_records(folder / "s.parquet", samples, Sample, HEADER)
    write_records(folder / "p.parquet", problems, Problem)
    return folder / "s.parquet", folder / "p.parquet"


def _sample(suite: str, attempt: int, text: str) -> Sample:
    return Sample("1", suite, attempt, text, "stop", 3, -1.0)


def test_each_sample_gets_its_grade_and_keeps_its_text(tmp_path: Path) -> None:
    samples = [
        _sample("s", 0, "#### 4"),
        _sample("choice", 0, "(B)"),
        _sample("s", 1, "#### 5"),
        _sample("exact", 0, "paris."),
        _sample("choice", 1, "(A) or (B)"),
    ]
    out = grade(*_files(tmp_path, samples), tmp_path / "g")
    assert read_with_header(out / GRADES_FILE, Grade) == (
        [
            Grade("1", "s", 0, "correct", "4"),
            Grade("1", "choice", 0, "correct", "B"),
            Grade("1", "s", 1, "incorrect", "5"),
            Grade("1", "exact", 0, "correct", "paris"),
            Grade("1", "choice", 1, "incorrect", None, "more than one option in the text"),
        ],
        {**HEADER, "isolation": "none"},
    )
    attempts, header = read_with_header(out / ATTEMPTS_FILE, Attempt)
    assert header == {**HEADER, "isolation": "none"}
    assert attempts[2] == Attempt(
        "1", "incorrect", "s", 1, text="#### 5", answer="5", group="2", cluster="c", concepts=("add",)
    )
    assert sorted(path.name for path in out.iterdir()) == [ATTEMPTS_FILE, GRADES_FILE, "step.json"]


@pytest.mark.parametrize(
    ("problem", "complaint"),
    [
        (Problem("1", "x", "four", suite="s"), "comes out ungradable: the gold answer 'four' is no number"),
        (Problem("1", "x", "4", suite="s", solution="#### 5"), "comes out incorrect: the answer found is '5'"),
        (Problem("1", "A. x\nB. y", "C", suite="s", kind="choice"), "'C' is none of the options"),
        (Problem("1", "x", "", suite="s", kind="exact"), "the gold answer is empty"),
    ],
)
def test_nothing_is_graded_where_a_gold_answer_is_not_graded_correct(
    problem: Problem, complaint: str, tmp_path: Path
) -> None:
    samples, problems = _files(tmp_path, [_sample("s", 0, "#### 4"), _sample("exact", 0, "x")], [problem, PROBLEMS[2]])
    with pytest.raises(InputError, match="the gold answer of problem '1' of suite 's' ") as stop:
        grade(samples, problems, tmp_path / "g")
    assert complaint in str(stop.value)
    assert not (tmp_path / "g").exists()
    assert not (tmp_path / "g.partial").exists()


def test_a_solution_that_marks_no_answer_is_no_gold_answer() -> None:
    problem = Problem("1", "2+2?", "4", solution="Count 2 more than 2.")
    assert gold_items(problem) == [(problem, "#### 4")]
    assert [text for _, text in gold_items(replace(problem, solution="\\boxed{4}"))] == ["#### 4", "\\boxed{4}"]
    assert [text for _, text in gold_items(replace(problem, kind="math", answer="x\n+1"))] == ["\\boxed{x\n+1}"]
    program = replace(problem, kind="code", answer="", solution="def f(): pass")
    assert [text for _, text in gold_items(program)] == ["def f(): pass"]


def test_a_sample_of_an_unknown_problem_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a sample of problem '1' of suite 'other'"):
        grade(*_files(tmp_path, [_sample("other", 0, "4")]), tmp_path / "g")


def test_a_kind_that_has_no_grader_is_refused_not_marked_wrong(tmp_path: Path) -> None:
    files = _files(tmp_path, [_sample("s", 0, "4")], [replace(PROBLEMS[0], kind="essay")])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="problem '1' of kind 'essay'; expected kind numeric, math, choice, exact"):
        grade(*files, tmp_path / "g")


def test_every_kind_is_graded_in_one_run_and_programs_say_how_they_were_isolated(tmp_path: Path) -> None:
    kinds = [
        replace(PROBLEMS[0], suite="math", kind="math", answer="\\frac{1}{2}"),
        replace(PROBLEMS[0], suite="code", kind="code", tests="assert f(1) == 2", entry_point="f", answer=""),
    ]
    texts = [
        ("code", 0, "def f(x):\n    return x + 1"),
        ("math", 0, "\\boxed{0.5}"),
        ("code", 1, "def f(x):\n    return x"),
        ("math", 1, "\\boxed{2}"),
        ("s", 0, "#### 4"),
    ]
    files = _files(tmp_path, [_sample(*text) for text in texts], [*PROBLEMS, *kinds])
    grades = read_records(grade(*files, tmp_path / "g", Grading(workers=1)) / GRADES_FILE, Grade)
    assert [g.outcome for g in grades] == ["correct", "correct", "incorrect", "incorrect", "correct"]
    assert [(g.suite, g.attempt) for g in grades] == [(suite, attempt) for suite, attempt, _ in texts]
    assert [g.isolation is not None for g in grades] == [True, False, True, False, False]
    profile = read_profile(evaluate([tmp_path / "g" / ATTEMPTS_FILE], tmp_path / "profile", "M"))
    assert profile.isolation == (grades[0].isolation or "").partition(",")[0] in LEVELS


@pytest.mark.parametrize(
    ("levels", "weakest"),
    [
        ([], "none"),
        ([None, None], "none"),
        (["namespaces", None], "namespaces"),
        (["landlock", "namespaces, container"], "landlock"),
        (["process, container", "landlock", "namespaces"], "process"),
    ],
)
def test_attempts_say_the_weakest_level_that_a_program_was_run_at(levels: list[str | None], weakest: str) -> None:
    given = Grade("1", "s", 0, "correct", None)
    assert weakest_isolation([replace(given, isolation=level) for level in levels]) == weakest


def test_the_levels_of_the_records_are_those_of_the_sandbox() -> None:
    assert get_args(Isolation) == ("none", *LEVELS)


def test_the_attempts_of_all_shards_are_those_of_a_run_without(tmp_path: Path) -> None:
    problems = [Problem(str(n), f"{n}+1?", str(n + 1), suite="s") for n in range(5)]
    drawn = [Sample(str(n), "s", a, f"#### {n + 1 + n % 2 * a}", "stop", 1, -1.0) for a in range(3) for n in range(5)]
    files = _files(tmp_path, drawn, problems)
    agreed = Grading(confidence="agreement")
    whole = grade(*files, tmp_path / "whole", agreed) / ATTEMPTS_FILE
    shards = [grade(*files, tmp_path / f"g{i}", agreed, Shard(i, 2)) / ATTEMPTS_FILE for i in range(2)]
    attempts = [read_records(shard, Attempt) for shard in shards]
    # problems 0 to 4 modulo 2: 0 2 4 and 1 3, each with three attempts, in the order of the samples
    assert [[a.problem_id for a in shard] for shard in attempts] == [list("024" * 3), list("13" * 3)]
    key = operator.attrgetter("attempt", "problem_id")
    assert sorted(itertools.chain(*attempts), key=key) == read_records(whole, Attempt)
    joined = read_profile(evaluate(shards, tmp_path / "joined", "M"))
    assert joined.metrics == read_profile(evaluate([whole], tmp_path / "profile", "M")).metrics
    assert joined.isolation == "none"


def test_a_shard_of_problems_that_were_not_sampled_is_empty_and_its_profile_is_that_of_the_others(
    tmp_path: Path,
) -> None:
    files = _files(tmp_path, [_sample("s", 0, "#### 4")], PROBLEMS[:1])
    shards = [grade(*files, tmp_path / f"g{i}", shard=Shard(i, 3)) / ATTEMPTS_FILE for i in range(3)]
    assert [len(read_records(shard, Attempt)) for shard in shards] == [1, 0, 0]
    assert read_profile(evaluate(shards, tmp_path / "profile", "M")).suites["s"].attempts == 1


def test_a_shard_is_no_result_of_another_shard(tmp_path: Path) -> None:
    files = _files(tmp_path, [_sample("s", 0, "#### 4")])
    grade(*files, tmp_path / "g", shard=Shard(1, 2))
    with pytest.raises(InputError, match='a result made with shard = "1/2"; expected shard = "0/2"'):
        grade(*files, tmp_path / "g", shard=Shard(0, 2))


def test_a_shard_too_refuses_a_sample_of_an_unknown_problem(tmp_path: Path) -> None:
    files = _files(tmp_path, [_sample("s", 0, "4"), _sample("other", 0, "4")])
    with pytest.raises(InputError, match="a sample of problem '1' of suite 'other'"):
        grade(*files, tmp_path / "g", shard=Shard(0, 2))


def test_no_samples_are_no_grades(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sample"):
        grade(*_files(tmp_path, []), tmp_path / "g")
    assert not (tmp_path / "g").exists()
    assert read_records(tmp_path / "p.parquet", Problem) == PROBLEMS


def test_a_result_of_other_settings_is_refused(tmp_path: Path) -> None:
    files = _files(tmp_path, [_sample("s", 0, "#### 4.001")])
    assert read_records(grade(*files, tmp_path / "g") / GRADES_FILE, Grade)[0].outcome == "incorrect"
    grade(*files, tmp_path / "g", Grading(workers=7, max_error_rate=1))  # these change no verdict
    with pytest.raises(InputError, match="a result made with tolerance = 0.0; expected tolerance = 0.01"):
        grade(*files, tmp_path / "g", Grading(tolerance=0.01))
    out = grade(*files, tmp_path / "near", Grading(tolerance=0.01))
    assert read_records(out / GRADES_FILE, Grade)[0].outcome == "correct"


@pytest.mark.parametrize(
    "wrong", [{"tolerance": -1}, {"tolerance": float("nan")}, {"max_error_rate": 2}, {"workers": 0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} = "):
        Grading(**wrong)  # type: ignore[arg-type]


def test_agreement_is_written_with_its_source_and_the_profile_has_a_calibration(tmp_path: Path) -> None:
    texts = ["#### 4", "#### 4.0", "#### 5", "nothing"]
    files = _files(tmp_path, [_sample("s", number, text) for number, text in enumerate(texts)])
    out = grade(*files, tmp_path / "g", Grading(confidence="agreement"))
    attempts, header = read_with_header(out / ATTEMPTS_FILE, Attempt)
    assert [attempt.confidence for attempt in attempts] == [1 / 3, 1 / 3, 0, 0]
    assert header == {**HEADER, "confidence": "agreement", "isolation": "none"}
    profile = read_profile(evaluate([out / ATTEMPTS_FILE], tmp_path / "profile", "M"))
    assert profile.confidence == "agreement"
    # one bin holds the two at 1/3 (both right), one the two at 0 (both wrong): (2 * |1 - 1/3| + 2 * 0) / 4
    ece = profile.metric("s", "calibration.ece")
    assert ece is not None and ece.estimate == pytest.approx(1 / 3)


class _Failing(Graders):
    """Graders whose machinery fails on texts that say so."""

    def grade(self, items: object) -> list[Grade]:
        graded = super().grade(items)  # type: ignore[arg-type]
        failed = [text == "fail" for _, text in items]  # type: ignore[attr-defined]
        return [replace(g, outcome="error", reason="broken") if f else g for g, f in zip(graded, failed, strict=True)]


def test_errors_beyond_the_limit_stop_the_run_and_are_graded_again(tmp_path: Path) -> None:
    texts = ["#### 4"] * ROWS_A_PART + ["fail"] * 3 + ["#### 4"] * 2 * ROWS_A_PART
    drawn = [_sample("s", number, text) for number, text in enumerate(texts)]
    problems = {("s", "1"): PROBLEMS[0]}
    with _Failing(Grading()) as failing, pytest.raises(TooManyErrors, match="broken"):
        grade_parts(drawn, problems, tmp_path, failing, most_errors=2)
    assert len(read_parts(tmp_path)) == 2 * ROWS_A_PART  # what is done stays, nothing after it was begun
    with _Failing(Grading()) as failing:
        grade_parts(drawn, problems, tmp_path, failing, most_errors=3)
    assert reason_counts(read_parts(tmp_path)) == {("error", "broken"): 3}
    with Graders(Grading()) as mended:
        grade_parts(drawn, problems, tmp_path, mended, most_errors=0)
    assert reason_counts(read_parts(tmp_path)) == {("incorrect", "no number in the text"): 3}


def test_a_run_with_too_many_errors_says_so_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.grade.grading.Graders", _Failing)
    files = _files(tmp_path, [_sample("s", 0, "#### 4"), _sample("s", 1, "fail")])
    with pytest.raises(InputError, match="the machinery failed on 1 attempts, mostly: broken; expected failures on at"):
        grade(*files, tmp_path / "g")
    monkeypatch.undo()
    out = grade(*files, tmp_path / "g")
    assert [g.outcome for g in read_records(out / GRADES_FILE, Grade)] == ["correct", "incorrect"]


@pytest.mark.slow
def test_a_grader_killed_again_and_again_grades_what_an_unbroken_one_does(tmp_path: Path) -> None:
    """Parts are left as they are after each kill -9; the last start only completes them."""
    drawn = [_sample("s", number, f"{'9 ' * 400}#### {number % 7}") for number in range(12 * ROWS_A_PART)]
    files = _files(tmp_path, drawn)
    unbroken = grade(*files, tmp_path / "unbroken")
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "ratchet", "grade", "--samples", *files[:1], "--problems", files[1]]
    parts = tmp_path / "broken.partial" / "parts"
    kept: dict[Path, int] = {}
    for parts_wanted in (1, 3, 5):
        process = subprocess.Popen([*map(str, command), "--out", str(broken)], start_new_session=True)
        while process.poll() is None and len(list(parts.glob("part-*.parquet"))) < parts_wanted:
            time.sleep(0.002)
        assert process.poll() is None, "every start was to be killed before its end"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert {path: path.stat().st_mtime_ns for path in kept} == kept, "what is done is not done again"
        kept = {path: path.stat().st_mtime_ns for path in parts.glob("part-*.parquet")}
    grade(*files, broken)
    assert read_records(broken / GRADES_FILE, Grade) == read_records(unbroken / GRADES_FILE, Grade)
    assert read_records(broken / ATTEMPTS_FILE, Attempt) == read_records(unbroken / ATTEMPTS_FILE, Attempt)
    assert not parts.exists()
