"""Problems of reasoning-gym: every vetted family's own answer is right, and nothing hostile is."""

import ast
import inspect
import json
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.evaluate.profile import read_profile
from ratchet.grade import ATTEMPTS_FILE, GRADES_FILE, Grading, grade
from ratchet.grade.families import CHECKED_RELEASE, REFUSED, VETTED
from ratchet.grade.gym import (
    LONGEST_ANSWER,
    LONGEST_ENTRY,
    answer_in,
    marked,
    read_entry,
    request_of,
    require_installed,
)
from ratchet.grade.judging import Judges, Limits
from ratchet.grade.marks import Request
from ratchet.records import Grade, Problem, Sample
from ratchet.storage import read_records, write_records

needs_reasoning_gym = pytest.mark.skipif(
    find_spec("reasoning_gym") is None,
    reason="needs the extra reasoning-gym",
)
SEED = 5
CALL = "__import__('pathlib').Path('PLACE').touch()"
# Their scorers look for moves, names or numbers in a text, so that more text is as right as the answer; one rounds.
ORDERLESS = {
    "advanced_geometry",
    "cryptarithm",
    "fraction_simplification",
    "kakurasu",
    "knights_knaves",
    "power_function",
    "quantum_lock",
    "sokoban",
    "survo",
    "time_intervals",
}
HOSTILE = (
    "nan", "NaN", "inf", "-1", "0", "", "[]", "{}", "null", "true", "\0", "\ud7ff", "no solution", "1e999999999",
    "[" * 20_000, "(" * 19_999, "{" * 15_000, "[NaN, NaN, NaN]", "9" * 20_000, "1/0", "__import__('os')._exit(0)",
    "[].__class__.__base__.__subclasses__()", "10**10**10", "A" * 1_000_000,
)  # fmt: skip


@cache
def entry(family: str) -> str:
    from reasoning_gym.factory import create_dataset

    drawn = create_dataset(family, seed=SEED, size=1)[0]
    return json.dumps({"family": family, "answer": drawn["answer"], "metadata": drawn["metadata"]})


@pytest.fixture(scope="module")
def judges() -> Iterator[Judges]:
    with Judges("gym", 1, Limits(cpu_s=1.0)) as started:
        yield started


@pytest.mark.slow
@needs_reasoning_gym
def test_of_every_vetted_family_the_gold_answer_is_right_and_hostile_ones_are_not(
    judges: Judges, tmp_path: Path
) -> None:
    golds = {family: entry(family) for family in sorted(VETTED)}
    found = judges.judge([(marked(read_entry(gold)), gold) for gold in golds.values()])
    assert {family: one for family, one in zip(golds, found, strict=True) if one[0] != "correct"} == {}
    place = tmp_path / "ran"
    hostile = [*HOSTILE, CALL.replace("PLACE", str(place)), f"[{CALL.replace('PLACE', str(place))}]"]
    asked = [(f"<answer>{text}</answer>", gold) for gold in golds.values() for text in hostile]
    started = time.monotonic()
    judged = dict(zip(asked, judges.judge(asked), strict=True))
    answers = {gold: read_entry(gold).answer for gold in golds.values()}
    right = [(text[8:-9], answers[gold]) for (text, gold), one in judged.items() if one[0] != "incorrect"]
    assert right == [("0", "0")] * len(right)  # the one hostile answer that may be the gold one
    assert time.monotonic() - started < 60
    assert not place.exists()


@needs_reasoning_gym
@pytest.mark.parametrize(
    ("family", "told", "outcome"),
    [
        ("chain_sum", "First 4, then\n#### {}", "correct"),
        ("chain_sum", "<answer>{}</answer>", "correct"),
        ("chain_sum", "<answer>1{}</answer>", "incorrect"),
        ("chain_sum", "It is {}, it is {} again.", "incorrect"),
        ("chain_sum", "<answer>{}</answer> no: <answer>4{}</answer>", "incorrect"),  # the last counts
        ("mini_sudoku", "<answer>\n{}\n</answer>", "correct"),
        ("mini_sudoku", "{}", "correct"),
        ("mini_sudoku", "####\n{}", "correct"),
        ("mini_sudoku", "Row by row:\n{}", "incorrect"),  # nothing is marked, so all of it is the answer
        ("spell_backward", "{}x", "incorrect"),  # most of its letters: part of a mark is none
    ],
)
def test_the_answer_is_what_stands_between_the_tags_or_is_marked(
    judges: Judges, family: str, told: str, outcome: str
) -> None:
    gold = entry(family)
    assert judges.judge([(told.replace("{}", read_entry(gold).answer), gold)])[0][0] == outcome


@needs_reasoning_gym
def test_the_score_of_a_wrong_answer_is_its_reason(judges: Judges) -> None:
    gold = json.dumps({"family": "rectangle_count", "answer": "7", "metadata": {}})
    # distance 1 of at most D = 5: (1 - 1/5) * CONST_TERM, as the scorer has it
    from reasoning_gym.cognition.rectangle_count import CONST_TERM, D

    (judged,) = judges.judge([("#### 8", gold)])
    assert judged == ("incorrect", "8", f"the scorer gave {CONST_TERM * (1 - 1 / D):.3g} of 1")
    assert judges.judge([("#### 7", gold)]) == [("correct", "7", None)]


@needs_reasoning_gym
def test_a_scorer_that_reads_its_configuration_gets_the_one_that_the_problem_was_drawn_with(judges: Judges) -> None:
    ladder = {"family": "word_ladder", "answer": "CAT,COT,DOT", "metadata": {"start_word": "CAT", "end_word": "DOT"}}
    golds = [json.dumps(ladder), json.dumps(ladder | {"config": {"min_word_length": 3, "max_word_length": 3}})]
    # the family draws words of four letters if nothing else is said, and knows only words that it can draw
    assert [outcome for outcome, _, _ in judges.judge([("#### CAT,COT,DOT", gold) for gold in golds])] == [
        "incorrect",
        "correct",
    ]


@pytest.mark.slow
@needs_reasoning_gym
def test_no_part_of_a_gold_answer_and_nothing_more_than_it_is_right(judges: Judges) -> None:
    asked = []
    for family in sorted(VETTED - ORDERLESS):
        gold = entry(family)
        answer = read_entry(gold).answer
        lines = answer.splitlines()
        others = {
            answer[:1],
            answer[: len(answer) // 2],
            f"{answer}{answer}",
            f"{answer}, never",
            "\n".join(lines[:-1]),
        }
        asked += [(f"<answer>{other}</answer>", gold) for other in others - {answer}]
    judged = zip(asked, judges.judge(asked), strict=True)
    assert [(text, read_entry(gold).family) for (text, gold), one in judged if one[0] != "incorrect"] == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("7", "is no entry of 'family'"),
        ("seven", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        (json.dumps({"family": "chain_sum", "answer": 7, "metadata": {}}), "is no entry"),
        (json.dumps({"family": "chain_sum", "answer": "7", "metadata": {}, "code": "1"}), "is no entry"),
        (json.dumps({"family": "chain_sum", "answer": "7", "metadata": {}, "config": []}), "is no entry"),
        (
            json.dumps({"family": "countdown", "answer": "7", "metadata": {}}),
            "'countdown' .* evaluates text as a",
        ),
        (json.dumps({"family": "game_of_life_halting", "answer": "7", "metadata": {}}), "full marks .*any text"),
        (json.dumps({"family": "chain_sums", "answer": "7", "metadata": {}}), "no family .* did you mean 'chain_sum'"),
        (json.dumps({"family": "ab", "answer": "7" * LONGEST_ENTRY, "metadata": {}}), "more than 100,000 characters"),
    ],
)
def test_what_is_no_entry_that_is_graded_is_refused_with_its_reason(answer: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_entry(answer)


def test_no_family_is_both_graded_and_refused() -> None:
    assert VETTED.isdisjoint(REFUSED)


def test_an_answer_that_is_too_long_is_none() -> None:
    gold = json.dumps({"family": "ab", "answer": "A#", "metadata": {}})
    assert request_of("A" * LONGEST_ANSWER, gold) == Request(gold, "A" * LONGEST_ANSWER)
    assert request_of("A" * (LONGEST_ANSWER + 1), gold) == ("incorrect", None, "the answer is too long")


@pytest.mark.parametrize(
    ("text", "several", "answer"),
    [
        ("<answer> 4 </answer>", False, "4"),
        ("<answer>4</answer> <answer>5", False, "4"),
        ("</answer> 3\n#### 4", False, "4"),
        ("a\nb", False, "b"),
        ("a\nb", True, "a\nb"),
        ("so\n#### a\nb", True, "a\nb"),
        ("so\n#### a\nb", False, "a"),
        ("The answer is: a\nb", False, "a"),
    ],
)
def test_where_the_answer_is(text: str, several: bool, answer: str) -> None:
    assert answer_in(text, several) == answer


FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "import_module", "open", "literal_eval", "sympify", "parse_expr", "S"),
    *("simplify", "lambdify", "system", "popen", "Popen", "run", "check_output", "getattr", "setattr"),
}
SYMBOLIC = {"sympy", "ast", "pickle", "subprocess", "os", "importlib", "ctypes"}


def scorer_code(family: type) -> dict[Any, str]:
    """The source of a family's scorer and of every function and class of the package that it can reach."""
    found: dict[Any, str] = {}
    todo: list[Any] = [family.score_answer]  # type: ignore[attr-defined]
    while todo:
        item = inspect.unwrap(todo.pop())
        if not (inspect.isfunction(item) or inspect.isclass(item)) or item in found:
            continue
        if not item.__module__.startswith("reasoning_gym"):
            continue
        found[item] = textwrap.dedent(inspect.getsource(item))
        todo += _named(ast.parse(found[item]), vars(sys.modules[item.__module__]), family)
    return found


def _named(tree: ast.AST, names: dict[str, Any], family: type) -> Iterator[Any]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = family if node.value.id in ("self", "cls", family.__name__) else names.get(node.value.id)
            yield getattr(owner, node.attr, None) if isinstance(owner, type | ModuleType) else None


def mentions(family: type) -> set[str]:
    """What a family's scorer mentions of what evaluates text, by name or by module."""
    found = set()
    for item, source in scorer_code(family).items():
        names = vars(sys.modules[item.__module__])
        for node in ast.walk(ast.parse(source)):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            module = names.get(name)
            found |= {name} & FORBIDDEN | ({name} if _package(module) in SYMBOLIC else set())
    return found


def _package(item: object) -> str:
    name = item.__name__ if isinstance(item, ModuleType) else getattr(item, "__module__", None) or ""
    return name.partition(".")[0] if isinstance(item, ModuleType | FunctionType | type) else ""


@needs_reasoning_gym
def test_no_vetted_scorer_mentions_anything_that_evaluates_text() -> None:
    from reasoning_gym.factory import DATASETS

    assert {name: found for name in sorted(VETTED) if (found := mentions(DATASETS[name][0]))} == {}


@needs_reasoning_gym
def test_the_search_finds_what_the_refused_scorers_evaluate() -> None:
    from reasoning_gym.factory import DATASETS

    evaluating = {name for name, reason in REFUSED.items() if "evaluates" in reason}
    assert len(evaluating) == 12
    assert {name for name in evaluating if not mentions(DATASETS[name][0])} == set()


@needs_reasoning_gym
def test_every_family_of_the_release_is_graded_or_refused_with_a_reason() -> None:
    from reasoning_gym.factory import DATASETS

    require_installed()
    assert set(DATASETS) == VETTED | set(REFUSED)


@needs_reasoning_gym
def test_another_release_is_refused_until_its_scorers_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.grade.gym.CHECKED_RELEASE", "0.0.1")
    with pytest.raises(InputError, match=f"reasoning-gym {CHECKED_RELEASE}; expected reasoning-gym 0.0.1, whose"):
        Judges("gym", 1)


@needs_reasoning_gym
def test_problems_of_reasoning_gym_go_through_the_grader_into_a_profile(tmp_path: Path) -> None:
    gold = entry("gcd")
    answer = read_entry(gold).answer
    write_records(tmp_path / "p.jsonl", [Problem("1", "gcd?", gold, suite="gcd", kind="gym")], Problem)
    texts = [f"<answer>{answer}</answer>", f"So\n#### {answer}", "no"]
    drawn = [Sample("1", "gcd", number, text, "stop", 1, -1.0) for number, text in enumerate(texts)]
    write_records(tmp_path / "s.parquet", drawn, Sample)
    out = grade(tmp_path / "s.parquet", tmp_path / "p.jsonl", tmp_path / "g", Grading(workers=1))
    assert [(one.outcome, one.answer) for one in read_records(out / GRADES_FILE, Grade)] == [
        ("correct", answer),
        ("correct", answer),
        ("incorrect", "no"),
    ]
    assert read_profile(evaluate([out / ATTEMPTS_FILE], tmp_path / "profile", "M")).suites["gcd"].correct == 2


def test_a_problem_of_a_family_that_is_refused_stops_the_grader_with_the_reason(tmp_path: Path) -> None:
    gold = json.dumps({"family": "puzzle24", "answer": "6*4", "metadata": {}})
    write_records(tmp_path / "p.jsonl", [Problem("1", "24?", gold, kind="gym")], Problem)
    write_records(tmp_path / "s.parquet", [Sample("1", "default", 0, "6*4", "stop", 1, -1.0)], Sample)
    with pytest.raises(InputError, match="comes out ungradable: family 'puzzle24' of reasoning-gym is not graded: its"):
        grade(tmp_path / "s.parquet", tmp_path / "p.jsonl", tmp_path / "g", Grading(workers=1))
