"""The pictures: what stands where, what tells lines apart, and that names are nothing but text."""

import re
from xml.etree import ElementTree

import pytest

from ratchet.pages.charts import (
    COLOURS,
    DASHES,
    MARKS,
    Interval,
    Point,
    attempts_axis,
    intervals_svg,
    lines_svg,
    rounds_axis,
)
from ratchet.pages.reliability import Certainty, reliability_svg

HOSTILE = "\"'><script>alert(1)</script>&amp; \u202e\U0001f600 \u0645\u0631\u062d\u0628\u0627"


def dots(svg: str, colour: str) -> list[tuple[float, float]]:
    """The places of the filled marks of a colour, but for those of the legend, which have no place in the plot."""
    plot = svg[: svg.index("role-legend")] if "role-legend" in svg else svg
    found = re.findall(rf'<path transform="translate\(([-\d.]+),([-\d.]+)\)"[^>]*fill="{colour}"', plot)
    return [(float(x), float(y)) for x, y in found]


def words(svg: str) -> list[str]:
    """The texts of a picture."""
    return [text.text or "" for text in ElementTree.fromstring(svg).iter("text")]


def test_each_doubling_of_attempts_is_as_wide_as_the_next() -> None:
    points = [Point("a", k, k / 16, None, None) for k in (1, 2, 4, 8)]
    xs, ys = zip(*dots(lines_svg(points, attempts_axis(), "share"), COLOURS[0]), strict=True)
    steps = [right - left for left, right in zip(xs, xs[1:], strict=False)]
    assert steps == pytest.approx([steps[0]] * 3)
    # 1/16 -> 2/16 -> 4/16 -> 8/16: each rise is twice the one before; up is down in a picture
    rises = [low - high for low, high in zip(ys, ys[1:], strict=False)]
    assert rises[1] / rises[0] == pytest.approx(2.0) and rises[2] / rises[1] == pytest.approx(2.0)


def test_lines_differ_in_colour_and_mark_and_dash() -> None:
    points = [Point(name, x, 0.1 * x, 0.0, 1.0) for name in "abcd" for x in (1, 2)]
    svg = lines_svg(points, rounds_axis("round"), "share")
    assert [len(dots(svg, colour)) for colour in COLOURS] == [2, 2, 2, 2]
    assert len(set(re.findall(r'stroke-dasharray="([\d, ]+)"', svg))) >= 3
    shapes = [set(re.findall(rf' d="(M[^"]*)"[^>]*fill="{colour}"', svg)) for colour in COLOURS]
    assert len(set.union(*shapes)) >= 4
    assert len(set(map(str, DASHES))) == len(set(MARKS)) == len(set(COLOURS)) == 4
    assert {"a", "b", "c", "d", "round", "share"} <= set(words(svg))


def test_a_line_without_intervals_is_drawn_without_a_band() -> None:
    bare = lines_svg([Point("a", 1, 0.5, None, None), Point("a", 2, 0.6, None, None)], attempts_axis(), "share")
    banded = lines_svg([Point("a", 1, 0.5, 0.4, 0.6), Point("a", 2, 0.6, 0.5, 0.7)], attempts_axis(), "share")
    assert len(dots(bare, COLOURS[0])) == len(dots(banded, COLOURS[0])) == 2
    assert 'opacity="0.16"' in banded and 'opacity="0.16"' not in bare


def test_one_point_is_a_picture_too() -> None:
    assert len(dots(lines_svg([Point("a", 1, 0.5, 0.4, 0.6)], attempts_axis(), "share"), COLOURS[0])) == 1


def test_two_names_that_are_cut_alike_stay_two_lines() -> None:
    first, second = ("x" * 40 + middle + "y" * 40 for middle in "12")
    svg = lines_svg([Point(first, 1, 0.1, None, None), Point(second, 1, 0.9, None, None)], attempts_axis(), "share")
    assert len(dots(svg, COLOURS[0])) == len(dots(svg, COLOURS[1])) == 1


def test_a_dot_stands_at_its_number_and_rows_from_top_to_bottom() -> None:
    rows = [
        Interval(name, value, value - 0.1, value + 0.1, "ok") for name, value in zip("abc", (-1, 0, 2), strict=True)
    ]
    places = dots(intervals_svg(rows, "change"), "#0072B2")
    (left, top), (middle, second), (right, bottom) = places
    assert (right - middle) / (middle - left) == pytest.approx(2.0, rel=1e-3)
    assert second - top == pytest.approx(bottom - second) and top < second


def test_numbers_that_share_a_row_do_not_cover_each_other() -> None:
    rows = [Interval("g", 0.5, 0.4, 0.6, kind) for kind in ("pass@1", "pass@4")]
    svg = intervals_svg(rows, "share", ("pass@1", "pass@4"), COLOURS, MARKS, signed=False)
    (one,), (four,) = dots(svg, COLOURS[0]), dots(svg, COLOURS[1])
    assert one[0] == four[0] and four[1] - one[1] > 8


def test_a_number_without_an_interval_is_a_dot_without_a_line() -> None:
    svg = intervals_svg([Interval("a", 0.5, None, None, "ok")], "change")
    assert len(dots(svg, "#0072B2")) == 1
    assert 'stroke="#0072B2" stroke-width="3"' not in svg


def test_a_model_that_is_as_right_as_it_says_lies_on_the_diagonal() -> None:
    bins = [Certainty(v - 0.05, v + 0.05, 10, v, v, v - 0.04, v + 0.04) for v in (0.25, 0.5, 0.75)]
    for x, y in dots(reliability_svg(bins), COLOURS[1]):
        assert x + y == pytest.approx(380.0)  # the plot is 380 pixels wide and high, and y runs down
    surer = dots(reliability_svg([Certainty(0.8, 0.9, 10, 0.85, 0.5, None, None)]), COLOURS[1])
    assert surer[0][0] == pytest.approx(0.85 * 380) and surer[0][1] == pytest.approx(190)


def test_names_are_text_and_never_markup() -> None:
    for svg in (
        lines_svg([Point(HOSTILE, 1, 0.5, 0.4, 0.6)], attempts_axis(), "share"),
        intervals_svg([Interval(HOSTILE, 0.5, 0.4, 0.6, "ok")], "change"),
    ):
        root = ElementTree.fromstring(svg)  # well-formed, so nothing broke out
        assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "line", "rect", "text"}
        assert any("<script>" in text and "<U+202E>" in text for text in words(svg))
        assert "http" not in svg and "url(" not in svg and "href" not in svg
