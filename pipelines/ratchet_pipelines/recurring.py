"""Recurring runs as an endpoint keeps them, by name: read, made, and put in the place of another.

Kubeflow can't edit a recurring run, so an edit makes a new one and removes the old one. The new one is made paused;
only after it has been read back is the old one paused, then the new one started and the old one removed: at no moment
are two of them live. An edit that was cut off is finished, or undone, by the next command that changes that schedule:
the description of the new one says what it replaces.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError
from ratchet_pipelines.endpoint import Endpoint
from ratchet_pipelines.submit import pages

if TYPE_CHECKING:
    from kfp import Client

LEAST_SECONDS = 60
REPLACES = re.compile(r"^ratchet: replaces (\S+), (live|paused)$")


@dataclass(frozen=True, slots=True)
class Timing:
    """When runs start: a cron expression of six fields (seconds first), or every so many seconds."""

    cron: str | None = None
    every_s: int | None = None

    def __str__(self) -> str:
        """The time in words."""
        return f"cron {self.cron}" if self.cron else f"every {self.every_s} s"


def timing(cron: str | None, every_s: int | None) -> Timing:
    """The time that a user asks for; refused is what Kubeflow would take and never start, or start far too often."""
    if (cron is None) == (every_s is None):
        raise InputError("no single time" if cron else "no time", where="schedule", expected="either --cron or --every")
    if cron is not None and not cron.startswith("@") and len(cron.split()) != 6:
        raise InputError(
            f"{len(cron.split())} fields in {cron!r}",
            where="--cron",
            expected="six: second minute hour day month weekday",
            next=f"did you mean '0 {cron}'?" if len(cron.split()) == 5 else "",
        )
    if every_s is not None and every_s < LEAST_SECONDS:
        raise InputError(f"every {every_s} s", where="--every", expected=f"at least {LEAST_SECONDS} seconds")
    return Timing(cron, every_s)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring run. At most `at_once` of its runs work at a time; missed ones are not made up for."""

    name: str
    timing: Timing
    pipeline: str
    version: str
    parameters: Mapping[str, Any]
    live: bool = True
    at_once: int = 1
    experiment: str = ""
    service_account: str | None = None
    id: str = ""
    description: str = ""


def listed(client: "Client", namespace: str | None) -> list[Schedule]:
    """All recurring runs of the namespace."""
    found = pages(
        lambda token: client.list_recurring_runs(page_token=token, page_size=100, namespace=namespace), "recurring_runs"
    )
    return [_schedule(one) for one in found]


def named(client: "Client", endpoint: Endpoint, name: str) -> Schedule:
    """The schedule of that name, as `standing` has it; refused where there is none."""
    found = standing(client, endpoint, name)
    if found is None:
        known = ", ".join(sorted({one.name for one in listed(client, endpoint.namespace)})) or "none"
        raise InputError(f"no schedule {name!r}", where=endpoint.name, expected=f"one of those there: {known}")
    return found


def standing(client: "Client", endpoint: Endpoint, name: str) -> Schedule | None:
    """The schedule of that name, after an edit of it that was cut off has been brought to an end; None without one."""
    found = [one for one in listed(client, endpoint.namespace) if one.name == name]
    for new in found:
        marked = REPLACES.match(new.description)
        old = next((one for one in found if marked and one.id == marked[1]), None)
        if marked and old:
            return _settled(client, old, new, was_live=marked[2] == "live")
    if len(found) > 1:
        raise InputError(
            f"{len(found)} schedules named {name!r}",
            where=endpoint.name,
            expected="one",
            next="delete all but one in the Kubeflow UI",
        )
    return found[0] if found else None


def made(client: "Client", wanted: Schedule) -> Schedule:
    """The schedule as the endpoint holds it; refused, and removed again, where that is not what was asked for."""
    answer = client.create_recurring_run(
        experiment_id=wanted.experiment,
        job_name=wanted.name,
        description=wanted.description,
        cron_expression=wanted.timing.cron,
        interval_second=wanted.timing.every_s,
        max_concurrency=wanted.at_once,
        no_catchup=True,
        params=dict(wanted.parameters),
        pipeline_id=wanted.pipeline,
        version_id=wanted.version,
        enabled=wanted.live,
        service_account=wanted.service_account,
    )
    found = _read(client, answer.recurring_run_id)
    if _asked_for(found) != _asked_for(wanted):
        client.delete_recurring_run(found.id)
        raise InputError(
            f"the endpoint holds {found}", where=f"schedule {wanted.name}", expected=str(wanted), next="it was removed"
        )
    return found


def replaced(client: "Client", old: Schedule, wanted: Schedule) -> Schedule:
    """The wanted schedule in the place of the old one; at no moment are two of them live."""
    state = "live" if wanted.live else "paused"
    new = made(client, replace(wanted, live=False, description=f"ratchet: replaces {old.id}, {state}"))
    return _finished(client, old, new, wanted.live)


def switched(client: "Client", one: Schedule, live: bool) -> Schedule:
    """The schedule, started or paused."""
    (client.enable_recurring_run if live else client.disable_recurring_run)(one.id)
    return _read(client, one.id)


def _settled(client: "Client", old: Schedule, new: Schedule, was_live: bool) -> Schedule:
    """What stands after an edit that was cut off: undone where the old one still runs, else finished."""
    if old.live and not new.live:
        client.delete_recurring_run(new.id)
        return old
    return _finished(client, old, new, was_live)


def _finished(client: "Client", old: Schedule, new: Schedule, was_live: bool) -> Schedule:
    """The new schedule in the old one's place: the old one is paused before the new one starts."""
    client.disable_recurring_run(old.id)
    if was_live:
        client.enable_recurring_run(new.id)
    client.delete_recurring_run(old.id)
    return _read(client, new.id)


def _asked_for(schedule: Schedule) -> tuple[Any, ...]:
    """What a user decides; the rest the endpoint may fill in."""
    one = schedule
    return one.name, one.timing, one.pipeline, one.version, dict(one.parameters), one.live, one.at_once


def _read(client: "Client", id: str) -> Schedule:
    return _schedule(client.get_recurring_run(id))


def _schedule(found: Any) -> Schedule:
    """A schedule from the endpoint's record of it."""
    trigger, version = found.trigger, found.pipeline_version_reference
    cron = trigger.cron_schedule.cron if trigger.cron_schedule else None
    every = trigger.periodic_schedule.interval_second if trigger.periodic_schedule else None
    return Schedule(
        name=found.display_name,
        timing=Timing(cron, int(every) if every is not None else None),
        pipeline=version.pipeline_id if version else "",
        version=version.pipeline_version_id if version else "",
        parameters=(found.runtime_config.parameters if found.runtime_config else None) or {},
        live=found.mode == "ENABLE" or found.status == "ENABLED",
        at_once=int(found.max_concurrency or 1),
        experiment=found.experiment_id or "",
        service_account=found.service_account or None,
        id=found.recurring_run_id,
        description=found.description or "",
    )
