"""Samples in, graded attempts out."""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ratchet.errors import InputError
from ratchet.grade.numeric import grade_numeric
from ratchet.progress import tracking
from ratchet.records import Attempt, Grade, Problem, Sample
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records, read_with_header, write_records

ATTEMPTS_FILE = "attempts.parquet"
GRADES_FILE = "grades.parquet"


def grade(samples: Path, problems: Path, out: Path) -> Path:
    """The folder `out` with `grades.parquet` and `attempts.parquet`, the samples joined with their grades."""
    made_from = {"samples": file_digest(samples), "problems": file_digest(problems)}

    def work(partial: Path) -> None:
        drawn, header = read_with_header(samples, Sample)
        by_key = {(problem.suite, problem.id): problem for problem in read_records(problems, Problem)}
        grades = _graded(drawn, by_key, samples)
        write_records(partial / GRADES_FILE, grades, Grade, header)
        attempts = [
            _attempt(sample, given, by_key[sample.suite, sample.problem_id])
            for sample, given in zip(drawn, grades, strict=True)
        ]
        write_records(partial / ATTEMPTS_FILE, attempts, Attempt, header)

    return run_step(out, made_from, work)


def outcome_counts(attempts: Iterable[Attempt]) -> Counter[str]:
    """How many attempts had which outcome."""
    return Counter(attempt.outcome for attempt in attempts)


def grade_sample(sample: Sample, problem: Problem) -> Grade:
    """The grade of one sample; the kinds of answer that have no grader yet are refused before."""
    outcome, answer, reason = grade_numeric(sample.text, problem.answer)
    return Grade(sample.problem_id, sample.suite, sample.attempt, outcome, answer, reason)


def _graded(samples: list[Sample], problems: dict[tuple[str, str], Problem], where: Path) -> list[Grade]:
    if not samples:
        raise InputError("no sample", where=where, expected="samples that `ratchet sample` drew")
    missing = next((s for s in samples if (s.suite, s.problem_id) not in problems), None)
    if missing is not None:
        raise InputError(
            f"a sample of problem {missing.problem_id!r} of suite {missing.suite!r}",
            where=where,
            expected="samples of problems that the problem file has",
        )
    other = next((p for p in problems.values() if p.kind != "numeric"), None)
    if other is not None:
        raise InputError(
            f"problem {other.id!r} of kind {other.kind!r}", expected="kind 'numeric', the one graded so far"
        )
    grades = []
    with tracking("grade", len(samples), "attempts") as advance:
        for sample in samples:
            grades.append(grade_sample(sample, problems[sample.suite, sample.problem_id]))
            advance(1)
    return grades


def _attempt(sample: Sample, given: Grade, problem: Problem) -> Attempt:
    shared = {f.name: getattr(given, f.name) for f in dataclasses.fields(Grade) if f.name != "reason"}
    return Attempt(**shared, text=sample.text, group=problem.group, cluster=problem.cluster, concepts=problem.concepts)
