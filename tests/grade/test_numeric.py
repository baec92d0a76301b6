"""Numbers in answers, found and compared exactly."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.grade.numeric import extract_answer, grade_numeric, parse_number


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("7+5=12\n12-3=9\n#### 9", "9"),
        ("#### 3\nno, #### 4", "4"),  # the last mark counts
        ("the answer is 1,234.50 pens", "1,234.50"),
        ("#### $-12", "-12"),
        ("12-3", "3"),  # a minus between numbers is an operator
        ("(2)-3", "3"),
        ("it fell to -3", "-3"),
        ("6.02e23", "6.02e23"),
        ("costs .5", ".5"),
        ("#### none, though 7 came up", "7"),
        ("7 #### ", None),  # marked, and nothing there
        ("no number", None),
        ("", None),
        ("####", None),
        ("12.", "12"),
    ],
)
def test_the_answer_is_the_marked_number_or_the_last(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "gold", "outcome"),
    [
        ("#### 9", "9", "correct"),
        ("#### 9.0", "9", "correct"),
        ("#### 1,000", "1000", "correct"),
        ("#### 1e3", "1000", "correct"),
        ("#### 0.1", ".10", "correct"),
        ("#### 9.0000000000000001", "9", "incorrect"),  # exact, where floats are equal
        ("#### -9", "9", "incorrect"),
        ("nine", "9", "incorrect"),
        ("#### 9", "nine", "ungradable"),
        ("#### 9", "", "ungradable"),
        ("#### " + "9" * 5000, "9", "incorrect"),
    ],
)
def test_outcomes(text: str, gold: str, outcome: str) -> None:
    assert grade_numeric(text, gold)[0] == outcome


@given(st.integers(-(10**12), 10**12))
def test_every_integer_is_read_as_itself_with_and_without_separators(value: int) -> None:
    assert parse_number(str(value)) == parse_number(f"{value:,}") == value
    assert grade_numeric(f"so it is {value:,}", str(value))[0] == "correct"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_every_decimal_is_read_exactly(value: object) -> None:
    assert parse_number(f"{value:f}") == Fraction(str(value))


@given(st.text())
def test_any_text_gets_a_verdict_against_a_good_gold_answer(text: str) -> None:
    assert grade_numeric(text, "1")[0] in {"correct", "incorrect"}


def test_hostile_text_costs_time_in_proportion_to_its_length() -> None:
    def seconds(text: str) -> float:
        start = time.process_time()
        extract_answer(text)
        return time.process_time() - start

    alphabet = "1,.-e+ "
    for unit in ("1", "1,111", "-", "1.", "1e", ",111", "".join(random.Random(0).choices(alphabet, k=50))):
        short, long = seconds(unit * 4_000), seconds(unit * 40_000)
        assert long < 40 * max(short, 1e-3), unit  # a quadratic search would take 100 times as long
