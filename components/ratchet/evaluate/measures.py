"""The metrics of one suite: each an average over problems, with its interval and with what it could not use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ratchet.evaluate.profile import Metric, SuiteCounts
from ratchet.metrics.bounds import lower_bound, upper_bound
from ratchet.metrics.counts import ProblemCounts, cluster_indices, count_problems
from ratchet.metrics.diversity import distinct_n_by_problem, first_correct_texts
from ratchet.metrics.pass_at_k import pass_at_k

if TYPE_CHECKING:
    import pyarrow as pa

CONFIDENCE_LEVEL = 0.95
CORRECT_SAMPLES_COMPARED = 4  # distinct-n falls with the number of texts: every problem contributes this many
LONGEST_GRAM = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """The problems that a metric speaks of: a suite, or one group of it."""

    suite: str
    group: str | None
    attempts: "pa.Table"
    counts: ProblemCounts

    def named(self, metric: str) -> str:
        """The metric's name, with the group where the slice is one."""
        return metric if self.group is None else f"{metric}[group={self.group}]"


def suite_metrics(suite: str, attempts: "pa.Table", ks: Sequence[int] | None = None) -> list[Metric]:
    """pass@k, distinct-n of correct samples and, where problems have groups, pass@1 and pass@K of each group.

    Without `ks`: powers of two up to the largest number of graded attempts at a problem. K is the largest k.
    """
    whole = Slice(suite, None, attempts, count_problems(attempts))
    chosen = sorted(set(ks)) if ks else powers_of_two(int(whole.counts.graded.max(initial=0)))
    metrics = [_pass_at_k(whole, k) for k in chosen]
    metrics += _diversity(whole)
    for group in _groups(whole):
        metrics += [_pass_at_k(group, k) for k in sorted({1, chosen[-1]})]
    return metrics


def suite_counts(attempts: "pa.Table") -> SuiteCounts:
    """How much evidence a suite holds; `fewest_attempts` counts every attempt, whatever came of it."""
    counts = count_problems(attempts)
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


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4 and so on up to `most`; 1 alone where there is less."""
    return [2**exponent for exponent in range(max(most, 1).bit_length())]


def _pass_at_k(part: Slice, k: int) -> Metric:
    """Null where a problem that has evidence has fewer than k graded attempts: the rest would be other problems."""
    graded = part.counts.graded
    too_few = int(((graded > 0) & (graded < k)).sum())
    if too_few:
        reason = f"{too_few} of {len(graded)} problems have fewer than {k} graded attempts"
        return _null(part, f"pass@{k}", reason)
    return _average(part, f"pass@{k}", pass_at_k(part.counts.correct, graded, k), "no graded attempts")


def _diversity(whole: Slice) -> Iterator[Metric]:
    texts = first_correct_texts(whole.attempts, whole.counts.problem_ids, CORRECT_SAMPLES_COMPARED)
    for n in range(1, LONGEST_GRAM + 1):
        reason = f"no problem has {CORRECT_SAMPLES_COMPARED} correct samples with a text of {n} tokens"
        yield _average(whole, f"diversity.distinct_{n}.correct", distinct_n_by_problem(texts, n), reason)


def _groups(whole: Slice) -> Iterator[Slice]:
    import pyarrow.compute as pc

    column = whole.attempts["group"]
    for group in sorted(name for name in pc.unique(column).to_pylist() if name is not None):
        rows = whole.attempts.filter(pc.equal(column, group))
        yield Slice(whole.suite, group, rows, count_problems(rows))


def _average(part: Slice, name: str, values: NDArray[np.float64], reason: str) -> Metric:
    """The mean of the values that are defined, between 0 and 1; null for `reason` where none is."""
    defined = ~np.isnan(values)
    if not defined.any():
        return _null(part, name, reason)
    kept = values[defined]
    clusters = cluster_indices(part.counts.clusters)[defined]
    alpha = (1.0 - CONFIDENCE_LEVEL) / 2
    return Metric(
        suite=part.suite,
        name=part.named(name),
        estimate=float(kept.mean()),
        low=lower_bound(kept, 0.0, alpha, clusters),
        high=upper_bound(kept, 1.0, alpha, clusters),
        numerator=float(kept.sum()),
        denominator=len(kept),
        ungradable=int(part.counts.ungradable.sum()),
        errors=int(part.counts.errors.sum()),
        left_out=int((~defined).sum()),
    )


def _null(part: Slice, name: str, reason: str) -> Metric:
    problems = len(part.counts.problem_ids)
    return Metric(
        suite=part.suite,
        name=part.named(name),
        estimate=None,
        low=None,
        high=None,
        numerator=None,
        denominator=0,
        ungradable=int(part.counts.ungradable.sum()),
        errors=int(part.counts.errors.sum()),
        left_out=problems,
        reason=reason,
    )
