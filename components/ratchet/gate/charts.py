"""The charts of the verdict page as SVG text: Vega-Lite specifications drawn without a browser or the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ratchet.gate.verdict import AxisResult

# Okabe and Ito's colours, told apart with every kind of colour vision; dashes and marks tell them apart in print.
SIDE_COLOURS = ("#D55E00", "#0072B2", "#6B7280")
SIDE_DASHES = ([1, 0], [6, 3], [2, 3])
SIDE_MARKS = ("circle", "square", "diamond")
OUTCOMES = ("ok", "undecided", "harm")
OUTCOME_COLOURS = ("#0072B2", "#6B7280", "#D55E00")
OUTCOME_MARKS = ("circle", "square", "triangle-down")
_CONFIG = {
    "font": "Helvetica, Arial, sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#E5E7EB"},
    "legend": {"labelFontSize": 12, "title": None, "orient": "top", "symbolSize": 90, "symbolStrokeWidth": 2},
    "view": {"stroke": None},
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
    sides = list(dict.fromkeys(point.side for point in points))
    ks = sorted({point.k for point in points})
    scale = {"domain": sides, "range": list(SIDE_COLOURS[: len(sides)])}
    dash = {"field": "side", "type": "nominal", "scale": {"domain": sides, "range": list(SIDE_DASHES[: len(sides)])}}
    mark = {"field": "side", "type": "nominal", "scale": {"domain": sides, "range": list(SIDE_MARKS[: len(sides)])}}
    x = {
        "field": "k",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [ks[0], max(ks[-1], 2)]},
        "axis": {"values": ks, "title": "k, attempts a problem", "format": "d", "grid": False},
    }
    y = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": "pass@k", "format": ".2f"}}
    colour = {"field": "side", "type": "nominal", "scale": scale}
    line = {"x": x, "y": {**y, "field": "estimate"}, "color": colour}
    layers = [
        {
            "mark": {"type": "area", "opacity": 0.16},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {**line, "strokeDash": dash}},
        {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1}, "encoding": {**line, "shape": mark}},
    ]
    values = [{"side": p.side, "k": p.k, "estimate": p.estimate, "low": p.low, "high": p.high} for p in points]
    return _svg({"width": 620, "height": 250, "data": {"values": values}, "layer": layers})


def intervals_svg(axes: Sequence[AxisResult]) -> str:
    """Each axis' difference with its bounds beside the margin, which it must clear to the right."""
    values = [
        {
            "name": f"{r.axis} against {r.reference}",
            "difference": r.difference,
            "low": r.low,
            "high": r.high,
            "margin": -r.margin,
            "outcome": r.outcome,
        }
        for r in axes
    ]
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 260, "grid": False, "ticks": False, "domain": False, "labelPadding": 8},
    }
    x = {"type": "quantitative", "axis": {"title": "change of the candidate", "format": "+.2f", "tickCount": 7}}
    names = {"field": "outcome", "type": "nominal"}
    colour = {**names, "scale": {"domain": list(OUTCOMES), "range": list(OUTCOME_COLOURS)}}
    mark = {**names, "scale": {"domain": list(OUTCOMES), "range": list(OUTCOME_MARKS)}}
    layers = [
        {"mark": {"type": "rule", "color": "#111827"}, "encoding": {"x": {"datum": 0, **x}}},
        {
            "mark": {"type": "tick", "color": "#111827", "thickness": 3, "size": 24},
            "encoding": {"x": {**x, "field": "margin"}, "y": y},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
            "encoding": {"x": {**x, "field": "difference"}, "y": y, "color": colour, "shape": mark},
        },
    ]
    return _svg({"width": 480, "height": {"step": 34}, "data": {"values": values}, "layer": layers})


def _svg(specification: dict[str, Any]) -> str:
    import vl_convert

    whole = {"background": None, "config": _CONFIG, **specification}
    return str(vl_convert.vegalite_to_svg(whole, allowed_base_urls=[]))
