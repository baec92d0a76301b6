"""The reliability diagram: how often a model is right beside how sure it said to be."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ratchet.pages.charts import COLOURS, INK, drawn

_SIDE = 380  # pixels: a square, so that the diagonal is one


@dataclass(frozen=True, slots=True)
class Certainty:
    """The attempts of one bin: `confidence` is their mean, `accuracy` the share of right ones with its interval."""

    start: float
    end: float
    count: int
    confidence: float
    accuracy: float
    low: float | None
    high: float | None


def reliability_svg(bins: Sequence[Certainty]) -> str:
    """Accuracy over mean confidence, the diagonal on which both agree, and below it how many attempts a bin holds."""
    rows = [asdict(b) for b in bins]
    return drawn({"data": {"values": rows}, "spacing": 14, "vconcat": [_agreement(rows), _sizes()]})


def _agreement(rows: list[dict[str, Any]]) -> dict[str, Any]:
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": None, "labels": False, "ticks": False}}
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": "share that is right", "format": ".1f"}}
    x, colour = {**x, "field": "confidence"}, {"value": COLOURS[1]}
    ends = [row for row in rows if row["low"] is not None and row["high"] is not None]
    diagonal = {"x": {**x, "field": "at"}, "y": {**y, "field": "at"}}
    layers = [
        {
            "data": {"values": [{"at": 0}, {"at": 1}]},
            "mark": {"type": "line", "color": INK, "strokeDash": [4, 4], "strokeWidth": 1.5},
            "encoding": diagonal,
        },
        {
            "data": {"values": ends},
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "accuracy"}, "color": colour},
        },
    ]
    return {"width": _SIDE, "height": _SIDE, "layer": layers}


def _sizes() -> dict[str, Any]:
    axis = {"title": "confidence", "format": ".1f", "grid": False}
    return {
        "width": _SIDE,
        "height": 70,
        "mark": {"type": "bar", "color": COLOURS[2], "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "start",
                "type": "quantitative",
                "bin": {"binned": True},
                "scale": {"domain": [0, 1]},
                "axis": axis,
            },
            "x2": {"field": "end"},
            "y": {
                "field": "count",
                "type": "quantitative",
                "axis": {"title": "attempts", "tickCount": 3, "format": ",d"},
            },
        },
    }
