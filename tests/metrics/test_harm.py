"""The p-value of harm: between half of Gaffke's and the whole of it, and right about gains that did not show."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from ratchet.metrics.bounds import p_at_most
from ratchet.metrics.harm import p_above, p_of_harm
from ratchet.metrics.paired import PairedMean, RelativeMean


def by_grid(values: np.ndarray, threshold: float) -> float:
    """The definition, with the largest of 300 shares in place of a search."""
    gaffke, n, least = p_at_most(values, threshold, -1.0), len(values), float(values.min())
    assert gaffke is not None
    shares = np.linspace(0.0, min(0.999, 8.0 / n), 300)
    weighed = [(1.0 - e) ** (0.8 * n) * p_at_most(values, (threshold + e) / (1.0 - e), least) for e in shares]
    return min(gaffke, max(gaffke / 2.0, *weighed))


@pytest.mark.parametrize(("n", "spread", "mean"), [(20, 0.3, 0.2), (60, 0.2, 0.09), (60, 0.02, 0.05), (300, 0.1, 0.03)])
def test_it_is_what_its_definition_says(n: int, spread: float, mean: float) -> None:
    values = np.clip(np.random.default_rng(n).normal(mean, spread, n).round(2), -1.0, 1.0)
    assert p_above(values, 0.02, -1.0) == pytest.approx(by_grid(values, 0.02), rel=2e-3)


def test_where_nothing_varies_it_is_gaffkes() -> None:
    # All 100 values are .05. The others can lie at .05 on average only where a share e with (.02 + e) / (1 - e) = .05,
    # e = .03 / 1.05, was missed; Gaffke's is the chance (1 - e)^100 of that, and .8 of the power would make it larger.
    assert p_above(np.full(100, 0.05), 0.02, -1.0) == pytest.approx((1.0 - 0.03 / 1.05) ** 100, rel=1e-6)


def test_in_a_large_sample_without_gains_it_is_nearly_that_of_t() -> None:
    # mean .0315 and n standard errors 9.1: the unseen problem costs Gaffke 1.02 / 9.1 = .11 of z, and this 0.32 / 9.1
    values = np.repeat([-0.3, 0.0, 0.3], [350, 1090, 560])
    z = (values.mean() - 0.02) / (values.std() / np.sqrt(2000))
    gaffke, ours = p_at_most(values, 0.02, -1.0), p_above(values, 0.02, -1.0)
    assert norm.sf(z) < ours < gaffke
    assert norm.isf(ours) > z - 0.05 > norm.isf(gaffke)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=1, max_size=40), st.floats(-0.5, 0.9))
def test_it_lies_between_half_of_gaffkes_and_the_whole(eighths: list[int], threshold: float) -> None:
    values = np.array(eighths) / 8.0
    gaffke, ours = p_at_most(values, threshold, -1.0), p_above(values, threshold, -1.0)
    assert gaffke is not None
    assert gaffke / 2.0 <= ours <= gaffke


def level(rejects: list[int], n: int, gains: float, low: float, high: float, margin: float) -> float:
    """The chance that a test rejects, exactly: with j problems wholly gained it does from rejects[j] high ones on."""
    share = gains / n
    worst = ((margin + share) / (1.0 - share) - low) / (high - low)  # the share of high ones that puts the mean there
    return sum(
        binom.pmf(j, n, share) * binom.sf(least - 1, n - j, worst) for j, least in enumerate(rejects)
    )  # more than are listed: hardly any


def rejects_from(
    test: Callable[[np.ndarray, float], float], n: int, low: float, high: float, margin: float
) -> list[int]:
    """For 0 to 6 problems wholly gained, the least number of high ones with which the test rejects."""
    found = []
    for gained in range(7):
        least, most = -1, n - gained + 1
        while most - least > 1:
            middle = (least + most) // 2
            values = np.repeat([-1.0, high, low], [gained, middle, n - gained - middle])
            least, most = (least, middle) if test(values, margin) <= 0.05 else (middle, most)
        found.append(most)
    return found


@pytest.mark.parametrize(("n", "low", "high"), [(100, 0.0, 0.06), (100, -0.1, 0.2), (200, -0.01, 0.05)])
def test_rare_whole_gains_that_put_the_mean_at_the_margin_are_not_blocked_for_not_having_shown(
    n: int, low: float, high: float
) -> None:
    # A few of the problems are wholly gained and the others lose or gain a little, so that the true mean is the margin.
    ours = rejects_from(lambda values, margin: p_above(values, margin, -1.0), n, low, high, 0.02)
    assert max(level(ours, n, gains, low, high, 0.02) for gains in (0.0, 0.3, 1.0, 1.5)) <= 0.05


def test_looking_only_at_what_was_seen_would_block_them() -> None:
    # With one gain among 100 problems none shows with chance .366, and then the others, which lose .031 on average to
    # make up for it, look like harm: a p-value that takes the least seen for the least possible errs seven times alpha.
    seen = rejects_from(lambda values, margin: p_at_most(values, margin, float(values.min())), 100, 0.0, 0.06, 0.02)
    assert level(seen, 100, 0.0, 0.0, 0.06, 0.02) <= 0.05
    assert level(seen, 100, 1.0, 0.0, 0.06, 0.02) == pytest.approx(0.353, abs=0.005)


def test_a_rise_is_the_mirror_image_of_a_fall() -> None:
    values = np.array([-0.5, -0.25, 0.0, 0.125, -0.25])
    assert p_of_harm(PairedMean(values), -0.1, rising=False) == p_of_harm(PairedMean(-values), 0.1, rising=True)
    # a change that can be 2 at most, as of a calibration error: the far end is its own
    assert p_of_harm(PairedMean(values, -2.0, 2.0), -0.1, rising=False) > p_of_harm(PairedMean(values), -0.1, False)


def test_clusters_and_relative_changes_keep_gaffkes() -> None:
    values = np.array([-0.5, -0.25, 0.0, 0.125, -0.25, -0.5])
    clustered = PairedMean(values, clusters=np.array([0, 0, 1, 1, 2, 2]))
    assert p_of_harm(clustered, -0.1, rising=False) == clustered.p_at_least(-0.1)
    relative = RelativeMean(np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.5, 0.9]))
    assert p_of_harm(relative, -0.1, rising=False) == relative.p_at_least(-0.1)
    assert p_of_harm(relative, 0.1, rising=True) == relative.p_at_most(0.1)


@pytest.mark.parametrize(("losses", "size"), [(30, 1.0), (60, 0.25), (16, 1.0)])
def test_sparse_losses_among_many_problems_are_weighed_between_half_and_the_whole_of_drawn_weights(
    losses: int, size: float
) -> None:
    # 2,000 problems, a margin of half a point. Gaffke's p-value is the chance that the mean under Dirichlet weights is
    # no worse, with the unseen problem wholly gained: sums of exponential variables, drawn a kind at a time.
    number, margin, draws = 2000, -0.005, 2_000_000
    generator = np.random.default_rng(7)
    kinds = ((0.0, number - losses), (-size, losses), (1.0, 1))
    drawn = np.mean(sum((value - margin) * generator.standard_gamma(count, draws) for value, count in kinds) >= 0.0)
    error = 4.5 * math.sqrt(drawn * (1.0 - drawn) / draws) + 1e-6
    values = np.repeat([0.0, -size], [number - losses, losses])
    assert 0.5 * (drawn - error) <= p_of_harm(PairedMean(values), margin, False) <= drawn + error
    assert PairedMean(values).p_at_least(margin) == pytest.approx(drawn, abs=error)
