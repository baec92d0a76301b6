"""`ratchet promote`."""

from pathlib import Path

import click

from ratchet.cli.options import checkpoint, file, form
from ratchet.cli.registry_options import key, model, print_outcome, private_key, public_key, tracking_uri, trusted_keys


@click.command(
    epilog="\b\nExample:\n  ratchet promote --model solver --verdict verdict.json --candidate p3 --champion p2 \\\n"
    "    --checkpoint m3 --policy policy.yaml --key signing.pem --public-key signing.pem.pub"
)
@model
@click.option("--verdict", type=file, required=True, help="verdict.json on the checkpoint.")
@click.option("--candidate", type=file, required=True, help="Profile that the verdict is on.")
@checkpoint
@click.option("--policy", type=file, required=True, help="Policy that the verdict was reached under (YAML).")
@click.option("--base", type=file, help="Profile of the base, to be checked against the verdict.")
@click.option("--champion", type=file, help="Profile of the champion, to be checked against the verdict.")
@click.option("--history", type=file, multiple=True, help="Profile of an earlier round, to be checked; repeat.")
@click.option("--review", type=file, help="Wait for an approval by one of the reviewers in this file.")
@click.option("--four-eyes", is_flag=True, help="With --review: not by whoever started the run.")
@click.option("--by", default="ratchet promote", show_default=True, help="Who promotes, for the ledger.")
@click.option(
    "--experiment", default="ratchet", show_default=True, help="Experiment that the checkpoint was logged in."
)
@tracking_uri
@key
@public_key
@form
def promote(
    model: str,
    verdict: Path,
    candidate: Path,
    checkpoint: Path,
    policy: Path,
    base: Path | None,
    champion: Path | None,
    history: tuple[Path, ...],
    review: Path | None,
    four_eyes: bool,
    by: str,
    experiment: str,
    tracking_uri: str,
    key: Path | None,
    public_key: tuple[Path, ...],
    form: str,
) -> int:
    """Make a checkpoint the challenger and, where its verdict holds against the champion, the champion.

    Exits 0 where it is champion, 1 where it is refused for good (BLOCK, rejected in review), 2 where it waits
    (INCONCLUSIVE, no review yet), 3 where something does not fit: a check fails, or it must be gated again because
    there is another champion now. The same call again goes on where it was.
    """
    from ratchet.errors import InputError
    from ratchet.registry.promote import promote as library
    from ratchet.registry.promotion import Request
    from ratchet.registry.review import ReviewRule, read_reviewers

    if four_eyes and review is None:
        raise InputError("--four-eyes without --review", expected="the file of those who may review")
    given = {"base": base, "champion": champion}
    request = Request(
        model=model,
        verdict=verdict,
        candidate=candidate,
        checkpoint=checkpoint,
        policy=policy,
        key=private_key(key),
        keys=trusted_keys(public_key),
        references={name: path for name, path in given.items() if path is not None},
        history=history,
        review=ReviewRule(read_reviewers(review), four_eyes) if review else None,
        by=by,
    )
    return print_outcome(library(tracking_uri, experiment, request), model, form)
