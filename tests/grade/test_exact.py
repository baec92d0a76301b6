"""Answers compared as text, after what does not count is folded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.grade.exact import folded, grade_exact


@pytest.mark.parametrize(
    ("text", "gold", "outcome"),
    [
        ("Paris", "Paris", "correct"),
        ("  paris. ", "Paris", "correct"),
        ("**“Paris”**", "Paris", "correct"),
        ("new\t york", "New York", "correct"),
        ("ﬁne", "fine", "correct"),  # NFKC
        ("The answer is Paris.", "Paris", "correct"),
        ("#### Paris\nand more", "Paris", "correct"),
        ("\\boxed{\\text{Paris}}", "Paris", "correct"),
        ("It is in France.\n\nParis", "Paris", "correct"),
        ("Paris\nor Rome", "Paris", "incorrect"),  # the last line counts
        ("Paris or Rome", "Paris", "incorrect"),
        ("1 2\n3 4", "1 2\n3 4", "correct"),
        ("1 2\n3 5", "1 2\n3 4", "incorrect"),
        ("1 2", "12", "incorrect"),
        ("-5", "5", "incorrect"),
        ("Paris", " ", "ungradable"),
    ],
)
def test_outcomes(text: str, gold: str, outcome: str) -> None:
    assert grade_exact(text, gold)[0] == outcome


def test_no_answer_is_incorrect_with_the_reason() -> None:
    assert grade_exact(" \n", "Paris") == ("incorrect", None, "no answer in the text")
    assert grade_exact("#### ", "Paris") == ("incorrect", None, "no answer in the text")


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert folded(folded(text)) == folded(text)
