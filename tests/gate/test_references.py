"""References: the best of a history without the luck of being chosen, slow erosion, alpha over a lineage, overrides."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ratchet.errors import InputError
from ratchet.gate.case import Case, load_case
from ratchet.gate.decide import decide
from ratchet.gate.verdict import Verdict

Maker = Callable[..., Path]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIXTEEN = "  pass@16: {tier: critical, max_drop: 0.05}\n"


def case(candidate: Path, policy: Path, *history: Path, **references: Path) -> Case:
    return load_case(candidate, references, policy, history=history)


def judged(candidate: Path, policy: Path, *history: Path, **references: Path) -> Verdict:
    return decide(case(candidate, policy, *history, **references), NOON)


def test_the_best_is_chosen_by_even_attempts_and_compared_by_odd_ones(profile: Maker, policy: Maker) -> None:
    rules = policy(SIXTEEN, "", "[base]", "[best]")
    # `right` puts the right attempts first: 9 of 16 are 5 even ones (of 8) and 4 odd ones (of 8)
    rounds = [profile("one", [6] * 200), profile("two", [9] * 200), profile("three", [8] * 200)]
    found = case(profile("new", [8] * 200), rules, *rounds)
    best = found.references["best"]
    assert best.profile.name == "two"
    assert set(best.suites["sums"].counts.graded.tolist()) == {8}
    assert set(best.suites["sums"].counts.correct.tolist()) == {4}
    result = decide(found, NOON).axes[0]
    assert (result.reference, result.reference_estimate, result.difference) == ("best", 0.5, 0.0)


def test_the_best_of_ten_equal_rounds_is_no_reason_to_block_an_equal_candidate(profile: Maker, policy: Maker) -> None:
    # Rates of .5, 100 problems x 16: the best of ten is chosen 1.5 standard errors (.019) too high. Compared by the
    # attempts that chose it, the mean difference would be that far below 0; by the others it is 0.
    rng = np.random.default_rng(5)
    rules, differences = policy(SIXTEEN, "", "[base]", "[best]"), []
    for trial in range(12):
        names = [f"r{trial}-{i}" for i in range(10)]
        made = [profile(name, rng.binomial(16, 0.5, 100).tolist()) for name in names]
        shuffled = case(profile(f"new{trial}", rng.binomial(16, 0.5, 100).tolist()), rules, *made)
        result = decide(shuffled, NOON).axes[0]
        differences.append(result.difference or 0.0)
        assert result.outcome != "harm"
    # the fixture's right attempts come first, so odd attempts hold at most one fewer: between -.5 and 0 of 8
    assert abs(np.mean(differences)) < 0.05


def test_the_best_that_is_the_base_counts_once_with_all_of_its_attempts(profile: Maker, policy: Maker) -> None:
    rules = policy(SIXTEEN, "", "[base]", "[base, best]")
    base, later = profile("base", [9] * 200), profile("later", [6] * 200)
    found = case(profile("new", [9] * 200), rules, base, later, base=base)
    assert list(found.references) == ["base = best"]
    assert set(found.references["base = best"].suites["sums"].counts.graded.tolist()) == {16}


def test_no_history_is_an_error_that_says_how_to_give_one(profile: Maker, policy: Maker) -> None:
    rules = policy(SIXTEEN, "", "[base]", "[base, best]")
    verdict = judged(profile("new", [9] * 200), rules, base=profile("base", [9] * 200))
    assert (verdict.verdict, verdict.exit_code) == ("ERROR", 3)
    assert verdict.reasons == (
        "the policy compares with best, which nobody gave; give --history, or --first where there is none yet",
    )


def test_slow_erosion_is_seen_from_the_base_and_the_best_and_not_from_the_champion(
    profile: Maker, policy: Maker
) -> None:
    # pass@1 of 1,000 problems falls by 1/32 a round: five rounds lose .156
    rounds = [profile(f"round{i}", [10 - i // 2] * 500 + [10 - (i + 1) // 2] * 500) for i in range(5)]
    new = profile("new", [10 - 5 // 2] * 500 + [10 - 6 // 2] * 500)
    champion = judged(new, policy(SIXTEEN, "", "[base]", "[champion]"), champion=rounds[4])
    assert champion.verdict == "PROMOTE"
    everything = policy(SIXTEEN, "", "[base]", "[base, champion, best]")
    verdict = judged(new, everything, *rounds, base=rounds[0], champion=rounds[4])
    assert (verdict.verdict, verdict.kind) == ("BLOCK", "regression")
    assert {r.reference for r in verdict.axes if r.outcome == "harm"} == {"base = best"}
    assert verdict.lineage == tuple(f"sha256:{name}" for name in (*(f"round{i}" for i in range(5)), "new"))
    assert any("Roll forward round0 (round 1 of this lineage)" in line for line in verdict.advice)
    assert "Give the next run a budget of 4 rounds: the peak's and 3 more." in verdict.advice
    assert any("pass@1 was already below round 1 by more than the margin in round 3" in line for line in verdict.advice)


def test_a_rise_and_a_fall_of_more_than_a_fifth_is_a_collapse(profile: Maker, policy: Maker) -> None:
    rules = policy(SIXTEEN, "", "[base]", "[base, best]")
    rounds = [profile("one", [6] * 200), profile("two", [12] * 200)]
    verdict = judged(profile("new", [5] * 200), rules, *rounds, base=rounds[0])
    assert (verdict.verdict, verdict.kind) == ("BLOCK", "collapse")


def test_both_halves_of_a_reversal_are_stated_at_once(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", [8] * 240 + [0] * 160), policy(), base=profile("base", [4] * 400))
    reversal = verdict.reversal
    assert reversal is not None
    assert (reversal.axis, reversal.reference) == ("pass@16", "base")
    assert (reversal.rise, reversal.harm) == (pytest.approx(0.05), pytest.approx(-0.4))
    assert 0.0 < reversal.rise_low < 0.05 and reversal.p <= 0.05
    assert any(reason.startswith("reversal: pass@1 rose by 0.050") for reason in verdict.reasons)


def test_equal_spending_divides_alpha_and_open_spending_sums_to_it(profile: Maker, policy: Maker) -> None:
    equal = policy("against:", "lineage: {spend: equal, rounds: 10}\nagainst:")
    new, base = profile("new", [9] * 100), profile("base", [9] * 100)
    assert case(new, equal, base, base=base).alpha == pytest.approx(0.005)
    assert judged(new, equal, base, base=base).alpha == pytest.approx(0.005)
    opened = policy("against:", "lineage: {spend: open}\nagainst:")
    spent = []
    for looks in range(1, 2000):
        found = case(new, opened, base=base)
        spent.append(Case(found.policy, found.candidate, {}, (found.candidate,) * looks).alpha)
        if looks > 3:
            break
    # 6/pi^2 (1 + 1/4 + 1/9 + 1/16) of .05; the whole series sums to .05
    assert spent == pytest.approx([0.05 * 6 / np.pi**2 / t**2 for t in range(1, 5)])


def test_a_lineage_without_history_or_beyond_its_plan_is_an_error(profile: Maker, policy: Maker) -> None:
    rules = policy("against:", "lineage: {spend: equal, rounds: 1}\nagainst:")
    new, base, later = profile("new", [9] * 100), profile("base", [9] * 100), profile("later", [9] * 100)
    assert "no history was given" in judged(new, rules, base=base).reasons[0]
    beyond = judged(new, rules, base, later, base=base)
    assert "over 1 gates of one lineage, and this is number 2" in beyond.reasons[0]


def overriding(policy: Maker, expires: str) -> Path:
    return policy("against:", f"override: {{reason: new tokenizer, by: ada, expires: {expires}}}\nagainst:")


def test_an_override_promotes_and_says_what_the_gate_said(profile: Maker, policy: Maker) -> None:
    new, base = profile("new", [2] * 100), profile("base", [8] * 100)
    verdict = judged(new, overriding(policy, "2026-01-01"), base=base)
    assert (verdict.verdict, verdict.exit_code, verdict.kind) == ("PROMOTE", 0, "regression")
    assert verdict.overridden is not None and verdict.overridden.verdict == "BLOCK"
    assert verdict.reasons[0] == (
        "OVERRIDDEN by ada until 2026-01-01: new tokenizer. Without the override the verdict is BLOCK."
    )


def test_an_override_opens_the_deadlock_of_a_missing_reference(profile: Maker, policy: Maker) -> None:
    verdict = judged(profile("new", [8] * 100), overriding(policy, "2026-02-01"))
    assert verdict.verdict == "PROMOTE"
    assert verdict.overridden is not None and verdict.overridden.verdict == "ERROR"


def test_an_override_does_not_make_up_for_the_candidates_own_evidence(profile: Maker, policy: Maker) -> None:
    new, base = profile("new", [8] * 40), profile("base", [8] * 40)
    verdict = judged(new, overriding(policy, "2026-02-01"), base=base)
    assert (verdict.verdict, verdict.overridden) == ("ERROR", None)


def test_an_expired_override_is_an_error(profile: Maker, policy: Maker) -> None:
    new, base = profile("new", [9] * 100), profile("base", [8] * 100)
    verdict = judged(new, overriding(policy, "2025-12-31"), base=base)
    assert verdict.verdict == "ERROR"
    assert "the policy's override by ada (new tokenizer) expired on 2025-12-31" in verdict.reasons[0]


def test_best_is_not_given_as_a_folder(profile: Maker, policy: Maker) -> None:
    with pytest.raises(InputError, match="a reference named 'best'"):
        case(profile("new", [9] * 100), policy(), best=profile("base", [8] * 100))
