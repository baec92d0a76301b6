"""What a profile says of the rounds before it: pass@1 at its peak, and how far it has fallen since."""

from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.evaluate.averages import metric
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite, require_same_problems
from ratchet.metrics.dynamics import dynamics, scored_peak
from ratchet.metrics.intervals import Estimate


def over_rounds(suites: Sequence[Suite]) -> Iterator[Metric]:
    """The dynamics of pass@1 over the rounds, the present one last; every round holds the same problems.

    Peak, gap and ratio are scored on problems that did not choose the peak. Onset, jump share and collapse describe the
    curve as it was seen and have no interval. Steps count from 0, the oldest round.
    """
    last = suites[-1]
    for number, suite in enumerate(suites[:-1]):
        require_same_problems(last, suite, f"round {number} of the history")
    shares = np.array([suite.share for suite in suites])
    scored = scored_peak(shares, last.clusters)
    for name, estimate in (("peak", scored.peak), ("gap", scored.gap), ("ratio", scored.ratio)):
        yield metric(last, f"dynamics.{name}", estimate)
    known = shares[:, ~np.isnan(shares).any(axis=0)]
    if not known.size:
        return
    seen = dynamics(known.mean(axis=1).tolist())
    plain = {
        "peak_step": seen.peak_step,
        "collapse": None if scored.collapse is None else int(scored.collapse),
        "onset": seen.onset,
        "jump_share": seen.jump_share,
    }
    for name, value in plain.items():
        reason = seen.reasons.get(name, "nothing to score" if value is None else None)
        yield metric(last, f"dynamics.{name}", Estimate(value, denominator=known.shape[1], reason=reason))
