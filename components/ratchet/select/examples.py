"""What the next iteration learns from: reference solutions at first, then the model's own correct answers."""

import random
from collections import defaultdict
from pathlib import Path

from ratchet.errors import InputError
from ratchet.prompts import plain_prompt
from ratchet.records import Attempt, Example, Problem
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records, write_records

EXAMPLES_FILE = "examples.parquet"


def select_solutions(problems: Path, out: Path) -> Path:
    """The folder `out` with an example for each training problem that has a reference solution."""

    def work(partial: Path) -> None:
        chosen = [
            Example(problem.id, problem.suite, plain_prompt(problem), problem.solution)
            for problem in read_records(problems, Problem)
            if problem.split == "train" and problem.solution is not None
        ]
        _write(chosen, partial, problems, "training problems with a `solution`")

    return run_step(out, {"problems": file_digest(problems), "source": "solutions"}, work)


def select_correct(attempts: Path, problems: Path, out: Path, per_problem: int, seed: int) -> Path:
    """The folder `out` with up to `per_problem` correct attempts of each training problem, drawn at random.

    Attempts at problems of another split are refused: what is evaluated on is never learned from.
    """
    made_from = {
        "attempts": file_digest(attempts),
        "problems": file_digest(problems),
        "per_problem": per_problem,
        "seed": seed,
    }

    def work(partial: Path) -> None:
        by_key = {(problem.suite, problem.id): problem for problem in read_records(problems, Problem)}
        right: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for attempt in read_records(attempts, Attempt):
            _require_training_problem(attempt, by_key, attempts)
            if attempt.outcome == "correct":
                right[attempt.suite, attempt.problem_id].append(attempt)
        rng = random.Random(seed)
        chosen = [
            Example(kept.problem_id, kept.suite, plain_prompt(by_key[key]), kept.text or "")
            for key, correct in sorted(right.items())
            for kept in rng.sample(correct, min(per_problem, len(correct)))
        ]
        _write(chosen, partial, attempts, "at least one correct attempt to learn from")

    return run_step(out, made_from, work)


def _require_training_problem(attempt: Attempt, problems: dict[tuple[str, str], Problem], where: Path) -> None:
    problem = problems.get((attempt.suite, attempt.problem_id))
    if problem is None or problem.split != "train":
        found = "no problem" if problem is None else f"a problem of split {problem.split!r}"
        raise InputError(
            f"an attempt at {attempt.problem_id!r} of suite {attempt.suite!r}, {found} of the problem file",
            where=where,
            expected="attempts at training problems alone",
        )


def _write(chosen: list[Example], folder: Path, where: Path, expected: str) -> None:
    if not chosen:
        raise InputError("nothing to learn from", where=where, expected=expected)
    write_records(folder / EXAMPLES_FILE, chosen, Example)
