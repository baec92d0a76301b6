"""`ratchet sample`."""

from pathlib import Path
from typing import Any

import click

from ratchet.cli.options import checkpoint, limit, problems, seed, splits


@click.command(epilog="Example: ratchet sample --problems p.jsonl --checkpoint m1 --split eval --attempts 32 --out s1")
@problems
@checkpoint
@splits
@click.option("--out", required=True, help="Folder for the result, or s3://bucket/prefix.")
@click.option("--attempts", type=int, required=True, help="Attempts a problem.")
@click.option(
    "--backend",
    type=click.Choice(["transformers", "vllm", "openai"]),
    default="transformers",
    show_default=True,
    help="What draws: this process, vLLM in it, or a server.",
)
@click.option("--temperature", type=float, default=1.0, show_default=True, help="0 is greedy: one attempt.")
@click.option("--top-p", type=float, default=1.0, show_default=True, help="Nucleus; 1 keeps the whole distribution.")
@click.option("--max-new-tokens", type=int, default=128, show_default=True, help="Longest answer, in tokens.")
@click.option(
    "--prompt",
    type=click.Choice(["plain", "chat"]),
    default="plain",
    show_default=True,
    help="The problem's words and a line break, or the tokenizer's chat template around them.",
)
@click.option("--stop", multiple=True, help="Text that ends an answer and is left out; may be given several times.")
@click.option("--shard", default="0/1", show_default=True, help="i/n: draw every n-th problem, from the i-th (from 0).")
@click.option("--base-url", default="", help="Address of the server of --backend openai, as in http://host:8000/v1.")
@click.option("--model", default="", help="Name of the model on that server, where it serves several.")
@click.option("--at-once", type=click.IntRange(1), default=64, show_default=True, help="Requests to it at one time.")
@limit
@seed
def sample(problems: Path, checkpoint: Path, splits: tuple[str, ...], out: str, limit: int | None, **rest: Any) -> None:
    """Draw n attempts a problem from a checkpoint.

    The folder OUT gets samples.parquet, and identity.json, which says whose weights drew them. Attempts are on disk
    within seconds: after a kill the same command completes exactly those that are missing. A server's key is read from
    the environment (OPENAI_API_KEY), and its weights must be those of the checkpoint.
    """
    from ratchet.objects import is_object_url, read_place
    from ratchet.sample import Sampling, endpoint_at, truncation
    from ratchet.sample import sample as draw
    from ratchet.sample.mirror import in_object_store
    from ratchet.shards import read_shard

    sampling = Sampling(**{name: rest[name] for name in Sampling.__dataclass_fields__})
    where = endpoint_at(rest["backend"], rest["base_url"], rest["model"], rest["at_once"])
    shard = read_shard(rest["shard"])

    def drawn(folder: Path, mirror: Any = None) -> Path:
        found = draw(problems, checkpoint, folder, sampling, splits, limit, shard, where, mirror)  # type: ignore[arg-type]
        for split, (cut, of) in truncation(problems, found).items():
            click.echo(f"{split}: {cut} of {of} attempts ({cut / of:.1%}) cut off at {sampling.max_new_tokens} tokens")
        return found

    click.echo(in_object_store(read_place(out), drawn) if is_object_url(out) else drawn(Path(out)))
