"""The pictures of a verdict: on which side of what harm is drawn, and which rounds the lines run over."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ratchet.evaluate.profile import Metric
from ratchet.gate.case import load_case
from ratchet.gate.pictures import MOST_ROWS, margins, rounds
from ratchet.gate.verdict import AxisOutcome, AxisResult, MarginKind
from ratchet.pages.charts import HARM, INK

Maker = Callable[..., Path]
BLUE = "#0072B2"  # of what is ok


def measured(kind: MarginKind, margin: float, change: float, axis: str, outcome: AxisOutcome = "ok") -> AxisResult:
    """An axis against the base whose interval ends .01 beside its change."""
    return AxisResult(
        axis=axis,
        tier="critical",
        reference="base",
        candidate_estimate=0.5 + change,
        reference_estimate=0.5,
        difference=change,
        low=change - 0.01,
        high=change + 0.01,
        margin=margin,
        margin_kind=kind,
        p_within=0.01,
        p_harm=0.5,
        p_harm_holm=1.0,
        p_gain=None,
        outcome=outcome,
        problems=100,
    )


def placed(svg: str) -> tuple[list[float], list[float], list[tuple[float, float]]]:
    """The x of each dot and of each margin's tick, and the ends of each shaded zone, top to bottom."""
    plot = svg[: svg.index("role-legend")]
    dots = [float(x) for x in re.findall(rf'<path transform="translate\(([-\d.]+),[-\d.]+\)"[^>]*fill="{BLUE}"', plot)]
    ticks = [float(x) + 1.5 for x in re.findall(rf'<path d="M([-\d.]+),[-\d.]+h3v20h-3Z" fill="{INK}"', plot)]
    zones = re.findall(rf'<path d="M([-\d.]+),[-\d.]+h([-\d.]+)v[^"]*" fill="{HARM}"', plot)
    return dots, ticks, [(float(x), float(x) + float(width)) for x, width in zones]


@pytest.mark.parametrize(("kind", "edge"), [("drop", -0.05), ("relative drop", -0.05), ("rise", 0.05)])
def test_harm_lies_left_of_a_falls_margin_and_right_of_a_rises(kind: MarginKind, edge: float) -> None:
    (picture,) = margins([measured(kind, 0.05, 0.03, "a"), measured(kind, 0.05, -0.01, "b")])
    (first, second), ticks, zones = placed(picture.chart)
    at = second + (edge + 0.01) / 0.04 * (first - second)  # two dots of known numbers give the scale
    assert ticks == pytest.approx([at, at])
    plot = float(re.findall(r'd="M0,0h([\d.]+)v60h', picture.chart)[0])  # two rows of 30
    for left, right in zones:
        assert (left, right) == pytest.approx((at, plot) if kind == "rise" else (0.0, at))
    assert len(zones) == 2


def test_each_kind_of_margin_has_a_picture_that_names_its_unit_and_its_direction() -> None:
    found = list(
        margins(
            [
                measured("rise", 0.05, 0.0, "calibration.ece"),
                measured("drop", 0.05, 0.0, "pass@1"),
                measured("relative drop", 0.3, -0.1, "balance"),
            ]
        )
    )
    words = [re.findall(r"<text[^>]*>([^<]*)</text>", picture.chart) for picture in found]
    assert ["pass@1 vs base" in of for of in words] == [True, False, False]
    assert ["balance vs base" in of for of in words] == [False, True, False]
    assert ["calibration.ece vs base" in of for of in words] == [False, False, True]
    assert any("left is worse" in word for word in words[0])
    assert any("left is worse" in word for word in words[1]) and "−30%" in words[1]
    assert any("right is worse" in word for word in words[2])


def test_the_unknown_end_of_a_relative_rise_does_not_squeeze_the_others() -> None:
    wide = replace(measured("relative drop", 0.3, 0.2, "a"), high=900.0)
    dots, _, _ = placed(next(margins([wide, measured("relative drop", 0.3, -0.2, "b")])).chart)
    assert dots[0] - dots[1] > 50


def test_an_axis_that_was_not_measured_is_not_drawn() -> None:
    missing = replace(measured("drop", 0.05, 0.0, "a"), difference=None, low=None, high=None, reason="why")
    assert not list(margins([missing]))


def test_harm_is_drawn_however_many_axes_there_are() -> None:
    axes = [measured("drop", 0.05, 0.0, f"a{i}") for i in range(MOST_ROWS + 20)]
    axes[-1] = measured("drop", 0.05, -0.2, "lost", "harm")
    (picture,) = margins(axes)
    assert picture.left_out == 20 and ">lost vs base<" in picture.chart and ">a0 vs base<" in picture.chart


def test_the_lines_over_rounds_end_with_the_candidate(profile: Maker, policy: Maker) -> None:
    spread = [Metric("sums", "diversity.equations.correct", x, x - 0.1, x + 0.1, None, 100.0, 0, 0) for x in (0.8, 0.4)]
    one = profile("one", [4] * 100, metrics=(spread[0],))
    two = profile("two", [6] * 100)
    new = profile("new", [8] * 100, metrics=(spread[1],))
    found = rounds(load_case(new, {"base": one}, policy(), history=[one, two]), 16)
    assert found is not None
    solved, diversity = found.charts
    assert found.named == "1 is one (base), 2 is two; 3 is the candidate"
    assert {"pass@1", "pass@16"} <= set(re.findall(r"<text[^>]*>([^<]*)</text>", solved))
    lines = re.findall(r'<path transform="translate\(([-\d.]+),([-\d.]+)\)"[^>]*fill="#D55E00"', solved)[:3]
    (left, low), (middle, mid), (right, high) = [(float(x), float(y)) for x, y in lines]
    # pass@1 is 4, 6 and 8 of 16: equal steps upwards, and y runs down
    assert middle - left == pytest.approx(right - middle) and low - mid == pytest.approx(mid - high) and high < mid
    assert ">equations<" in diversity and ">vendi<" not in diversity


def test_without_a_history_there_are_no_rounds(profile: Maker, policy: Maker) -> None:
    case = load_case(profile("new", [8] * 100), {"base": profile("base", [8] * 100)}, policy())
    assert rounds(case, 16) is None
