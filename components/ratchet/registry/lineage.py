"""Where a checkpoint comes from: the logged models from it back to the first, each the parent of the one before it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One checkpoint of a lineage; what was logged of it is in MLflow under `model_id`."""

    digest: str
    model_id: str
    name: str
    round: str | None
    method: str | None
    verdict: str | None
    parent: str | None


def lineage(client: "MlflowClient", experiment_id: str, digest: str, most: int | None = None) -> tuple[Ancestor, ...]:
    """The checkpoint of that digest and its ancestors, youngest first, as far as they were logged in the experiment.

    A checkpoint that was logged several times is taken as it was logged first. Each costs a request: of more than
    `most` the youngest are given.
    """
    found: list[Ancestor] = []
    seen: set[str] = set()
    wanted: str | None = digest
    while wanted is not None and wanted not in seen and (most is None or len(found) < most):
        seen.add(wanted)
        logged = client.search_logged_models(
            [experiment_id],
            f"tags.`ratchet.digest` = '{wanted}'",
            order_by=[{"field_name": "creation_timestamp"}],
            max_results=1,
        )
        if not logged:
            break
        found.append(_ancestor(logged[0]))
        wanted = found[-1].parent
    return tuple(found)


def _ancestor(logged: "LoggedModel") -> Ancestor:
    tags = logged.tags
    return Ancestor(
        digest=tags["ratchet.digest"],
        model_id=logged.model_id,
        name=logged.name,
        round=tags.get("ratchet.round"),
        method=tags.get("ratchet.method"),
        verdict=tags.get("ratchet.verdict"),
        parent=tags.get("ratchet.parent"),
    )
