"""What a profile says beside its base: improvement and regression sets, where new solutions come from, crossover."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ratchet.evaluate.averages import metric
from ratchet.evaluate.measures import powers_of_two
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite, require_same_problems
from ratchet.metrics import attribution
from ratchet.metrics.attribution import Reached
from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers
from ratchet.metrics.crossover import crossover
from ratchet.metrics.intervals import Estimate, mean_estimate, ratio_estimate
from ratchet.metrics.pass_at_k import pass_at_k

_NOTHING = "no problem has graded attempts on both sides"
LARGEST_K = 64  # the curves of the literature end here


def compared_with_base(suite: Suite, base: Suite) -> Iterator[Metric]:
    """The metrics of a suite that need the base's attempts at the same problems."""
    pair = _pair(suite, base)
    if isinstance(pair, str):
        for name in ("improvement.share", "regression.share", "attribution.selection", "crossover"):
            yield metric(suite, name, Estimate(None, left_out=len(suite.counts.graded), reason=pair))
        return
    for name, estimate in (*_sets(pair), *_curves(pair), ("crossover", _crossover(pair))):
        yield metric(suite, name, estimate)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The problems with graded attempts on both sides: the candidate's share of right ones, and (correct, graded)."""

    share: Floats
    mine: tuple[Integers, Integers]
    base: tuple[Integers, Integers]
    clusters: Integers | None

    def average(self, values: Floats) -> Estimate:
        return mean_estimate(values, _NOTHING, self.clusters)

    def reach(self, reached: Reached, of: str) -> Estimate:
        return ratio_estimate(reached.parts, reached.wholes, f"{of} is empty", self.clusters)


def _pair(suite: Suite, base: Suite) -> _Pair | str:
    """The paired problems; why not where there is nothing to pair, an InputError where the problems are others."""
    require_same_problems(suite, base, "the base")
    both = (suite.counts.graded > 0) & (base.counts.graded > 0)
    if not both.any():
        return _NOTHING
    mine, theirs = ((side.counts.correct[both], side.counts.graded[both]) for side in (suite, base))
    return _Pair(suite.share[both], mine, theirs, None if suite.clusters is None else suite.clusters[both])


def _sets(pair: _Pair) -> Iterator[tuple[str, Estimate]]:
    yield "improvement.share", pair.average(attribution.gained(pair.share, *pair.base))
    yield "regression.share", pair.average(attribution.lost(pair.share, *pair.base))
    enough = pair.base[1].min() >= 2
    chance = attribution.flipped_by_chance(*pair.base) if enough else np.full(len(pair.share), np.nan)
    yield "improvement.share.null", pair.average(chance) if enough else _few(2)


def _curves(pair: _Pair) -> Iterator[tuple[str, Estimate]]:
    """The base's pass@k on the improvement set, on all its failures and on what chance gains; then attribution."""
    fewest = int(pair.base[1].min())
    ks = powers_of_two(min(LARGEST_K, fewest - 2)) if fewest > 2 else []
    kinds: tuple[tuple[str, str, Callable[[int], Reached]], ...] = (
        (
            "improvement",
            "the improvement set",
            lambda k: attribution.reached_in_improvement(pair.share, *pair.base, k),
        ),
        ("control", "the set of the base's failures", lambda k: attribution.reached_in_failures(*pair.base, k)),
        ("null", "the null's improvement set", lambda k: attribution.reached_by_chance(*pair.base, k)),
    )
    for name, of, reached in kinds:
        for k in ks:
            yield f"{name}.base_pass@{k}", pair.reach(reached(k), of)
    if not ks:
        yield "attribution.selection", _few(3)
        return
    selected, null = kinds[0][2](ks[-1]), kinds[2][2](ks[-1])
    yield "attribution.selection", pair.reach(selected, kinds[0][1])
    yield "attribution.capability", pair.reach(Reached(selected.wholes - selected.parts, selected.wholes), kinds[0][1])
    yield "attribution.selection.null", pair.reach(null, kinds[2][1])


def _crossover(pair: _Pair) -> Estimate:
    fewest = min(LARGEST_K, int(pair.base[1].min()), int(pair.mine[1].min()))
    gaps = [pass_at_k(*pair.base, k) - pass_at_k(*pair.mine, k) for k in range(1, fewest + 1)]
    return crossover(gaps, pair.clusters)


def _few(needed: int) -> Estimate:
    return Estimate(None, reason=f"some problem has fewer than {needed} graded attempts of the base")
