"""`ratchet select`."""

from pathlib import Path

import click

from ratchet.cli.options import file, out, problems, seed


@click.command(epilog="Example: ratchet select --problems p.jsonl --attempts g1/attempts.parquet --out e2")
@problems
@click.option(
    "--attempts", type=file, help="Graded attempts; without them the problems' reference solutions are taken."
)
@click.option("--per-problem", type=click.IntRange(min=1), default=4, show_default=True, help="Most kept a problem.")
@out
@seed
def select(problems: Path, attempts: Path | None, per_problem: int, out: Path, seed: int) -> None:
    """Choose the examples that the next iteration learns from.

    The folder OUT gets examples.parquet: correct attempts at training problems, or reference solutions.
    """
    from ratchet.select import select_correct, select_solutions

    if attempts is None:
        click.echo(select_solutions(problems, out))
    else:
        click.echo(select_correct(attempts, problems, out, per_problem, seed))
