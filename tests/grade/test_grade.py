"""Samples in, grades and attempts out, one for one."""

from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.grade import ATTEMPTS_FILE, GRADES_FILE, grade
from ratchet.records import Attempt, Grade, Problem, Sample
from ratchet.storage import read_records, read_with_header, write_records

HEADER = {"checkpoint": "sha256:ab", "sampling": {"temperature": 1.0}}
PROBLEMS = [
    Problem("1", "2+2?", "4", suite="s", group="2", cluster="c", concepts=("add",)),
    Problem("1", "gold that is no number", "four", suite="t"),
]


def _files(folder: Path, samples: list[Sample], problems: list[Problem] = PROBLEMS) -> tuple[Path, Path]:
    write_records(folder / "s.parquet", samples, Sample, HEADER)
    write_records(folder / "p.parquet", problems, Problem)
    return folder / "s.parquet", folder / "p.parquet"


def _sample(suite: str, attempt: int, text: str) -> Sample:
    return Sample("1", suite, attempt, text, "stop", 3, -1.0)


def test_each_sample_gets_its_grade_and_keeps_its_text(tmp_path: Path) -> None:
    samples = [_sample("s", 0, "#### 4"), _sample("s", 1, "#### 5"), _sample("t", 0, "#### 4")]
    out = grade(*_files(tmp_path, samples), tmp_path / "g")
    assert read_with_header(out / GRADES_FILE, Grade) == (
        [
            Grade("1", "s", 0, "correct", "4"),
            Grade("1", "s", 1, "incorrect", "5"),
            Grade("1", "t", 0, "ungradable", None, "the gold answer 'four' is no number"),
        ],
        HEADER,
    )
    attempts, header = read_with_header(out / ATTEMPTS_FILE, Attempt)
    assert header == HEADER
    assert attempts[1] == Attempt(
        "1", "incorrect", "s", 1, text="#### 5", answer="5", group="2", cluster="c", concepts=("add",)
    )


def test_a_sample_of_an_unknown_problem_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a sample of problem '1' of suite 'other'"):
        grade(*_files(tmp_path, [_sample("other", 0, "4")]), tmp_path / "g")


def test_a_kind_that_has_no_grader_is_refused_not_marked_wrong(tmp_path: Path) -> None:
    files = _files(tmp_path, [_sample("s", 0, "4")], [PROBLEMS[0], Problem("2", "x", "y", suite="s", kind="code")])
    with pytest.raises(InputError, match="problem '2' of kind 'code'"):
        grade(*files, tmp_path / "g")


def test_no_samples_are_no_grades(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sample"):
        grade(*_files(tmp_path, []), tmp_path / "g")
    assert not (tmp_path / "g").exists()
    assert read_records(tmp_path / "p.parquet", Problem) == PROBLEMS
