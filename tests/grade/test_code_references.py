"""The reference solutions of HumanEval and MBPP score correct, and mutants of them incorrect.

The files are not part of the repository: `RATCHET_BENCHMARKS` names the folder that has `humaneval/HumanEval.jsonl` and
`mbpp/mbpp.jsonl`. Without it these tests are skipped; `test_code.py` has problems of its own in both styles.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from ratchet.grade.code import grade_programs
from ratchet.grade.sandbox.pool import levels_here
from ratchet.records import Problem

FOLDER = Path(os.environ.get("RATCHET_BENCHMARKS", "no-folder"))
FILES = {"humaneval": (FOLDER / "humaneval" / "HumanEval.jsonl", 164), "mbpp": (FOLDER / "mbpp" / "mbpp.jsonl", 974)}
MUTANTS = {
    "returns nothing": "\n\ndef {name}(*a, **k):\n    return None\n",
    "is off by one": "\n\n_right = {name}\ndef {name}(*a, **k):\n    r = _right(*a, **k)\n"
    "    return r + 1 if isinstance(r, (int, float, complex)) and not isinstance(r, bool) else not r\n",
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="needs RATCHET_BENCHMARKS, a folder with humaneval/ and mbpp/"),
]


def solutions(suite: str) -> list[tuple[Problem, str, str]]:
    """Each problem, its reference solution as one program, and the name of its function."""
    found = []
    for line in FILES[suite][0].read_text().splitlines():
        row = json.loads(line)
        if suite == "humaneval":
            name, tests = row["entry_point"], row["test"]
            problem = Problem(row["task_id"], row["prompt"], "", kind="code", tests=tests, entry_point=name)
            found.append((problem, row["prompt"] + row["canonical_solution"], name))
            continue
        tests = "\n".join([row["test_setup_code"], *row["test_list"], *row["challenge_test_list"]])
        defined = re.findall(r"^(?:def|class) +(\w+)|^(\w+) *=", row["code"], re.MULTILINE)
        called = re.findall(r"\w+", row["test_list"][0])
        name = next(word for word in called if word in {name for pair in defined for name in pair if name})
        found.append((Problem(str(row["task_id"]), row["text"], "", kind="code", tests=tests), row["code"], name))
    return found


@pytest.mark.parametrize("level", ["namespaces", "landlock"])
@pytest.mark.parametrize("suite", FILES)
def test_all_reference_solutions_score_correct(suite: str, level: str) -> None:
    if levels_here()[level] is not None:  # type: ignore[index]
        pytest.skip(f"needs a host that gives {level}")
    items = [(problem, program) for problem, program, _ in solutions(suite)]
    grades = grade_programs(items, workers=2, level=level)  # type: ignore[arg-type]
    counts = Counter((grade.outcome, grade.reason) for grade in grades)
    assert counts == {("correct", None): FILES[suite][1]}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("suite", FILES)
def test_mutants_of_reference_solutions_score_incorrect(suite: str, mutant: str) -> None:
    items = [(problem, program + MUTANTS[mutant].format(name=name)) for problem, program, name in solutions(suite)]
    wrong = [grade for grade in grade_programs(items, workers=2) if grade.outcome != "incorrect"]
    assert wrong == []
