"""`ratchet policy`: presets that hold, and what a policy could never decide."""

import json
import math
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ratchet.cli import invoke as ratchet
from ratchet.errors import InputError
from ratchet.gate.case import Case
from ratchet.gate.checking import alpha_of_gate, check_policy, least_to_establish, least_to_exclude
from ratchet.gate.policy import Axis, Policy
from ratchet.gate.presets import PRESETS, preset
from ratchet.metrics.harm import p_of_harm
from ratchet.metrics.paired import PairedMean, RelativeMean

TODAY = date(2026, 1, 10)


def made(**changed: Any) -> Policy:
    stated: dict[str, Any] = {
        "version": 1,
        "suites": {"main": "sums"},
        "evidence": {"min_problems": 200, "min_attempts": 16},
        "axes": {"pass@1": {"tier": "critical", "max_drop": 0.02}},
        "against": ["base"],
    }
    return Policy.model_validate(stated | changed)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_a_policy_that_could_decide(name: str) -> None:
    policy = Policy.model_validate(yaml.safe_load(preset(name, "gsm8k", ["math", "a b"])))
    assert policy.suites.names == ["gsm8k", "math", "a b"] and "ood.a b.pass@1" in policy.axes
    assert check_policy(policy, TODAY).warnings == ()
    assert Policy.model_validate(yaml.safe_load(preset(name, "gsm8k"))).suites.ood == []


@pytest.mark.parametrize("name", PRESETS)
def test_each_key_of_a_preset_has_a_comment_above_it(name: str) -> None:
    lines = preset(name, "main", ["other"]).splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r'\s*["\w@.]+:', line)]
    assert len(keys) > 15
    assert [lines[i] for i in keys if not lines[i - 1].lstrip().startswith("#")] == []
    assert max(map(len, lines)) <= 120


def test_the_default_preset_is_the_contracts() -> None:
    policy = Policy.model_validate(yaml.safe_load(preset("default", "gsm8k", ["math"])))
    assert (policy.evidence.min_problems, policy.evidence.min_attempts, policy.alpha) == (500, 32, 0.05)
    margins = {name: axis.margin for name, axis in policy.axes.items() if axis.tier == "critical"}
    assert margins == {"pass@1": 0.02, "pass@16": 0.03, "retained": 0.03, "ood.math.pass@1": 0.03}
    assert policy.against == ["base", "champion", "best"]


@pytest.mark.parametrize("name", ["a: b # c", 'with "quotes"', "back\\slash", "日本", "MAIN_SUITE", "yes"])
def test_any_name_of_a_suite_comes_back_as_it_was(name: str) -> None:
    policy = Policy.model_validate(yaml.safe_load(preset("default", name, [f"{name} 2"])))
    assert policy.suites.names == [name, f"{name} 2"]


@pytest.mark.parametrize(("main", "ood"), [("", []), ("a\nb", []), ("a", ["a"]), ("a", ["b", "b"])])
def test_names_that_cannot_be_suites_are_refused(main: str, ood: list[str]) -> None:
    with pytest.raises(InputError, match="suite"):
        preset("default", main, ood)


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.3])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_least_number_is_where_the_gates_own_test_first_decides(margin: float, alpha: float) -> None:
    drop, share = Axis(tier="critical", max_drop=margin), Axis(tier="critical", max_relative_drop=margin)
    least = least_to_exclude(drop, alpha)
    assert least == math.ceil(math.log(alpha) / math.log(1.0 - margin))
    for number, decides in ((least, True), (least - 1, False)):
        assert (PairedMean(np.zeros(number)).p_at_most(-margin) <= alpha) == decides
    for value in (1.0, 0.5):
        least = least_to_exclude(share, alpha, value)
        assert least is not None
        for number, decides in ((least, True), (least - 1, False)):
            same = np.full(number, value)
            assert (RelativeMean(same, same).p_at_most(-margin) <= alpha) == decides
    for axis, lost in (
        (drop, lambda n: PairedMean(np.full(n, -1.0))),
        (share, lambda n: RelativeMean(0 * np.ones(n), np.ones(n))),
    ):
        least = least_to_establish(axis, alpha)
        assert least is not None
        assert lost(least).p_at_least(-margin) <= alpha < lost(least - 1).p_at_least(-margin)


def test_too_few_problems_are_warned_of_axis_by_axis_and_reference_by_reference() -> None:
    # 149 problems at least for .02 and 299 for .01, of 200
    axes = {
        "pass@1": {"tier": "critical", "max_drop": 0.02},
        "pass@8": {"tier": "critical", "max_drop": 0.01},
        "pass@4": {"tier": "supporting", "max_drop": 0.01},
    }
    found = check_policy(made(axes=axes, against=["base", "champion"]), TODAY)
    assert [(row.axis, row.against, row.to_promote, row.enough) for row in found.rows] == [
        ("pass@1", "base", 149, True),
        ("pass@1", "champion", 149, True),
        ("pass@8", "base", 299, False),
        ("pass@8", "champion", 299, False),
        ("pass@4", "base", 299, True),  # a supporting axis need not be excluded to promote
        ("pass@4", "champion", 299, True),
    ]
    assert [line.split(":")[0] for line in found.warnings] == ["pass@8 against base", "pass@8 against champion"]
    assert check_policy(made(axes=axes), TODAY, problems=299).warnings == ()


def test_the_loss_that_blocks_is_the_least_that_does() -> None:
    row = check_policy(made(), TODAY).rows[0]
    assert row.blocks_from is not None
    lost = round(row.blocks_from * 200)
    for number, blocks in ((lost, True), (lost - 1, False)):
        change = PairedMean(np.repeat([-1.0, 0.0], [number, 200 - number]))
        assert (p_of_harm(change, -0.02, rising=False) <= 0.05) == blocks


@pytest.mark.parametrize(
    ("lineage", "looks", "alpha"),
    [(None, 4, 0.05), ({"spend": "equal", "rounds": 10}, 4, 0.005), ({"spend": "open"}, 4, 0.3 / (4 * math.pi) ** 2)],
)
def test_alpha_is_what_the_gate_takes(lineage: Any, looks: int, alpha: float) -> None:
    policy = made(lineage=lineage)
    assert alpha_of_gate(policy, looks) == pytest.approx(alpha)
    gate = Case(policy, None, {}, history=(None,) * looks)  # type: ignore[arg-type]
    assert gate.alpha == pytest.approx(alpha)
    assert check_policy(policy, TODAY).alpha == alpha_of_gate(policy, 1)


def test_a_subset_is_said_to_be_what_counts() -> None:
    found = check_policy(made(axes={"retained": {"tier": "critical", "max_drop": 0.03}}), TODAY)
    # 99 = ceil(ln .05 / ln .97) of 200
    assert found.notes == (
        "retained: only problems that the reference solves reliably count, so 50% of the 200 must be such",
    )


def test_a_margin_of_nothing_is_warned_of() -> None:
    found = check_policy(made(axes={"pass@1": {"tier": "critical", "max_drop": 0.0}}), TODAY)
    assert "nothing is promoted but an established gain" in found.warnings[0]


def test_too_few_attempts_are_warned_of() -> None:
    policy = made(axes={"pass@8": {"tier": "critical", "max_drop": 0.05}}, against=["base", "best"])
    assert check_policy(policy, TODAY).warnings == ()
    assert "8 attempts a problem; 8 leave 4" in check_policy(policy, TODAY, attempts=8).warnings[0]


@pytest.mark.parametrize(
    ("days", "said"), [(-1, "expired on"), (0, ", today"), (5, ", in 5 days"), (90, "until 2026-04-10")]
)
def test_an_override_is_said(days: int, said: str) -> None:
    override = {"reason": "r", "by": "b", "expires": TODAY + timedelta(days)}
    assert said in check_policy(made(override=override), TODAY).warnings[0]


def test_the_commands_write_check_and_refuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "policy.yaml"
    assert ratchet(["policy", "init", "--suite", "gsm8k", "--ood", "math", "--out", str(path)]) == 0
    assert ratchet(["policy", "init", "--suite", "other", "--out", str(path)]) == 64
    assert "there is a file already" in capsys.readouterr().err and "gsm8k" in path.read_text()
    assert ratchet(["policy", "check", str(path)]) == 0
    assert "too few" not in capsys.readouterr().out
    assert ratchet(["policy", "check", str(path), "--problems", "120", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {row["axis"] for row in found["rows"] if not row["enough"]} == {"pass@1"}
    path.write_text("version: 1\n")
    assert ratchet(["policy", "check", str(path)]) == 64
    assert ratchet(["policy", "check", str(tmp_path / "none.yaml")]) == 64
    assert ratchet(["policy", "init", "--suite", "a"]) == 0
