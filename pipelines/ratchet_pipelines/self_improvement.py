"""The self-improvement loop as a KFP pipeline: validate, M_1, then rounds until the gate blocks one.

Loops are static in KFP, so the rounds are unrolled when the pipeline is built. A round that the gate blocks (or whose
evidence it refuses) ends the run: nothing is trained on top of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from ratchet_pipelines.form import CLUSTER, DATA, LEARNING, MEASURING, Field, Settings, named, pipeline
from ratchet_pipelines.stages import (
    Run,
    begun,
    decided,
    given,
    logged,
    measured,
    own_answers,
    recorded,
    solutions,
    trained,
)

NAME = "self-improvement"
SAYS = "Train a model on its own correct answers, round after round; promote no round that has reversed."
FIELDS = {
    **DATA,
    "model_base": Field(str, "Base checkpoint M_0, a Hugging Face folder with safetensors weights."),
    **named(NAME),
    **LEARNING,
    **MEASURING,
    **CLUSTER,
}


@dataclass(frozen=True)
class _Before:
    """What a round takes from the one before it: gate, the logging that it waits for, the profiles so far."""

    decision: Any
    logged: Any
    history: Any


def self_improvement(rounds: int) -> Callable[..., Any]:
    """The pipeline function with M_1 and `rounds` rounds of self-improvement after it."""

    @pipeline(NAME, SAYS, FIELDS)
    def built(settings: Settings) -> None:
        with recorded(settings):
            base = given(settings["model_base"], dsl.Model, "base model")
            data = given(settings["data_problems"], dsl.Dataset, "problems")
            _first_round(begun(data, settings, "round-1"), rounds, base)

    found: Callable[..., Any] = built
    return found


def _first_round(run: Run, rounds: int, base_model: Any) -> None:
    """M_1, fine-tuned on the reference solutions: the base that every later round is compared with."""
    checkpoint = trained(run, "round-1", base_model, solutions(run, "round-1"), "first")
    profiled = measured(run, "round-1", "M_1", checkpoint)
    profile = profiled.outputs["profile"]
    decision = decided(run, "round-1", profile, first=True)
    done = logged(run, "round-1", checkpoint, profile, decision, 1)
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
        done = logged(run, stage, checkpoint, profile, decision, number)
        after = _Before(decision, done, profiled.outputs["history_out"])
        _next_round(run, number + 1, last, checkpoint, base_profile, after)
