"""The self-improvement loop as a KFP pipeline: validate, M_1, then rounds until the gate blocks one.

Loops are static in KFP, so the rounds are unrolled when the pipeline is built. A round that the gate blocks (or whose
evidence it refuses) ends the run: nothing is trained on top of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from ratchet.select.component import select_solutions
from ratchet_pipelines.placement import placed
from ratchet_pipelines.stages import Run, begun, decided, given, logged, measured, own_answers, trained

NAME = "self-improvement"


@dataclass(frozen=True)
class _Before:
    """What a round takes from the one before it: gate, the logging that it waits for, the profiles so far."""

    decision: Any
    logged: Any
    history: Any


def self_improvement(rounds: int) -> Callable[..., Any]:
    """The pipeline function with M_1 and `rounds` rounds of self-improvement after it."""

    @dsl.pipeline(
        name=NAME,
        description="Train a model on its own correct answers, round after round; promote no round that has reversed.",
    )
    def pipeline(
        data_problems: str,
        model_base: str,
        gate_policy: str,
        run_workspace: str,
        mlflow_tracking_uri: str,
        mlflow_experiment: str = "self-improvement",
        run_name: str = "self-improvement",
        run_seed: int = 0,
        first_epochs: int = 1,
        first_learning_rate: float = 1e-5,
        train_epochs: int = 1,
        train_learning_rate: float = 1e-5,
        train_batch_size: int = 32,
        train_max_length: int = 1024,
        sample_problems: int = 0,
        sample_attempts: int = 16,
        sample_temperature: float = 1.0,
        sample_top_p: float = 1.0,
        sample_max_new_tokens: int = 512,
        sample_backend: str = "vllm",
        sample_prompt: str = "plain",
        select_per_problem: int = 4,
        evaluate_attempts: int = 32,
        evaluate_temperature: float = 1.0,
        train_gpus: str = "1",
        train_cpu: str = "8",
        train_memory: str = "64Gi",
        sample_gpus: str = "1",
        sample_cpu: str = "8",
        sample_memory: str = "64Gi",
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
        """Train a model on its own correct answers, round after round; promote no round that has reversed.

        Args:
            data_problems: Problem file, .jsonl or .parquet, with splits train, eval and ood.
            model_base: Base checkpoint M_0, a Hugging Face folder with safetensors weights.
            gate_policy: The promotion policy, as YAML text.
            run_workspace: Folder that outlives this run's pods; a run started again on it goes on where it was.
            mlflow_tracking_uri: MLflow server that the checkpoints and their profiles are logged to.
            mlflow_experiment: MLflow experiment.
            run_name: Name of this run in MLflow.
            run_seed: Seed of everything drawn at random.
            first_epochs: Passes over the reference solutions that make M_1.
            first_learning_rate: Learning rate of M_1.
            train_epochs: Passes over a round's selected answers.
            train_learning_rate: Learning rate of the rounds.
            train_batch_size: Examples an optimisation step.
            train_max_length: Longest prompt with answer, in tokens.
            sample_problems: Training problems attempted each round, 0 for all.
            sample_attempts: Attempts a training problem.
            sample_temperature: Temperature of the attempts that are learned from.
            sample_top_p: Nucleus of the attempts that are learned from, 1 for the whole distribution.
            sample_max_new_tokens: Longest answer, in tokens.
            sample_backend: vllm, or transformers where there are no accelerators.
            sample_prompt: plain, or chat for the chat template of the checkpoint.
            select_per_problem: Most correct answers kept of one problem.
            evaluate_attempts: Attempts an evaluation problem.
            evaluate_temperature: Temperature of the evaluation's attempts.
            train_gpus: Accelerators of a training pod.
            train_cpu: Processors of a training pod.
            train_memory: Memory of a training pod.
            sample_gpus: Accelerators of a sampling pod.
            sample_cpu: Processors of a sampling pod.
            sample_memory: Memory of a sampling pod.
            grade_cpu: Processors of a grading pod, one worker each.
            grade_memory: Memory of a grading pod, 3 GiB for each processor at least.
            small_cpu: Processors of the other pods.
            small_memory: Memory of the other pods; 8 GiB hold a million attempts.
            cluster_claim: Volume claim that every pod mounts at /workspace; run_workspace lies in it.
            cluster_node_selector: Labels of the nodes that have the accelerators.
            cluster_tolerations: Taints of those nodes that the pods tolerate.
            cluster_mlflow_secret: Secret with MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN, if MLflow wants one.
            cluster_s3_secret: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, if need be.
            cluster_signing_secret: Secret with RATCHET_SIGNING_KEY, the key that verdicts are signed with.
        """
        settings = dict(locals())
        base = given(model_base, dsl.Model, "base model")
        data = given(data_problems, dsl.Dataset, "problems")
        _first_round(begun(data, settings, "round-1"), rounds, base)

    built: Callable[..., Any] = pipeline
    return built


def _first_round(run: Run, rounds: int, base_model: Any) -> None:
    """M_1, fine-tuned on the reference solutions: the base that every later round is compared with."""
    chosen = placed(select_solutions(problems=run.problems, **run.place("round-1", "select")), "small", run.settings)
    checkpoint = trained(run, "round-1", base_model, chosen.outputs["examples"], "first")
    profiled = measured(run, "round-1", "M_1", checkpoint)
    profile = profiled.outputs["profile"]
    decision = decided(run, "round-1", profile, first=True)
    done = logged(run, checkpoint, profile, decision, 1)
    before = _Before(decision, done, profiled.outputs["history_out"])
    _next_round(run, 2, rounds + 1, checkpoint, profile, before)


def _next_round(run: Run, number: int, last: int, previous: Any, base_profile: Any, before: _Before) -> None:
    """The rounds from `number` to `last`, each only where the gate let the one before it go on."""
    if number > last:
        return
    stage = f"round-{number}"
    # Two conditions, since kfp has no "and"; kfp.local resolves only a step's single return value in a condition.
    with (
        dsl.If(before.decision.outputs["Output"] != "BLOCK", name=stage),
        dsl.If(before.decision.outputs["Output"] != "ERROR", name=f"{stage}-evidence-was-accepted"),
    ):
        examples = own_answers(run, stage, previous, after=before.logged)
        checkpoint = trained(run, stage, previous, examples, "train")
        profiled = measured(run, stage, f"M_{number}", checkpoint, base=base_profile, history=before.history)
        profile = profiled.outputs["profile"]
        champion = before.decision.outputs["champion_out"]
        decision = decided(run, stage, profile, base=base_profile, champion=champion, history=before.history)
        done = logged(run, checkpoint, profile, decision, number)
        after = _Before(decision, done, profiled.outputs["history_out"])
        _next_round(run, number + 1, last, checkpoint, base_profile, after)
