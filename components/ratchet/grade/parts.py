"""Grades in parts that are on disk as soon as they are done, so that a killed run goes on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ratchet.grade.kinds import Graders
from ratchet.progress import tracking
from ratchet.records import Grade, Problem, Sample
from ratchet.storage import read_records, write_records

ROWS_A_PART = 1024  # attempts: what a kill loses at most

Problems = Mapping[tuple[str, str], Problem]


class TooManyErrors(Exception):
    """The machinery failed on more attempts than the run allows."""

    def __init__(self, errors: int, reason: str) -> None:
        self.errors = errors
        self.reason = reason
        super().__init__(reason)


def grade_parts(drawn: Sequence[Sample], problems: Problems, parts: Path, graders: Graders, most_errors: float) -> None:
    """Write the parts that are not there yet; a part that holds an error is graded again.

    Raises TooManyErrors as soon as there are more than `most_errors`, whatever the attempts to come would bring.
    """
    starts = range(0, len(drawn), ROWS_A_PART)
    missing = [start for start in starts if not _is_done(part_path(parts, start))]
    done = len(drawn) - sum(len(drawn[start : start + ROWS_A_PART]) for start in missing)
    failures: Counter[str] = Counter()
    with tracking("grade", len(drawn), "attempts", already=done) as advance:
        for start in missing:
            rows = drawn[start : start + ROWS_A_PART]
            grades = _grades(rows, problems, graders)
            write_records(part_path(parts, start), grades, Grade)
            failures.update(grade.reason or "no reason" for grade in grades if grade.outcome == "error")
            if failures.total() > most_errors:
                raise TooManyErrors(failures.total(), failures.most_common(1)[0][0])
            advance(len(rows))


def read_parts(parts: Path) -> list[Grade]:
    """The grades of all parts, in the order of the samples."""
    return [grade for path in sorted(parts.glob("part-*.parquet")) for grade in read_records(path, Grade)]


def part_path(parts: Path, start: int) -> Path:
    """Where the part is that begins with the sample number `start`."""
    return parts / f"part-{start // ROWS_A_PART:07d}.parquet"


def _is_done(path: Path) -> bool:
    return path.exists() and all(grade.outcome != "error" for grade in read_records(path, Grade))


def _grades(rows: Sequence[Sample], problems: Problems, graders: Graders) -> list[Grade]:
    graded = graders.grade([(problems[row.suite, row.problem_id], row.text) for row in rows])
    return [replace(grade, attempt=row.attempt) for row, grade in zip(rows, graded, strict=True)]
