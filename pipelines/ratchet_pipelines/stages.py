"""The stages that pipelines are made of: a few steps that belong together, each task placed and cached as it must."""

from dataclasses import dataclass
from typing import Any

from kfp import dsl

from ratchet.evaluate.component import evaluate
from ratchet.gate.component import gate
from ratchet.grade.component import grade
from ratchet.registry.component import log, record_end
from ratchet.sample.component import sample
from ratchet.select.component import select_correct, select_solutions
from ratchet.train.component import train
from ratchet.validate.component import validate
from ratchet_pipelines.form import Settings
from ratchet_pipelines.placement import MLFLOW_KEYS, S3_KEYS, SIGNING_KEYS, Work, placed, with_secret


@dataclass(frozen=True)
class Run:
    """What all stages of one run share: the parameters of the pipeline, the checked problems and their shards."""

    settings: Settings
    problems: Any
    shards: Any

    def place(self, stage: str, step: str) -> dict[str, Any]:
        """Where a step keeps its result in the run's workspace."""
        return {"workspace": self.settings["run_workspace"], "step": f"{stage}/{step}"}


def given(uri: Any, kind: Any, name: str) -> Any:
    """The artifact at a place that the user names."""
    return dsl.importer(artifact_uri=uri, artifact_class=kind, reimport=False).set_display_name(name).output


def recorded(settings: Settings, folder: str = ".") -> Any:
    """A context in which all steps of a run are made: whatever ends them, MLflow is told of it.

    `folder` is the run's place in the workspace.
    """
    task = record_end(
        tracking_uri=settings["mlflow_tracking_uri"],
        experiment=settings["mlflow_experiment"],
        run_name=settings["run_name"],
        workspace=settings["run_workspace"],
        step=folder,
        kubeflow_run=f"{dsl.PIPELINE_JOB_ID_PLACEHOLDER}",
        kubeflow_url=settings["cluster_kubeflow_url"],
    )
    run = Run(settings, None, None)
    return dsl.ExitHandler(with_tracking(run, fresh(run, "small", task)), name="run")


def begun(data: Any, settings: Settings, stage: str) -> Run:
    """The run, once its problems have passed their checks."""
    place = {"workspace": settings["run_workspace"], "step": f"{stage}/validate"}
    checked = validate(problems=data, pods=settings["sample_pods"], limit=settings.get("sample_problems", 0), **place)
    placed(checked, "small", settings).set_caching_options(True)
    return Run(settings, checked.outputs["validated"], checked.outputs["Output"])


def solutions(run: Run, stage: str) -> Any:
    """Examples from the reference solutions of the training problems, asked as the model will be."""
    chosen = select_solutions(problems=run.problems, prompt=run.settings["sample_prompt"], **run.place(stage, "select"))
    return placed(chosen, "small", run.settings).outputs["examples"]


def own_answers(run: Run, stage: str, checkpoint: Any, after: Any) -> Any:
    """Examples from the checkpoint's own correct attempts at the training problems, drawn once `after` is done."""
    settings = run.settings
    graded = _attempts(
        run,
        stage,
        "",
        after,
        checkpoint=checkpoint,
        splits=["train"],
        attempts=settings["sample_attempts"],
        temperature=settings["sample_temperature"],
        top_p=settings["sample_top_p"],
        limit=settings["sample_problems"],
    )
    chosen = select_correct(
        attempts=graded,
        problems=run.problems,
        per_problem=settings["select_per_problem"],
        seed=settings["run_seed"],
        **run.place(stage, "select"),
    )
    return placed(chosen, "small", settings).outputs["examples"]


def trained(run: Run, stage: str, checkpoint: Any, examples: Any, phase: str) -> Any:
    """The checkpoint after one iteration on the examples; `phase` says which parameters it is trained by."""
    settings = run.settings
    task = train(
        checkpoint=checkpoint,
        examples=examples,
        epochs=settings[f"{phase}_epochs"],
        batch_size=settings["train_batch_size"],
        learning_rate=settings[f"{phase}_learning_rate"],
        max_length=settings["train_max_length"],
        seed=settings["run_seed"],
        nodes=settings["train_nodes"],
        job=settings["train_job"],
        **run.place(stage, "train"),
    )
    return fresh(run, "train", task).outputs["trained"]


def measured(run: Run, stage: str, name: str, checkpoint: Any, **beside: Any) -> Any:
    """The step that profiles the checkpoint on evaluation and out-of-distribution problems, beside earlier profiles."""
    graded = _attempts(
        run,
        stage,
        "evaluation-",
        None,
        checkpoint=checkpoint,
        splits=["eval", "ood"],
        attempts=run.settings["evaluate_attempts"],
        temperature=run.settings["evaluate_temperature"],
        top_p=1.0,
        limit=0,
    )
    return fresh(run, "small", evaluate(attempts=graded, name=name, **run.place(stage, "evaluate"), **beside))


def decided(run: Run, stage: str, profile: Any, first: bool = False, **references: Any) -> Any:
    """The gate's step, which signs its verdict where the cluster has a key for it."""
    policy = run.settings["gate_policy"]
    task = gate(candidate=profile, policy=policy, first=first, **references, **run.place(stage, "gate"))
    return with_secret(fresh(run, "small", task), run.settings["cluster_signing_secret"], SIGNING_KEYS)


def logged(run: Run, stage: str, checkpoint: Any, profile: Any, decision: Any, round_number: int) -> Any:
    """The step that logs the checkpoint, its profile and its verdict in MLflow."""
    settings = run.settings
    task = log(
        checkpoint=checkpoint,
        profile=profile,
        verdict=decision.outputs["verdict_out"],
        tracking_uri=settings["mlflow_tracking_uri"],
        experiment=settings["mlflow_experiment"],
        run_name=settings["run_name"],
        round_number=round_number,
        **run.place(stage, "log"),
    )
    return with_tracking(run, fresh(run, "small", task))


def with_tracking(run: Run, task: Any) -> Any:
    """The task with what it signs in to MLflow and its artifacts with."""
    task = with_secret(task, run.settings["cluster_mlflow_secret"], MLFLOW_KEYS)
    return with_secret(task, run.settings["cluster_s3_secret"], S3_KEYS)


def fresh(run: Run, work: Work, task: Any) -> Any:
    """The task, placed, with caching off: what was drawn, trained or measured earlier is never passed off as new.

    It is set on each task, since a run's own setting does not reach tasks inside a condition.
    """
    return placed(task, work, run.settings).set_caching_options(False)


def _attempts(run: Run, stage: str, prefix: str, after: Any, **asked: Any) -> Any:
    """The graded attempts, one artifact a shard: the pods of a shard draw and grade it, beside those of the others.

    A shard holds problems of all suites, so that suites are shared out as well.
    """
    settings = run.settings
    with dsl.ParallelFor(run.shards, name=f"{prefix}shards") as shard:
        drawn = sample(
            problems=run.problems,
            max_new_tokens=settings["sample_max_new_tokens"],
            seed=settings["run_seed"],
            backend=settings["sample_backend"],
            prompt=settings["sample_prompt"],
            shard=shard,
            **run.place(stage, f"{prefix}sample"),
            **asked,
        )
        fresh(run, "sample", drawn if after is None else drawn.after(after))
        samples, place = drawn.outputs["samples"], run.place(stage, f"{prefix}grade")
        graded = placed(grade(samples=samples, problems=run.problems, shard=shard, **place), "grade", settings)
    return dsl.Collected(graded.outputs["attempts"])
