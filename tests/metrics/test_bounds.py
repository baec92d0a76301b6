import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from ratchet.metrics import bounds
from ratchet.metrics.bounds import lower_bound, p_at_least, p_at_most, problems_needed, upper_bound


@pytest.mark.parametrize("n", [1, 2, 50, 300, 10_000])
def test_with_nothing_changed_about_three_over_n_remains_possible(n: int) -> None:
    # The mean is -W with W the unseen value's weight ~ Beta(1, n): P(-W <= m) = (1 + m)^n, so the alpha-quantile is
    # m = -(1 - alpha^(1/n)), about -ln(20)/n = -3/n at alpha = .05.
    same = np.zeros(n)
    assert lower_bound(same, -1.0, 0.05) == pytest.approx(-(1.0 - 0.05 ** (1.0 / n)), rel=1e-7)
    assert upper_bound(same, 1.0, 0.05) == pytest.approx(1.0 - 0.05 ** (1.0 / n), rel=1e-7)
    assert p_at_most(same, -0.02, -1.0) == pytest.approx(0.98**n, rel=1e-9)


@pytest.mark.parametrize(("n", "right"), [(1, 1), (10, 3), (100, 97), (500, 500), (2000, 1000)])
def test_for_zeros_and_ones_the_bound_is_clopper_pearson(n: int, right: int) -> None:
    values = np.repeat([1.0, 0.0], [right, n - right])
    assert lower_bound(values, 0.0, 0.05) == pytest.approx(stats.beta.ppf(0.05, right, n - right + 1), rel=1e-7)
    # P(Beta(right, n - right + 1) <= m) = P(Binomial(n, m) >= right)
    assert p_at_most(values, 0.3, 0.0) == pytest.approx(stats.binom.sf(right - 1, n, 0.3), rel=1e-8)
    if right < n:
        assert upper_bound(values, 1.0, 0.05) == pytest.approx(stats.beta.ppf(0.95, right + 1, n - right), rel=1e-7)


def test_a_tail_of_1e_151_keeps_its_precision() -> None:
    # 500 right of 500, true mean .5: the chance is .5^500
    assert p_at_most(np.ones(500), 0.5, 0.0) == pytest.approx(0.5**500, rel=1e-6)


def test_different_coefficients_agree_with_the_partial_fractions_of_a_hypoexponential() -> None:
    # For distinct a_j: P(sum a_j E_j > 0) = sum over positive a_j of prod_{i != j} a_j / (a_j - a_i)
    values, floor, threshold = np.array([-0.5, -0.1, 0.3, 0.45, 0.8]), -1.0, -0.05
    a = np.append(values, floor) - threshold
    above = sum(math.prod(x / (x - y) for y in a if y != x) for x in a if x > 0.0)
    assert p_at_most(values, threshold, floor) == pytest.approx(1.0 - above, rel=1e-10)


@pytest.mark.parametrize("n", [100, 500, 2000, 10_000])
@pytest.mark.parametrize("wins", [1, 3, 5, 10])
def test_a_few_wins_among_many_problems_agree_with_an_integral_over_the_wins(n: int, wins: int) -> None:
    # n problems as before, some won, the unseen one lost: P(mean weight <= t) = P((1 - t) G_wins <= A) with the sum
    # A = t G_n + (1 + t) E. Given y, P(A > y) = P(t G_n > y) + e^(-y / (1 + t)) E[e^(t G_n / (1 + t)); t G_n <= y]
    # by hand, and the density of G_wins is integrated over. Here small coefficients outweigh the few large ones.
    values = np.repeat([1.0, 0.0], [wins, n])
    for t in (1e-5, 1e-4, 5e-4, 1e-3, 3e-3):

        def above(y: float, t: float = t) -> float:
            under = special.gammainc(n, y * (1.0 / t - 1.0 / (1.0 + t)))
            with np.errstate(divide="ignore"):
                return special.gammaincc(n, y / t) + np.exp(np.log(under) + n * math.log1p(t) - y / (1.0 + t))

        ends = sorted([0.0, 0.5 * n * t, 0.9 * n * t, n * t, 1.1 * n * t, 1.5 * n * t, wins, 5.0 * wins + 20.0, 160.0])
        exact = sum(
            integrate.quad(lambda g: stats.gamma.pdf(g, wins) * above((1.0 - t) * g), low, high, epsrel=1e-11)[0]  # noqa: B023
            for low, high in itertools.pairwise(ends)
        )
        assert p_at_most(values, t, -1.0) == pytest.approx(exact, rel=1e-8)


@given(
    st.lists(st.tuples(st.sampled_from([-1.0, -0.25, -0.1, 0.1, 0.125, 1.0]), st.integers(1, 60)), max_size=4),
    st.integers(0, 30_000),
    st.sampled_from([1e-6, 1e-5, 1e-4, 1e-3, 1e-2]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_changed_p_rises_with_the_threshold_and_the_bounds_are_where_it_is_alpha(
    changed: list[tuple[float, int]], same: int, spread: float
) -> None:
    values = np.repeat([value for value, _ in changed] + [0.0], [count for _, count in changed] + [same])
    if not len(values):
        return
    thresholds = values.mean() + spread * np.linspace(-3.0, 3.0, 13)
    p = [p_at_most(values, float(threshold), -1.0) for threshold in thresholds if -1.0 <= threshold <= 1.0]
    assert all(0.0 <= one <= 1.0 for one in p) and all(one <= two + 1e-9 for one, two in itertools.pairwise(p))
    low = lower_bound(values, -1.0, 0.05)
    if values.min() > -1.0 or values.max() > -1.0:
        assert p_at_most(values, low, -1.0) == pytest.approx(0.05, rel=1e-5)


@pytest.mark.parametrize("threshold", [-0.4, -0.2, -0.1, -0.05])
def test_the_p_value_agrees_with_drawn_dirichlet_weights(threshold: float) -> None:
    generator = np.random.default_rng(5)
    values = generator.choice([-1.0, -0.5, -0.1, 0.0, 0.2, 0.25], 30)
    draws = 200_000
    means = np.empty(draws)
    for start in range(0, draws, 20_000):
        weights = generator.dirichlet(np.ones(31), 20_000)
        means[start : start + 20_000] = weights @ np.append(values, -1.0)
    drawn = np.mean(means <= threshold)
    computed = p_at_most(values, threshold, -1.0)
    assert computed is not None
    assert abs(drawn - computed) < 4.5 * math.sqrt(computed * (1.0 - computed) / draws)


def test_in_a_large_sample_the_bound_is_that_of_t() -> None:
    values = np.random.default_rng(3).choice([-0.25, 0.0, 0.25], 4000)
    t = values.mean() - stats.t.ppf(0.95, 3999) * values.std(ddof=1) / math.sqrt(4000)
    lowest = lower_bound(values, -1.0, 0.05)
    assert lowest is not None
    assert t - 0.001 < lowest < t


def test_rare_outright_losses_pass_a_t_bound_and_not_this_one() -> None:
    # 3 % of the problems are lost outright, so the true mean lies exactly at the margin: promoting is false. A t bound
    # promotes when none (chance .97^100 = .048) or one (.147) of 100 shows up: 19.5 %. This bound only when none does.
    generator, repeats, margin = np.random.default_rng(11), 2000, -0.03
    ours = by_t = 0
    for losses in generator.binomial(100, 0.03, repeats):
        values = np.repeat([-1.0, 0.0], [losses, 100 - losses])
        ours += p_at_most(values, margin, -1.0) <= 0.05
        spread = values.std(ddof=1) / 10.0
        by_t += values.mean() - stats.t.ppf(0.95, 99) * spread > margin
    assert ours / repeats <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert by_t / repeats > 0.15


def test_whole_clusters_lost_are_one_loss_each() -> None:
    # 20 clusters of 5 problems, one lost outright: to the bound, 20 values of which one is -1.
    clusters = np.repeat(np.arange(20), 5)
    values = np.where(clusters == 7, -1.0, 0.0)
    by_cluster = np.repeat([-1.0, 0.0], [1, 19])
    assert lower_bound(values, -1.0, 0.05, clusters) == pytest.approx(lower_bound(by_cluster, -1.0, 0.05))
    assert p_at_least(values, -0.01, 1.0, clusters) == pytest.approx(p_at_least(by_cluster, -0.01, 1.0))


def test_clusters_of_one_problem_change_nothing() -> None:
    values = np.array([0.1, -0.2, 0.4, 0.0])
    assert lower_bound(values, -1.0, 0.1, np.array([2, 0, 3, 1])) == pytest.approx(lower_bound(values, -1.0, 0.1))


def test_the_unseen_cluster_is_as_large_as_the_largest_seen() -> None:
    # One in ten clusters holds 20 problems, the others 1; 5 % of all clusters are lost outright, so the true mean is at
    # the margin. With an unseen cluster of mean size, a quarter of such candidates pass.
    generator, repeats, passed, passed_by_mean = np.random.default_rng(2), 500, 0, 0
    for _ in range(repeats):
        sizes = np.where(generator.random(100) < 0.1, 20, 1)
        lost = np.where(generator.random(100) < 0.05, -1.0, 0.0)
        passed += p_at_most(np.repeat(lost, sizes), -0.05, -1.0, np.repeat(np.arange(100), sizes)) <= 0.05
        coefficients = np.append(sizes * (lost + 0.05), sizes.mean() * (-1.0 + 0.05))
        passed_by_mean += bounds._chance_not_positive(coefficients, np.ones(101)) <= 0.05
    assert passed / repeats <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert passed_by_mean / repeats > 0.15


def test_the_two_p_values_are_mirror_images() -> None:
    values = np.array([0.5, -0.25, 0.0, 0.125])
    assert p_at_least(values, -0.1, 1.0) == pytest.approx(p_at_most(-values, 0.1, -1.0))


def test_values_at_the_ends_of_the_range_are_no_special_case() -> None:
    assert lower_bound(np.full(5, -1.0), -1.0, 0.05) == -1.0
    assert p_at_most(np.full(5, -1.0), -1.0, -1.0) == 1.0
    assert p_at_most(np.array([0.3, 0.4]), -1.0, -1.0) == 0.0  # something above the floor was seen
    assert p_at_most(np.array([0.3, 0.4]), 0.4, -1.0) == 1.0


def test_without_values_there_is_no_bound() -> None:
    nothing = np.array([])
    assert lower_bound(nothing, -1.0, 0.05) is None
    assert upper_bound(nothing, 1.0, 0.05) is None
    assert p_at_most(nothing, 0.0, -1.0) is None
    assert problems_needed(nothing, 0.0, -1.0, 0.05) is None


def test_nan_and_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        lower_bound(np.array([0.0, np.nan]), -1.0, 0.05)
    with pytest.raises(ValueError, match="below -1"):
        p_at_most(np.array([-1.5]), 0.0, -1.0)


def test_unchanged_problems_need_log_alpha_over_log_of_one_minus_the_margin() -> None:
    # (1 - .03)^n = .05 gives n = 98.4, whatever n was seen
    assert problems_needed(np.zeros(50), -0.03, -1.0, 0.05) == 99
    assert problems_needed(np.zeros(4000), -0.03, -1.0, 0.05) == 99


@pytest.mark.parametrize(
    ("values", "margin"),
    [
        (np.append([-1.0, -1.0], np.random.default_rng(3).choice([-0.5, 0.0, 0.5], 98)), 0.03),
        (np.repeat([-1.0, 0.0, 1.0], [1, 96, 3]), 0.01),
        (np.append([1.0, -1.0], np.random.default_rng(4).normal(0.0, 1e-3, 98)), 0.01),
    ],
    ids=["dense", "sparse", "noise beside a gain and a loss"],
)
def test_the_problems_needed_do_decide_and_a_tenth_less_do_not(values: np.ndarray, margin: float) -> None:
    threshold = values.mean() - margin
    needed = problems_needed(values, threshold, -1.0, 0.05)
    assert needed is not None
    enough, too_few = np.tile(values, math.ceil(needed / 100)), np.tile(values, math.floor(0.9 * needed / 100))
    assert p_at_most(enough, threshold, -1.0) <= 0.05 < p_at_most(too_few, threshold, -1.0)


def test_no_number_of_problems_helps_where_the_mean_is_not_above_the_threshold() -> None:
    assert problems_needed(np.array([-0.1, -0.1]), -0.1, -1.0, 0.05) is None
    assert problems_needed(np.array([-0.1, -0.1]), -1.0, -1.0, 0.05) == 1  # something above the floor was seen


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40),
    st.floats(-0.99, 0.99),
    st.floats(0.001, 0.4),
)
def test_bounds_and_p_values_tell_the_same_story(listed: list[float], threshold: float, alpha: float) -> None:
    values = np.array(listed)
    low, high = lower_bound(values, -1.0, alpha), upper_bound(values, 1.0, alpha)
    chance = p_at_most(values, threshold, -1.0)
    assert low is not None and high is not None and chance is not None
    assert -1.0 <= low <= values.mean() + 1e-9 and values.mean() - 1e-9 <= high <= 1.0
    assert 0.0 <= chance <= 1.0
    if abs(threshold - low) > 1e-6:
        assert (chance <= alpha) == (threshold < low)


def test_the_precision_does_not_hang_on_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).beta(0.3, 0.3, 200) - np.random.default_rng(1).beta(0.3, 0.3, 200)
    coarse = p_at_most(values, -0.08, -1.0)
    monkeypatch.setattr(bounds, "_STEPS", (0.025,))
    assert p_at_most(values, -0.08, -1.0) == pytest.approx(coarse, rel=1e-9)
