"""Charts as SVG text: Vega-Lite specifications drawn without a browser or the network.

Everything is told apart twice: by Okabe and Ito's colours, which differ for every kind of colour vision, and by marks
and dashes, which differ in print.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ratchet.pages.text import columns, short

COLOURS = ("#D55E00", "#0072B2", "#6B7280", "#009E73")
DASHES = ([1, 0], [6, 3], [2, 3], [10, 3, 2, 3])
MARKS = ("circle", "square", "diamond", "triangle-up")
INK = "#111827"
FAINT = "#EEF0F3"
HARM = "#FBE3D4"
OUTCOMES = ("ok", "undecided", "harm")
OUTCOME_COLOURS = ("#0072B2", "#6B7280", "#D55E00")
OUTCOME_MARKS = ("circle", "square", "triangle-down")
COLUMN = 7.3  # pixels of a name's column: the reader's font may be wider than the one measured with
WIDEST = 850  # pixels of names and rows together
_CONFIG = {
    "aria": False,  # the page says what a picture shows, once
    "font": "Helvetica, Arial, sans-serif",
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 12,
        "gridColor": "#E5E7EB",
        "labelFlush": False,
    },
    "legend": {
        "labelFontSize": 13,
        "labelLimit": 340,
        "title": None,
        "orient": "top",
        "symbolSize": 100,
        "symbolStrokeWidth": 0,
        "symbolOpacity": 1,
        "columnPadding": 48,  # the reader's font may be wider than the one measured with
    },
    "view": {"stroke": None},
}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a line, with the ends of its band where there is one."""

    line: str
    x: float
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A number in a row of its own: dot, whisker and, where it has one, the margin that it is held against.

    Harm begins at -margin and lies left of it, or, where `harm` is right, at +margin and right of it.
    """

    row: str
    value: float
    low: float | None
    high: float | None
    kind: str
    margin: float | None = None
    harm: Literal["left", "right"] = "left"

    @property
    def edge(self) -> float | None:
        """Where harm begins."""
        return None if self.margin is None else self.margin if self.harm == "right" else -self.margin


def attempts_axis(title: str = "k, attempts a problem") -> dict[str, Any]:
    """An axis for numbers of attempts, on which each doubling is as wide as the next."""
    return {"scale": {"type": "log", "base": 2}, "axis": {"title": title, "format": "d", "grid": False}}


def rounds_axis(title: str) -> dict[str, Any]:
    """An axis for rounds, numbered from 1."""
    return {"scale": {"zero": False}, "axis": {"title": title, "format": "d", "grid": False}}


def lines_svg(
    points: Sequence[Point], x_axis: dict[str, Any], y_title: str, width: int = 780, zero: bool = False
) -> str:
    """A line with its band for each name in the order of appearance, over the x of `attempts_axis` or `rounds_axis`."""
    labels = _labels(list(dict.fromkeys(point.line for point in points)))
    named = [Point(labels[p.line], p.x, p.y, p.low, p.high) for p in points]
    lines, xs = list(labels.values()), sorted({point.x for point in named})
    domain = [xs[0], xs[-1] if len(xs) > 1 else 2 * xs[0]]
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {**x_axis["scale"], "domain": domain},
        "axis": {**x_axis["axis"], "values": xs, "labelOverlap": "greedy"},
    }
    y = {"type": "quantitative", "scale": {"zero": zero}, "axis": {"title": y_title, "format": ".2f", "tickCount": 6}}
    bands = {"values": [asdict(p) for p in named if p.low is not None and p.high is not None]}
    layers = _lines_with_bands(x, y, lines, bands)
    return drawn({"width": width, "height": 270, "data": {"values": [asdict(p) for p in named]}, "layer": layers})


def _lines_with_bands(
    x: dict[str, Any], y: dict[str, Any], lines: Sequence[str], bands: dict[str, Any]
) -> list[dict[str, Any]]:
    colour = _told_apart("line", lines, COLOURS)
    line = {"x": x, "y": {**y, "field": "y"}, "color": colour}
    dashed = {**line, "strokeDash": _told_apart("line", lines, DASHES)}
    marked = {**line, "shape": _told_apart("line", lines, MARKS)}
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
    return [
        {"data": bands, "mark": {"type": "area", "opacity": 0.16}, "encoding": band},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": dashed},
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": marked},
    ]


def intervals_svg(
    rows: Sequence[Interval],
    title: str,
    kinds: Sequence[str] = OUTCOMES,
    colours: Sequence[str] = OUTCOME_COLOURS,
    marks: Sequence[str] = OUTCOME_MARKS,
    signed: bool = True,
    unit: Literal[".2f", ".0%"] = ".2f",
) -> str:
    """Each number with its interval in the row that it names, top to bottom; changes (`signed`) beside a line at 0.

    Where a row has a margin, a tick marks it and what lies beyond it is shaded.
    """
    names = list(dict.fromkeys(row.row for row in rows))
    values = [{**asdict(row), "at": at, "edge": row.edge} for row, at in _placed(rows)]
    axis = {"title": title, "format": f"+{unit}" if signed else unit, "tickCount": 6}
    x = {"type": "quantitative", "scale": {"padding": 14, "zero": False, **_ends(rows)}, "axis": axis}
    y = {"type": "quantitative", "scale": {"domain": [len(names), 0], "nice": False}, "axis": None}
    looks = {"color": _told_apart("kind", kinds, colours), "shape": _told_apart("kind", kinds, marks)}
    layers = [
        *_harm_zones(values, x, y),
        *_row_names(names, y),
        *([{"mark": {"type": "rule", "color": INK}, "encoding": {"x": {"datum": 0, **x}}}] if signed else []),
        *_dots_with_whiskers(values, x, {**y, "field": "at"}, looks),
    ]
    width = WIDEST - _beside(names)
    return drawn({"width": width, "height": 30 * len(names), "data": {"values": values}, "layer": layers})


def _dots_with_whiskers(
    values: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], looks: dict[str, Any]
) -> list[dict[str, Any]]:
    margins = [value for value in values if value["edge"] is not None]
    ends = [value for value in values if value["low"] is not None and value["high"] is not None]
    return [
        {
            "data": {"values": margins},
            "mark": {"type": "tick", "orient": "vertical", "color": INK, "thickness": 3, "size": 20},
            "encoding": {"x": {**x, "field": "edge"}, "y": y},
        },
        {
            "data": {"values": ends},
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": looks["color"]},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": {**x, "field": "value"}, "y": y, **looks},
        },
    ]


def _harm_zones(values: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What lies beyond the margin of each row, from there to the end of the picture."""
    for side, end in (("left", 0), ("right", "width")):
        zones = [
            {"edge": value["edge"], "top": value["at"] - 0.5, "bottom": value["at"] + 0.5}
            for value in values
            if value["edge"] is not None and value["harm"] == side
        ]
        places = {"x": {**x, "field": "edge"}, "x2": {"value": end}}
        heights = {"y": {**y, "field": "top"}, "y2": {"field": "bottom"}}
        if zones:
            yield {"data": {"values": zones}, "mark": {"type": "rect", "color": HARM}, "encoding": places | heights}


def _ends(rows: Sequence[Interval]) -> dict[str, list[float]]:
    """The ends of the axis where there are margins: something of what lies beyond each is in the picture."""
    edges = [1.5 * row.edge for row in rows if row.edge is not None]
    seen = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    return {"domain": [min(0.0, *edges, *seen), max(0.0, *edges, *seen)]} if edges else {}


def _placed(rows: Sequence[Interval]) -> list[tuple[Interval, float]]:
    """Each number with its height: those that share a row stand a little above and below its middle."""
    names = list(dict.fromkeys(row.row for row in rows))
    sharing: dict[str, list[str]] = {name: [] for name in names}
    for row in rows:
        sharing[row.row].append(row.kind)
    apart = 0.36
    steps = [(row, sharing[row.row].index(row.kind) - (len(sharing[row.row]) - 1) / 2) for row in rows]
    return [(row, names.index(row.row) + 0.5 + apart * step) for row, step in steps]


def _row_names(names: Sequence[str], y: dict[str, Any]) -> list[dict[str, Any]]:
    """The names left of their rows as plain text, and a faint line through each row."""
    data = {"values": [{"at": i + 0.5, "name": short(name)} for i, name in enumerate(names)]}
    place = {**y, "field": "at"}
    line = {"x": {"value": 0}, "x2": {"value": "width"}, "y": place}
    text = {"x": {"value": -10}, "y": place, "text": {"field": "name"}}
    edge = {"x": {"value": -_beside(names)}, "y": place}
    return [
        {"data": data, "mark": {"type": "rule", "color": FAINT}, "encoding": line},
        {"data": data, "mark": {"type": "point", "size": 1, "opacity": 0}, "encoding": edge},
        {"data": data, "mark": {"type": "text", "align": "right", "fontSize": 12, "color": INK}, "encoding": text},
    ]


def _beside(names: Sequence[str]) -> float:
    """The width that these names need left of the rows."""
    return 14 + COLUMN * max(columns(short(name)) for name in names)


def _labels(names: Sequence[str]) -> dict[str, str]:
    """A short name for each name; two that are cut to the same one are numbered."""
    found: dict[str, str] = {}
    for name in names:
        label = short(name)
        found[name] = label if label not in found.values() else f"{label} ({len(found) + 1})"
    return found


def _told_apart(field: str, names: Sequence[str], looks: Sequence[Any]) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "scale": {"domain": list(names), "range": list(looks[: len(names)])}}


def drawn(specification: dict[str, Any]) -> str:
    """The picture of a Vega-Lite specification, to stand in an HTML page."""
    import vl_convert

    whole = {"background": None, "config": _CONFIG, **specification}
    picture = str(vl_convert.vegalite_to_svg(whole, allowed_base_urls=[]))
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", picture, count=2)  # HTML knows what an <svg> is
