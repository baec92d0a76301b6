"""What Ratchet's gate and its nearest peers say of the same cases, and who is right: a Markdown table.

Run `python benchmarks/gate_peers.py`. The cases and their truth are in `benchmarks/gate_cases.py`, the peers in
`benchmarks/gate_tools.py`. Ratchet gets the attempts, through `evaluate` and `gate`; the peers get means:

- MLflow, no fall: `min_relative_change=0.0`, the loosest change threshold that MLflow takes;
- MLflow, floor: `threshold` at the baseline's mean less the margin, worked out by the caller;
- TFX: a change threshold of minus the margin. `--tfma PYTHON` names an interpreter that has TensorFlow Model Analysis,
  whose own validator then answers, set up as TFX's Evaluator does; else the rule is applied by `tfx_style`;
- nel gate: looked for on the PATH.

A peer that isn't there is "missing" in the table.
"""

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import yaml
from gate_cases import ATTEMPTS, PROBLEMS, Case, Results, all_cases
from gate_tools import Answer, Question, mlflow_floor, mlflow_no_fall, nel_gate, questions, tfma, tfx_style

from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.gate import gate
from ratchet.records import Attempt
from ratchet.storage import arrow_schema, write_table

ALPHA, MAX_ERROR_RATE = 0.05, 0.01
OUTCOMES = pa.array(["incorrect", "correct", "error"])
KINDS = {"PROMOTE": "go", "BLOCK": "stop", "INCONCLUSIVE": "open", "ERROR": "refuse"}
Column = Callable[[Case], Sequence[Answer]]
MISSING = Answer("missing", "open")
MARKS = """
✓ right, ✗ wrong, ? decides nothing (so nothing is promoted). Of a case drawn {repeats} times, ✗ where more than alpha
({alpha:g}) of the answers are wrong, here more than {allowed}. In brackets: Ratchet without the base, with the champion
alone; with the champion and the best of the history. A peer: with the base as its baseline.
"""
NEL_ELSEWHERE = """
Not of this run: on its repository at ac66aff5 `nel gate` was seen to say GO to empty result folders, GO to a candidate
that reports 40 of 500 problems, and GO to a reversal (pass@1 .479 -> .541, pass@16 .840 -> .594); its metrics are mean
reward and pass@1. Source: the project's design notes (pitfalls).
"""


class Ratchet:
    """Ratchet's answers; each side is evaluated once, in the folder given."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.profiles: dict[Results, Path] = {}

    def __call__(self, case: Case, against: Sequence[str] | None = None) -> Answer:
        """The verdict on a case against the references named, all that are given if none is; `best`: of the history."""
        names = list(case.references) if against is None else list(against)
        policy = self.folder / "policy.yaml"
        policy.write_text(policy_text(case.margins, names or ["base"]), encoding="utf-8")
        try:
            references = {name: self.profile(case.references[name]) for name in names if name != "best"}
            history = [self.profile(results) for results in case.history] if "best" in names else []
            verdict = gate(self.profile(case.candidate), references, policy, history=history).verdict
        except InputError:
            return Answer("refused (exit 64)", "refuse")
        return Answer(verdict, KINDS[verdict])

    def profile(self, results: Results) -> Path:
        """The profile of one side."""
        if results not in self.profiles:
            path = self.folder / f"{len(self.profiles)}-{results.checkpoint}"
            header = {"checkpoint": f"sha256:{path.name}", "sampling": {"temperature": 1.0}}
            write_table(path.with_suffix(".parquet"), attempts(results), header)
            self.profiles[results] = evaluate([path.with_suffix(".parquet")], path, results.checkpoint, (1, 16))
        return self.profiles[results]


def attempts(results: Results) -> pa.Table:
    """The attempts file of one side, failed attempts as errors."""
    columns: dict[str, list[pa.Array]] = {"suite": [], "problem_id": [], "attempt": [], "outcome": []}
    for suite, (problems, outcomes) in results.suites.items():
        columns["suite"].append(pa.array([suite] * outcomes.size, pa.string()))
        columns["problem_id"].append(pa.array([f"p{i}" for i in problems for _ in range(ATTEMPTS)], pa.string()))
        columns["attempt"].append(pa.array([*range(ATTEMPTS)] * len(problems), pa.int64()))
        columns["outcome"].append(OUTCOMES.take(pa.array(outcomes.ravel())))
    schema, rows = arrow_schema(Attempt), sum(map(len, columns["suite"]))
    given = {name: pa.chunked_array(parts) for name, parts in columns.items()}
    return pa.table([given.get(f.name, pa.nulls(rows, f.type)) for f in schema], schema=schema)


def policy_text(margins: Mapping[str, float], against: Sequence[str]) -> str:
    """Ratchet's policy: every axis critical, with the margins that the peers get."""
    evidence = {"min_problems": PROBLEMS, "min_attempts": ATTEMPTS, "max_error_rate": MAX_ERROR_RATE}
    ood = sorted({axis.split(".")[1] for axis in margins if axis.startswith("ood.")})
    axes = {axis: {"tier": "critical", "max_drop": margin} for axis, margin in margins.items()}
    policy = {"version": 1, "alpha": ALPHA, "suites": {"main": "main", "ood": ood}, "evidence": evidence, "axes": axes}
    return yaml.safe_dump({**policy, "against": list(against)}, sort_keys=False)


def ratchet_answers(ratchet: Ratchet, case: Case) -> list[Answer]:
    """Ratchet against all references; where there is a history, also with the champion alone and with the best."""
    fewer = [["champion"], ["champion", "best"]] if case.history else []
    return [ratchet(case), *(ratchet(case, names) for names in fewer)]


def cell(case: Case, answers: Sequence[Sequence[Answer]]) -> str:
    """A tool's answers to a case, one list a repeat, and whether they are right.

    The first answer of a list counts; the others are shown for a case that has several references.
    """
    first, *_ = answers[0]
    if first == MISSING:
        return first.said
    firsts = [given[0] for given in answers]
    wrong = sum(answer.kind not in {*case.right, "open"} for answer in firsts)
    mark = "✗" if wrong > math.floor(ALPHA * len(firsts)) else "✓" if any(a.kind in case.right for a in firsts) else "?"
    if len(firsts) == 1:
        others = "; ".join(other.said for other in answers[0][1:])
        return f"{first.said} {mark}" + (f" ({others})" if others else "")
    counts = Counter(answer.said for answer in firsts)
    return ", ".join(f"{said} {number}" for said, number in counts.most_common()) + f" {mark}"


def table(cases: Sequence[Case], columns: Mapping[str, Column]) -> list[str]:
    """The lines of the table: a row a case, its repeats together."""
    lines = ["| case | truth | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 2) + "|"]
    for _, repeats in groupby(cases, key=lambda case: case.name):
        same = list(repeats)
        cells = [cell(same[0], [answer(case) for case in same]) for answer in columns.values()]
        times = f" (x {len(same)})" if len(same) > 1 else ""
        lines.append(f"| {same[0].name}{times} | {same[0].truth} | " + " | ".join(cells) + " |")
    return lines


def tfx_column(cases: Sequence[Case], python: str | None) -> tuple[str, Column, str]:
    """The name of the column, what answers in it, and a line on where its answers come from."""
    if python is None:
        return "TFX-style", lambda case: [tfx_style(q) for q in questions(case)], "TFX-style: the rule, applied here"
    asked: list[Question] = [question for case in cases for question in questions(case)]
    number, found = tfma(python, asked)
    agreed = sum(answer == tfx_style(question) for answer, question in zip(found, asked, strict=True))
    remaining = iter(found)
    given = {case: [next(remaining) for _ in questions(case)] for case in cases}
    said = (
        f"TFMA {number}: its own validator; the rule in `tfx_style` says the same in {agreed} of {len(asked)} questions"
    )
    return f"TFMA {number}", lambda case: given[case], said


def mlflow_columns() -> dict[str, Column]:
    """MLflow's two columns, both missing where it isn't installed."""
    try:
        name = f"MLflow {version('mlflow')}"
    except PackageNotFoundError:
        return {f"MLflow, {kind}": lambda case: [MISSING] for kind in ("no fall", "floor")}
    return {
        f"{name}, no fall": lambda case: [mlflow_no_fall(question) for question in questions(case)],
        f"{name}, floor": lambda case: [mlflow_floor(question) for question in questions(case)],
    }


def main() -> None:
    """Print the table and what it was made with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=20, help="of each case that is a matter of chance")
    parser.add_argument("--tfma", metavar="PYTHON", help="an interpreter that has tensorflow_model_analysis")
    arguments = parser.parse_args()
    cases = all_cases(arguments.seed, arguments.repeats)
    tfx, ask_tfx, tfx_said = tfx_column(cases, arguments.tfma)
    with tempfile.TemporaryDirectory() as folder:
        ratchet = Ratchet(Path(folder))
        columns: dict[str, Column] = {
            f"Ratchet {version('ratchet-mlops')}": lambda case: ratchet_answers(ratchet, case),
            **mlflow_columns(),
            tfx: ask_tfx,
            "nel gate": lambda case: [MISSING],
        }
        print("\n".join(table(cases, columns)))
    print(MARKS.format(repeats=arguments.repeats, allowed=math.floor(ALPHA * arguments.repeats), alpha=ALPHA))
    print(f"- {tfx_said}\n- nel gate: {nel_gate()}")
    print(NEL_ELSEWHERE, end="")


if __name__ == "__main__":
    main()
