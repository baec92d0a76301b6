"""Multiple choice: one label, or no answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.grade.choice import AMBIGUOUS, NONE, grade_choice, options_in

PROMPT = "Where do you read?\nA. bank\nB. library\nC. department store\nD. mall\nE. new york"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("**B**", "B"),
        ("B. library", "B"),
        ("(D) mall", "D"),
        ("Answer: C", "C"),
        ("The answer is (D).", "D"),
        ("The answer is **A**", "A"),
        ("The answer is option E", "E"),
        ("\\boxed{B}", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("first this,\nthen that\n#### C", "C"),
        ("library", "B"),
        ("Department Store.", "C"),
        ("The answer is the library.", "B"),
        ("It is a bank.", "A"),
        ("People read there.\nSo the correct option is E", "E"),
        ("It's B", "B"),
        ("The answer is D because C is wrong", "D"),
        ("A library is such a place", "B"),  # the article, not the label
    ],
)
def test_one_option_is_the_answer(text: str, answer: str) -> None:
    assert grade_choice(text, answer, PROMPT) == ("correct", answer, None)
    other = "A" if answer != "A" else "B"
    assert grade_choice(text, other, PROMPT) == ("incorrect", answer, None)


@pytest.mark.parametrize(
    "text",
    [
        "A or B",
        "The answer is A or B",
        "The answer is B, C",
        "\\boxed{A, B}",
        "(A) is wrong, (B) is right",
        "B) bank",  # the label of one and the text of another
        "The answer is A. library",
        "A: because\nof this\nC",
        "I think bank or mall",
        "(A) (B) (C) (D) (E)",
    ],
)
def test_two_options_are_no_answer_even_where_the_right_one_is_among_them(text: str) -> None:
    for gold in "ABCDE":
        assert grade_choice(text, gold, PROMPT) == ("incorrect", None, AMBIGUOUS)


@pytest.mark.parametrize("text", ["", "no idea", "The answer is", "#### ", "zebra", "x" * 60_000])
def test_no_option_is_no_answer(text: str) -> None:
    assert grade_choice(text, "A", PROMPT) == ("incorrect", None, NONE)


@pytest.mark.parametrize(
    ("gold", "outcome"),
    [("B", "correct"), ("(b)", "correct"), ("library", "correct"), ("F", "ungradable"), ("", "ungradable"),
     ("school", "ungradable"), ("7", "ungradable")],
)  # fmt: skip
def test_a_gold_answer_is_a_label_or_an_option(gold: str, outcome: str) -> None:
    assert grade_choice("B", gold, PROMPT)[0] == outcome


def test_options_may_be_numbered_or_not_listed_at_all() -> None:
    assert grade_choice("2", "2", "Which?\n1. x\n2. y") == ("correct", "2", None)
    assert grade_choice("y", "2", "Which?\n1. x\n2. y") == ("correct", "2", None)
    assert grade_choice("(B)", "B", "Which?") == ("correct", "B", None)
    assert options_in("Which?\n(A) x\nB) y") == {"A": "x", "B": "y"}


def test_an_option_that_is_the_letter_of_another_does_not_take_its_place() -> None:
    prompt = "Which element is nitrogen?\nA. C\nB. O\nC. N"
    assert grade_choice("C", "C", prompt) == ("correct", "C", None)


@given(st.text())
def test_any_text_gets_a_verdict(text: str) -> None:
    assert grade_choice(text, "A", PROMPT)[0] in {"correct", "incorrect"}


@pytest.mark.parametrize(
    "unit", [" , ", "b", ".", "B.", "(", "(B", "A ", "\\text{", "answer: ", "or ", "**", "}", "library "]
)
def test_hostile_text_costs_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(length: int) -> float:
        start = time.process_time()
        for text in (unit * length, "B" + unit * length, "b" + unit * length + "x", "\\boxed{A" + unit * length + "}"):
            grade_choice(text, "A", PROMPT)
        return time.process_time() - start

    short, long = seconds(1_000), seconds(10_000)
    assert long < 40 * max(short, 2e-3)  # a quadratic search would take 100 times as long
