"""The plan as one HTML page, or its curve alone as SVG."""

from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.pages.charts import COLOURS, Point, lines_svg
from ratchet.pages.numbers import count, interval, number
from ratchet.pages.render import rendered
from ratchet.plan.result import Plan
from ratchet.plan.wording import (
    BUDGET_COLUMNS,
    NEED_COLUMNS,
    budget_rows,
    budget_title,
    headline,
    least_blocked,
    need_rows,
    remarks,
)
from ratchet.storage import write_text

_AXIS: dict[str, Any] = {"scale": {"type": "log"}, "axis": {"title": "problems a suite", "format": ",d", "grid": False}}


def require_page(path: Path) -> None:
    """An InputError for a file that is neither a page nor a picture."""
    if path.suffix.lower() not in (".html", ".svg"):
        raise InputError(f"report {path.name!r}", where=path, expected="a name that ends in .html or .svg")


def write_page(path: Path, plan: Plan) -> None:
    """Write the page, or the picture where the name ends in .svg."""
    require_page(path)
    if path.suffix.lower() == ".svg":
        write_text(path, _standing_alone(curve_svg(plan)))
    else:
        write_text(path, page(plan))


def page(plan: Plan) -> str:
    """The page's HTML."""
    return rendered(
        "ratchet.plan",
        "page.html.j2",
        plan=plan,
        headline=headline(plan),
        remarks=remarks(plan),
        needs=need_rows(plan),
        budget=budget_rows(plan.budget),
        need_columns=NEED_COLUMNS,
        budget_columns=BUDGET_COLUMNS,
        budget_title=budget_title(plan.budget),
        least_blocked=least_blocked(plan),
        curve=curve_svg(plan) if plan.curve else "",
        points=[
            [f"{point.attempts}", count(point.problems), number(point.power.value), interval(*point.power.interval)]
            for point in plan.curve
        ],
    )


def curve_svg(plan: Plan) -> str:
    """Power against the number of problems, a line for each number of attempts with what simulation leaves open."""
    points = [
        Point(f"{p.attempts} attempts a problem", p.problems, p.power.value, *p.power.interval) for p in plan.curve
    ]
    if not points:
        raise InputError("no number of problems reaches the power", expected="a plan with a curve to draw")
    if len({p.line for p in points}) == len(COLOURS):  # a further line would look like the first
        return lines_svg(points, _AXIS, "chance to be promoted", zero=True)
    ends = min(p.x for p in points), max(p.x for p in points)
    wanted = [Point(f"{plan.power:.0%} asked for", x, plan.power, None, None) for x in ends]
    return lines_svg([*points, *wanted], _AXIS, "chance to be promoted", zero=True)


def _standing_alone(svg: str) -> str:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return svg.replace("<svg ", f"<svg {names} ", 1)
