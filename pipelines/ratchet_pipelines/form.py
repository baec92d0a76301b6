"""The run form: the parameters that pipelines share, each with its type, its default and what it says to a user.

kfp reads a pipeline's parameters from the signature and the docstring of its function. `pipeline` makes both from
fields, so that what several pipelines take is written once. Names sort by what they are about.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a pipeline: its type, what it is, and its default, REQUIRED where there is none."""

    kind: type
    says: str
    default: Any = REQUIRED


DATA = {
    "data_problems": Field(str, "Problem file, .jsonl or .parquet, with splits train, eval and ood."),
    "gate_policy": Field(str, "The promotion policy, as YAML text."),
    "run_seed": Field(int, "Seed of everything drawn at random.", 0),
    "run_workspace": Field(
        str, "Folder that outlives this run's pods; a run started again on it goes on where it was."
    ),
    "mlflow_tracking_uri": Field(str, "MLflow server that checkpoints, profiles and the run's end are logged to."),
}
LEARNING = {
    "first_epochs": Field(int, "Passes over the reference solutions that make the first checkpoint.", 1),
    "first_learning_rate": Field(float, "Learning rate of the first checkpoint.", 1e-5),
    "train_epochs": Field(int, "Passes over a round's selected answers.", 1),
    "train_learning_rate": Field(float, "Learning rate of a round.", 1e-5),
    "train_batch_size": Field(int, "Examples an optimisation step.", 32),
    "train_max_length": Field(int, "Longest prompt with answer, in tokens.", 1024),
    "train_gpus": Field(str, "Accelerators of a training pod.", "1"),
    "train_cpu": Field(str, "Processors of a training pod.", "8"),
    "train_memory": Field(str, "Memory of a training pod.", "64Gi"),
    "train_nodes": Field(int, "Nodes that one training step is spread over; more than 1 needs Kubeflow Trainer.", 1),
    "train_job": Field(
        dict, "With more nodes: runtime, gpus, cpu, memory of a node, service_account, env, limits (docs/train.md).", {}
    ),
    "sample_problems": Field(int, "Training problems attempted in a round, 0 for all.", 0),
    "sample_attempts": Field(int, "Attempts a training problem.", 16),
    "sample_temperature": Field(float, "Temperature of the attempts that are learned from.", 1.0),
    "sample_top_p": Field(float, "Nucleus of the attempts that are learned from, 1 for the whole distribution.", 1.0),
    "select_per_problem": Field(int, "Most correct answers kept of one problem.", 4),
}
MEASURING = {
    "sample_max_new_tokens": Field(int, "Longest answer, in tokens.", 512),
    "sample_backend": Field(str, "vllm, or transformers where there are no accelerators.", "vllm"),
    "sample_prompt": Field(str, "plain, or chat for the chat template of the checkpoint.", "plain"),
    "sample_pods": Field(int, "Pods that share the sampling of a checkpoint, and as many that share the grading.", 1),
    "sample_gpus": Field(str, "Accelerators of a sampling pod.", "1"),
    "sample_cpu": Field(str, "Processors of a sampling pod.", "8"),
    "sample_memory": Field(str, "Memory of a sampling pod.", "64Gi"),
    "evaluate_attempts": Field(int, "Attempts an evaluation problem.", 32),
    "evaluate_temperature": Field(float, "Temperature of the evaluation's attempts.", 1.0),
    "grade_cpu": Field(str, "Processors of a grading pod, one worker each.", "4"),
    "grade_memory": Field(str, "Memory of a grading pod, 3 GiB for each processor at least.", "16Gi"),
    "small_cpu": Field(str, "Processors of the other pods.", "2"),
    "small_memory": Field(str, "Memory of the other pods; 8 GiB hold a million attempts.", "8Gi"),
}
CLUSTER = {
    "cluster_claim": Field(
        str, "Volume claim that every pod mounts at /workspace; run_workspace lies in it.", "ratchet-workspace"
    ),
    "cluster_node_selector": Field(dict, "Labels of the nodes that have the accelerators.", {}),
    "cluster_tolerations": Field(list, "Taints of those nodes that the pods tolerate.", []),
    "cluster_mlflow_secret": Field(
        str, "Secret with MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN, if MLflow wants one.", "ratchet-mlflow"
    ),
    "cluster_s3_secret": Field(
        str, "Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, if need be.", "ratchet-s3"
    ),
    "cluster_signing_secret": Field(
        str, "Secret with RATCHET_SIGNING_KEY (and RATCHET_VERIFY_KEY), the keys of verdicts.", "ratchet-signing"
    ),
    "cluster_kubeflow_url": Field(str, "Address of Kubeflow's UI, for links from MLflow to the run; may be empty.", ""),
}


def named(name: str) -> dict[str, Field]:
    """Where a run is found again in MLflow, by default under the pipeline's own name."""
    return {
        "mlflow_experiment": Field(str, "MLflow experiment.", name),
        "run_name": Field(str, "Name of this run in MLflow.", name),
    }


def pipeline(name: str, says: str, fields: Mapping[str, Field]) -> Callable[[Callable[[Settings], None]], Any]:
    """A decorator: a pipeline from a function that takes the run's settings by name, and is called at once."""
    from kfp import dsl

    ordered = dict(sorted(fields.items(), key=lambda one: one[1].default is not REQUIRED))

    def made(build: Callable[[Settings], None]) -> Any:
        def body(*values: Any) -> None:
            build(dict(zip(ordered, values, strict=True)))

        body.__name__ = name.replace("-", "_")
        body.__doc__ = says + "\n\nArgs:\n" + "".join(f"    {key}: {one.says}\n" for key, one in ordered.items())
        body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=one.default, annotation=one.kind
                )
                for key, one in ordered.items()
            ]
        )
        return dsl.pipeline(name=name, description=says)(body)

    return made
