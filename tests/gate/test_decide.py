import dataclasses
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.gate.axes import holm
from ratchet.gate.case import load_case
from ratchet.gate.decide import decide
from ratchet.gate.verdict import Verdict

Maker = Callable[..., Path]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def judged(candidate: Path, policy: Path, first: bool = False, **references: Path) -> Verdict:
    return decide(load_case(candidate, references, policy, first), NOON)


def test_a_gain_with_nothing_lost_is_promoted(profile: Maker, policy: Maker) -> None:
    # pass@1 .5 -> .5625 on each of 100 problems; pass@16 is 1 on both sides: with nothing changed the bound is
    # -(1 - .05^(1/100)) = -.0295, within the margin of .05
    verdict = judged(profile("new", [9] * 100), policy(), base=profile("base", [8] * 100))
    assert (verdict.verdict, verdict.kind, verdict.exit_code) == ("PROMOTE", "none", 0)
    one, sixteen = verdict.axes
    assert one.difference == pytest.approx(0.0625)
    assert (sixteen.difference, sixteen.outcome) == (0.0, "ok")
    assert sixteen.low == pytest.approx(-(1 - 0.05**0.01))
    assert sixteen.p_within == pytest.approx(0.95**100)


def test_a_reversal_is_blocked_although_pass_at_1_rose(profile: Maker, policy: Maker) -> None:
    # base: each problem right in 4 of 16. Candidate: 60 % of them right in 8, the others never.
    # pass@1: .25 -> .6 * .5 = .3; pass@16: 1 -> .6
    verdict = judged(profile("new", [8] * 120 + [0] * 80), policy(), base=profile("base", [4] * 200))
    assert (verdict.verdict, verdict.kind, verdict.exit_code) == ("BLOCK", "reversal", 1)
    assert verdict.reasons[0].startswith("pass@16 fell by 0.400 [-0.4")
    assert "against base: beyond the margin of 0.050; pass@1 did not fall (+0.050)" in verdict.reasons[0]
    assert verdict.advice[0] == "Keep base in place and train on from it."
    assert "pass@16 against base" in verdict.advice[1]


def test_a_fall_of_pass_at_1_is_a_regression(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", [2] * 100), policy(), base=profile("base", [8] * 100))
    assert (verdict.verdict, verdict.kind) == ("BLOCK", "regression")
    # every difference is -.375; the unseen one at -1 or 1 has a weight of at most 1 - .05^(1/100) = .0295 at level .05:
    # -.375 - .625 * .0295 = -.393 and -.375 + 1.375 * .0295 = -.334
    assert verdict.reasons == ("pass@1 fell by 0.375 [-0.393, -0.334] against base: beyond the margin of 0.050",)


def test_too_few_unchanged_problems_are_inconclusive_and_the_number_that_decides_is_said(
    profile: Maker, policy: Maker
) -> None:
    # .95^50 = .077 > .05, and .95^n <= .05 from n = ln .05 / ln .95 = 58.4
    less = policy("min_problems: 100", "min_problems: 50")
    verdict = judged(profile("new", [8] * 50), less, base=profile("base", [8] * 50))
    assert (verdict.verdict, verdict.kind, verdict.exit_code) == ("INCONCLUSIVE", "none", 2)
    assert [axis.problems_needed for axis in verdict.axes] == [59, 59]
    assert "about 59 problems" in verdict.reasons[0]
    assert "59 problems" in verdict.advice[0]


def test_a_fall_beyond_the_margin_that_is_not_established_needs_another_candidate(
    profile: Maker, policy: Maker
) -> None:
    # 6 of 100 problems lost outright: -.06 is beyond -.05, but 6 or more of 100 is what a rate of .05 often gives
    verdict = judged(profile("new", [0] * 6 + [16] * 94), policy(), base=profile("base", [16] * 100))
    assert verdict.verdict == "INCONCLUSIVE"
    assert "more problems would not" in verdict.reasons[0]
    assert "another candidate" in verdict.advice[0]


def test_what_must_improve_needs_a_gain(profile: Maker, policy: Maker) -> None:
    strict = policy("pass@1: {tier: critical", "pass@1: {must_improve: true, tier: critical")
    base = profile("base", [8] * 300)
    same = judged(profile("same", [8] * 300), strict, base=base)
    assert same.verdict == "INCONCLUSIVE"
    assert "does not show a gain" in same.reasons[0]
    assert judged(profile("better", [9] * 300), strict, base=base).verdict == "PROMOTE"


def test_a_supporting_axis_turns_promote_into_inconclusive_and_never_blocks(profile: Maker, policy: Maker) -> None:
    verdict = judged(
        profile("new", [8] * 120 + [0] * 80),
        policy("pass@16: {tier: critical", "pass@16: {tier: supporting"),
        base=profile("base", [4] * 200),
    )
    assert (verdict.verdict, verdict.kind) == ("INCONCLUSIVE", "reversal")
    assert verdict.reasons[0].startswith("pass@16 fell")


def test_an_advisory_axis_is_only_shown(profile: Maker, policy: Maker) -> None:
    verdict = judged(
        profile("new", [16] * 120 + [0] * 80),
        policy("pass@16: {tier: critical", "pass@16: {tier: advisory"),
        base=profile("base", [4] * 200),
    )
    assert (verdict.verdict, verdict.kind) == ("PROMOTE", "none")
    assert verdict.reasons[1].startswith("pass@16 fell") and verdict.reasons[1].endswith("(advisory)")


def test_holm_by_hand() -> None:
    # sorted .01 .03 .04 times 3, 2, 1: .03 .06 .04, and never below one before: .03 .06 .06
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]


def test_two_axes_need_stronger_evidence_to_block_than_one(profile: Maker, policy: Maker) -> None:
    # 10 of 100 lost outright gives p = .047 against -.05 on both axes alike: enough for one, not for two (2p).
    candidate, base = profile("new", [0] * 10 + [16] * 90), profile("base", [16] * 100)
    both = judged(candidate, policy(), base=base)
    harm = both.axes[0].p_harm
    assert harm is not None and 0.025 < harm <= 0.05
    assert both.axes[0].p_harm_holm == pytest.approx(2 * harm)
    assert both.verdict == "INCONCLUSIVE"
    alone = policy("pass@16: {tier: critical", "pass@16: {tier: advisory")
    assert judged(candidate, alone, base=base).verdict == "BLOCK"


def test_problems_that_share_a_cluster_are_lost_as_one(profile: Maker, policy: Maker) -> None:
    # 20 of 100 problems lost: established beyond .05 if each stands alone, not if they are 2 of 10 clusters
    lost = [0] * 20 + [16] * 80
    alone = judged(profile("new", lost), policy(), base=profile("base", [16] * 100))
    assert alone.verdict == "BLOCK"
    clustered = judged(
        profile("new2", lost, cluster_size=10), policy(), base=profile("base2", [16] * 100, cluster_size=10)
    )
    assert clustered.verdict == "INCONCLUSIVE"


def test_out_of_distribution_harm_is_a_reversal(rows: Maker, write: Maker, policy: Maker, tmp_path: Path) -> None:
    ood = policy("{main: sums}", "{main: sums, ood: [long]}", "  pass@16:", "  ood.long.pass@1:")
    base = write(tmp_path / "base", [*rows("sums", [8] * 100), *rows("long", [8] * 100)], "sha256:a")
    new = write(tmp_path / "new", [*rows("sums", [8] * 100), *rows("long", [2] * 100)], "sha256:b")
    verdict = judged(new, ood, base=base)
    assert (verdict.verdict, verdict.kind) == ("BLOCK", "reversal")
    assert verdict.reasons[0].startswith("ood.long.pass@1 fell by 0.375")
    assert "pass@1 did not fall (+0.000)" in verdict.reasons[0]


def test_every_reference_must_be_cleared(profile: Maker, policy: Maker) -> None:
    both = policy("against: [base]", "against: [base, champion]")
    verdict = judged(
        profile("new", [6] * 100), both, base=profile("base", [4] * 100), champion=profile("champion", [12] * 100)
    )
    assert (verdict.verdict, verdict.kind) == ("BLOCK", "regression")
    assert [(axis.reference, axis.outcome) for axis in verdict.axes if axis.axis == "pass@1"] == [
        ("base", "ok"),
        ("champion", "harm"),
    ]
    assert verdict.advice[0].startswith("Keep champion")


def test_references_that_are_one_checkpoint_count_once(profile: Maker, policy: Maker) -> None:
    both = policy("against: [base]", "against: [base, champion]")
    base = profile("base", [8] * 100)
    again = profile("again", [7] * 100, checkpoint="sha256:base")
    verdict = judged(profile("new", [9] * 100), both, base=base, champion=again)
    assert list(verdict.references) == ["base = champion"]
    assert len(verdict.axes) == 2
    assert verdict.axes[0].reference_estimate == 0.5


def test_a_first_checkpoint_is_promoted_on_its_evidence(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("m1", [8] * 100), policy(), first=True)
    assert (verdict.verdict, verdict.references) == ("PROMOTE", {})
    assert "nothing to compare with yet" in verdict.reasons[0]
    assert [(a.axis, a.candidate_estimate, a.difference, a.outcome) for a in verdict.axes] == [
        ("pass@1", 0.5, None, "first"),
        ("pass@16", 1.0, None, "first"),
    ]


def test_a_first_checkpoint_with_a_reference_is_a_usage_error(profile: Maker, policy: Maker) -> None:
    with pytest.raises(InputError, match="--first together with --base"):
        load_case(profile("new", [8] * 100), {"base": profile("base", [8] * 100)}, policy(), first=True)


def test_a_reference_that_the_policy_does_not_ask_for_is_noted(profile: Maker, policy: Maker) -> None:
    verdict = judged(
        profile("new", [9] * 100), policy(), base=profile("base", [8] * 100), champion=profile("champion", [16] * 100)
    )
    assert verdict.verdict == "PROMOTE"
    assert "note: champion was given, but the policy does not compare with it" in verdict.reasons


@pytest.mark.parametrize("seed", range(5))
def test_order_and_names_of_problems_do_not_matter(
    seed: int, rows: Maker, write: Maker, policy: Maker, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    before = [dice.choice([0, 2, 8, 15, 16]) for _ in range(120)]
    after = [min(16, max(0, right + dice.choice([-3, 0, 0, 1]))) for right in before]
    plain = judged(
        write(tmp_path / "new", rows("sums", after, cluster_size=2), "sha256:b"),
        policy(),
        base=write(tmp_path / "base", rows("sums", before, cluster_size=2), "sha256:a"),
    )
    order = dice.sample(range(120), 120)
    clusters = [f"z{index // 2 * 7 % 60}" for index in order]  # 7 and 60 share no factor: pairs stay pairs

    def shuffled(name: str, numbers: list[int], digest: str) -> Path:
        renamed = rows("sums", [numbers[index] for index in order], prefix="q")
        moved = [dataclasses.replace(row, cluster=clusters[i // 16]) for i, row in enumerate(renamed)]
        return write(tmp_path / name, dice.sample(moved, len(moved)), digest)

    other = judged(shuffled("new2", after, "sha256:b"), policy(), base=shuffled("base2", before, "sha256:a"))
    assert (other.verdict, other.kind, other.reasons) == (plain.verdict, plain.kind, plain.reasons)
    for mine, theirs in zip(plain.axes, other.axes, strict=True):
        assert mine.p_within == pytest.approx(theirs.p_within) and mine.p_harm == pytest.approx(theirs.p_harm)


def test_the_bounds_agree_with_the_outcome(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", [8, 4] * 100), policy(), base=profile("base", [8] * 200))
    for axis in verdict.axes:
        assert axis.low is not None and axis.high is not None and axis.difference is not None
        assert axis.low < axis.difference < axis.high or math.isclose(axis.difference, 0.0)
        assert (axis.outcome == "ok") == (axis.low > -axis.margin)
