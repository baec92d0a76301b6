"""The problems that one checkpoint solves and the other does not, the surest first, with answers side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ratchet.evaluate.suite import Suite
from ratchet.evaluate.texts import chosen_texts
from ratchet.metrics.bounds import Floats


@dataclass(frozen=True, slots=True)
class Flip:
    """A problem whose share of right attempts changed, `correct` of `graded` on each side."""

    suite: str
    problem_id: str
    group: str | None
    before: tuple[int, int]
    after: tuple[int, int]
    surprise: float
    text_before: str | None = None
    text_after: str | None = None

    @property
    def lost(self) -> bool:
        """Whether the problem is solved less often than before."""
        return self.after[0] * self.before[1] < self.before[0] * self.after[1]


@dataclass(frozen=True, slots=True)
class FlipCounts:
    """How many problems became unsolved (no attempt right any more), how many solved, of all that both attempted."""

    suite: str
    problems: int
    lost: int
    won: int


def flip_counts(before: Suite, after: Suite) -> FlipCounts:
    """Problems that lost their last right attempt, and those that got their first one."""
    both = (before.counts.graded > 0) & (after.counts.graded > 0)
    solved_before, solved_after = before.counts.correct[both] > 0, after.counts.correct[both] > 0
    lost, won = solved_before & ~solved_after, ~solved_before & solved_after
    return FlipCounts(before.name, int(both.sum()), int(lost.sum()), int(won.sum()))


def flips(before: Suite, after: Suite, most: int) -> list[Flip]:
    """Up to `most` problems lost and as many won, the most surprising first.

    `surprise` is the two-sided p-value of Fisher's exact test on the problem's two rows of counts: how often chance
    alone moves a problem so far. It orders the list; with many problems some small ones are expected.
    """
    shares = after.share - before.share
    surprise = fisher(before, after)
    order = np.lexsort((-np.abs(np.nan_to_num(shares)), surprise))
    lost = [int(i) for i in order if shares[i] < 0.0][:most]
    won = [int(i) for i in order if shares[i] > 0.0][:most]
    return [_flip(before, after, i, float(surprise[i])) for i in (*lost, *won)]


def fisher(before: Suite, after: Suite) -> Floats:
    """Fisher's p-value of each problem, 1 where a side has nothing graded; once for all tables of equal margins."""
    counts = (before.counts.graded, after.counts.graded, before.counts.correct + after.counts.correct)
    margins, place = np.unique(np.column_stack(counts), axis=0, return_inverse=True)
    p_values = np.ones(len(place))
    order = np.argsort(place.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(place.reshape(-1), minlength=len(margins)))
    for (n, m, right), rows in zip(margins.tolist(), np.split(order, ends[:-1]), strict=True):
        if n and m:
            p_values[rows] = _two_sided(n, m, right)[before.counts.correct[rows] - max(0, right - m)]
    return p_values


def _two_sided(n: int, m: int, right: int) -> Floats:
    """For each possible number of right ones on the first side: the chance of those that are no likelier."""
    from scipy.stats import hypergeom

    chances = hypergeom.pmf(np.arange(max(0, right - m), min(n, right) + 1), n + m, n, right)
    ordered = np.sort(chances)
    within = np.searchsorted(ordered, chances * (1.0 + 1e-7), side="right")  # equal ones differ by rounding
    p_values: Floats = np.minimum(np.cumsum(ordered)[within - 1], 1.0)
    return p_values


def with_texts(found: Sequence[Flip], before: Path, after: Path) -> Iterator[Flip]:
    """The flips with one attempt of each side that shows the change: where lost, a right one and then a wrong one."""
    texts_before, texts_after = (chosen_texts(path, 1) for path in (before, after))
    for flip in found:
        was, now = ("correct", "incorrect") if flip.lost else ("incorrect", "correct")
        yield replace(
            flip,
            text_before=next(iter(texts_before.get((flip.suite, was), {}).get(flip.problem_id, [])), None),
            text_after=next(iter(texts_after.get((flip.suite, now), {}).get(flip.problem_id, [])), None),
        )


def _flip(before: Suite, after: Suite, i: int, surprise: float) -> Flip:
    counts = [(int(side.counts.correct[i]), int(side.counts.graded[i])) for side in (before, after)]
    return Flip(before.name, before.counts.problem_ids[i], before.counts.groups[i], counts[0], counts[1], surprise)
