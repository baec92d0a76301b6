"""`ratchet grade`."""

import json
from pathlib import Path
from typing import get_args

import click

from ratchet.cli.options import file, form, out, problems

MOST_REASONS = 10  # lines of text; all of them are in grades.parquet and in --format json


@click.command(epilog="Example: ratchet grade --samples s1/samples.parquet --problems p.jsonl --out g1")
@click.option("--samples", type=file, required=True, help="samples.parquet of `ratchet sample`.")
@problems
@out
@click.option("--workers", type=click.IntRange(min=1), help="Processes for math and code.  [default: one a core]")
@click.option("--tolerance", type=float, default=0.0, show_default=True, help="Relative error of a numeric answer.")
@click.option(
    "--confidence", type=click.Choice(["agreement", "logprob"]), help="Write each attempt's confidence, and its source."
)
@click.option(
    "--isolation", type=click.Choice(["namespaces", "landlock", "process"]), help="Least isolation to run programs at."
)
@click.option(
    "--max-error-rate", type=float, default=0.01, show_default=True, help="Stop above this share of failed gradings."
)
@click.option("--shard", metavar="I/N", help="Grade the problems of shard I (from 0) of N.  [default: all of them]")
@form
def grade(
    samples: Path,
    problems: Path,
    out: Path,
    workers: int | None,
    tolerance: float,
    confidence: str | None,
    isolation: str | None,
    max_error_rate: float,
    shard: str | None,
    form: str,
) -> None:
    """Grade attempts against the problems' answers.

    The folder OUT gets grades.parquet and attempts.parquet (samples and grades joined, what `ratchet evaluate` reads).
    The gold answers are graded first, and must all come out correct. After a kill the same command completes exactly
    the attempts that are missing. With --shard, give `ratchet evaluate` the attempts of all shards together.
    """
    from ratchet.grade import GRADES_FILE, Grading
    from ratchet.grade import grade as grade_samples
    from ratchet.records import Grade
    from ratchet.shards import WHOLE, read_shard
    from ratchet.storage import read_records

    settings = Grading(tolerance, confidence, isolation, workers, max_error_rate)  # type: ignore[arg-type]
    graded = grade_samples(samples, problems, out, settings, WHOLE if shard is None else read_shard(shard))
    _print(read_records(graded / GRADES_FILE, Grade), form)


def _print(grades: list[object], form: str) -> None:
    from ratchet.grade import outcome_counts, reason_counts
    from ratchet.records import Outcome

    counts, reasons = outcome_counts(grades), reason_counts(grades).most_common()  # type: ignore[arg-type]
    if form == "json":
        listed = [{"outcome": outcome, "reason": reason, "count": n} for (outcome, reason), n in reasons]
        click.echo(json.dumps({name: counts[name] for name in get_args(Outcome)} | {"reasons": listed}))
        return
    click.echo(", ".join(f"{n} {name}" for name, n in counts.most_common()) or "no attempt")
    for (outcome, reason), n in reasons[:MOST_REASONS]:
        click.echo(f"  {n} {outcome}: {reason}")
    if len(reasons) > MOST_REASONS:
        click.echo(f"  {len(reasons) - MOST_REASONS} more reasons")
