"""The peers of `benchmarks/gate_peers.py`, asked through what they really are where they are installed.

They take means, so they are given pass@1 and pass@16 as metrics of their own, worked out by Ratchet's estimator. A tool
that knows one baseline is asked once for each reference.
"""

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gate_cases import CORRECT, FAILED, Case, Results

from ratchet.metrics.pass_at_k import pass_at_k

Metrics = dict[str, float]
TFMA = """
import json, sys
from tensorflow_model_analysis.evaluators.metrics_validator import validate_metrics
from tensorflow_model_analysis.metrics.metric_types import MetricKey
from tensorflow_model_analysis.proto import config_pb2 as config
from tensorflow_model_analysis.utils.config_util import update_eval_config_with_defaults
from tensorflow_model_analysis.version import VERSION
def failures(candidate, baseline, margins):
    up = config.MetricDirection.HIGHER_IS_BETTER
    changes = {n: config.GenericChangeThreshold(absolute={"value": -m}, direction=up) for n, m in margins.items()}
    thresholds = {n: config.MetricThreshold(change_threshold=change) for n, change in changes.items()}
    setup = config.EvalConfig(
        model_specs=[config.ModelSpec()],
        metrics_specs=[config.MetricsSpec(thresholds=thresholds)],
        slicing_specs=[config.SlicingSpec()],
    )
    known = baseline is not None
    setup = update_eval_config_with_defaults(setup, has_baseline=known, rubber_stamp=True)
    metrics = {}
    for name, value in candidate.items():
        key = MetricKey(name=name, model_name="candidate" if known else "", example_weighted=None)
        metrics[key] = value
        if known and name in baseline:
            metrics[key.make_baseline_key("baseline")] = baseline[name]
            metrics[key.make_diff_key()] = value - baseline[name]
    found = validate_metrics(((), metrics), setup)
    return None if found.validation_ok else [f.message for s in found.metric_validations_per_slice for f in s.failures]
print(json.dumps([VERSION, [failures(*question) for question in json.load(sys.stdin)]]))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool said in its own word, and what that does: `go`, `stop`, `refuse` (ill measured) or `open`."""

    said: str
    kind: str


@dataclass(frozen=True, slots=True)
class Question:
    """A case as a tool sees it that knows means: the candidate's, one baseline's (None: there is none), margins."""

    candidate: Metrics
    baseline: Metrics | None
    margins: Mapping[str, float]


Tool = Callable[[Question], Answer]


def mean(results: Results, axis: str, errors_are_wrong: bool) -> float | None:
    """The mean of pass@k over the problems, as a script in front of a peer reports it; None where there is none."""
    suite, k = axis.split(".")[1] if axis.startswith("ood.") else "main", int(axis.rpartition("@")[2])
    outcomes = results.suites[suite][1]
    graded = (outcomes >= 0) if errors_are_wrong else (outcomes != FAILED)
    values = pass_at_k((outcomes == CORRECT).sum(axis=1), graded.sum(axis=1), k)
    return float(values.mean()) if len(values) else None


def questions(case: Case) -> list[Question]:
    """The case against each of its references, one baseline a question; one without a baseline where it has none."""

    def metrics(results: Results) -> Metrics:
        axes = case.margins or {"pass@1": 0.0}
        means = {axis: mean(results, axis, case.errors_are_wrong) for axis in axes}
        return {axis: value for axis, value in means.items() if value is not None}

    baselines: list[Metrics | None] = [metrics(results) for results in case.references.values()] or [None]
    return [Question(metrics(case.candidate), baseline, case.margins) for baseline in baselines]


def tfx_style(question: Question) -> Answer:
    """The rule of TFX's Evaluator: difference >= -margin for every metric, a missing one fails, no error bars.

    Without a baseline the change thresholds are dropped, and without any threshold nothing is validated or blessed.
    """
    if not question.margins:
        return Answer("not validated", "refuse")
    if question.baseline is None:
        return Answer("blessed", "go")
    if missing := question.margins.keys() - question.candidate.keys():
        return Answer(f"not blessed ({len(missing)} metrics not found)", "refuse")
    changes = {name: question.candidate[name] - question.baseline[name] for name in question.margins}
    held = all(change >= -question.margins[name] for name, change in changes.items())
    return Answer("blessed", "go") if held else Answer("not blessed", "stop")


def tfma(python: str, asked: Sequence[Question]) -> tuple[str, list[Answer]]:
    """TFMA's version and its own validator's answers, all from one process, since its import takes long."""
    sent = json.dumps([(q.candidate, q.baseline, dict(q.margins)) for q in asked])
    done = subprocess.run([python, "-c", TFMA], input=sent, capture_output=True, text=True, check=True)
    number, found = json.loads(done.stdout.strip().splitlines()[-1])
    answers = []
    for question, failures in zip(asked, found, strict=True):
        if not question.margins:  # TFX's Evaluator does not ask TFMA then
            answers.append(tfx_style(question))
        elif failures is None:
            answers.append(Answer("blessed", "go"))
        elif absent := failures.count("Metric not found."):
            answers.append(Answer(f"not blessed ({absent} metrics not found)", "refuse"))
        else:
            answers.append(Answer("not blessed", "stop"))
    return number, answers


def mlflow_no_fall(question: Question) -> Answer:
    """MLflow with the loosest change threshold that it takes: no fall at all."""
    from mlflow.models import MetricThreshold

    return _mlflow(
        question, {n: MetricThreshold(min_relative_change=0.0, greater_is_better=True) for n in question.margins}
    )


def mlflow_floor(question: Question) -> Answer:
    """MLflow with a floor that the caller works out; without a baseline there is none to work out."""
    from mlflow.models import MetricThreshold

    if question.baseline is None:
        return Answer("can't be asked", "open")
    floors = {name: question.baseline[name] - margin for name, margin in question.margins.items()}
    return _mlflow(question, {n: MetricThreshold(threshold=f, greater_is_better=True) for n, f in floors.items()})


def _mlflow(question: Question, thresholds: Mapping[str, object]) -> Answer:
    from mlflow import validate_evaluation_results
    from mlflow.models import EvaluationResult
    from mlflow.models.evaluation.validation import ModelValidationFailedException

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    baseline = None if question.baseline is None else EvaluationResult(question.baseline, {})
    try:
        validate_evaluation_results(dict(thresholds), EvaluationResult(question.candidate, {}), baseline)
    except ModelValidationFailedException as error:
        missing = "was missing from" in str(error)
        return Answer("fail (metric missing)" if missing else "fail", "refuse" if missing else "stop")
    except TypeError:  # what it does with no baseline and a relative change of 0.0
        return Answer("crash (TypeError)", "refuse")
    return Answer("pass", "go")


def nel_gate() -> str:
    """What there is of NeMo Evaluator's gate, in one line; its command is looked for on the PATH."""
    command = shutil.which("nel")
    if command is None:
        return "not installed: no command `nel` on the PATH"
    number = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    named = " ".join(line for line in number.splitlines() if line.startswith("nemo")).replace(": ", " ") or "unknown"
    if subprocess.run([command, "gate", "--help"], capture_output=True, check=False).returncode:
        return f"not installed: version {named} has no gate"
    return f"{named} has a gate, which this script can't ask yet"
