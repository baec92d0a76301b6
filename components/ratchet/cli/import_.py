"""`ratchet import`: results that another tool wrote as an attempts file, and problems of reasoning-gym."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ratchet.cli.options import file, seed

if TYPE_CHECKING:
    from ratchet.imports.columns import Columns
    from ratchet.imports.imported import Imported

logs = click.argument("logs", type=file, nargs=-1, required=True)
table = click.argument("table", type=file)
out = click.option("--out", type=file, required=True, help="Attempts file to write (.jsonl or .parquet).")
suite = click.option("--suite", help="Name of the suite, in place of what the log says.")
threshold = click.option("--threshold", type=float, help="The score from which on an attempt is correct.")

COLUMNS = {  # parameter -> what its column holds; the option is --problem-id and so on
    "problem_id": "the problem's id",
    "outcome": "the outcome",
    "correct": "whether the attempt is correct, in place of --outcome",
    "attempt": "the attempt's number, from 0 on",
    "text": "the model's text",
    "answer": "the answer in it",
    "group": "the problem's group",
    "cluster": "the problem's cluster",
    "confidence": "the confidence, from 0 to 1",
    "suite_field": "the suite",
}


def mapping(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds an option for each column of an attempt."""
    for name, what in reversed(COLUMNS.items()):
        option = "--" + name.replace("_", "-")
        command = click.option(option, name, metavar="COL", help=f"Column or field with {what}.")(command)
    return command


@click.group("import")
def import_() -> None:
    """Turn results that another tool wrote into an attempts file, or draw problems of reasoning-gym."""


@import_.command(
    "lm-eval", epilog="Example: ratchet import lm-eval samples_gsm8k_2026-01-31T12-00-00.jsonl --out gsm8k.parquet"
)
@logs
@out
@suite
@click.option("--metric", help="The metric that says what is correct, where there are several.")
@click.option("--filter", help="The filter whose answers count, where there are several.")
@threshold
def lm_eval(logs: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Import lm-evaluation-harness logs (run with --log_samples).

    LOGS are samples_TASK_DATE.jsonl files of one model: several tasks, or several runs of one, whose attempts count on.
    The results_DATE.json beside each is read too.
    """
    from ratchet.imports import read_lm_eval

    _finish(read_lm_eval(logs, **options), out, logs)


@import_.command("inspect", epilog="Example: ratchet import inspect logs/gsm8k.eval --scorer match --out gsm8k.parquet")
@logs
@out
@suite
@click.option("--scorer", help="The scorer that says what is correct, where there are several.")
@click.option("--value", help="The entry of its score that counts, where a score is a mapping.")
@click.option("--partial", type=click.Choice(["correct", "incorrect"]), help="What a partly right answer counts as.")
@threshold
@click.option("--incomplete", is_flag=True, help="Take a log that lacks samples or whose run did not end well.")
def inspect(logs: tuple[Path, ...], out: Path, partial: Literal["correct", "incorrect"] | None, **options: Any) -> None:
    """Import inspect logs (.eval or .json), an attempt for each epoch.

    LOGS are of one model: several tasks, or several runs of one, whose attempts count on.
    """
    from ratchet.imports import read_inspect

    _finish(read_inspect(logs, partial=partial, **options), out, logs)


@import_.command(
    "jsonl",
    epilog="Example: ratchet import jsonl results.jsonl --problem-id doc.id --correct passed --out mine.parquet",
)
@table
@out
@suite
@mapping
def jsonl(table: Path, out: Path, suite: str | None, **columns: str | None) -> None:
    """Import a JSONL file with field names of its own.

    A field that no option names is taken where it has the attempt's own name: problem_id, outcome, and so on.
    """
    from ratchet.imports import read_jsonl

    _finish(read_jsonl(table, _columns(columns), suite), out, (table,))


@import_.command(
    "csv", epilog="Example: ratchet import csv results.csv --problem-id task --correct passed --out mine.parquet"
)
@table
@out
@suite
@mapping
def csv(table: Path, out: Path, suite: str | None, **columns: str | None) -> None:
    """Import a CSV file (RFC 4180, UTF-8, column names first).

    A column that no option names is taken where it has the attempt's own name: problem_id, outcome, and so on.
    """
    from ratchet.imports import read_csv

    _finish(read_csv(table, _columns(columns), suite), out, (table,))


@import_.command(
    "reasoning-gym",
    epilog="Example: ratchet import reasoning-gym --family gcd --count 500 --split train --out gcd-train.jsonl",
)
@click.option("--family", required=True, help="Family of reasoning-gym; docs/grade.md says which are graded.")
@click.option("--count", type=click.IntRange(min=1), required=True, help="How many different problems.")
@seed
@click.option("--split", type=click.Choice(["train", "eval", "ood"]), default="eval", show_default=True)
@click.option("--level", type=click.IntRange(min=0), help="Level of the family's curriculum; its own default without.")
@click.option("--suite", help="Name of the suite, in place of the family's.")
@click.option("--out", type=file, required=True, help="Problem file to write (.jsonl or .parquet).")
def reasoning_gym(suite: str | None, out: Path, **given: Any) -> None:
    """Draw problems of a family of reasoning-gym, the same ones for the same options.

    Needs the extra reasoning-gym. Another seed or split draws other problems.
    """
    from ratchet.imports.gym import Draw, draw_problems
    from ratchet.records import Problem
    from ratchet.storage import is_parquet, write_records

    is_parquet(out)  # a name that can't be written is refused before anything is drawn
    draw = Draw(**given)
    write_records(out, draw_problems(draw, suite), Problem)
    click.echo(f"{suite or draw.family}: {draw.count} problems of split {draw.split} in {out}")


def _columns(given: dict[str, str | None]) -> "Columns":
    from ratchet.imports.columns import Columns

    return Columns(**{"suite" if name == "suite_field" else name: column for name, column in given.items()})


def _finish(imported: "Imported", out: Path, read_from: Sequence[Path]) -> None:
    from ratchet.imports import write

    write(imported, out, read_from)
    for suite, outcomes in imported.outcomes().items():
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        click.echo(f"{suite}: {imported.problems(suite)} problems, {outcomes.total()} attempts: {counts}")
    for note in imported.notes:
        click.echo(f"note: {note}")
    click.echo(f"attempts{f' of {imported.model}' if imported.model else ''} in {out}")
