"""One round of self-improvement a run: from the champion of the moment, gated against it, promoted where it may be.

Made for schedules. A run that was missed is missed: the next one starts from whoever is champion then. Two runs that
overlap start from the same champion; the second to be promoted is told to be gated again, since the champion that its
verdict speaks of is none any more.
"""

from typing import Any

from kfp import dsl

from ratchet.registry.component import champion as champion_step
from ratchet.registry.component import promote
from ratchet.select.component import select_solutions
from ratchet_pipelines.placement import SIGNING_KEYS, placed, with_secret
from ratchet_pipelines.stages import (
    Run,
    begun,
    decided,
    fresh,
    given,
    logged,
    measured,
    own_answers,
    trained,
    with_tracking,
)

NAME = "scheduled-retraining"
STAGE = f"{dsl.PIPELINE_JOB_ID_PLACEHOLDER}"  # runs share a workspace: each has a folder of its own in it


def _round(run: Run, standing: Any) -> None:
    """A round from the champion on, gated against it, the first champion and all between."""
    checkpoint, base, champion, history = (
        standing.outputs[name] for name in ("checkpoint_out", "base_out", "champion_out", "history_out")
    )
    examples = own_answers(run, STAGE, checkpoint, after=standing)
    new = trained(run, STAGE, checkpoint, examples, "train")
    profile = measured(run, STAGE, run.settings["run_name"], new, base=base, history=history).outputs["profile"]
    decision = decided(run, STAGE, profile, base=base, champion=champion, history=history)
    _logged_and_promoted(run, new, profile, decision)


def _first_round(run: Run, base_model: Any) -> None:
    """The first champion: the base model, fine-tuned on the reference solutions."""
    chosen = placed(select_solutions(problems=run.problems, **run.place(STAGE, "select")), "small", run.settings)
    new = trained(run, STAGE, base_model, chosen.outputs["examples"], "first")
    profile = measured(run, STAGE, run.settings["run_name"], new).outputs["profile"]
    _logged_and_promoted(run, new, profile, decided(run, STAGE, profile, first=True))


def _logged_and_promoted(run: Run, checkpoint: Any, profile: Any, decision: Any) -> None:
    settings = run.settings
    task = promote(
        checkpoint=checkpoint,
        profile=profile,
        verdict=decision.outputs["verdict_out"],
        registered_model=settings["mlflow_model"],
        tracking_uri=settings["mlflow_tracking_uri"],
        experiment=settings["mlflow_experiment"],
        reviewers=settings["gate_reviewers"],
        four_eyes=settings["gate_four_eyes"],
    )
    _with_keys(run, fresh(run, "small", task)).after(logged(run, checkpoint, profile, decision, 0))


def _with_keys(run: Run, task: Any) -> Any:
    return with_secret(with_tracking(run, task), run.settings["cluster_signing_secret"], SIGNING_KEYS)


@dsl.pipeline(
    name=NAME, description="One round from the champion on: trained on its own correct answers, gated, promoted."
)
def scheduled_retraining(
    data_problems: str,
    model_base: str,
    gate_policy: str,
    run_workspace: str,
    mlflow_tracking_uri: str,
    mlflow_model: str,
    mlflow_experiment: str = NAME,
    gate_reviewers: str = "",
    gate_four_eyes: bool = False,
    run_seed: int = 0,
    first_epochs: int = 1,
    first_learning_rate: float = 1e-5,
    train_epochs: int = 1,
    train_learning_rate: float = 1e-5,
    train_batch_size: int = 32,
    train_max_length: int = 1024,
    train_gpus: str = "1",
    train_cpu: str = "8",
    train_memory: str = "64Gi",
    sample_problems: int = 0,
    sample_attempts: int = 16,
    sample_temperature: float = 1.0,
    sample_top_p: float = 1.0,
    sample_max_new_tokens: int = 512,
    sample_backend: str = "vllm",
    sample_prompt: str = "plain",
    sample_gpus: str = "1",
    sample_cpu: str = "8",
    sample_memory: str = "64Gi",
    select_per_problem: int = 4,
    evaluate_attempts: int = 32,
    evaluate_temperature: float = 1.0,
    grade_cpu: str = "4",
    grade_memory: str = "16Gi",
    small_cpu: str = "2",
    small_memory: str = "8Gi",
    cluster_claim: str = "ratchet-workspace",
    cluster_node_selector: dict = {},  # type: ignore[type-arg]  # noqa: B006  what kfp reads
    cluster_tolerations: list = [],  # type: ignore[type-arg]  # noqa: B006
    cluster_mlflow_secret: str = "ratchet-mlflow",
    cluster_s3_secret: str = "ratchet-s3",
    cluster_signing_secret: str = "ratchet-signing",
) -> None:
    """One round from the champion on: trained on its own correct answers, gated, promoted.

    Args:
        data_problems: Problem file, .jsonl or .parquet, with splits train, eval and ood.
        model_base: Base checkpoint M_0, which the first champion is made from where there is none yet.
        gate_policy: The promotion policy, as YAML text.
        run_workspace: Folder that outlives pods and runs; each run has its own folder in it.
        mlflow_tracking_uri: MLflow server with the registered model.
        mlflow_model: Registered model whose champion is retrained.
        mlflow_experiment: MLflow experiment.
        gate_reviewers: Text of a file of reviewers, one of whom must approve a promotion; empty for none.
        gate_four_eyes: Whether the reviewer must be another one than who started the run.
        run_seed: Seed of everything drawn at random.
        first_epochs: Passes over the reference solutions that make the first champion.
        first_learning_rate: Learning rate of the first champion.
        train_epochs: Passes over the selected answers.
        train_learning_rate: Learning rate of a round.
        train_batch_size: Examples an optimisation step.
        train_max_length: Longest prompt with answer, in tokens.
        train_gpus: Accelerators of a training pod.
        train_cpu: Processors of a training pod.
        train_memory: Memory of a training pod.
        sample_problems: Training problems attempted, 0 for all.
        sample_attempts: Attempts a training problem.
        sample_temperature: Temperature of the attempts that are learned from.
        sample_top_p: Nucleus of the attempts that are learned from, 1 for the whole distribution.
        sample_max_new_tokens: Longest answer, in tokens.
        sample_backend: vllm, or transformers where there are no accelerators.
        sample_prompt: plain, or chat for the chat template of the checkpoint.
        sample_gpus: Accelerators of a sampling pod.
        sample_cpu: Processors of a sampling pod.
        sample_memory: Memory of a sampling pod.
        select_per_problem: Most correct answers kept of one problem.
        evaluate_attempts: Attempts an evaluation problem.
        evaluate_temperature: Temperature of the evaluation's attempts.
        grade_cpu: Processors of a grading pod, one worker each.
        grade_memory: Memory of a grading pod, 3 GiB for each processor at least.
        small_cpu: Processors of the other pods.
        small_memory: Memory of the other pods; 8 GiB hold a million attempts.
        cluster_claim: Volume claim that every pod mounts at /workspace; run_workspace lies in it.
        cluster_node_selector: Labels of the nodes that have the accelerators.
        cluster_tolerations: Taints of those nodes that the pods tolerate.
        cluster_mlflow_secret: Secret with MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN, if MLflow wants one.
        cluster_s3_secret: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, if need be.
        cluster_signing_secret: Secret with RATCHET_SIGNING_KEY (and RATCHET_VERIFY_KEY), the keys of verdicts.
    """
    settings = {**locals(), "run_name": f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}"}
    base = given(model_base, dsl.Model, "base model")
    run = begun(given(data_problems, dsl.Dataset, "problems"), settings, STAGE)
    task = champion_step(
        registered_model=mlflow_model, tracking_uri=mlflow_tracking_uri, **run.place(STAGE, "champion")
    )
    standing = _with_keys(run, fresh(run, "small", task))
    with dsl.If(standing.outputs["Output"] == "champion", name="from-the-champion"):
        _round(run, standing)
    with dsl.Else(name="the-first-champion"):
        _first_round(run, base)
