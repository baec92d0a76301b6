"""The charts of the verdict page as SVG text: Vega-Lite specifications drawn without a browser or the network."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ratchet.gate.verdict import AxisResult

# Okabe and Ito's colours, told apart with every kind of colour vision; dashes and marks tell them apart in print.
SIDE_COLOURS = ("#D55E00", "#0072B2", "#6B7280")
SIDE_DASHES = ([1, 0], [6, 3], [2, 3])
SIDE_MARKS = ("circle", "square", "diamond")
INK = "#111827"
OUTCOMES = ("ok", "undecided", "harm")
OUTCOME_COLOURS = ("#0072B2", "#6B7280", "#D55E00")
OUTCOME_MARKS = ("circle", "square", "triangle-down")
_CONFIG = {
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
        "title": None,
        "orient": "top",
        "symbolSize": 100,
        "symbolStrokeWidth": 0,
        "symbolOpacity": 1,
        "columnPadding": 24,
    },
    "view": {"stroke": None},
}
_NAMES = {
    "title": None,
    "minExtent": 290,  # the reader's font may be wider than the one measured with
    "labelLimit": 300,
    "labelPadding": 8,
    "grid": False,
    "ticks": False,
    "domain": False,
}


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """pass@k of one side with its bounds."""

    side: str
    k: int
    estimate: float
    low: float
    high: float


def curves_svg(points: Sequence[CurvePoint]) -> str:
    """pass@k over k, one line a side with its band; the candidate is the first side."""
    sides, ks = list(dict.fromkeys(point.side for point in points)), sorted({point.k for point in points})
    x = {
        "field": "k",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [ks[0], max(ks[-1], 2)]},
        "axis": {"values": ks, "title": "k, attempts a problem", "format": "d", "grid": False},
    }
    y = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": "pass@k", "format": ".2f"}}
    colour, mark = _told_apart("side", sides, SIDE_COLOURS), _told_apart("side", sides, SIDE_MARKS)
    line = {"x": x, "y": {**y, "field": "estimate"}, "color": colour}
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
    dashed = {**line, "strokeDash": _told_apart("side", sides, SIDE_DASHES)}
    layers = [
        {"mark": {"type": "area", "opacity": 0.16}, "encoding": band},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": dashed},
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": {**line, "shape": mark}},
    ]
    return _svg({"width": 780, "height": 270, "data": {"values": [asdict(p) for p in points]}, "layer": layers})


def intervals_svg(axes: Sequence[AxisResult]) -> str:
    """Each axis' difference with its bounds beside the margin, which it must clear to the right."""
    values = [{**asdict(r), "name": f"{r.axis} against {r.reference}", "least": -r.margin} for r in axes]
    y = {"field": "name", "type": "nominal", "sort": None, "axis": _NAMES}
    axis = {"title": "change of the candidate", "format": "+.2f", "tickCount": 6}
    x = {"type": "quantitative", "scale": {"padding": 14}, "axis": axis}
    colour = _told_apart("outcome", OUTCOMES, OUTCOME_COLOURS)
    mark = _told_apart("outcome", OUTCOMES, OUTCOME_MARKS)
    interval = {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour}
    estimate = {"x": {**x, "field": "difference"}, "y": y, "color": colour, "shape": mark}
    margin = {"type": "tick", "color": INK, "thickness": 3, "size": 24}
    layers = [
        {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {"datum": 0, **x}}},
        {"mark": margin, "encoding": {"x": {**x, "field": "least"}, "y": y}},
        {"mark": {"type": "rule", "strokeWidth": 3}, "encoding": interval},
        {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1}, "encoding": estimate},
    ]
    return _svg({"width": 560, "height": {"step": 34}, "data": {"values": values}, "layer": layers})


def _told_apart(field: str, names: Sequence[str], looks: Sequence[Any]) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "scale": {"domain": list(names), "range": list(looks[: len(names)])}}


def _svg(specification: dict[str, Any]) -> str:
    import vl_convert

    whole = {"background": None, "config": _CONFIG, **specification}
    return str(vl_convert.vegalite_to_svg(whole, allowed_base_urls=[]))
