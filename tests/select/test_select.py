"""What is learned from: reference solutions, then correct attempts, at training problems alone."""

from collections import Counter
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.records import Attempt, Example, Problem
from ratchet.select import EXAMPLES_FILE, select_correct, select_solutions
from ratchet.storage import read_records, write_records


def _attempts(path: Path, problem_ids: list[str], right: int, wrong: int = 3) -> Path:
    outcomes = ["correct"] * right + ["incorrect"] * wrong + ["error", "ungradable"]
    rows = [
        Attempt(name, outcome, "arithmetic", number, text=f"{outcome} {number}")  # type: ignore[arg-type]
        for name in problem_ids
        for number, outcome in enumerate(outcomes)
    ]
    write_records(path, rows, Attempt)
    return path


def test_the_first_examples_are_the_solutions_of_the_training_problems(problems: Path, tmp_path: Path) -> None:
    examples = read_records(select_solutions(problems, tmp_path / "e") / EXAMPLES_FILE, Example)
    train = [p for p in read_records(problems, Problem) if p.split == "train"]
    assert [(e.prompt, e.completion) for e in examples] == [(p.prompt + "\n", p.solution) for p in train]


def test_only_correct_attempts_are_kept_and_at_most_so_many_a_problem(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001", "train-00002"], right=6)
    examples = read_records(select_correct(attempts, problems, tmp_path / "e", 4, 0) / EXAMPLES_FILE, Example)
    assert Counter(e.problem_id for e in examples) == {"train-00001": 4, "train-00002": 4}
    assert all(e.completion.startswith("correct ") for e in examples)
    assert len({(e.problem_id, e.completion) for e in examples}) == 8  # drawn without replacement


def test_an_attempt_at_an_evaluation_problem_is_refused(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001", "eval-00003"], right=1)
    with pytest.raises(InputError, match=r"'eval-00003' .* a problem of split 'eval'"):
        select_correct(attempts, problems, tmp_path / "e", 4, 0)


def test_nothing_correct_is_nothing_to_learn_from(problems: Path, tmp_path: Path) -> None:
    attempts = _attempts(tmp_path / "a.parquet", ["train-00001"], right=0)
    with pytest.raises(InputError, match="nothing to learn from"):
        select_correct(attempts, problems, tmp_path / "e", 4, 0)
    assert not (tmp_path / "e").exists()
