"""Equations: one spelling for what is the same, and different ones for what isn't."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.metrics.equations import distinct_equations_by_problem, equations


@pytest.mark.parametrize(
    "text",
    [
        "3*4=12",
        "3 × 4 = 12",
        "3 x 4 = 12",
        "3x4 =12",
        r"\(3 \times 4 = 12\)",
        r"\[ 3 \cdot 4 = \boxed{12} \]",
        "$3 * 4 = $12.",
        r"\$3.00 * 4 = \$12.00",
        "x = 3*4 = 12",
        "Total cost = 3*4 = 12",
        "**3 * 4** = **12**",
        "- 3 * 4 = 12",
        "1. 3 * 4 = 12",
        "(3 * 4 = 12)",
        "(3)*(4) = 12",
        "(3)(4) = 12",
        "3 books/person x 4 people = 12 books",
        "3kg * 4 = 12kg",
        "3 * 4 ≈ 12",
        "3 * 4\n= 12",
        r"3 \times 4 \\ &= 12",
        "<<3*4=12>>12",
        "3 * 4 = <<3*4=12>>12",
        "3 * $4 = $<<3*4=12>>12.",
        "3 boxes of 4 make <<3*4=12>>12",
        "3 * 4 = <<12=12>>12",
        "3 * 4 = 12, and as said 3 x 4 = 12.",
        "He has 5 bags and 3 * 4 = 12 - a dozen - sweets.",
    ],
)
def test_the_many_ways_to_write_an_equation_are_one(text: str) -> None:
    assert equations(text) == ("3*4=12",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 + 2,500.50 = 3,500.50", ("1000+2500.5=3500.5",)),
        (".5 * 010 = 5.0", ("0.5*10=5",)),
        ("20 ÷ 5 = 4", ("20/5=4",)),
        (r"20 \div 5 = 4", ("20/5=4",)),
        (r"\frac{20}{5} = 4", ("20/5=4",)),
        (r"\dfrac{2+3}{5} = 1", ("(2+3)/5=1",)),
        ("$40 * 25% = $10", ("40*25%=10",)),
        (r"25 \% of 40 = 10", ("25%*40=10",)),
        ("-3 + 5 = 2", ("-3+5=2",)),
        ("5 − 8 = −3", ("5-8=-3",)),
        ("2*(3 + 4) = 14", ("2*(3+4)=14",)),
        ("2(3 + 4) = 14", ("2*(3+4)=14",)),
        ("3**2 = 9 and 2^{3} = 8", ("3^2=9", "2^3=8")),
        ("4 * 60 / 5 = 4 * 12 = 48", ("4*60/5=4*12=48",)),
        ("2x + 3 = 7 so x = 4 / 2 = 2", ("2x+3=7", "4/2=2")),
        ("3 + 4 = seven = 5 + 2 = 7", ("5+2=7",)),
        ("3 - 4 = -1, 4 - 3 = 1", ("3-4=-1", "4-3=1")),
    ],
)
def test_numbers_operators_and_chains_have_one_spelling(text: str, expected: tuple[str, ...]) -> None:
    assert equations(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is 12.\n#### 12",
        "x = 12",
        "12 = 12.0",
        "50% = 0.5",
        "3 + 4 = seven",
        "5! / 3! = 20",
        "sqrt(16) + 3 = 7",
        r"\sqrt{16} + 3 = 7",
        "3² + 4 = 13",
        "2 + 3 <= 5",
        "f(2) + 3 = 7",
        "a + b = c",
        "2*(3 + 4 = 7",
        "<<6=6>>6",
    ],
)
def test_what_is_no_equation_of_numbers_is_left_out(text: str) -> None:
    assert equations(text) == ()


def test_a_solution_is_the_sequence_of_its_equations_as_written() -> None:
    marked = (
        "Ann lays 16 - 3 - 4 = <<16-3-4=9>>9 eggs a day.\n"
        "She makes 9 eggs * $2/egg = $<<9*2=18>>18 every day, and 18 * 7 = $<<18*7=126.00>>126 a week.\n#### 126"
    )
    unmarked = "Ann lays 16-3-4 = 9 eggs.\n\nThat makes 9 × $2 = $18.00 every day. $18 x 7 days = $126\n#### 126"
    assert equations(marked) == equations(unmarked) == ("16-3-4=9", "9*2=18", "18*7=126")
    assert equations("3 + 4 = 7") != equations("4 + 3 = 7")
    assert equations("1+2=3. 3+4=7") != equations("3+4=7. 1+2=3")


def test_a_mark_stands_for_the_equation_that_leads_to_it() -> None:
    assert equations("20 + 30 = <<30+20=50>>50 shoes") == ("30+20=50",)
    assert equations("4*60/5 = 4*12 = <<4*60/5=48>>48 lines") == ("4*60/5=48",)
    assert equations("2*5 = <<2*5=10>>10 + 3 = <<10+3=13>>13") == ("2*5=10", "10+3=13")


@given(st.text(alphabet="0123456789+-*/=()., x$%<>\\\n", max_size=80))
def test_an_equation_is_its_own_only_equation(text: str) -> None:
    for equation in equations(text):
        assert equations(equation) == (equation,)


@pytest.mark.parametrize(
    "piece",
    ["1", "+", "=", "1+", "1=", "1+1=", " ", "\n ", "(", "(1", "<", "<<1", ".1", "1,111", "1 aa", "aa-", "-1", "1x",
     "\\", "\\frac{", "\\frac{1}{", "**", "%", "^{", "1 /aa", "=="],
)  # fmt: skip
def test_the_time_grows_with_the_length_alone(piece: str) -> None:
    text = "1 " + piece * (60_000 // len(piece))
    start = time.process_time()
    equations(text)
    # a tenth of a second on a usual machine; what takes the square of the length takes minutes
    assert time.process_time() - start < 5.0


def test_a_number_of_any_length_stays_what_it_is() -> None:
    digits = "7" * 60_000
    assert equations(f"{digits} + 0 = {digits}.00") == (f"{digits}+0={digits}",)


def test_distinct_equations_are_the_share_of_different_sequences() -> None:
    values = distinct_equations_by_problem(
        [
            ["3 + 4 = 7", "So 3+4 = <<3+4=7>>7.", "4 + 3 = 7", "3 + 4 = $7"],  # two sequences in four texts
            ["1+2=3", "1+2=3. 3+1=4", "2+1=3", "seven"],  # three, and the one without an equation
            ["seven", "7", "x = 7", ""],  # no equation anywhere
            [],
        ]
    )
    np.testing.assert_array_equal(values, [2 / 4, 4 / 4, np.nan, np.nan])
