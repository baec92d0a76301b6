"""Each fault that a problem file can have is found, named with its problem, and nothing else is."""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.grade import Grading
from ratchet.grade.gold import gold_items
from ratchet.grade.kinds import Graders
from ratchet.records import Kind, Problem
from ratchet.storage import read_records, write_records
from ratchet.validate.checks import checks, unanswerable
from ratchet.validate.prompts import normal_form
from ratchet.validate.result import ValidationResult, require_valid, shards_of
from ratchet.validate.validate import validate, validate_step

GYM = '{"family": "gcd", "answer": "3", "metadata": {}}'
GOOD = (
    Problem("t1", "What is 3 + 4?", "7"),
    Problem("t2", "What is 3 - 4?", "-1"),
    Problem("e1", "What is 5 + 6?", "11", split="eval"),
    Problem("o1", "What is 30 + 40?", "70", split="ood"),
)


def found(tmp_path: Path, *more: Problem, **options: Any) -> ValidationResult:
    """The result on the good problems with others added."""
    path = tmp_path / "problems.parquet"
    write_records(path, [*GOOD, *more], Problem)
    return validate(path, tmp_path / "out", **options)


def failures(result: ValidationResult) -> dict[str, list[str]]:
    return {check.name: [str(o) for o in check.offenders] for check in result.checks if not check.success}


def test_good_problems_pass_every_check_and_are_handed_on(tmp_path: Path) -> None:
    result = found(tmp_path)
    assert result.success and failures(result) == {}
    assert [check.name for check in result.checks] == [check.name for check in checks()]
    assert result.problems == {"eval": 1, "ood": 1, "train": 2}
    assert tuple(read_records(tmp_path / "out" / "problems.parquet", Problem)) == GOOD
    require_valid(result)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (Problem("t3", "How?", "many"), {"answerable": ["default/t3 (the gold answer 'many' is no number)"]}),
        (Problem("t3", "How?", " ", kind="exact"), {"answerable": ["default/t3 (no answer)"]}),
        (Problem("e2", "What is 3 + 4?", "7", split="eval"), {"no_leakage": ["default/e2 (default/t1)"]}),
        (Problem("o2", "what is  3+4", "7", split="ood"), {"no_near_leakage": ["default/o2 (default/t1)"]}),
        (Problem("t3", "What is 3 + 4?", "7"), {"no_duplicate_prompts": ["default/t3 (default/t1)"]}),
        (Problem("o2", "What is 5 + 6?", "11", split="ood"), {"no_duplicate_prompts": ["default/o2 (default/e1)"]}),
        (Problem("t1", "Another?", "7"), {"unique_ids": ["default/t1"]}),
        (Problem("t3", "How?", "1", split="test"), {"known_splits": ["default/t3 (test)"]}),  # type: ignore[arg-type]
        (Problem("t3", "How?", "1", kind="poem"), {"known_kinds": ["default/t3 (poem)"]}),  # type: ignore[arg-type]
        (Problem("t3", " \n", "1"), {"prompts_not_empty": ["default/t3 ( \n)"]}),
        (Problem("t3", "x" * 41, "1"), {"prompts_bounded": ["default/t3 (" + "x" * 41 + ")"]}),
    ],
)
def test_a_fault_fails_its_check_and_names_the_problem(
    tmp_path: Path, more: Problem, expected: dict[str, list[str]]
) -> None:
    result = found(tmp_path, more, longest_prompt=40)
    assert failures(result) == expected
    assert not result.success
    assert not (tmp_path / "out" / "problems.parquet").exists()
    with pytest.raises(InputError, match="1 of 10 checks failed: " + next(iter(expected))):
        require_valid(result)


def test_the_same_id_in_another_suite_is_another_problem(tmp_path: Path) -> None:
    assert found(tmp_path, Problem("t1", "Another?", "7", suite="other")).success


def test_every_offender_is_counted_and_the_first_five_are_named(tmp_path: Path) -> None:
    result = found(tmp_path, *(Problem(f"x{i}", f"How many {i}?", "many") for i in range(8)))
    (answerable,) = [check for check in result.checks if not check.success]
    assert answerable.found == 8
    assert [offender.problem for offender in answerable.offenders] == [f"default/x{i}" for i in range(5)]


def test_a_split_that_is_asked_for_and_empty_fails(tmp_path: Path) -> None:
    path = tmp_path / "problems.parquet"
    write_records(path, [replace(GOOD[0], split="eval")], Problem)
    assert failures(validate(path, tmp_path / "out")) == {"splits_not_empty": ["no split train"]}
    assert validate(path, tmp_path / "eval-only", ["eval"]).success


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (Problem("1", "?", "1,234.50"), None),
        (Problem("1", "?", "12 pens"), None),
        (Problem("1", "?", "$5.50 each"), None),
        (Problem("1", "?", "5x"), "the gold answer '5x' is no number"),
        (Problem("1", "?", "5 or 6"), "the gold answer '5 or 6' is no number"),
        (Problem("1", "?", "4/0"), "the gold answer '4/0' is no number"),
        (Problem("1", "Where?\nA. bank\nB. mall", "B", kind="choice"), None),
        (Problem("1", "Where?\nA. bank\nB. mall", "mall", kind="choice"), None),
        (Problem("1", "Where?\nA. bank\nB. mall", "C", kind="choice"), "the gold answer 'C' is none of the options"),
        (Problem("1", "?", "...", kind="exact"), "the gold answer is empty"),
        (Problem("1", "?", GYM, kind="gym"), None),
        (Problem("1", "?", GYM.replace("gcd", "countdown"), kind="gym"), "family 'countdown' of reasoning-gym is not"),
        (Problem("1", "?", "12", kind="gym"), "'12' is no entry of"),
        (Problem("1", "?", "x+1", kind="math"), None),
        (Problem("1", "?", "", kind="code", tests="assert f(1) == 2"), None),
        (Problem("1", "?", "def f(): ...", kind="code"), "no tests"),
    ],
)
def test_an_answer_is_usable_where_the_grader_of_its_kind_could_use_it(problem: Problem, reason: str | None) -> None:
    found = unanswerable(problem)
    assert found is None if reason is None else found is not None and found.startswith(reason)


PIECES = (
    "12",
    "-",
    ".",
    "5",
    "pens",
    " ",
    "%",
    "/",
    "$",
    "x",
    "0",
    ",",
    "3",
    "A",
    "B. ",
    "#",
    "\\frac{1}{2}",
    "answer is ",
    "½",
)


@given(st.lists(st.sampled_from(PIECES), min_size=1).map("".join), st.sampled_from(["numeric", "choice", "exact"]))
@example("12 pens", "numeric")
def test_an_answer_is_valid_where_the_grader_takes_it_for_right_and_nowhere_else(answer: str, kind: Kind) -> None:
    problem = Problem("1", "Where?\nA. 12\nB. pens", answer, kind=kind)
    with Graders(Grading(workers=1)) as graders:
        graded = [grade.outcome for grade in graders.grade(gold_items(problem))]
    assert (unanswerable(problem) is None) == (graded == ["correct"] and answer.strip() != "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 4?", "what is  3+4"),
        ("“Ann's” pens: well-known.", "anns pens well known".replace("anns", "ann s")),
        ("ﬁve × 2", "FIVE × 2"),
        ("8 − 2", "8 - 2"),
    ],
)
def test_case_spaces_punctuation_and_spelling_are_folded(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("7 - 2", "7 + 2"), ("3.5 pens", "35 pens"), ("(2+3)*4", "2+3*4"), ("x-y", "x+y"), ("1:2", "12"), ("été", "ete")],
)
def test_what_changes_the_question_is_kept(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_prompts_of_nothing_but_punctuation_are_not_taken_for_each_other(tmp_path: Path) -> None:
    more = (Problem("t3", "...", "1"), Problem("e2", "?!", "1", split="eval"))
    assert found(tmp_path, *more).success


def test_validating_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert found(tmp_path).success


def test_the_report_is_one_page_and_shows_what_problems_say_as_text(tmp_path: Path) -> None:
    found(tmp_path, Problem("<script>alert(1)</script>", "How?", "many"))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script" not in page
    assert "src=" not in page and "href=" not in page and "url(" not in page
    assert (tmp_path / "out" / "docs" / "index.html").is_file()


@pytest.mark.parametrize(("content", "message"), [("", "no problems"), ("[1]\n", ":1: a JSON list")])
def test_a_file_without_problems_is_an_input_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        validate(path, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_null_in_parquet_is_an_input_error_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "problems.parquet"
    write_records(path, [GOOD[0], replace(GOOD[1], answer=None)], Problem)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no 'answer' in row 1"):
        validate(path, tmp_path / "out")


def test_validation_json_holds_the_result(tmp_path: Path) -> None:
    result = found(tmp_path, Problem("t3", "How?", "many"))
    kept = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert (kept["success"], kept["problems_digest"]) == (False, result.problems_digest)
    assert kept["checks"][0]["offenders"] == [{"problem": "default/t3", "value": "the gold answer 'many' is no number"}]


def test_the_documentation_names_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "validate.md").read_text()
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == [check.name for check in checks()]


def test_the_step_returns_the_shards_of_as_many_pods_as_each_find_a_problem(tmp_path: Path) -> None:
    write_records(tmp_path / "problems.parquet", GOOD, Problem)
    made = [tmp_path / "problems.parquet", tmp_path / "out", tmp_path / "report.html"]
    assert validate_step(*made, pods=2) == ["0/2", "1/2"]
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    with pytest.raises(InputError, match="3 pods for 2 problems"):  # two train, and eval and ood together two
        validate_step(*made, pods=3)
    with pytest.raises(InputError, match="2 pods for 1 problems"):  # of the training problems one is attempted
        validate_step(*made, pods=2, limit=1)


def test_a_split_that_nothing_is_drawn_from_limits_no_pods() -> None:
    result = ValidationResult(True, {"eval": 5, "ood": 2}, "sha256:x", ())
    assert len(shards_of(result, 7)) == 7
