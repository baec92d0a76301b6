"""`ratchet grade`."""

import json
from pathlib import Path

import click

from ratchet.cli.options import file, out, problems


@click.command(epilog="Example: ratchet grade --samples s1/samples.parquet --problems p.jsonl --out g1")
@click.option("--samples", type=file, required=True, help="samples.parquet of `ratchet sample`.")
@problems
@out
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def grade(samples: Path, problems: Path, out: Path, style: str) -> None:
    """Grade attempts against the problems' answers.

    The folder OUT gets grades.parquet and attempts.parquet (samples and grades joined, what `ratchet evaluate` reads).
    """
    from ratchet.grade import ATTEMPTS_FILE, outcome_counts
    from ratchet.grade import grade as grade_samples
    from ratchet.records import Attempt
    from ratchet.storage import read_records

    counts = outcome_counts(read_records(grade_samples(samples, problems, out) / ATTEMPTS_FILE, Attempt))
    text = json.dumps(counts) if style == "json" else ", ".join(f"{n} {name}" for name, n in counts.most_common())
    click.echo(text)
