"""The compiled pipelines walked as Kubeflow would: which steps run after which verdicts, and what their pods get."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.graph import Step, Walk, holds, load

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled"
GIVEN = {
    "data_problems": "s3://data/problems.parquet",
    "model_base": "s3://models/base",
    "gate_policy": "version: 1",
    "run_workspace": "/workspace/first",
    "mlflow_tracking_uri": "http://mlflow:5000",
}
ANY = {"model_candidate": "s3://models/new", "model_champion": "s3://models/champion"}


def _walked(name: str, verdicts: list[str], **given: Any) -> tuple[list[Step], Walk]:
    answers: Iterator[str] = iter(verdicts)
    steps: list[Step] = []

    def run(step: Step) -> dict[str, Any]:
        steps.append(step)
        decides = step.name.startswith(("gate", "champion"))
        return {"Output": next(answers)} if decides else {"Output": ""}

    walk = Walk(*load(COMPILED / f"{name}.yaml"), "s3://bucket/root", "job-1", run)
    walk.pipeline({**GIVEN, **given})
    return steps, walk


def _count(steps: list[Step], verb: str) -> int:
    return sum(step.name.rstrip("-0123456789") == verb for step in steps)


@pytest.mark.parametrize(
    ("verdicts", "rounds"),
    [
        (["PROMOTE", "PROMOTE", "PROMOTE", "PROMOTE", "PROMOTE"], 5),
        (["PROMOTE", "INCONCLUSIVE", "BLOCK"], 3),
        (["PROMOTE", "ERROR"], 2),
        (["BLOCK"], 1),
    ],
)
def test_self_improvement_ends_with_the_round_that_is_blocked_or_refused(verdicts: list[str], rounds: int) -> None:
    steps, walk = _walked("self_improvement", verdicts)
    assert [_count(steps, verb) for verb in ("train", "gate", "log", "evaluate")] == [rounds] * 4
    assert _count(steps, "sample") == 2 * rounds - 1
    assert len(walk.skipped) == (rounds < 5)


def test_a_round_is_compared_with_the_base_the_champion_that_the_gate_left_and_all_rounds_before() -> None:
    steps, _ = _walked("self_improvement", ["PROMOTE", "PROMOTE", "BLOCK"])
    gates = [step for step in steps if step.name.startswith("gate")]
    assert set(gates[0].inputs) == {"candidate"}
    assert gates[2].inputs["champion"]["uri"] == gates[1].outputs["champion_out"]["uri"]
    assert gates[2].inputs["base"]["uri"] == gates[0].inputs["candidate"]["uri"]
    evaluations = [step for step in steps if step.name.startswith("evaluate")]
    assert gates[2].inputs["history"]["uri"] == evaluations[1].outputs["history_out"]["uri"]


def test_a_checkpoint_from_anywhere_is_gated_against_a_champion_unless_that_is_the_base() -> None:
    steps, _ = _walked("evaluate_and_gate", ["PROMOTE"], **ANY)
    assert _count(steps, "sample") == 3
    (gate,) = [step for step in steps if step.name.startswith("gate")]
    assert len({gate.inputs[side]["uri"] for side in ("candidate", "base", "champion")}) == 3
    steps, _ = _walked("evaluate_and_gate", ["PROMOTE"], **ANY | {"model_champion": GIVEN["model_base"]})
    assert _count(steps, "sample") == 2
    (gate,) = [step for step in steps if step.name.startswith("gate")]
    assert gate.inputs["champion"] == gate.inputs["base"]


def test_a_scheduled_round_starts_from_the_champion_and_is_gated_against_it() -> None:
    model = {"mlflow_model": "solver"}
    steps, _ = _walked("scheduled_retraining", ["champion", "PROMOTE"], **model)
    at = {step.name.rstrip("-0123456789"): step for step in steps}
    assert _count(steps, "train") == 1
    fetched = at["champion"].outputs
    assert at["train"].inputs["checkpoint"]["uri"] == fetched["checkpoint_out"]["uri"]
    references = {side: at["gate"].inputs[side]["uri"] for side in ("base", "champion", "history")}
    assert references == {side: fetched[f"{side}_out"]["uri"] for side in references}
    assert at["promote"].inputs["checkpoint"]["uri"] == at["train"].outputs["trained"]["uri"]
    assert [step.name.rstrip("-0123456789") for step in steps[-2:]] == ["log", "promote"]
    # without a champion the base is trained on the reference solutions, and the gate has nothing to compare with
    steps, _ = _walked("scheduled_retraining", ["none", "PROMOTE"], **model)
    at = {step.name.rstrip("-0123456789"): step for step in steps}
    assert at["train"].inputs["checkpoint"]["uri"] == GIVEN["model_base"]
    assert set(at["gate"].inputs) == {"candidate"}
    assert "promote" in at


def test_pods_get_what_the_parameters_of_the_run_say_in_every_round() -> None:
    nodes, taints = {"gpu": "a100"}, [{"key": "gpu", "operator": "Exists"}]
    given = {"train_gpus": "4", "sample_memory": "7Gi", "cluster_node_selector": nodes, "cluster_tolerations": taints}
    steps, _ = _walked("self_improvement", ["PROMOTE", "PROMOTE", "BLOCK"], cluster_claim="mine", **given)
    for step in steps:
        assert step.platform["pvcMount"][0]["pvcNameParameter"] == "mine"
        if step.name.startswith("train"):
            assert step.resources["accelerator"]["resourceCount"] == "4"
            assert step.platform["nodeSelector"]["nodeSelectorJson"] == nodes
            assert step.platform["tolerations"] == [{"tolerationJson": taints}]
        if step.name.startswith("sample"):
            assert step.resources["resourceMemoryLimit"] == "7Gi"
            assert step.resources["accelerator"]["resourceCount"] == "1"
        if step.name.startswith("gate"):
            assert step.platform["secretAsEnv"][0]["secretNameParameter"] == "ratchet-signing"


def test_a_failed_step_ends_the_run() -> None:
    def run(step: Step) -> dict[str, Any]:
        if step.name == "grade":
            raise RuntimeError("the pod was lost")
        return {"Output": "PROMOTE"}

    walk = Walk(*load(COMPILED / "self_improvement.yaml"), "s3://bucket/root", "job-1", run)
    with pytest.raises(RuntimeError, match="the pod was lost"):
        walk.pipeline(GIVEN)
    assert not any("gate" in path for path in walk.done)


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("inputs.parameter_values['a'] != 'BLOCK'", True),
        ("inputs.parameter_values['a'] == inputs.parameter_values['b']", False),
        ("!(inputs.parameter_values['a'] == 'PROMOTE')", False),
        ("inputs.parameter_values['a'] == 'PROMOTE' && inputs.parameter_values['b'] != 'it\\'s'", True),
    ],
)
def test_conditions_are_read_as_kubeflow_writes_them(condition: str, truth: bool) -> None:
    assert holds(condition, {"a": "PROMOTE", "b": "x"}) is truth
