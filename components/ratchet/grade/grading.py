"""Samples in, graded attempts out."""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast, get_args

from ratchet.errors import InputError
from ratchet.grade.agreement import with_agreement
from ratchet.grade.gold import check_gold
from ratchet.grade.kinds import Graders, require_graders
from ratchet.grade.likelihood import with_likelihood
from ratchet.grade.parts import Problems, TooManyErrors, grade_parts, read_parts
from ratchet.grade.settings import Grading
from ratchet.records import Attempt, Grade, Isolation, Problem, Sample
from ratchet.shards import WHOLE, Shard, sharded
from ratchet.steps import run_step
from ratchet.storage import Header, file_digest, read_records, read_with_header, write_records

ATTEMPTS_FILE = "attempts.parquet"
GRADES_FILE = "grades.parquet"
PARTS = "parts"
NOT_IN_ATTEMPTS = ("reason", "isolation")


def grade(
    samples: Path,
    problems: Path,
    out: Path,
    settings: Grading = Grading(),  # noqa: B008  frozen
    shard: Shard = WHOLE,
) -> Path:
    """The folder `out` with `grades.parquet` and `attempts.parquet`, the samples joined with their grades.

    Of a `shard` only the samples of its problems are graded; it may have none. The same call after a kill completes the
    attempts that are missing.
    """
    files = {"samples": file_digest(samples), "problems": file_digest(problems)}
    made_from = {**files, **settings.describe(), "shard": None if shard == WHOLE else str(shard)}

    def work(partial: Path) -> None:
        if not (partial / ATTEMPTS_FILE).exists():  # written last, from all the parts
            drawn, header = read_with_header(samples, Sample)
            used = _used(drawn, samples, problems, shard)
            drawn = [sample for sample in drawn if (sample.suite, sample.problem_id) in used]
            with Graders(settings) as graders:
                check_gold(list(used.values()), graders, problems)
                grade_parts(drawn, used, partial / PARTS, graders, settings.max_error_rate * len(drawn))
            _write(partial, drawn, used, header, settings)
        shutil.rmtree(partial / PARTS, ignore_errors=True)

    try:
        return run_step(out, made_from, work)
    except TooManyErrors as stop:
        raise _stopped(stop, samples, settings.max_error_rate) from None


def outcome_counts(attempts: Iterable[Attempt | Grade]) -> Counter[str]:
    """How many attempts had which outcome."""
    return Counter(attempt.outcome for attempt in attempts)


def reason_counts(grades: Iterable[Grade]) -> Counter[tuple[str, str]]:
    """How many attempts had which outcome for which reason, where a reason was given."""
    return Counter((grade.outcome, grade.reason) for grade in grades if grade.reason is not None)


def _stopped(stop: TooManyErrors, samples: Path, most: float) -> InputError:
    return InputError(
        f"the machinery failed on {stop.errors} attempts, mostly: {stop.reason}",
        where=samples,
        expected=f"failures on at most {most:g} of all attempts (max_error_rate)",
        next="mend what failed; the same command then grades what is missing and what failed",
    )


def weakest_isolation(grades: Iterable[Grade]) -> Isolation:
    """The weakest level at which a program of these grades was run, `none` where none was."""
    levels = get_args(Isolation)
    found = [levels.index(grade.isolation.partition(",")[0]) for grade in grades if grade.isolation is not None]
    return cast(Isolation, levels[max(found, default=0)])


def _used(drawn: Sequence[Sample], samples: Path, problems: Path, shard: Shard) -> Problems:
    """The shard's problems that there are samples of, by suite and id, after what can't be graded was refused."""
    if not drawn:
        raise InputError("no sample", where=samples, expected="samples that `ratchet sample` drew")
    known = {(problem.suite, problem.id): problem for problem in read_records(problems, Problem)}
    keys = {(sample.suite, sample.problem_id) for sample in drawn}
    unknown = keys - known.keys()
    if unknown:
        missing = min(unknown)
        raise InputError(
            f"a sample of problem {missing[1]!r} of suite {missing[0]!r}",
            where=samples,
            expected="samples of problems that the problem file has",
        )
    used = {key: known[key] for key in sharded(list(known), shard.index, shard.count) if key in keys}
    require_graders(list(used.values()))
    return used


def _write(partial: Path, drawn: Sequence[Sample], problems: Problems, header: Header, settings: Grading) -> None:
    grades = read_parts(partial / PARTS)
    if settings.confidence is not None:
        grades = with_agreement(grades) if settings.confidence == "agreement" else with_likelihood(grades, drawn)
        header = {**header, "confidence": settings.confidence}
    header = {**header, "isolation": weakest_isolation(grades)}
    write_records(partial / GRADES_FILE, grades, Grade, header)
    attempts = [
        _attempt(sample, given, problems[sample.suite, sample.problem_id])
        for sample, given in zip(drawn, grades, strict=True)
    ]
    write_records(partial / ATTEMPTS_FILE, attempts, Attempt, header)


def _attempt(sample: Sample, given: Grade, problem: Problem) -> Attempt:
    shared = {f.name: getattr(given, f.name) for f in dataclasses.fields(Grade) if f.name not in NOT_IN_ATTEMPTS}
    return Attempt(**shared, text=sample.text, group=problem.group, cluster=problem.cluster, concepts=problem.concepts)
