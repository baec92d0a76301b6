"""Numbers as they are shown: the unknown is a dash, and no rounding says all or nothing."""

import math

import pytest

from ratchet.pages.numbers import count, interval, listed, number, one_in, percent


def test_an_unknown_number_is_a_dash_and_never_0() -> None:
    assert [number(value) for value in (None, math.nan, math.inf)] == ["-", "-", "-"]
    assert (count(None), interval(None, None)) == ("-", "-")
    assert number(0.0) == "0.000"


def test_an_interval_with_one_end_says_which() -> None:
    assert interval(0.25, 0.5) == "[0.250, 0.500]"
    assert interval(5, None, decimals=0) == "from 5"
    assert interval(None, 0.5) == "up to 0.500"
    assert interval(-0.1, 0.05, signed=True) == "[-0.100, +0.050]"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.001, "under 1 %"), (0.432, "43 %"), (0.999, "over 99 %"), (1.0, "100 %")],
)
def test_a_share_is_0_or_100_percent_only_where_it_is(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("chance", "text"),
    [(1.0, "often"), (0.1, "about 1 time in 10"), (1 / 1234, "about 1 time in 1,200"), (0.0, "practically never")],
)
def test_a_chance_is_told_as_one_in_so_many(chance: float, text: str) -> None:
    assert one_in(chance) == text


def test_sums_of_shares_have_decimals_and_counts_none() -> None:
    assert (count(12000), count(185.125), count(185.0), count(0.919)) == ("12,000", "185.1", "185", "0.919")


def test_a_list_says_how_many_it_leaves_out() -> None:
    assert listed(["a", "b", "c"], 3) == "a, b, c"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
