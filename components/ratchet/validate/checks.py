"""What is checked of a problem file: a row a problem, its faults in columns, an expectation for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from ratchet.grade.gold import unreadable
from ratchet.records import Kind, Problem, Split
from ratchet.validate.prompts import normal_form

if TYPE_CHECKING:
    import pandas as pd

LONGEST_PROMPT = 20_000  # characters


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to expect of a problem file: a Great Expectations class, its arguments, and the same in words."""

    name: str
    expected: str
    expectation: str
    arguments: Mapping[str, Any]


def checks(splits: Sequence[Split] = ("train", "eval"), longest_prompt: int = LONGEST_PROMPT) -> tuple[Check, ...]:
    """All checks, in the order in which their failures matter; `splits` are those that must not be empty."""
    return (
        _without("answerable", "a gold answer that the grader can use", "unanswerable"),
        _without("no_leakage", "no evaluation prompt among the training prompts", "leaked_from"),
        _without(
            "no_near_leakage",
            "no evaluation prompt among the training prompts, whatever their case, spaces and punctuation",
            "nearly_leaked_from",
        ),
        _without("no_duplicate_prompts", "no prompt twice in training, none twice in evaluation", "same_prompt_as"),
        Check(
            "unique_ids",
            "each id once in its suite",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["suite", "id"]},
        ),
        Check(
            "splits_not_empty",
            "problems of split " + " and ".join(splits),
            "ExpectColumnDistinctValuesToContainSet",
            {"column": "split", "value_set": list(splits)},
        ),
        _one_of("known_splits", "split", get_args(Split)),
        _one_of("known_kinds", "kind", get_args(Kind)),
        Check(
            "prompts_not_empty",
            "a prompt with something in it",
            "ExpectColumnValuesToMatchRegex",
            {"column": "prompt", "regex": r"\S"},
        ),
        Check(
            "prompts_bounded",
            f"at most {longest_prompt} characters a prompt",
            "ExpectColumnValueLengthsToBeBetween",
            {"column": "prompt", "max_value": longest_prompt},
        ),
    )


def _without(name: str, expected: str, column: str) -> Check:
    return Check(name, expected, "ExpectColumnValuesToBeNull", {"column": column})


def _one_of(name: str, column: str, known: Sequence[str]) -> Check:
    return Check(
        name, "one of " + ", ".join(known), "ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(known)}
    )


def frame(problems: Sequence[Problem]) -> "pd.DataFrame":
    """One row a problem; the columns after `prompt` name its fault, or are None where it has none."""
    import pandas as pd

    exact = [problem.prompt for problem in problems]
    normal = [normal_form(prompt) for prompt in exact]
    leaked = _leaks(problems, exact)
    near = _leaks(problems, normal)
    return pd.DataFrame(
        {
            "problem": [_named(problem) for problem in problems],
            "suite": [problem.suite for problem in problems],
            "id": [problem.id for problem in problems],
            "split": [problem.split for problem in problems],
            "kind": [problem.kind for problem in problems],
            "prompt": exact,
            "unanswerable": [unanswerable(problem) for problem in problems],
            "leaked_from": leaked,
            "nearly_leaked_from": [None if a else b for a, b in zip(leaked, near, strict=True)],
            "same_prompt_as": _repeats(problems),
        },
        dtype=object,
    )


def unanswerable(problem: Problem) -> str | None:
    """Why no attempt at the problem could ever be graded correct, or None where one could."""
    if problem.kind == "code":
        return None if (problem.tests or "").strip() else "no tests"
    if not problem.answer.strip():
        return "no answer"
    return unreadable(problem) if problem.kind in get_args(Kind) else None


def _named(problem: Problem) -> str:
    return f"{problem.suite}/{problem.id}"


def _leaks(problems: Sequence[Problem], keys: Sequence[str]) -> list[str | None]:
    """For each evaluation problem the training problem with the same key, where there is one."""
    trained: dict[str, str] = {}
    for problem, key in zip(problems, keys, strict=True):
        if key and problem.split == "train":
            trained.setdefault(key, _named(problem))
    return [None if p.split == "train" else trained.get(key) for p, key in zip(problems, keys, strict=True)]


def _repeats(problems: Sequence[Problem]) -> list[str | None]:
    """For each problem an earlier one of the same prompt, both in training or both in evaluation."""
    first: dict[tuple[bool, str], str] = {}
    found: list[str | None] = []
    for problem in problems:
        key = (problem.split == "train", problem.prompt)
        found.append(first.get(key))
        first.setdefault(key, _named(problem))
    return found
