"""`ratchet sample`."""

from pathlib import Path

import click

from ratchet.cli.options import checkpoint, limit, out, problems, seed, splits


@click.command(epilog="Example: ratchet sample --problems p.jsonl --checkpoint m1 --split eval --attempts 32 --out s1")
@problems
@checkpoint
@splits
@out
@click.option("--attempts", type=int, required=True, help="Attempts a problem.")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="0 is greedy: one attempt.")
@click.option("--top-p", type=float, default=1.0, show_default=True, help="Nucleus; 1 keeps the whole distribution.")
@click.option("--max-new-tokens", type=int, default=128, show_default=True, help="Longest answer, in tokens.")
@limit
@seed
def sample(
    problems: Path,
    checkpoint: Path,
    splits: tuple[str, ...],
    out: Path,
    attempts: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    limit: int | None,
    seed: int,
) -> None:
    """Draw n attempts a problem from a checkpoint.

    The folder OUT gets samples.parquet. Attempts are on disk as soon as they are drawn: after a kill the same command
    completes exactly those that are missing.
    """
    from ratchet.sample import Sampling
    from ratchet.sample import sample as draw

    sampling = Sampling(attempts, temperature, top_p, max_new_tokens, seed)
    click.echo(draw(problems, checkpoint, out, sampling, splits, limit))  # type: ignore[arg-type]
