"""The self-improvement loop as a KFP pipeline: validate, M_1, then rounds until the gate blocks one.

Loops are static in KFP, so the rounds are unrolled when the pipeline is built. A round that the gate blocks (or whose
evidence it refuses) ends the run: nothing is trained on top of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from ratchet.evaluate.component import evaluate
from ratchet.gate.component import gate
from ratchet.grade.component import grade
from ratchet.registry.component import log
from ratchet.sample.component import sample
from ratchet.select.component import select_correct, select_solutions
from ratchet.train.component import train
from ratchet.validate.component import validate

NAME = "self-improvement"


@dataclass(frozen=True)
class _Run:
    """What every round of one run shares: the parameters of the pipeline and the problems."""

    rounds: int
    settings: dict[str, Any]
    problems: Any

    def place(self, round_: int, step: str) -> dict[str, Any]:
        """Where a step keeps its result in the run's workspace."""
        return {"workspace": self.settings["run_workspace"], "step": f"round-{round_}/{step}"}


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
        select_per_problem: int = 4,
        evaluate_attempts: int = 32,
        evaluate_temperature: float = 1.0,
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
            select_per_problem: Most correct answers kept of one problem.
            evaluate_attempts: Attempts an evaluation problem.
            evaluate_temperature: Temperature of the evaluation's attempts.
        """
        settings = dict(locals())
        base = dsl.importer(artifact_uri=model_base, artifact_class=dsl.Model, reimport=False)
        base.set_display_name("base model")
        data = dsl.importer(artifact_uri=data_problems, artifact_class=dsl.Dataset, reimport=False)
        data.set_display_name("problems")
        checked = validate(problems=data.output, workspace=run_workspace, step="round-1/validate")
        checked.set_caching_options(True)
        run = _Run(rounds, settings, checked.outputs["validated"])
        _first_round(run, base.output)

    built: Callable[..., Any] = pipeline
    return built


def _first_round(run: _Run, base_model: Any) -> None:
    """M_1, fine-tuned on the reference solutions: the base that every later round is compared with."""
    chosen = select_solutions(problems=run.problems, **run.place(1, "select"))
    trained = _train(run, 1, base_model, chosen.outputs["examples"], "first")
    measured = _profile(run, 1, trained)
    profile = measured.outputs["profile"]
    decision = _fresh(gate(candidate=profile, policy=run.settings["gate_policy"], first=True, **run.place(1, "gate")))
    logged = _log(run, 1, trained, profile, decision)
    _next_round(run, 2, trained, profile, _Before(decision, logged, measured.outputs["history_out"]))


def _next_round(run: _Run, round_: int, previous: Any, base_profile: Any, before: _Before) -> None:
    """The rounds from `round_` on, each only where the gate let the one before it go on."""
    if round_ > run.rounds + 1:
        return
    # Two conditions, since kfp has no "and"; kfp.local resolves only a step's single return value in a condition.
    with (
        dsl.If(before.decision.outputs["Output"] != "BLOCK", name=f"round-{round_}"),
        dsl.If(before.decision.outputs["Output"] != "ERROR", name=f"round-{round_}-evidence-was-accepted"),
    ):
        trained = _train(run, round_, previous, _own_answers(run, round_, previous, before), "train")
        measured = _profile(run, round_, trained, base=base_profile, history=before.history)
        profile = measured.outputs["profile"]
        decision = _fresh(
            gate(
                candidate=profile,
                base=base_profile,
                champion=before.decision.outputs["champion_out"],
                history=before.history,
                policy=run.settings["gate_policy"],
                first=False,
                **run.place(round_, "gate"),
            )
        )
        logged = _log(run, round_, trained, profile, decision)
        _next_round(run, round_ + 1, trained, base_profile, _Before(decision, logged, measured.outputs["history_out"]))


def _own_answers(run: _Run, round_: int, checkpoint: Any, before: _Before) -> Any:
    """Examples from the checkpoint's own correct attempts at the training problems, once it has been logged."""
    settings = run.settings
    drawn = _fresh(
        sample(
            problems=run.problems,
            checkpoint=checkpoint,
            splits=["train"],
            attempts=settings["sample_attempts"],
            temperature=settings["sample_temperature"],
            top_p=settings["sample_top_p"],
            max_new_tokens=settings["sample_max_new_tokens"],
            seed=settings["run_seed"],
            limit=settings["sample_problems"],
            **run.place(round_, "sample"),
        )
    ).after(before.logged)
    graded = grade(samples=drawn.outputs["samples"], problems=run.problems, **run.place(round_, "grade"))
    chosen = select_correct(
        attempts=graded.outputs["attempts"],
        problems=run.problems,
        per_problem=settings["select_per_problem"],
        seed=settings["run_seed"],
        **run.place(round_, "select"),
    )
    return chosen.outputs["examples"]


def _train(run: _Run, round_: int, checkpoint: Any, examples: Any, phase: str) -> Any:
    settings = run.settings
    task = train(
        checkpoint=checkpoint,
        examples=examples,
        epochs=settings[f"{phase}_epochs"],
        batch_size=settings["train_batch_size"],
        learning_rate=settings[f"{phase}_learning_rate"],
        max_length=settings["train_max_length"],
        seed=settings["run_seed"],
        **run.place(round_, "train"),
    )
    return _fresh(task).outputs["trained"]


def _profile(run: _Run, round_: int, checkpoint: Any, **beside: Any) -> Any:
    """The step that profiles the checkpoint on evaluation and out-of-distribution problems, beside earlier profiles."""
    settings = run.settings
    drawn = _fresh(
        sample(
            problems=run.problems,
            checkpoint=checkpoint,
            splits=["eval", "ood"],
            attempts=settings["evaluate_attempts"],
            temperature=settings["evaluate_temperature"],
            top_p=1.0,
            max_new_tokens=settings["sample_max_new_tokens"],
            seed=settings["run_seed"],
            limit=0,
            **run.place(round_, "evaluation-sample"),
        )
    )
    graded = grade(samples=drawn.outputs["samples"], problems=run.problems, **run.place(round_, "evaluation-grade"))
    place = run.place(round_, "evaluate")
    return _fresh(evaluate(attempts=graded.outputs["attempts"], name=f"M_{round_}", **place, **beside))


def _log(run: _Run, round_: int, checkpoint: Any, profile: Any, decision: Any) -> Any:
    settings = run.settings
    task = log(
        checkpoint=checkpoint,
        profile=profile,
        verdict=decision.outputs["verdict_out"],
        tracking_uri=settings["mlflow_tracking_uri"],
        experiment=settings["mlflow_experiment"],
        run_name=settings["run_name"],
        round_number=round_,
    )
    return _fresh(task)


def _fresh(task: Any) -> Any:
    """The task with caching off: what an earlier run drew, trained or measured is never passed off as this one's.

    It is set on each task, since a run's own setting does not reach tasks inside a condition.
    """
    return task.set_caching_options(False)
