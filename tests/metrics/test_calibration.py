"""ECE, Brier score and reliability bins by hand; intervals that hold where a bootstrap of a biased number fails."""

import math

import numpy as np
import pytest
from scipy import stats

from ratchet.metrics.calibration import (
    BINS,
    SEED,
    Bracket,
    Confidences,
    bin_of,
    brier,
    brier_by_problem,
    brier_change,
    ece,
    ece_bracket,
    ece_change,
    reliability_bins,
)
from ratchet.metrics.intervals import TAIL

# Problem 0: .9 right, .9 wrong. Problem 1: .25 right. Problem 2 has no confidence. Problem 3: 1.0 right, .9 right.
SMALL = Confidences(
    problems=np.array([0, 0, 1, 3, 3]),
    confidence=np.array([0.9, 0.9, 0.25, 1.0, 0.9]),
    correct=np.array([1, 0, 1, 1, 1]),
    count=4,
)


def profile(confidence: np.ndarray, correct: np.ndarray, clusters: np.ndarray | None = None) -> Confidences:
    """Problems x attempts."""
    problems, attempts = confidence.shape
    numbers = np.repeat(np.arange(problems), attempts)
    return Confidences(numbers, confidence.ravel(), correct.ravel().astype(np.int64), problems, clusters)


def overconfident(
    gap: float, sharpness: float, t: np.ndarray, luck: np.ndarray, rng: np.random.Generator
) -> Confidences:
    """Attempts that are right with chance confidence - gap, so that ECE is the gap; luck is shared by the profiles."""
    confidence = 0.3 + 0.7 * rng.beta(sharpness * t, sharpness * (1 - t), luck.shape)
    return profile(confidence, luck < confidence - gap)


def percentile_bootstrap(profiles: list[Confidences], rng: np.random.Generator, resamples: int = 200) -> np.ndarray:
    """Plug-in ECE, or the difference of two, of resampled problems."""
    count = profiles[0].count
    weights = rng.multinomial(count, np.full(count, 1 / count), resamples)
    eces = []
    for data in profiles:
        gaps = np.zeros((count, BINS))
        np.add.at(gaps, (data.problems, bin_of(data.confidence)), data.confidence - data.correct)
        eces.append(np.abs(weights @ gaps).sum(axis=1) / len(data.problems))
    return eces[0] if len(eces) == 1 else eces[0] - eces[1]


def test_bins_are_closed_on_the_right_and_the_first_holds_zero() -> None:
    edges = np.arange(BINS + 1) / BINS
    assert bin_of(edges).tolist() == [0, *range(BINS)]
    assert bin_of(edges[:-1] + 1e-6).tolist() == list(range(BINS))
    # however an edge was computed: 1/3 is the upper edge of bin 4, also as 1 - 2/3
    assert bin_of(np.array([1 / 3, 1 - 2 / 3, 0.1 + 0.2 + 1 / 30])).tolist() == [4, 4, 4]


def test_ece_gives_every_problem_the_same_weight() -> None:
    found = ece(SMALL)
    # .9 is in (13/15, 14/15], .25 in (3/15, 4/15], 1.0 in the last. Gaps, each over 3 problems:
    # .9: problem 0 (-.1 + .9) / 2 = .4, problem 3 -.1 / 2 = -.05, sum .35; .25: -.75; 1.0: 0. (.35 + .75) / 3
    assert found.value == pytest.approx(1.1 / 3)
    assert (found.numerator, found.denominator, found.left_out) == (pytest.approx(1.1), 3, 1)


def test_with_equally_many_attempts_ece_is_that_of_the_plain_pool() -> None:
    rng = np.random.default_rng(2)
    confidence, correct = rng.random((30, 4)), rng.random((30, 4)) < 0.5
    pool = 0.0
    for low in range(BINS):
        inside = (confidence > low / BINS) & (confidence <= (low + 1) / BINS)
        if inside.any():
            pool += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    assert ece(profile(confidence, correct)).value == pytest.approx(pool)


def test_an_average_over_attempts_would_hide_what_ece_sees() -> None:
    # each problem has one attempt at 1.0 that is wrong and one at 0 that is right: .5 and half right on average
    confidence, correct = np.tile([1.0, 0.0], (20, 1)), np.tile([0, 1], (20, 1))
    assert ece(profile(confidence, correct)).value == 1.0


def test_reliability_bins_by_hand() -> None:
    bins = reliability_bins(SMALL)
    assert len(bins) == BINS and bins[0].low == 0.0 and bins[-1].high == 1.0
    # .9: problem 0 with weight 1 and half of it right, problem 3 with weight 1/2 and all right: (1/2 + 1/2) / (3/2)
    nine = bins[13]
    assert (nine.attempts, nine.problems, nine.confidence) == (3, 2, pytest.approx(0.9))
    assert nine.accuracy.value == pytest.approx(2 / 3)
    assert nine.accuracy.low < 2 / 3 < nine.accuracy.high
    assert (bins[14].attempts, bins[14].accuracy.value, bins[14].accuracy.high) == (1, 1.0, 1.0)
    assert (bins[5].attempts, bins[5].confidence, bins[5].accuracy.value) == (0, None, None)
    assert bins[5].accuracy.reason == "no confidence in this bin"
    weights = [bins[b].accuracy.denominator for b in (3, 13, 14)]
    gaps = [abs(bins[b].confidence - bins[b].accuracy.value) for b in (3, 13, 14)]
    assert np.dot(weights, gaps) / 3 == pytest.approx(ece(SMALL).value)


def test_the_brier_score_is_the_mean_over_problems() -> None:
    # problem 0: (.01 + .81) / 2 = .41; problem 1: .5625; problem 3: (0 + .01) / 2 = .005
    assert brier_by_problem(SMALL) == pytest.approx([0.41, 0.5625, math.nan, 0.005], nan_ok=True)
    found = brier(SMALL)
    assert found.value == pytest.approx((0.41 + 0.5625 + 0.005) / 3)
    assert (found.denominator, found.left_out) == (3, 1)


def test_without_a_confidence_all_is_null_with_a_reason() -> None:
    nothing = Confidences(np.array([], dtype=np.int64), np.array([]), np.array([], dtype=np.int64), 5)
    for found in (ece(nothing), brier(nothing)):
        assert (found.value, found.low, found.left_out) == (None, None, 5)
        assert found.reason == "no graded attempt has a confidence"
    assert all(one.accuracy.value is None for one in reliability_bins(nothing))
    assert ece_change(nothing, nothing) is None
    assert brier_change(nothing, nothing) is None


def test_what_is_no_confidence_is_refused() -> None:
    one = np.array([0])
    for value in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match="not between 0 and 1"):
            Confidences(one, np.array([value]), one, 1)
    with pytest.raises(ValueError, match="one entry an attempt"):
        Confidences(one, np.array([0.5, 0.5]), one, 1)
    with pytest.raises(ValueError, match="2 clusters for 1 problems"):
        Confidences(one, np.array([0.5]), one, 1, np.array([0, 1]))


@pytest.mark.parametrize("wrong", [0, 1, 7])
def test_for_an_always_sure_model_the_upper_end_is_clopper_pearson(wrong: int) -> None:
    # each problem's gap is 1 where it is wrong and 0 where it is right: nothing varies with none wrong
    correct = np.repeat([0, 1], [wrong, 60 - wrong])[:, None]
    found = ece(profile(np.ones((60, 1)), correct))
    assert found.value == pytest.approx(wrong / 60)
    assert found.high == pytest.approx(stats.beta.ppf(1 - TAIL, wrong + 1, 60 - wrong))
    assert found.low == 0.0 if wrong < 2 else found.low > 0.0


@pytest.mark.parametrize("clusters", [None, np.arange(40) // 4])
def test_each_problem_is_weighed_with_the_signs_of_those_before_it(clusters: np.ndarray | None) -> None:
    rng = np.random.default_rng(6)
    confidence, correct = rng.choice([0.1, 0.5, 0.9], (40, 1)), rng.random((40, 1)) < 0.5
    units = np.arange(40) if clusters is None else clusters
    order = np.random.default_rng(SEED).permutation(units.max() + 1)
    gaps = (confidence - correct).ravel()
    expected = []
    for i in range(40):
        before = [j for j in range(40) if order[units[j]] < order[units[i]]]
        in_bin = sum(gaps[j] for j in before if confidence[j] == confidence[i])
        overall = sum(gaps[j] for j in before)
        sign = in_bin if abs(in_bin) > 1e-12 else overall  # no gap seen in the bin: that of all bins
        expected.append(gaps[i] * (-1.0 if sign < 0.0 else 1.0))
    assert ece_bracket(profile(confidence, correct, clusters)).below.values == pytest.approx(np.array(expected))


def test_a_bootstrap_misses_what_the_interval_covers() -> None:
    # Perfectly calibrated, 200 problems of one attempt: the plug-in ECE is about .08 and each resample adds more noise,
    # so the bootstrap never reaches down to the true 0. Always sure and wrong one time in a hundred, 50 problems: with
    # nothing wrong (chance .99^50 = 61 %) nothing varies, and the bootstrap is the point 0.
    rng, repeats = np.random.default_rng(9), 120
    covered, peer = np.zeros(2), np.zeros(2)
    for _ in range(repeats):
        calibrated = overconfident(0.0, 8.0, rng.beta(5, 2, (200, 1)), rng.random((200, 1)), rng)
        sure = profile(np.ones((50, 1)), rng.random((50, 1)) >= 0.01)
        for i, (data, truth) in enumerate(((calibrated, 0.0), (sure, 0.01))):
            found = ece_bracket(data)
            covered[i] += found.p_at_most(truth) > TAIL and (truth == 0.0 or found.p_at_least(truth) > TAIL)
            low, high = np.quantile(percentile_bootstrap([data], rng), (TAIL, 1 - TAIL))
            peer[i] += low <= truth <= high
    assert (covered / repeats >= 0.925).all()
    assert peer[0] == 0
    assert peer[1] / repeats < 0.5


def test_a_rise_to_the_margin_is_not_said_to_be_less_and_a_sharper_model_not_to_be_better() -> None:
    # ECE from 0 to .05, and two calibrated models of which one is sharper: biases differ, and plug-in differences err
    rng, repeats, alpha = np.random.default_rng(10), 150, 0.05
    worlds = ((0.05, 8.0, 0.0, 8.0, 8), (0.0, 1.0, 0.0, 50.0, 64))
    less, more, peer_less = np.zeros(2), np.zeros(2), np.zeros(2)
    for _ in range(repeats):
        for i, (gap, sharpness, other_gap, other_sharpness, attempts) in enumerate(worlds):
            t, shared = rng.beta(5, 2, (100, 1)), rng.random((100, 1))
            luck = np.where(rng.random((100, attempts)) < 0.7, shared, rng.random((100, attempts)))
            sides = [overconfident(g, k, t, luck, rng) for g, k in ((gap, sharpness), (other_gap, other_sharpness))]
            found = ece_change(*sides)
            assert isinstance(found, Bracket)
            less[i] += found.p_at_least(gap - other_gap) <= alpha
            more[i] += found.p_at_most(gap - other_gap) <= alpha
            peer_less[i] += np.quantile(percentile_bootstrap(sides, rng), 1 - alpha) < gap - other_gap
    assert (np.maximum(less, more) / repeats <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / repeats)).all()
    assert (peer_less / repeats > 0.25).all()


def test_a_large_rise_is_established_and_a_large_fall_too() -> None:
    rng = np.random.default_rng(12)
    t, luck = rng.beta(5, 2, (300, 1)), rng.random((300, 8))
    better, worse = (overconfident(gap, 8.0, t, luck, rng) for gap in (0.0, 0.25))
    rise, fall = ece_change(worse, better), ece_change(better, worse)
    assert rise is not None and fall is not None
    assert rise.value == pytest.approx(ece(worse).value - ece(better).value)
    assert rise.p_at_most(0.05) < 0.001 and rise.lower(0.05) > 0.15
    assert fall.p_at_least(0.0) < 0.001
    assert (fall.lower(0.05), fall.upper(0.05)) == pytest.approx((-rise.upper(0.05), -rise.lower(0.05)))
    assert brier_change(worse, better).value == pytest.approx(brier(worse).value - brier(better).value)


def test_the_same_profile_twice_shows_no_change() -> None:
    rng = np.random.default_rng(13)
    data = overconfident(0.1, 8.0, rng.beta(5, 2, (80, 1)), rng.random((80, 4)), rng)
    found, squares = ece_change(data, data), brier_change(data, data)
    assert found is not None and squares is not None
    assert found.value == 0.0
    assert found.lower(0.05) < 0.0 < found.upper(0.05)
    # every difference is 0: 1 - .05^(1/80) remains possible
    assert squares.upper(0.05) == pytest.approx(1 - 0.05 ** (1 / 80))


def test_only_problems_with_a_confidence_on_both_sides_are_compared() -> None:
    other = Confidences(np.array([0, 2]), np.array([0.4, 0.4]), np.array([0, 0]), 4)
    found, squares = ece_change(SMALL, other), brier_change(SMALL, other)
    assert found is not None and squares is not None
    # problem 0 alone: gaps of .4 in one bin on both sides; squares .41 against .16
    assert found.value == pytest.approx(0.0)
    assert squares.value == pytest.approx(0.25)


def test_problems_of_one_cluster_are_one_observation() -> None:
    # ten sources of ten problems, each source all right or all wrong at confidence 1
    wrong = np.repeat([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 10)[:, None]
    alone = ece(profile(np.ones((100, 1)), 1 - wrong))
    together = ece(profile(np.ones((100, 1)), 1 - wrong, np.arange(100) // 10))
    assert together.value == alone.value == pytest.approx(0.1)
    assert together.high == pytest.approx(stats.beta.ppf(1 - TAIL, 2, 9))
    assert together.high > alone.high
