"""Recurring runs of an endpoint, by name: listed, created, edited, applied, paused, resumed, deleted.

How one is put in the place of another, so that no two are ever live, is in recurring.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ratchet.errors import InputError
from ratchet_pipelines.endpoint import Endpoint, connected
from ratchet_pipelines.parameters import checked, pipeline_spec
from ratchet_pipelines.recurring import Schedule, Timing, listed, made, named, replaced, standing, switched
from ratchet_pipelines.submit import experiment_id, upload

if TYPE_CHECKING:
    from kfp import Client


@dataclass(frozen=True, slots=True)
class Applied:
    """A schedule and what had to be done for it to be as it was asked for."""

    did: Literal["created", "edited", "unchanged"]
    schedule: Schedule


def schedules(endpoint: Endpoint) -> list[Schedule]:
    """All recurring runs of the namespace, by name."""
    with connected(endpoint) as client:
        return sorted(listed(client, endpoint.namespace), key=lambda found: (found.name, found.id))


def create(
    endpoint: Endpoint,
    name: str,
    package: Path,
    parameters: Mapping[str, Any],
    timing: Timing,
    experiment: str,
    at_once: int = 1,
    service_account: str | None = None,
) -> Schedule:
    """The new schedule of the compiled pipeline; a name that is taken is refused."""
    spec = pipeline_spec(package)
    typed = checked(spec, parameters, where=spec["pipelineInfo"]["name"])
    with connected(endpoint) as client:
        if any(found.name == name for found in listed(client, endpoint.namespace)):
            raise InputError(
                f"schedule {name!r} is there", where=endpoint.name, expected="a new name", next="use edit, or delete it"
            )
        version = upload(client, package, endpoint.namespace)
        place = experiment_id(client, experiment, endpoint.namespace)
        return made(
            client,
            Schedule(name, timing, version.pipeline, version.version, typed, True, at_once, place, service_account),
        )


def edit(
    endpoint: Endpoint,
    name: str,
    timing: Timing | None = None,
    package: Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    at_once: int | None = None,
) -> Schedule:
    """The schedule with the given things changed and all else as it was."""
    with connected(endpoint) as client:
        old = named(client, endpoint, name)
        wanted = replace(old, timing=timing or old.timing, at_once=at_once or old.at_once)
        merged = {**old.parameters, **(parameters or {})}
        if package is not None:
            uploaded = upload(client, package, endpoint.namespace)
            wanted = replace(wanted, pipeline=uploaded.pipeline, version=uploaded.version)
            merged = checked(pipeline_spec(package), merged, where=name)
        elif parameters:
            spec = client.get_pipeline_version(old.pipeline, old.version).pipeline_spec
            merged = checked(spec.get("pipeline_spec", spec), merged, where=name)
        return replaced(client, old, replace(wanted, parameters=merged))


def apply(
    endpoint: Endpoint,
    name: str,
    package: Path,
    parameters: Mapping[str, Any],
    timing: Timing,
    experiment: str,
    at_once: int = 1,
    service_account: str | None = None,
    live: bool | None = None,
) -> Applied:
    """The schedule as it is given here: created where there is none, edited where something differs, else left alone.

    Parameters are all of them: one that is not given goes back to the pipeline's default. Without `live` a new schedule
    is live and one that was paused stays paused; without `service_account` the endpoint's choice stays.
    """
    spec = pipeline_spec(package)
    typed = checked(spec, parameters, where=spec["pipelineInfo"]["name"])
    with connected(endpoint) as client:
        version = upload(client, package, endpoint.namespace)
        place = experiment_id(client, experiment, endpoint.namespace)
        wanted = Schedule(name, timing, version.pipeline, version.version, typed, live is not False, at_once, place)
        old = standing(client, endpoint, name)
        if old is None:
            return Applied("created", made(client, replace(wanted, service_account=service_account)))
        account, state = service_account or old.service_account, old.live if live is None else live
        return _brought_to(client, old, replace(wanted, service_account=account, live=state))


def pause(endpoint: Endpoint, name: str) -> Schedule:
    """The schedule, which starts no more runs."""
    with connected(endpoint) as client:
        found = named(client, endpoint, name)
        return switched(client, found, live=False)


def resume(endpoint: Endpoint, name: str) -> Schedule:
    """The schedule, which starts runs again."""
    with connected(endpoint) as client:
        found = named(client, endpoint, name)
        return switched(client, found, live=True)


def delete(endpoint: Endpoint, name: str) -> Schedule:
    """The schedule as it was; its past runs stay."""
    with connected(endpoint) as client:
        found = named(client, endpoint, name)
        client.delete_recurring_run(found.id)
        return found


def _brought_to(client: "Client", old: Schedule, wanted: Schedule) -> Applied:
    """The schedule after as little as that takes: starting and pausing are the only things that Kubeflow can change."""
    if replace(wanted, live=old.live, id=old.id, description=old.description) != old:
        return Applied("edited", replaced(client, old, wanted))
    if wanted.live != old.live:
        return Applied("edited", switched(client, old, wanted.live))
    return Applied("unchanged", old)
