"""Rise and collapse: the detector quantities by hand, and a peak that luck does not raise."""

import itertools
import math

import numpy as np
import pytest

from ratchet.metrics.bounds import lower_bound, p_at_least, p_at_most, upper_bound
from ratchet.metrics.dynamics import SEED, carry_over, dynamics, over_seeds, peak_before, scored_peak
from ratchet.metrics.intervals import TAIL


def history(steps: int, problems: int, attempts: int, rng: np.random.Generator) -> np.ndarray:
    """A flat one: every problem has the same rate at all steps."""
    return rng.binomial(attempts, np.broadcast_to(rng.beta(3, 3, problems), (steps, problems))) / attempts


def test_a_rise_and_collapse_by_hand() -> None:
    found = dynamics([0.2, 0.6, 0.5, 0.3, 0.1])
    # gap .6 - .1 = .5; below .6 - .25 = .35 first at step 3; the largest fall is .2 (steps 2 to 3 and 3 to 4): .2 / .5
    assert (found.peak, found.peak_step, found.end, found.collapse, found.onset) == (0.6, 1, 0.1, True, 3)
    assert (found.gap, found.ratio, found.jump_share) == pytest.approx((0.5, 1 / 6, 0.4))
    assert found.reasons == {}


def test_iterative_sft_on_gsm8k_peaks_at_its_third_round_and_does_not_collapse() -> None:
    # arXiv 2407.05013, LLaMA2-7B: 41.6, 49, 53.9, 51, 49.6 %. gap 4.3; half of it is lost below 51.75, at step 3;
    # the largest fall from the peak on is 2.9 of 4.3
    found = dynamics([0.416, 0.49, 0.539, 0.51, 0.496])
    assert (found.peak_step, found.collapse, found.onset) == (2, False, 3)
    assert (found.gap, found.ratio, found.jump_share) == pytest.approx((0.043, 49.6 / 53.9, 2.9 / 4.3))


def test_a_fall_before_the_peak_is_no_part_of_the_gap() -> None:
    # from the peak at step 2 on: .7 .65 .5, gap .2, falls .05 and .15; the fall of .4 before it does not count
    assert dynamics([0.5, 0.1, 0.7, 0.65, 0.5]).jump_share == pytest.approx(0.15 / 0.2)


def test_the_first_of_equal_peaks_counts_and_a_recovery_brings_the_share_above_one() -> None:
    found = dynamics([0.6, 0.2, 0.6, 0.4])
    assert found.peak_step == 0
    assert found.jump_share == pytest.approx(0.4 / 0.2)


def test_what_is_undefined_is_none_with_a_reason() -> None:
    rising = dynamics([0.1, 0.2])
    assert (rising.gap, rising.ratio, rising.onset, rising.jump_share) == (0.0, 1.0, None, None)
    assert set(rising.reasons) == {"onset", "jump_share"}
    zero = dynamics([0.0, 0.0])
    assert (zero.ratio, zero.gap) == (None, 0.0)
    assert set(zero.reasons) == {"onset", "jump_share", "ratio"}
    nothing = dynamics([])
    assert nothing.peak is None and nothing.collapse is None and len(nothing.reasons) == 8
    with pytest.raises(ValueError, match="not a finite number"):
        dynamics([0.1, math.nan])


def test_what_a_campaign_carries_over_is_the_next_start_minus_its_end() -> None:
    assert carry_over([[0.1, 0.4], [0.3, 0.2], [], [0.5]]) == (pytest.approx(-0.1), None, None)
    assert carry_over([[0.1]]) == ()


@pytest.mark.parametrize("clusters", [None, np.arange(24) // 3])
def test_each_problem_is_scored_at_the_step_that_led_over_those_before_it(clusters: np.ndarray | None) -> None:
    values = history(4, 24, 2, np.random.default_rng(1))
    units = np.arange(24) if clusters is None else clusters
    order = np.random.default_rng(SEED).permutation(units.max() + 1)  # order[u] is the place of unit u
    for problem, scored in enumerate(peak_before(values, clusters)):
        sums = [sum(step[p] for p in range(24) if order[units[p]] < order[units[problem]]) for step in values]
        assert scored == values[sums.index(max(sums)), problem]


def test_a_peak_that_both_halves_see_is_scored_on_all_problems() -> None:
    rates = np.array([0.2, 0.9, 0.5])
    values = np.repeat(rates[:, None], 40, axis=1)
    found = scored_peak(values)
    assert found.peak_steps == (1, 1)
    assert found.collapse is True
    assert (found.peak.value, found.end.value, found.gap.value) == pytest.approx((0.9, 0.5, 0.4))
    assert found.ratio.value == pytest.approx(5 / 9)
    # upper ends: the largest of the steps' own, that of the peak's .9 and of its differences of .4
    assert found.peak.high == pytest.approx(upper_bound(values[1], 1.0, TAIL))
    assert found.gap.high == pytest.approx(upper_bound(values[1] - values[2], 1.0, TAIL))
    # lower end: only the first problem of the order has no problems before it and takes step 0, .2 - .5 = -.3
    assert found.gap.low == pytest.approx(lower_bound(np.append(np.full(39, 0.4), -0.3), -1.0, TAIL))


def test_the_ends_of_the_ratio_are_where_its_p_values_are_half_of_five_per_cent() -> None:
    rng = np.random.default_rng(8)
    values = rng.binomial(4, np.array([[0.3], [0.8], [0.4]]) * rng.beta(4, 2, 60)) / 4
    found = scored_peak(values).ratio
    end = values[-1]
    assert p_at_least(end - found.high * peak_before(values), 0.0, 1.0) == pytest.approx(TAIL, rel=1e-6)
    assert max(p_at_most(end - found.low * step, 0.0, -found.low) for step in values[:2]) <= TAIL * (1 + 1e-6)
    assert p_at_most(end - found.low * values[1], 0.0, -found.low) == pytest.approx(TAIL, rel=1e-6)


def test_a_flat_history_shows_no_fall() -> None:
    # ten equal steps: the largest mean lies above the last one by luck, and a paired interval of that says "fallen"
    rng, repeats, ours, naive = np.random.default_rng(3), 600, 0, 0
    for _ in range(repeats):
        values = history(10, 60, 1, rng)
        ours += p_at_most(peak_before(values) - values[-1], 0.0, -1.0) <= TAIL  # the gap's low is above 0
        naive += p_at_most(values[values.mean(axis=1).argmax()] - values[-1], 0.0, -1.0) <= TAIL
    assert ours / repeats <= TAIL + 3 * math.sqrt(TAIL * (1 - TAIL) / repeats)
    assert naive / repeats > 0.08


def test_the_gap_of_a_flat_history_is_zero_on_average_and_the_plain_one_is_not() -> None:
    # 30 problems of one attempt, ten equal steps: the plain gap is about .1 by luck alone
    rng, repeats = np.random.default_rng(5), 15
    histories = [history(10, 30, 1, rng) for _ in range(repeats)]
    scored = np.array([scored_peak(values).gap.value for values in histories])
    plain = np.array([dynamics(list(values.mean(axis=1))).gap for values in histories])
    assert abs(scored.mean()) < 3 * scored.std() / math.sqrt(repeats)
    assert plain.mean() > 0.08


def test_problems_without_a_value_at_some_step_are_left_out() -> None:
    values = np.tile(np.array([[0.5], [0.25]]), (1, 6))
    values[0, 2] = np.nan
    found = scored_peak(values, np.array([0, 0, 1, 1, 2, 2]))
    assert (found.gap.value, found.gap.denominator, found.gap.left_out) == (0.25, 5, 1)


@pytest.mark.parametrize("values", [np.empty((0, 5)), np.empty((3, 0)), np.ones((3, 1)), np.full((2, 4), np.nan)])
def test_with_fewer_than_two_problems_nothing_is_scored(values: np.ndarray) -> None:
    found = scored_peak(values)
    assert found.gap.value is None and found.gap.reason
    assert found.peak_steps is None and found.collapse is None


def test_one_cluster_cannot_be_halved() -> None:
    assert scored_peak(np.ones((2, 4)), np.zeros(4, dtype=np.int64)).peak.value is None


def test_a_peak_of_zero_has_no_ratio() -> None:
    found = scored_peak(np.zeros((3, 10)))
    assert (found.gap.value, found.ratio.value, found.ratio.reason) == (0.0, None, "the peak is 0")


def test_seeds_are_resampled_in_pairs() -> None:
    ours, theirs = [0.3, 0.2, 0.4], [0.2, 0.2, 0.1]
    found = over_seeds(ours, theirs)
    # differences .1, 0, .3; the 27 means of three of them, each as likely
    means = [(a + b + c) / 3 for a, b, c in itertools.product([0.1, 0.0, 0.3], repeat=3)]
    assert found.value == pytest.approx(0.4 / 3)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    drawn = over_seeds(list(np.tile(ours, 3)))
    assert drawn.low is not None and 0.2 < drawn.low < 0.3 < drawn.high < 0.4


def test_an_interval_over_three_or_five_seeds_covers_less_than_it_says() -> None:
    for count, covers in ((3, 0.67), (5, 0.84)):
        draws = np.random.default_rng(1).normal(0.0, 1.0, (300, count))
        hits = sum(found.low <= 0.0 <= found.high for found in (over_seeds(list(row)) for row in draws))
        assert abs(hits / 300 - covers) < 3 * math.sqrt(covers * (1 - covers) / 300)


def test_one_seed_has_no_interval_and_unequal_seeds_no_pairs() -> None:
    one = over_seeds([0.3])
    assert (one.value, one.low, one.reason) == (0.3, None, "one seed has no interval")
    assert over_seeds([]).value is None
    with pytest.raises(ValueError, match="2 seeds against 1"):
        over_seeds([0.1, 0.2], [0.1])
