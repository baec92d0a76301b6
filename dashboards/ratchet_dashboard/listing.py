"""The registered models that Ratchet knows, each in a line."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ratchet.registry.reconcile import INCIDENT_TAG
from ratchet.registry.registered import CHALLENGER, CHAMPION, PAGE
from ratchet.registry.store import connected
from ratchet_dashboard.origin import Origin

MOST = 5_000  # of models, and of versions that wait


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model in the list; where its aliases point is what MLflow says."""

    name: str
    champion: str | None
    challenger: str | None
    pending: int
    incident: str | None


def read_models(origin: Origin) -> tuple[list[ModelRow], bool]:
    """The registered models that Ratchet knows, by name, and whether MLflow has more than were looked at."""
    with connected(origin.tracking_uri) as client:
        found, more_models = _first(partial(client.search_registered_models, max_results=PAGE))
        waiting = partial(client.search_model_versions, "tags.`ratchet.review` = 'pending'", max_results=PAGE)
        pending, more_versions = _first(waiting)
    names, waits = {model.name for model in found}, Counter(version.name for version in pending)
    known = [model for model in found if f"{model.name}.ledger" in names or _put_forward(model)]
    known = [model for model in known if not str(model.name).endswith(".ledger")]
    return [_row(model, waits[model.name]) for model in sorted(known, key=_name)], more_models or more_versions


def _first(search: Callable[..., Any]) -> tuple[list[Any], bool]:
    """What the search finds, up to `MOST`, and whether there is more."""
    found: list[Any] = []
    token = None
    while len(found) < MOST:
        page = search(page_token=token)
        found += page
        token = page.token
        if not token:
            return found, False
    return found, True


def _name(model: Any) -> str:
    return str(model.name)


def _put_forward(model: Any) -> bool:
    return any(tag.startswith("ratchet.") for version in model.latest_versions or () for tag in version.tags or {})


def _row(model: Any, pending: int) -> ModelRow:
    pointed = {alias: str(number) for alias, number in (model.aliases or {}).items()}
    incident = (model.tags or {}).get(INCIDENT_TAG)
    return ModelRow(str(model.name), pointed.get(CHAMPION), pointed.get(CHALLENGER), pending, incident)
