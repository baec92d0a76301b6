"""The generated task: right answers, splits that do not overlap, several ways to solve a problem."""

import random
import re
from collections.abc import Iterable

import pytest

from ratchet.errors import InputError
from ratchet.grade.numeric import extract_answer
from ratchet.quickstart import problems
from ratchet.quickstart.problems import LARGEST, OOD_STARTS, STARTS, generate, solve
from ratchet.records import Problem

MADE = list(generate(seed=5, train=600, evaluate=90, ood=60))


def _replay(prompt: str) -> int:
    """The answer, by a second method: the story read sentence by sentence from its words."""
    amount = 0
    for sentence in prompt.split(". "):
        numbers = [int(number) for number in re.findall(r"\d+", sentence)]
        if re.search(r"\bhas\b", sentence):
            amount = numbers[0]
        elif re.search(r"boxes of|bags of", sentence):
            amount += numbers[0] * numbers[1]
        elif re.search(r"finds|buys|gets", sentence):
            amount += numbers[0]
        elif re.search(r"loses|sells|gives", sentence):
            amount -= numbers[0]
        elif "bowls" in sentence:
            assert amount % numbers[0] == 0
            amount //= numbers[0]
        elif "double" in sentence:
            amount *= 2
        else:
            assert sentence.startswith("How many")
    return amount


def test_the_answer_is_what_the_words_say() -> None:
    assert [int(p.answer) for p in MADE] == [_replay(p.prompt) for p in MADE]


def test_each_step_of_a_solution_is_true_and_the_last_is_the_answer() -> None:
    for problem in MADE:
        assert problem.solution is not None
        *steps, last = problem.solution.split("\n")
        for step in steps:
            left, sign, right, result = re.fullmatch(r"(\d+)([-+*/])(\d+)=(\d+)", step).groups()  # type: ignore[union-attr]
            a, b, c = int(left), int(right), int(result)
            assert {"+": a + b == c, "-": a - b == c, "*": a * b == c, "/": a == b * c}[sign]
            assert max(a, b, c) <= LARGEST
        assert steps[-1].endswith(f"={problem.answer}")
        assert extract_answer(last) == problem.answer


def _numbers(problem: Problem) -> tuple[str, ...]:
    """The story without its words."""
    return tuple(re.findall(r"\d+|loses|sells|gives|boxes|bags|double|bowls", problem.prompt))


def _of(split: str) -> Iterable[Problem]:
    return (p for p in MADE if p.split == split)


def test_no_story_is_in_two_splits_or_twice_in_one() -> None:
    assert len({p.prompt for p in MADE}) == len(MADE)
    stories = [{_numbers(p) for p in _of(split)} for split in ("train", "eval", "ood")]
    assert not stories[0] & stories[1]
    assert not stories[1] & stories[2]
    assert not stories[0] & stories[2]


def test_out_of_distribution_stories_start_where_no_other_does() -> None:
    starts = {split: {int(re.findall(r"\d+", p.prompt)[0]) for p in _of(split)} for split in ("train", "eval", "ood")}
    assert starts["train"] | starts["eval"] <= set(STARTS)
    assert starts["ood"] <= set(OOD_STARTS)


def test_a_problem_has_several_correct_solutions() -> None:
    rng = random.Random(0)
    story = problems.Story(7, (problems.Event("add", 5), problems.Event("subtract", 3)), None)
    found = {solve(story, rng) for _ in range(200)}
    # 7+5=12 or 5+7=12, then 12-3=9; or 7-3=4, then 4+5=9 or 5+4=9
    assert found == {
        ("7+5=12\n12-3=9\n#### 9", 9),
        ("5+7=12\n12-3=9\n#### 9", 9),
        ("7-3=4\n4+5=9\n#### 9", 9),
        ("7-3=4\n5+4=9\n#### 9", 9),
    }


def test_every_level_and_concept_appears_in_every_split() -> None:
    for split in ("train", "eval", "ood"):
        assert {p.group for p in _of(split)} == {"2", "3", "4"}
        concepts = {concept for p in _of(split) for concept in p.concepts}
        assert concepts == {"add", "subtract", "multiply", "divide", "double"}


def test_a_seed_names_its_problems() -> None:
    assert list(generate(5, 600, 90, 60)) == MADE
    assert list(generate(6, 600, 90, 60)) != MADE


def test_more_problems_than_there_are_stories_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "LEVELS", (1,))
    with pytest.raises(InputError, match="no new story of 1 events"):
        list(generate(0, 5000, 1, 1))
