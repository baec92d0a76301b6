"""The metrics of one suite, each with its interval and with what it could not use."""

from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.evaluate.measures import Booleans, Measure, default_measures, measure
from ratchet.evaluate.profile import Metric, SuiteCounts
from ratchet.evaluate.suite import Suite
from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import NO_CONFIDENCE, ece
from ratchet.metrics.intervals import TAIL, Estimate, mean_estimate
from ratchet.metrics.melded import Melded, Sampled, meld


def suite_metrics(suite: Suite, ks: Sequence[int] | None = None) -> Iterator[Metric]:
    """Every default measure of the suite, its calibration, and pass@1 and pass@K by group; K is the largest k."""
    names = default_measures(suite, ks)
    for name in names:
        yield averaged(suite, name)
    yield metric(suite, "calibration.ece", _ece(suite))
    widest = [name for name in names if name.startswith("pass@") and "-" not in name][-1]
    for group in groups(suite):
        for name in dict.fromkeys(("pass@1", widest)):
            yield averaged(suite, name, group)
    yield metric(suite, "disparity", disparity(suite))


def suite_counts(suite: Suite) -> SuiteCounts:
    """How much evidence a suite holds; `fewest_attempts` counts every attempt, whatever came of it."""
    counts = suite.counts
    correct = int(counts.correct.sum())
    return SuiteCounts(
        problems=len(counts.problem_ids),
        attempts=counts.attempts,
        fewest_attempts=int((counts.graded + counts.ungradable + counts.errors).min()),
        correct=correct,
        incorrect=int(counts.graded.sum()) - correct,
        ungradable=int(counts.ungradable.sum()),
        errors=int(counts.errors.sum()),
    )


def averaged(suite: Suite, name: str, group: str | None = None) -> Metric:
    """The mean of a measure over the suite's problems, or over those of one group."""
    found = measure(name)
    assert found is not None, f"no measure is named {name}"
    chosen = members(suite, group)
    named = name if group is None else f"{name}[group={group}]"
    short = found.too_few(suite, chosen)
    if short:
        return metric(suite, named, Estimate(None, left_out=int(chosen.sum()), reason=short), chosen)
    return metric(suite, named, _mean(suite, found, chosen), chosen)


def metric(suite: Suite, name: str, estimate: Estimate, chosen: Booleans | None = None) -> Metric:
    """The estimate as a metric of the profile, with the ungradable and failed attempts of the chosen problems."""
    picked = slice(None) if chosen is None else chosen
    return Metric(
        suite=suite.name,
        name=name,
        estimate=estimate.value,
        low=estimate.low,
        high=estimate.high,
        numerator=estimate.numerator,
        denominator=estimate.denominator,
        ungradable=int(suite.counts.ungradable[picked].sum()),
        errors=int(suite.counts.errors[picked].sum()),
        left_out=estimate.left_out,
        reason=estimate.reason,
    )


def groups(suite: Suite) -> list[str]:
    """The names of the suite's groups in their order: numbers before words, 2 before 10."""
    names = {name for name in suite.counts.groups if name is not None}
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def disparity(suite: Suite) -> Estimate:
    """Group disparity (p(first) - p(last)) / p(first) of pass@1 over the first and the last group of the suite (P1).

    Its interval melds the bounds of the two groups' means. Null with fewer than two groups, or where nothing of the
    first is solved. With 1 the last group is not solved at all, below 0 it is solved more often than the first.
    """
    ends = disparity_ends(suite)
    if ends is None:
        return Estimate(None, left_out=len(suite.counts.groups), reason="fewer than two groups with graded attempts")
    first, last = (suite.share[chosen].mean() for chosen in ends)
    if first == 0.0:
        return Estimate(None, left_out=len(suite.counts.groups), reason="pass@1 of the first group is 0")
    known = melded_disparity(suite, ends)
    return Estimate(
        value=known.value,
        low=known.lower(TAIL),
        high=known.upper(TAIL),
        numerator=float(first - last),
        denominator=float(first),
        left_out=len(suite.counts.groups) - int(ends[0].sum() + ends[1].sum()),
    )


def disparity_ends(suite: Suite) -> tuple[Booleans, Booleans] | None:
    """Which problems with graded attempts are in the first and which in the last group; None with fewer than two."""
    graded = suite.counts.graded > 0
    filled = [chosen for name in groups(suite) if (chosen := members(suite, name) & graded).any()]
    return (filled[0], filled[-1]) if len(filled) > 1 else None


def melded_disparity(suite: Suite, ends: tuple[Booleans, Booleans]) -> Melded:
    """What is known of the disparity between the two sets of problems."""
    clusters = suite.clusters
    first, last = (
        Sampled(suite.share[chosen, None], rises, None if clusters is None else clusters[chosen])
        for chosen, rises in zip(ends, ((True,), (False,)), strict=True)
    )
    return meld([first, last], lambda means: 1.0 - _ratio(means[:, 1], means[:, 0]))


def _ratio(top: Floats, bottom: Floats) -> Floats:
    ratio: Floats = np.divide(top, bottom, out=np.full(len(top), np.inf), where=bottom > 0.0)
    return ratio


def _mean(suite: Suite, found: Measure, chosen: Booleans) -> Estimate:
    clusters = suite.clusters
    return mean_estimate(found.values(suite)[chosen], found.undefined, None if clusters is None else clusters[chosen])


def members(suite: Suite, group: str | None) -> Booleans:
    """Which problems are in the group; all where none is named."""
    if group is None:
        return np.ones(len(suite.counts.groups), dtype=bool)
    return np.array([name == group for name in suite.counts.groups])


def _ece(suite: Suite) -> Estimate:
    stated = suite.confidences
    if stated is None:
        return Estimate(None, left_out=len(suite.counts.graded), reason=NO_CONFIDENCE)
    return ece(stated)
