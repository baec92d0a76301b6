"""`ratchet quickstart`."""

from pathlib import Path

import click

from ratchet.cli.options import file, out, problems, seed


@click.group()
def quickstart() -> None:
    """Make the quickstart's own problems and base model.

    `make quickstart` and `ratchet run pipelines/configs/quickstart.yaml` do this by themselves.
    """


@quickstart.command("problems", epilog="Example: ratchet quickstart problems --out problems.jsonl --seed 1")
@click.option("--out", type=file, required=True, help="Problem file to write (.jsonl or .parquet).")
@click.option("--train", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--eval", "evaluate", type=click.IntRange(min=1), default=400, show_default=True)
@click.option("--ood", type=click.IntRange(min=0), default=200, show_default=True)
@seed
def make_problems(out: Path, train: int, evaluate: int, ood: int, seed: int) -> None:
    """Write arithmetic word problems in three splits that do not overlap."""
    from ratchet.quickstart.problems import generate
    from ratchet.records import Problem
    from ratchet.storage import write_records

    write_records(out, generate(seed, train, evaluate, ood), Problem)
    click.echo(out)


@quickstart.command("model", epilog="Example: ratchet quickstart model --problems problems.jsonl --out m0")
@problems
@out
@seed
def make_model(problems: Path, out: Path, seed: int) -> None:
    """Write an untrained Llama of about a million parameters and its tokenizer."""
    from ratchet.quickstart import model

    click.echo(model.make_model(problems, out, seed))
