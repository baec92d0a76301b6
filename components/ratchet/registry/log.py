"""A checkpoint and what is known of it into MLflow: one run a pipeline run, one LoggedModel a checkpoint.

Logging is finished or not done: a model is READY only when everything about it is there. What a killed call left
PENDING the next one completes, and a model that is READY is left as it is.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError
from ratchet.registry.entry import RUN_TAG, Entry, Evidence, make_entry
from ratchet.registry.store import opened

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
) -> str:
    """The id of the LoggedModel that stands for the checkpoint in the run, logged now or by an earlier call.

    The profile, and the verdict where there is one, must speak of these very weights. The weights are not uploaded:
    tags say where they are and what their digest is. Without `parent` (a digest) it is read from what the train step
    left in the checkpoint's folder.
    """
    if '"' in run_name or "'" in run_name or not run_name:
        raise InputError(f"run name {run_name!r}", expected="a name without quotes")
    entry = make_entry(Evidence(checkpoint, profile, verdict, report, parent), run_name, round)
    with opened(tracking_uri, experiment) as (client, experiment_id):
        run = _run(client, experiment_id, run_name)
        model = _model(client, run, entry)
        if str(model.status) != "READY":
            _complete(client, run, model, entry)
        return str(model.model_id)


def _run(client: "MlflowClient", experiment_id: str, name: str) -> "Run":
    """The run of that name, found by its tag or created."""
    found = client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{name}'", order_by=["attributes.start_time"])
    return found[0] if found else client.create_run(experiment_id, run_name=name, tags={RUN_TAG: name})


def _model(client: "MlflowClient", run: "Run", entry: Entry) -> "LoggedModel":
    """The model of that checkpoint and round in the run; one that says something else about it is not logged over."""
    same = ("ratchet.digest", "ratchet.round", RUN_TAG)
    wanted = " AND ".join(f"tags.`{key}` = '{entry.tags[key]}'" for key in same)
    found = client.search_logged_models(
        [run.info.experiment_id], wanted, order_by=[{"field_name": "creation_timestamp"}]
    )
    if not found:
        return client.create_logged_model(
            run.info.experiment_id,
            name=entry.name,
            source_run_id=run.info.run_id,
            tags=entry.tags,
            params=entry.params,
            model_type="ratchet",
        )
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


def _complete(client: "MlflowClient", run: "Run", model: "LoggedModel", entry: Entry) -> None:
    """Everything about a PENDING model; each part may be there already and is then not doubled."""
    from mlflow.entities import LoggedModelOutput

    for path in entry.artifacts:
        client.log_model_artifact(model.model_id, str(path))
        client.log_artifact(run.info.run_id, str(path), f"round-{entry.round}")
    outputs = client.get_run(run.info.run_id).outputs
    if model.model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=entry.round)])
    metrics = _metrics(run, model, entry)
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    client.set_terminated(run.info.run_id)
    client.finalize_logged_model(model.model_id, "READY")


def _metrics(run: "Run", model: "LoggedModel", entry: Entry) -> list[Any]:
    """The metrics of the model, which are a step of the run's curves too.

    Their time is the model's: MLflow keeps a value once for a key, a step and a time, so that nothing is doubled.
    """
    from mlflow.entities import Metric

    return [
        Metric(key, value, model.creation_timestamp, entry.round, model_id=model.model_id, run_id=run.info.run_id)
        for key, value in entry.metrics.items()
    ]
