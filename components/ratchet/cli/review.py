"""`ratchet review`: what waits for a reviewer, and a reviewer's word on it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ratchet.cli.options import file, form
from ratchet.cli.registry_options import key, model, private_key, tracking_uri

if TYPE_CHECKING:
    from ratchet.registry.reviewing import Candidate

version = click.option("--version", required=True, help="Version of the model.")
reviewers = click.option("--reviewers", type=file, help="File of reviewers (NAME KEY a line), to check signatures.")


@click.group()
def review() -> None:
    """See what waits for a review; approve or reject it."""


@review.command("list", epilog="Example: ratchet review list --model solver --reviewers reviewers.txt")
@model
@reviewers
@tracking_uri
@form
def list_(model: str, reviewers: Path | None, tracking_uri: str, form: str) -> None:
    """List the versions, latest first, with verdict, review, override and aliases."""
    from ratchet.cli.tables import print_table
    from ratchet.registry.reviewing import candidates

    found = candidates(tracking_uri, model, reviewers)
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
        return
    columns = ("version", "aliases", "verdict", "review", "override")
    rows = [[one.version, " ".join(one.aliases), one.verdict, one.review, one.override or ""] for one in found]
    print_table(columns, rows, numeric=("version",))


@review.command("show", epilog="Example: ratchet review show --model solver --version 3 --reviewers reviewers.txt")
@model
@version
@reviewers
@tracking_uri
@form
def show(model: str, version: str, reviewers: Path | None, tracking_uri: str, form: str) -> None:
    """Show one version: what it is, who said what about it and whether the signatures hold."""
    from ratchet.registry.reviewing import candidate

    found = candidate(tracking_uri, model, version, reviewers)
    click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False) if form == "json" else _as_text(found))


def _as_text(found: "Candidate") -> str:
    lines = [f"{found.model} version {found.version}  {' '.join('@' + alias for alias in found.aliases)}"]
    stated = {"checkpoint": found.checkpoint, "verdict": found.verdict, "override": found.override}
    lines += [f"{name:<11}{value}" for name, value in stated.items() if value]
    lines.append(f"{'review':<11}{found.review}")
    for said in found.reviews:
        lines.append(f"  {said.created[:19]}  {said.decision} by {said.by} ({said.signature}): {said.reason}")
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)


def _decide(decision: Literal["approve", "reject"], given: dict[str, Any]) -> None:
    from ratchet.registry.reviewing import review as library

    said = library(
        given["tracking_uri"],
        given["model"],
        given["version"],
        decision,
        by=given["by"],
        reason=given["reason"],
        key=private_key(given["key"]),
    )
    click.echo(f"{said.decision}: {said.model} version {said.version} by {said.by}")


def _decision(command: Any) -> Any:
    for option in (
        key,
        tracking_uri,
        click.option("--reason", required=True, help="Why."),
        click.option("--by", required=True, help="Your name, as the file of reviewers has it."),
        version,
        model,
    ):
        command = option(command)
    return command


@review.command("approve", epilog="Example: ratchet review approve --model solver --version 3 --by ada --reason 'read'")
@_decision
def approve(**given: Any) -> None:
    """Approve a version under the verdict that it was put forward with."""
    _decide("approve", given)


@review.command("reject", epilog="Example: ratchet review reject --model solver --version 3 --by ada --reason 'worse'")
@_decision
def reject(**given: Any) -> None:
    """Reject a version under the verdict that it was put forward with."""
    _decide("reject", given)
