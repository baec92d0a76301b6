"""`ratchet pipeline schedule`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli.endpoint import account, endpoint, endpoint_options, experiment, package, parameter_file, parameters
from ratchet.cli.options import file, form

if TYPE_CHECKING:
    from ratchet_pipelines.recurring import Schedule

cron = click.option("--cron", help="Six fields: second minute hour day month weekday, such as '0 0 3 * * 0'.")
every = click.option("--every", type=int, metavar="SECONDS", help="Seconds between two starts.")
at_once = click.option("--at-once", type=click.IntRange(1, 10), default=1, show_default=True, help="Most at a time.")
name = click.argument("name")


@click.group()
def schedule() -> None:
    """Recurring runs: list, create, edit in place, apply, pause, resume, delete."""


@schedule.command("list", epilog="Example: ratchet pipeline schedule list --format json")
@form
@endpoint_options
def list_(form: str, **where: Any) -> None:
    """All schedules of the namespace."""
    from ratchet_pipelines.schedule import schedules

    found = schedules(endpoint(**where))
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in found]))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("no schedules", err=True)


@schedule.command(
    epilog="Example: ratchet pipeline schedule create weekly --pipeline self_improvement.yaml --params run.yaml"
    " --cron '0 0 3 * * 0'"
)
@name
@package
@parameter_file
@parameters
@cron
@every
@experiment
@at_once
@account
@form
@endpoint_options
def create(
    name: str,
    package: Path,
    parameter_file: Path | None,
    given: tuple[str, ...],
    cron: str | None,
    every: int | None,
    experiment: str,
    at_once: int,
    service_account: str | None,
    form: str,
    **where: Any,
) -> None:
    """Run a pipeline again and again. A start that was missed is not made up for."""
    from ratchet_pipelines.parameters import read_parameters
    from ratchet_pipelines.recurring import timing
    from ratchet_pipelines.schedule import create as make

    values = read_parameters(parameter_file, given)
    when = timing(cron, every)
    _print(make(endpoint(**where), name, package, values, when, experiment, at_once, service_account), form)


@schedule.command(epilog="Example: ratchet pipeline schedule edit weekly --cron '0 0 4 * * 0' --param train_epochs=2")
@name
@click.option("--pipeline", "package", type=file, help="Compiled pipeline (YAML) to run from now on.")
@parameter_file
@parameters
@cron
@every
@click.option("--at-once", type=click.IntRange(1, 10), help="Most runs at a time.")
@form
@endpoint_options
def edit(
    name: str,
    package: Path | None,
    parameter_file: Path | None,
    given: tuple[str, ...],
    cron: str | None,
    every: int | None,
    at_once: int | None,
    form: str,
    **where: Any,
) -> None:
    """Change a schedule in place: what is not given stays. Two are never live at once."""
    from ratchet_pipelines.parameters import read_parameters
    from ratchet_pipelines.recurring import timing
    from ratchet_pipelines.schedule import edit as change

    when = timing(cron, every) if cron or every is not None else None
    values = read_parameters(parameter_file, given)
    _print(change(endpoint(**where), name, when, package, values, at_once), form)


@schedule.command(
    epilog="Example: ratchet pipeline schedule apply weekly --pipeline self_improvement.yaml --params run.yaml"
    " --cron '0 0 3 * * 0'"
)
@name
@package
@parameter_file
@parameters
@cron
@every
@experiment
@at_once
@account
@click.option("--live/--paused", default=None, help="Without either, one that is paused stays so.")
@form
@endpoint_options
def apply(
    name: str,
    package: Path,
    parameter_file: Path | None,
    given: tuple[str, ...],
    cron: str | None,
    every: int | None,
    experiment: str,
    at_once: int,
    service_account: str | None,
    live: bool | None,
    form: str,
    **where: Any,
) -> None:
    """Make a schedule what is given here: create it, edit it where something differs, or leave it alone.

    Unlike edit it takes everything: a parameter that is not given goes back to the pipeline's default.
    """
    from ratchet_pipelines.parameters import read_parameters
    from ratchet_pipelines.recurring import timing
    from ratchet_pipelines.schedule import apply as bring

    values = read_parameters(parameter_file, given)
    when = timing(cron, every)
    done = bring(endpoint(**where), name, package, values, when, experiment, at_once, service_account, live)
    if form == "json":
        click.echo(json.dumps({"did": done.did, **asdict(done.schedule)}))
    else:
        click.echo(f"{done.did}: {_line(done.schedule)}")


@schedule.command(epilog="Example: ratchet pipeline schedule pause weekly")
@name
@form
@endpoint_options
def pause(name: str, form: str, **where: Any) -> None:
    """Start no more runs; those at work go on."""
    from ratchet_pipelines.schedule import pause as hold

    _print(hold(endpoint(**where), name), form)


@schedule.command(epilog="Example: ratchet pipeline schedule resume weekly")
@name
@form
@endpoint_options
def resume(name: str, form: str, **where: Any) -> None:
    """Start runs again."""
    from ratchet_pipelines.schedule import resume as go_on

    _print(go_on(endpoint(**where), name), form)


@schedule.command(epilog="Example: ratchet pipeline schedule delete weekly")
@name
@form
@endpoint_options
def delete(name: str, form: str, **where: Any) -> None:
    """Remove a schedule; its past runs stay."""
    from ratchet_pipelines.schedule import delete as remove

    _print(remove(endpoint(**where), name), form)


def _print(one: "Schedule", form: str) -> None:
    click.echo(json.dumps(asdict(one)) if form == "json" else _line(one))


def _line(one: "Schedule") -> str:
    state = "live" if one.live else "paused"
    return f"{one.name}  {state}  {one.timing}  at most {one.at_once} at a time  version {one.version}"
