"""A problem file in, a validation result out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ratchet.errors import InputError
from ratchet.records import Problem, Split
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records, write_json, write_records, write_text
from ratchet.validate.checks import LONGEST_PROMPT, checks, frame
from ratchet.validate.expectations import run_checks
from ratchet.validate.report import render
from ratchet.validate.result import (
    RESULT_FILE,
    RESULT_VERSION,
    ValidationResult,
    read_validation,
    require_valid,
    shards_of,
)

PROBLEMS_FILE = "problems.parquet"
REPORT_FILE = "report.html"
DOCS_FOLDER = "docs"


def validate(
    problems: Path,
    out: Path,
    splits: Sequence[Split] = ("train", "eval"),
    longest_prompt: int = LONGEST_PROMPT,
) -> ValidationResult:
    """What the checks found in a problem file (or in a folder's `problems.parquet`), also where they failed.

    The folder `out` gets `validation.json`, `report.html` (one page that needs nothing else), `docs/` (Great
    Expectations' own site) and, where every check succeeds and only then, `problems.parquet` for the steps that follow.
    """
    path = problems / PROBLEMS_FILE if problems.is_dir() else problems
    records = _read(path)
    digest = file_digest(path)
    made_from = {
        "validation_version": RESULT_VERSION,
        "problems": digest,
        "splits": list(splits),
        "longest_prompt": longest_prompt,
    }

    def work(partial: Path) -> None:
        found = run_checks(frame(records), checks(splits, longest_prompt), partial / DOCS_FOLDER)
        result = ValidationResult(
            success=all(check.success for check in found),
            problems=dict(sorted(Counter(str(problem.split) for problem in records).items())),
            problems_digest=digest,
            checks=found,
        )
        if result.success:
            write_records(partial / PROBLEMS_FILE, records, Problem)
        write_text(partial / REPORT_FILE, render(result, path.name))
        write_json(partial / RESULT_FILE, asdict(result))

    return read_validation(run_step(out, made_from, work))


def validate_step(problems: Path, out: Path, report: Path, pods: int = 1, limit: int = 0) -> list[str]:
    """The shards that so many pods share the problems in, after these passed their checks and the page is at `report`.

    Problems that fail a check, and pods without a problem, are refused; see `shards_of`.
    """
    result = validate(problems, out)
    report.write_bytes((out / REPORT_FILE).read_bytes())
    require_valid(result, problems)
    return shards_of(result, pods, limit)


def _read(path: Path) -> list[Problem]:
    records = read_records(path, Problem)
    if not records:
        raise InputError("no problems", where=path, expected="at least one problem")
    for number, problem in enumerate(records):
        for field in ("id", "suite", "prompt", "answer"):
            if getattr(problem, field) is None:  # Parquet columns may hold nulls; JSONL is checked line by line
                raise InputError(f"no {field!r} in row {number}", where=path, expected=f"{field!r} in every row")
    return records
