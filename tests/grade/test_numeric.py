"""Numbers in answers, found and compared exactly."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.grade.numeric import Number, extract_answer, grade_numeric, read_number


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
        ("#### 3\n\\boxed{4}", "4"),  # of two kinds of mark the last
        ("\\boxed{4} and not 5", "4"),
        ("\\boxed{\\boxed{4}}", "4"),
        ("so 4 it is: \\boxed{5", "5"),  # a box that is never closed is no mark
        ("\\boxed{x = 4}", "4"),
        ("The answer is 4. There were 7 days.", "4"),
        ("the answer is: 2 + 3 = 5 apples", "5"),
        ("**Answer:**\n\n**5**", "5"),
        ("The answer is clear.\nIt is 5", "5"),  # words that mark no number leave the last one
        ("#### 3\nThe answer is 4", "3"),  # the mark before the words
        ("I count 3/4", "3/4"),
        ("1 1/2 cups", "1 1/2"),
        ("1½ cups", "1 1/2"),
        ("it fell to \N{MINUS SIGN}3", "-3"),
        ("the pages 3\N{EN DASH}5", "5"),
        ("1e9999999999", "1e9999999999"),  # and not the 9 behind 1e999
        ("1,2345", "2345"),  # no separator
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
        ("#### " + "9" * 60_000, "9", "incorrect"),
        ("#### 1e999999999", "9", "incorrect"),
        ("#### 9e-999999999", "0", "incorrect"),
        ("#### 9/0", "9", "incorrect"),
        ("#### 0.75", "3/4", "correct"),
        ("\\boxed{\\frac{3}{4}}", "0.75", "correct"),
        ("\\boxed{-\\dfrac34}", "-0.75", "correct"),
        ("\\boxed{1\\frac{1}{2}}", "3/2", "correct"),
        ("#### 0.333333", "1/3", "incorrect"),
        ("#### 3 \\times 10^{5}", "300,000", "correct"),
        ("6.02 x 10^23 of them", "6.02e23", "correct"),
        ("\\$1{,}234.50", "$1,234.50", "correct"),
        ("1,\\!234", "1234", "correct"),
        ("1\u202f234", "1234", "correct"),
        ("-$5", "-5", "correct"),
        ("€5", "5", "correct"),
        ("\N{MINUS SIGN}5", "-5", "correct"),
        ("12 km/h.", "12 km/h", "correct"),
        ("5 m^2", "5 m²", "correct"),
        ("50%", "50", "correct"),
        ("50\\%", "0.5", "correct"),
        ("0.5", "50%", "correct"),
        ("0.5%", "50%", "incorrect"),
        ("50 percent", "50%", "correct"),
        ("5 million", "5,000,000", "correct"),
        ("#### 5", "5x", "ungradable"),
        ("#### 5", "5 or 6", "ungradable"),
        ("#### 6", "2π", "ungradable"),
        ("#### 5", "#### 5", "ungradable"),  # a gold answer is an answer, not a text with one
    ],
)
def test_outcomes(text: str, gold: str, outcome: str) -> None:
    assert grade_numeric(text, gold)[0] == outcome


def test_a_number_is_read_with_its_unit_and_without_what_is_no_unit() -> None:
    texts = ("$1,000.50", "3/4", "1 1/2.", "50%", "12 pens", "5x", "4/0", "12 pens, 3 cups")
    assert [read_number(text) for text in texts] == [
        Number(Fraction("1000.5")),
        Number(Fraction(3, 4)),
        Number(Fraction(3, 2)),
        Number(Fraction(50), factor=Fraction(1, 100)),
        Number(Fraction(12)),
        None,
        None,
        None,
    ]


@given(st.integers(-(10**12), 10**12))
def test_every_integer_is_read_as_itself_with_and_without_separators(value: int) -> None:
    assert read_number(str(value)) == read_number(f"{value:,}") == Number(Fraction(value))
    assert grade_numeric(f"so it is {value:,}", str(value))[0] == "correct"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_every_decimal_is_read_exactly(value: object) -> None:
    assert read_number(f"{value:f}") == Number(Fraction(str(value)))


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("1,000.50", "1000.5"),
        ("1e3", "1000"),
        ("-0.050", "-0.05"),
        ("6/4", "1.5"),
        ("2/3", "2/3"),
        ("4/6", "2/3"),
        ("50%", "50%"),
        ("007", "7"),
        ("-0", "0"),
        ("9e300", "9e300"),  # too long to spell out
    ],
)
def test_a_grade_spells_equal_answers_alike(text: str, spelled: str) -> None:
    assert grade_numeric(text, "1")[1] == spelled


@pytest.mark.parametrize(
    ("text", "gold", "outcome"),
    [
        ("4.33", "13/3", "correct"),  # off by 1/300, and .001 * 13/3 is 1.3/300
        ("4.32", "13/3", "incorrect"),
        ("-4.33", "-13/3", "correct"),
        ("-4.33", "13/3", "incorrect"),
        ("0.0001", "0", "incorrect"),  # nothing is near 0
        ("0", "0", "correct"),
    ],
)
def test_a_tolerance_is_relative_to_the_gold_answer(text: str, gold: str, outcome: str) -> None:
    assert grade_numeric(text, gold, Fraction(1, 1000))[0] == outcome


SPELLINGS = [
    "{v}", "#### {v}", "\\boxed{{{v}}}", "The answer is {v}.", "${v}", "$\\${v}$", "{v} apples", "**{v}**",
    "Answer: {v}", "7 - 3 = {v}",
]  # fmt: skip


@given(st.fractions(max_denominator=10**6), st.sampled_from(SPELLINGS))
def test_how_a_number_is_presented_changes_no_verdict(value: Fraction, spelling: str) -> None:
    text = spelling.format(v=value)
    assert grade_numeric(text, str(value))[0] == "correct", text
    assert grade_numeric(text, str(value + 1))[0] == "incorrect", text


@given(st.integers(1, 10**6), st.integers(1, 6))
def test_shifting_the_point_and_the_exponent_changes_no_verdict(value: int, places: int) -> None:
    digits = str(value).rjust(places + 1, "0")
    shifted = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}e{places}"
    assert grade_numeric(shifted, str(value)) == ("correct", str(value), None)


@given(st.text())
def test_any_text_gets_a_verdict_against_a_good_gold_answer(text: str) -> None:
    assert grade_numeric(text, "1")[0] in {"correct", "incorrect"}


def test_hostile_text_costs_time_in_proportion_to_its_length() -> None:
    def seconds(text: str) -> float:
        start = time.process_time()
        extract_answer(text)
        return time.process_time() - start

    alphabet = "1,.-e+ "
    units = ["1", "1,111", "-", "1.", "1e", ",111", "1 1/", "\\boxed{", "{", "answer is ", "\\frac{1}"]
    for unit in [*units, "".join(random.Random(0).choices(alphabet, k=50))]:
        short, long = seconds(unit * 4_000), seconds(unit * 40_000)
        assert long < 40 * max(short, 1e-3), unit  # a quadratic search would take 100 times as long
