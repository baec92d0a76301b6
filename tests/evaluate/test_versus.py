"""A profile beside its base: what is gained, lost, selected, and where the base catches up."""

from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import InputError
from ratchet.evaluate.build import Beside, evaluate
from ratchet.evaluate.profile import Metric, Profile, read_profile
from ratchet.records import Attempt
from ratchet.storage import write_records


def profile_of(folder: Path, right: list[int], n: int, base: Path | None = None, prefix: str = "p") -> Path:
    rows = [
        Attempt(f"{prefix}{i:03}", "correct" if j < c else "incorrect", attempt=j)
        for i, c in enumerate(right)
        for j in range(n)
    ]
    path = folder.with_suffix(".parquet")
    write_records(path, rows, Attempt, {"checkpoint": f"sha256:{folder.name}"})
    return evaluate([path], folder, folder.name, beside=Beside(base=base))


def metric(profile: Profile, name: str) -> Metric:
    found = profile.metric("default", name)
    assert found is not None, name
    return found


def test_sets_curves_and_attribution_by_hand(tmp_path: Path) -> None:
    base = profile_of(tmp_path / "base", [0, 2, 4], 4)
    profile = read_profile(profile_of(tmp_path / "new", [2, 4, 2], 4, base))
    # chance of right for the candidate and wrong for the base: .5*1, 1*.5, .5*0; the other way: 0, 0, .5
    assert metric(profile, "improvement.share").estimate == pytest.approx(1 / 3)
    assert metric(profile, "regression.share").estimate == pytest.approx(0.5 / 3)
    # the base against itself: c(n-c)/(n(n-1)) = 0, 4/12, 0
    assert metric(profile, "improvement.share.null").estimate == pytest.approx(1 / 9)
    # The base's pass@k on the set, from the three attempts that did not choose: problem 0 has none right, problem 1
    # two of three: pass@1 = 2/3, pass@2 = 1. Both weigh .5.
    assert metric(profile, "improvement.base_pass@1").estimate == pytest.approx((0 + 0.5 * 2 / 3) / 1.0)
    assert metric(profile, "improvement.base_pass@2").estimate == pytest.approx(0.5)
    # control: weights 1, .5, 0, and the same pass@k
    assert metric(profile, "control.base_pass@2").estimate == pytest.approx(0.5 / 1.5)
    # null: only problem 1, judged by two attempts of which one is right
    assert metric(profile, "null.base_pass@1").estimate == pytest.approx(0.5)
    assert metric(profile, "attribution.selection").estimate == pytest.approx(0.5)
    assert metric(profile, "attribution.capability").estimate == pytest.approx(0.5)
    assert metric(profile, "attribution.selection.null").estimate == pytest.approx(1.0)
    selection, capability = metric(profile, "attribution.selection"), metric(profile, "attribution.capability")
    assert (selection.low, selection.high) == pytest.approx((1 - capability.high, 1 - capability.low))
    # pass@1: .5 and 2/3; pass@2: (0 + 5/6 + 1)/3 = .61 and (5/6 + 1 + 5/6)/3: the base never catches up
    crossover = metric(profile, "crossover")
    assert (crossover.estimate, crossover.reason) == (None, "right-censored: at k = 4 the base is still behind")


def test_the_base_and_the_history_are_named_with_their_digests(tmp_path: Path) -> None:
    base = profile_of(tmp_path / "base", [0, 2, 4], 4)
    profile = read_profile(profile_of(tmp_path / "new", [2, 4, 2], 4, base))
    assert profile.base is not None
    assert (profile.base.name, profile.base.checkpoint) == ("base", "sha256:base")
    assert profile.base.metrics["default/pass@1"][0] == pytest.approx(0.5)


def test_an_unchanged_model_attributes_its_gains_as_its_null_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(0.5, 0.5, 400)
    base = profile_of(tmp_path / "base", rng.binomial(12, rates).tolist(), 12)
    profile = read_profile(profile_of(tmp_path / "again", rng.binomial(12, rates).tolist(), 12, base))
    selection, null = metric(profile, "attribution.selection"), metric(profile, "attribution.selection.null")
    assert selection.low is not None and selection.high is not None and null.estimate is not None
    assert selection.low <= null.estimate <= selection.high
    gained, chance = metric(profile, "improvement.share"), metric(profile, "improvement.share.null")
    assert gained.estimate == pytest.approx(chance.estimate, abs=0.02)


def test_few_attempts_leave_the_attribution_null_with_a_reason(tmp_path: Path) -> None:
    base = profile_of(tmp_path / "base", [0, 1, 1], 1)
    profile = read_profile(profile_of(tmp_path / "new", [1, 1, 0], 1, base))
    assert metric(profile, "improvement.share").estimate == pytest.approx(1 / 3)
    for name, needed in (("attribution.selection", 3), ("improvement.share.null", 2)):
        found = metric(profile, name)
        assert found.estimate is None
        assert found.reason == f"some problem has fewer than {needed} graded attempts of the base"


def test_a_base_with_other_problems_is_refused(tmp_path: Path) -> None:
    base = profile_of(tmp_path / "base", [0, 1], 2, prefix="q")
    with pytest.raises(InputError, match="'p000' is on one side only"):
        profile_of(tmp_path / "new", [1, 1], 2, base)
