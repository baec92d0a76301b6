"""`ratchet select`."""

from pathlib import Path

import click

from ratchet.cli.options import file, out, problems, seed


@click.command(epilog="Example: ratchet select --problems p.jsonl --attempts g1/attempts.parquet --out e2")
@problems
@click.option(
    "--attempts",
    type=file,
    multiple=True,
    help="Graded attempts, repeated for shards; without them the problems' reference solutions are taken.",
)
@click.option("--per-problem", type=click.IntRange(min=1), default=4, show_default=True, help="Most kept a problem.")
@click.option(
    "--prompt",
    type=click.Choice(["plain", "chat"]),
    help="How the trained model will be asked reference solutions; attempts say it themselves.  [default: plain]",
)
@out
@seed
def select(
    problems: Path, attempts: tuple[Path, ...], per_problem: int, prompt: str | None, out: Path, seed: int
) -> None:
    """Choose the examples that the next iteration learns from.

    The folder OUT gets examples.parquet: correct attempts at training problems, or reference solutions.
    """
    from ratchet.errors import InputError
    from ratchet.select import select_correct, select_solutions

    if not attempts:
        click.echo(select_solutions(problems, out, prompt or "plain"))  # type: ignore[arg-type]
    elif prompt is None:
        click.echo(select_correct(attempts, problems, out, per_problem, seed))
    else:
        expected = "it for reference solutions alone: the attempts' header says how they were asked"
        raise InputError(f"--prompt {prompt} together with --attempts", expected=expected)
