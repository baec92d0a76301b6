"""The pictures of one suite: what more attempts reach, its groups, its calibration; each with how to read it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ratchet.evaluate.known import Known, numbers_after, usable, widest
from ratchet.evaluate.profile import Metric, Profile, Relative
from ratchet.metrics.calibration import Bin
from ratchet.pages.charts import COLOURS, MARKS, Interval, Point, attempts_axis, intervals_svg, lines_svg
from ratchet.pages.numbers import interval, known, percent
from ratchet.pages.reliability import Certainty, reliability_svg
from ratchet.pages.text import short

MOST_GROUPS = 30  # rows of the picture by group
_GROUPED = re.compile(r"(pass@\d+)\[group=(.*)\]", re.DOTALL)
_ONCE, _ALWAYS = "pass@k: right at least once", "pass^k: right every time"


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure: charts as SVG, the sentences below it, and what a screen reader says instead of it."""

    title: str
    described: str
    charts: tuple[str, ...]
    caption: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the pictures of a suite are drawn from."""

    profile: Profile
    suite: str
    metrics: Mapping[str, Metric]

    def known(self, name: str) -> Known | None:
        """The metric of that name where it has an estimate."""
        return usable(self.metrics, name)

    def curve(self, prefix: str, line: str) -> list[Point]:
        """The metrics `prefix1`, `prefix2`, ... as far as they are known."""
        found = [(k, self.known(f"{prefix}{k}")) for k in numbers_after(prefix, self.metrics)]
        return [metric.at(line, k) for k, metric in found if metric]


def attempts(drawn: Drawn) -> Picture | str:
    """pass@k and pass^k over k, beside the base's pass@k where it is known."""
    most = widest(drawn.metrics)
    if most < 2:
        return "No curve over attempts: no number of attempts above 1 could be computed."
    base, named = _base_curve(drawn)
    once, always = drawn.curve("pass@", _ONCE), drawn.curve("pass^", _ALWAYS)
    if always and once[0].x == 1 < always[0].x:
        always.insert(0, replace(once[0], line=_ALWAYS))  # of one attempt, once is every time
    caption = [*_reached(drawn, most), "What lies between the lines the model can do, but does not do every time."]
    if base:
        caption.append(
            f"The dotted line is {named}: a checkpoint that starts above it and ends below it has become surer of what "
            "it could do, and able to do less."
        )
    return Picture(
        "What more attempts reach",
        f"pass@k and pass^k over k on {short(drawn.suite)}; the numbers are in the table of all numbers",
        (lines_svg([*once, *always, *base], attempts_axis(), "share of problems", zero=True),),
        (*caption, *_crossover(drawn)),
    )


def groups(drawn: Drawn) -> Picture | str:
    """pass@1 and pass@K of each group of problems."""
    found = [(match, usable(drawn.metrics, name)) for name in drawn.metrics if (match := _GROUPED.fullmatch(name))]
    rows = [(match[1], match[2], metric) for match, metric in found if metric]
    names = list(dict.fromkeys(group for _, group, _ in rows))
    if len(names) < 2:
        return "No picture by group: fewer than two groups of problems have a number."
    shown = set(names[:MOST_GROUPS])
    kinds = sorted({kind for kind, _, _ in rows}, key=lambda kind: int(kind.removeprefix("pass@")))
    caption = ["Each line is the interval of one number; one of few problems is long."]
    if len(names) > MOST_GROUPS:
        caption.append(f"The first {MOST_GROUPS} of {len(names):,} groups are drawn.")
    disparity = drawn.known("disparity")
    if disparity:
        moved = f"{'falls' if disparity.value >= 0.0 else 'rises'} by {abs(100 * disparity.value):.0f} %"
        caption.append(f"From the first group to the last, pass@1 {moved} (disparity {disparity.text}).")
    intervals = [
        Interval(f"group {group}", metric.value, metric.low, metric.high, kind)
        for kind, group, metric in rows
        if group in shown
    ]
    chart = intervals_svg(intervals, "share of problems", kinds, COLOURS, MARKS, signed=False)
    described = f"{' and '.join(kinds)} by group on {short(drawn.suite)}; the numbers are in the table of all numbers"
    return Picture("By group of problems", described, (chart,), tuple(caption))


def certainty(drawn: Drawn) -> Picture | str:
    """The reliability diagram."""
    bins = [found for b in drawn.profile.reliability.get(drawn.suite, ()) if (found := _certain(b))]
    if not bins:
        return "No reliability diagram: no graded attempt came with a confidence."
    total = sum(b.count for b in bins)
    said, right = (sum(b.count * v for b, v in zip(bins, vs, strict=True)) / total for vs in _columns(bins))
    source, ece = drawn.profile.confidence, drawn.known("calibration.ece")
    caption = [
        f"On average the model was {percent(said)} sure, and {percent(right)} of the attempts were right.",
        "On the dashed line it is right as often as it says; a dot below the line is surer than it should be.",
        "The bars below count the attempts.",
        f"Source of the confidence: {short(source, 120) if source else 'not recorded'}.",
        *([f"ECE, how far the dots are from the line on average: {ece.text}."] if ece else []),
    ]
    described = f"Share of right attempts over confidence on {short(drawn.suite)}"
    return Picture("Is it right as often as it says?", described, (reliability_svg(bins),), tuple(caption))


def past(other: Relative, key: str) -> Known | None:
    """A number of an earlier checkpoint or of the base, where it has one."""
    value, low, high = other.metrics.get(key, (None, None, None))
    found = known(value)
    return None if found is None else Known(key, found, known(low), known(high))


def _reached(drawn: Drawn, most: int) -> Iterator[str]:
    once, at_k, all_k = (drawn.known(name) for name in ("pass@1", f"pass@{most}", f"pass^{most}"))
    if once and at_k:
        always = f" and {percent(all_k.value)} every time" if all_k else ""
        yield (
            f"One attempt solves {percent(once.value)} of the problems; {most} attempts solve "
            f"{percent(at_k.value)} at least once{always}."
        )


def _base_curve(drawn: Drawn) -> tuple[list[Point], str]:
    """pass@k of the base, or of the oldest checkpoint of the history where no base is named; and its name."""
    base, history = drawn.profile.base, drawn.profile.history
    same = [other for other in history if base is None or other.profile_digest == base.profile_digest]
    prefix = f"{drawn.suite}/pass@"
    for other in [*([base] if base else []), *same[:1]]:
        named = f"pass@k of {'the base' if base else 'the first checkpoint'}, {short(other.name, 18)}"
        found = [(k, past(other, f"{prefix}{k}")) for k in numbers_after(prefix, other.metrics)]
        points = [metric.at(named, k) for k, metric in found if metric]
        if points:
            return points, named
    return [], ""


def _crossover(drawn: Drawn) -> Iterator[str]:
    metric = drawn.metrics.get("crossover")
    if metric is None or (metric.estimate is None and metric.low is None):
        return
    if metric.estimate is None:
        yield f"The base does not catch up within the attempts that were made ({short(metric.reason or '', 200)})."
    elif metric.estimate <= 1.0:
        yield "The base solves as many problems or more from the first attempt on."
    else:
        ends = interval(metric.low, metric.high, decimals=0)
        yield f"From {metric.estimate:.0f} attempts on ({ends}) the base solves as many problems or more."


def _columns(bins: list[Certainty]) -> Iterator[list[float]]:
    yield [b.confidence for b in bins]
    yield [b.accuracy for b in bins]


def _certain(b: Bin) -> Certainty | None:
    accuracy, confidence = known(b.accuracy.value), known(b.confidence)
    if not b.attempts or accuracy is None or confidence is None:
        return None
    return Certainty(b.low, b.high, b.attempts, confidence, accuracy, known(b.accuracy.low), known(b.accuracy.high))


Draw = Callable[[Drawn], Picture | str]
