"""The paired change of any metric between two profiles' suites."""

import re
from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.averages import disparity_ends, members
from ratchet.evaluate.measures import Booleans, measure
from ratchet.evaluate.suite import Suite
from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import NO_CONFIDENCE, ece, ece_change
from ratchet.metrics.melded import Sampled, meld
from ratchet.metrics.paired import Change, PairedMean, RelativeMean

_GROUPED = re.compile(r"(?P<measure>.+)\[group=(?P<group>.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Changed:
    """A metric before and after, over the problems that have a value on both sides, and the change between the two."""

    before: float
    after: float
    change: Change
    problems: int


def changed(
    name: str, before: Suite, after: Suite, relative: bool = False, only: Booleans | None = None
) -> Changed | str:
    """The change of a metric, or why there is none. Both suites hold the same problems.

    A `relative` change is that of an average, as a share of what it was; `only` says which problems it is taken over.
    """
    if name == "calibration.ece":
        return _ece(before, after)
    if name == "disparity":
        return _disparity(before, after)
    grouped = _GROUPED.fullmatch(name)
    chosen = members(after, grouped["group"] if grouped else None)
    if only is not None:
        chosen &= only
    return _average(grouped["measure"] if grouped else name, before, after, chosen, relative)


def _average(name: str, before: Suite, after: Suite, chosen: Booleans, relative: bool) -> Changed | str:
    found = measure(name)
    if found is None:
        return "no paired change is defined for it"
    short = found.too_few(before, chosen) or found.too_few(after, chosen)
    if short:
        return short
    was, now = found.values(before), found.values(after)
    chosen = chosen & ~np.isnan(was + now)
    if not chosen.any():
        return f"on no problem do both sides have a value ({found.undefined})"
    was, now, clusters = was[chosen], now[chosen], _of(after, chosen)
    if relative and not was.any():
        return "it is 0 for the reference: a relative change is undefined"
    change = RelativeMean(now, was, clusters) if relative else PairedMean(now - was, clusters=clusters)
    return Changed(float(was.mean()), float(now.mean()), change, len(was))


def _disparity(before: Suite, after: Suite) -> Changed | str:
    """First and last group are those that `after` has."""
    ends = disparity_ends(after)
    if ends is None:
        return "fewer than two groups with graded attempts"
    shares = np.column_stack([before.share, after.share])
    both = ~np.isnan(shares).any(axis=1)
    first, last = (chosen & both for chosen in ends)
    if not (first.any() and last.any()) or not shares[first].any(axis=0).all():
        return "pass@1 of the first group is 0 or unknown on one side"
    was, now = 1.0 - shares[last].mean(axis=0) / shares[first].mean(axis=0)
    samples = [
        Sampled(shares[chosen], rises, _of(after, chosen))
        for chosen, rises in ((first, (False, True)), (last, (True, False)))
    ]
    return Changed(float(was), float(now), meld(samples, _risen_disparity), int(first.sum() + last.sum()))


def _risen_disparity(means: Floats) -> Floats:
    """Rows of (first before, first after, last before, last after)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change: Floats = means[:, 2] / means[:, 0] - means[:, 3] / means[:, 1]
    return change


def _ece(before: Suite, after: Suite) -> Changed | str:
    was, now = before.confidences, after.confidences
    change = None if was is None or now is None else ece_change(now, was)
    if was is None or now is None or change is None:
        return NO_CONFIDENCE
    values = ece(was).value, ece(now).value
    assert values[0] is not None and values[1] is not None, "both sides state confidences"
    return Changed(values[0], values[1], change, len(change.below.values))


def _of(suite: Suite, chosen: Booleans) -> np.ndarray | None:
    return None if suite.clusters is None else suite.clusters[chosen]
