"""A checkpoint and what is known of it into MLflow: one run a pipeline run, one LoggedModel a checkpoint.

Logging is finished or not done: a model is READY only when everything about it is there. What a killed call left
PENDING the next one completes, and a model that is READY is left as it is.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError
from ratchet.evaluate.profile import ATTEMPTS_FILE
from ratchet.registry.entry import RUN_TAG, STARTED_BY_TAG, Entry, Evidence, make_entry
from ratchet.registry.store import opened
from ratchet.registry.weights import Weights, log_weights

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

METRICS_AT_ONCE = 1000  # MLflow's limit on a batch


def log_checkpoint(
    tracking_uri: str,
    experiment: str,
    run_name: str,
    checkpoint: Path,
    profile: Path,
    round: int,
    verdict: Path | None = None,
    parent: str | None = None,
    report: Path | None = None,
    weights: Weights = "reference",
    started_by: str | None = None,
) -> str:
    """The id of the LoggedModel that stands for the checkpoint in the run, logged now or by an earlier call.

    The profile, and the verdict where there is one, must speak of these very weights. They are uploaded or, as a
    `reference`, left where they are. Without `parent` (a digest) it is read from what the train step left in the
    checkpoint's folder. `started_by` is kept with a run that this call creates.
    """
    if '"' in run_name or "'" in run_name or not run_name:
        raise InputError(f"run name {run_name!r}", expected="a name without quotes")
    entry = make_entry(Evidence(checkpoint, profile, verdict, report, parent), run_name, round)
    with opened(tracking_uri, experiment) as (client, experiment_id):
        run = run_of(client, experiment_id, run_name, started_by)
        model = _model(client, run, entry)
        if str(model.status) != "READY":
            log_weights(client, model.model_id, checkpoint, entry.tags["ratchet.digest"], weights)
            _complete(client, run, model, entry)
        return str(model.model_id)


def run_of(client: "MlflowClient", experiment_id: str, name: str, started_by: str | None = None) -> "Run":
    """The run of that name, found by its tag or created; of two that were created at once the first."""
    wanted = f"tags.`{RUN_TAG}` = '{name}'"
    found = client.search_runs([experiment_id], wanted, order_by=["attributes.start_time"])
    if found:
        return found[0]
    tags = {RUN_TAG: name} | ({STARTED_BY_TAG: started_by} if started_by else {})
    client.create_run(experiment_id, run_name=name, tags=tags)
    first, *others = client.search_runs([experiment_id], wanted, order_by=["attributes.start_time"])
    for other in others:  # a request that was sent again because its answer was lost, or another process
        client.delete_run(other.info.run_id)
    return first


def _model(client: "MlflowClient", run: "Run", entry: Entry) -> "LoggedModel":
    """The model of that checkpoint and round in the run; one that says something else about it is not logged over."""
    found = _models(client, run, entry)
    if not found:
        client.create_logged_model(
            run.info.experiment_id,
            name=entry.name,
            source_run_id=run.info.run_id,
            tags=entry.tags,
            params=entry.params,
            model_type="ratchet",
        )
        first, *others = _models(client, run, entry)
        for other in others:
            client.delete_logged_model(other.model_id)
        return first
    logged = {key: value for key, value in found[0].tags.items() if key.startswith("ratchet.")}
    moved = {"ratchet.checkpoint"}  # where the weights lie may change, what they are may not
    different = sorted(key for key in ({*logged, *entry.tags} - moved) if logged.get(key) != entry.tags.get(key))
    if different:
        key = different[0]
        raise InputError(
            f"{key} = {entry.tags.get(key)}",
            where=f"model {found[0].model_id}",
            expected=f"{key} = {logged.get(key)}, as this checkpoint was logged in this round",
            next="give another run name",
        )
    return found[0]


def _models(client: "MlflowClient", run: "Run", entry: Entry) -> list["LoggedModel"]:
    """The models of that checkpoint and round in the run, the oldest first."""
    same = ("ratchet.digest", "ratchet.round", RUN_TAG)
    wanted = " AND ".join(f"tags.`{key}` = '{entry.tags[key]}'" for key in same)
    found = client.search_logged_models([run.info.experiment_id], wanted)
    return sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))


def _complete(client: "MlflowClient", run: "Run", model: "LoggedModel", entry: Entry) -> None:
    """Everything about a PENDING model; each part may be there already and is then not doubled."""
    for path in entry.artifacts:
        client.log_model_artifact(model.model_id, str(path))
        if path.name != ATTEMPTS_FILE:  # large, and nothing to look at
            client.log_artifact(run.info.run_id, str(path), f"round-{entry.round}")
    _name_as_output(client, run, model, entry.round)
    metrics = _metrics(run, model, entry)
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    client.set_terminated(run.info.run_id)
    client.finalize_logged_model(model.model_id, "READY")


def _name_as_output(client: "MlflowClient", run: "Run", model: "LoggedModel", round: int) -> None:
    """Name the model among the run's outputs, once: MLflow refuses a second time, as when an answer was lost."""
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    def there() -> bool:
        outputs = client.get_run(run.info.run_id).outputs
        return model.model_id in [output.model_id for output in (outputs.model_outputs if outputs else [])]

    if there():
        return
    try:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=round)])
    except MlflowException:
        if not there():
            raise


def _metrics(run: "Run", model: "LoggedModel", entry: Entry) -> list[Any]:
    """The metrics of the model, which are a step of the run's curves too.

    Their time is the model's: MLflow keeps a value once for a key, a step and a time, so that nothing is doubled.
    """
    from mlflow.entities import Metric

    return [
        Metric(key, value, model.creation_timestamp, entry.round, model_id=model.model_id, run_id=run.info.run_id)
        for key, value in entry.metrics.items()
    ]
