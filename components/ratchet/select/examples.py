"""What the next iteration learns from: reference solutions at first, then the model's own correct answers."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ratchet.errors import InputError
from ratchet.prompts import Prompt, asked_text, stated_prompt
from ratchet.records import Attempt, Example, Problem
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records, read_with_header, write_records

EXAMPLES_FILE = "examples.parquet"

Problems = Mapping[tuple[str, str], Problem]


def select_solutions(problems: Path, out: Path, prompt: Prompt = "plain") -> Path:
    """The folder `out` with an example for each training problem that has a reference solution.

    `prompt` is how the trained model is to be asked.
    """
    made_from = {"problems": file_digest(problems), "source": "solutions"}

    def work(partial: Path) -> None:
        chosen = [
            Example(problem.id, problem.suite, asked_text(problem, prompt), problem.solution)
            for problem in read_records(problems, Problem)
            if problem.split == "train" and problem.solution is not None
        ]
        _write(chosen, prompt, partial, problems, "training problems with a `solution`")

    return run_step(out, made_from if prompt == "plain" else {**made_from, "prompt": prompt}, work)


def select_correct(attempts: Sequence[Path], problems: Path, out: Path, per_problem: int, seed: int) -> Path:
    """The folder `out` with up to `per_problem` correct attempts of each training problem, drawn at random.

    `attempts` are one file or those of all shards, which give the same examples. The examples carry the kind of prompt
    that the attempts were drawn with: what is sampled is what is trained on.
    Attempts at problems of another split are refused: what is evaluated on is never learned from.
    """
    made_from = {
        "attempts": [file_digest(path) for path in attempts],
        "problems": file_digest(problems),
        "per_problem": per_problem,
        "seed": seed,
    }

    def work(partial: Path) -> None:
        by_key = {(problem.suite, problem.id): problem for problem in read_records(problems, Problem)}
        prompt, right = _correct(attempts, by_key)
        rng = random.Random(seed)
        chosen = [
            Example(kept.problem_id, kept.suite, asked_text(by_key[key], prompt), kept.text or "")
            for key, correct in sorted(right.items())
            for kept in rng.sample(correct, min(per_problem, len(correct)))
        ]
        _write(chosen, prompt, partial, attempts[0], "at least one correct attempt to learn from")

    return run_step(out, made_from, work)


def _correct(files: Sequence[Path], problems: Problems) -> tuple[Prompt, dict[tuple[str, str], list[Attempt]]]:
    """How the attempts were asked, and the correct ones of each problem."""
    prompts: dict[Prompt, Path] = {}
    right: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for path in files:
        drawn, header = read_with_header(path, Attempt)
        prompts.setdefault(stated_prompt(header.get("sampling"), path), path)
        for attempt in drawn:
            _require_training_problem(attempt, problems, path)
            if attempt.outcome == "correct":
                right[attempt.suite, attempt.problem_id].append(attempt)
    (prompt, first), *others = prompts.items()
    if others:
        raise InputError(f"prompt = {others[0][0]}", where=others[0][1], expected=f"{prompt} as in {first}")
    return prompt, right


def _require_training_problem(attempt: Attempt, problems: Problems, where: Path) -> None:
    problem = problems.get((attempt.suite, attempt.problem_id))
    if problem is None or problem.split != "train":
        found = "no problem" if problem is None else f"a problem of split {problem.split!r}"
        raise InputError(
            f"an attempt at {attempt.problem_id!r} of suite {attempt.suite!r}, {found} of the problem file",
            where=where,
            expected="attempts at training problems alone",
        )


def _write(chosen: list[Example], prompt: Prompt, folder: Path, where: Path, expected: str) -> None:
    if not chosen:
        raise InputError("nothing to learn from", where=where, expected=expected)
    write_records(folder / EXAMPLES_FILE, chosen, Example, {"prompt": prompt})
