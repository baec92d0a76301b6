"""What a profile says of the rounds before it: pass@1 at its peak, and how far it has fallen since."""

from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.errors import InputError
from ratchet.evaluate.averages import metric
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite
from ratchet.metrics.dynamics import dynamics, scored_peak
from ratchet.metrics.intervals import Estimate


def over_rounds(suites: Sequence[Suite]) -> Iterator[Metric]:
    """The dynamics of pass@1 over the rounds, the present one last; every round holds the same problems.

    Peak, gap and ratio are scored on problems that did not choose the peak. Onset, jump share and collapse describe the
    curve as it was seen and have no interval. Steps count from 0, the oldest round.
    """
    last = suites[-1]
    _require_same_problems(suites)
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


def _require_same_problems(suites: Sequence[Suite]) -> None:
    wanted = suites[-1].counts.problem_ids
    for number, suite in enumerate(suites[:-1]):
        if suite.counts.problem_ids != wanted:
            other = sorted(set(wanted) ^ set(suite.counts.problem_ids))
            raise InputError(
                f"round {number} of the history has other problems of suite {suite.name!r} "
                f"({other[0]!r} is on one side only)",
                expected="the same problems in every round",
                next="leave out that --history, or evaluate it on the same problem file",
            )
