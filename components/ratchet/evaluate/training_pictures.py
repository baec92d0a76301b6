"""The pictures of what training changed in a suite: round by round, and where newly solved problems come from."""

from collections.abc import Iterator

from ratchet.evaluate.known import Known, widest
from ratchet.evaluate.pictures import Drawn, Picture, past
from ratchet.evaluate.profile import Relative
from ratchet.pages.charts import Point, attempts_axis, lines_svg, rounds_axis
from ratchet.pages.numbers import listed, percent
from ratchet.pages.text import short

MOST_ROUNDS = 60
NAMED_ROUNDS = 12
_HALF = 360  # pixels of each of two charts side by side
_SPREADS = ("distinct_2", "equations", "vendi")
_SETS = {
    "improvement": "improvement set: newly solved",
    "control": "control: all the base fails",
    "null": "null: gained by chance",
}


def rounds(drawn: Drawn) -> Picture | str:
    """Diversity of right answers, and pass@1 and pass@K, from the oldest checkpoint of the history to this one."""
    if not drawn.profile.history:
        return "No lines over rounds: no earlier checkpoint was given."
    earlier = drawn.profile.history[-(MOST_ROUNDS - 1) :]
    first, k = len(drawn.profile.history) - len(earlier) + 1, widest(drawn.metrics)
    spreads = {f"diversity.{name}.correct": name.replace("_", "-") for name in _SPREADS}
    passes = {name: name for name in ("pass@1", f"pass@{k}")}
    charts = []
    for names, title in ((spreads, "diversity of right answers"), (passes, "share of problems")):
        points = [point for name, line in names.items() for point in _over_rounds(drawn, earlier, first, name, line)]
        if len({point.x for point in points}) > 1:
            charts.append(lines_svg(points, rounds_axis("checkpoint"), title, _HALF))
    if not charts:
        return "No lines over rounds: the earlier checkpoints have no numbers of this suite."
    names_of = [f"{first + i} is {short(other.name, 24)}" for i, other in enumerate(earlier)]
    caption = (
        f"Oldest first: {listed(names_of, NAMED_ROUNDS)}; {first + len(earlier)} is this checkpoint.",
        "Where diversity falls while pass@1 rises, the model settles on fewer ways to be right.",
    )
    described = f"Diversity, pass@1 and pass@{k} by checkpoint on {short(drawn.suite)}"
    return Picture("Round by round", described, tuple(charts), caption)


def improvement(drawn: Drawn) -> Picture | str:
    """The base's pass@N on the newly solved problems, beside what any failure and chance alone would show."""
    points = [point for kind, line in _SETS.items() for point in drawn.curve(f"{kind}.base_pass@", line)]
    if not points:
        return "No picture of the improvement set: it needs a base, with at least three attempts a problem."
    caption = (
        "How much of it could the base do already? Each line is the share of a set of problems that the base itself "
        "solves in N further attempts.",
        *_selected(drawn),
        *_size(drawn),
    )
    described = f"The base's pass@N on {', '.join(_SETS.values())}, on {short(drawn.suite)}"
    chart = lines_svg(points, attempts_axis("N, attempts of the base"), "share that the base solves", zero=True)
    return Picture("Where the new solutions come from", described, (chart,), caption)


def _over_rounds(drawn: Drawn, earlier: tuple[Relative, ...], first: int, name: str, line: str) -> list[Point]:
    found = [*(past(other, f"{drawn.suite}/{name}") for other in earlier), drawn.known(name)]
    return [metric.at(line, first + i) for i, metric in enumerate(found) if metric]


def _selected(drawn: Drawn) -> Iterator[str]:
    """How much of the improvement set was within the base's reach, and whether that differs from chance."""
    selection, null = drawn.known("attribution.selection"), drawn.known("attribution.selection.null")
    if selection is None:
        return
    yield (
        f"At the right end: {percent(selection.value)} {selection.ends} of the newly solved problems were within the "
        "base's reach; of them, training made surer what the base could do."
    )
    if null:
        yield _beside_null(selection, null)


def _beside_null(selection: Known, null: Known) -> str:
    """Judged by whether the two intervals overlap, which is stricter than a test of the difference."""
    told = f"Of what the unchanged base seems to gain when it is asked twice, it is {percent(null.value)} {null.ends}: "
    if selection.high is not None and null.low is not None and selection.high < null.low:
        return told + "the first line ends clearly below that, so some of the new solutions are new ability."
    return told + "the first line does not end clearly below that, so nothing here shows new ability."


def _size(drawn: Drawn) -> Iterator[str]:
    share, chance = drawn.known("improvement.share"), drawn.known("improvement.share.null")
    if share:
        same = f"; the base asked twice would seem to gain {percent(chance.value)}" if chance else ""
        yield f"The improvement set holds {percent(share.value)} of the problems{same}."
