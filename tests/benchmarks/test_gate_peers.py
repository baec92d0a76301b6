"""Ratchet's column of `benchmarks/gate_peers.py`: right on every case, and the cases are what they say."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

Numbers = dict[str, float]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def loaded(name: str) -> ModuleType:
    """A benchmark as a module; its folder stays off the path, where its `profile.py` would hide the standard one."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


cases, tools, peers = (loaded(name) for name in ("gate_cases", "gate_tools", "gate_peers"))
CASES = cases.all_cases(seed=0, repeats=1)
# What the truth of each case asks for; in the three that are a matter of chance, only that nothing wrong is said.
VERDICTS = {
    "reversal": {"BLOCK"},
    "empty results": {"refused (exit 64)", "ERROR"},
    "40 of 500 problems reported, the easiest": {"ERROR"},
    "null: equal rates, margins of 1 point": {"PROMOTE", "INCONCLUSIVE"},
    "1.2 points worse, margins of 1 point": {"BLOCK", "INCONCLUSIVE"},
    "slow erosion, round 5": {"BLOCK"},
    "out-of-distribution fall": {"BLOCK"},
    "5% of attempts failed, counted as wrong": {"ERROR"},
    "5% failed where the answer was wrong, left out": {"ERROR"},
    "1% of the problems lost outright, the rest better, pass@16 margin .008": {"BLOCK", "INCONCLUSIVE"},
    "the candidate is the base": {"ERROR"},
    "3 points better everywhere": {"PROMOTE"},
    "no baseline given": {"ERROR"},
    "no threshold configured": {"refused (exit 64)"},
}


@pytest.fixture(scope="module")
def ratchet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return peers.Ratchet(tmp_path_factory.mktemp("profiles"))


def test_every_case_has_its_verdict_here() -> None:
    assert [case.name for case in CASES] == list(VERDICTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ratchet_is_right(case: Any, ratchet: Any) -> None:
    answer = ratchet(case)
    assert answer.said in VERDICTS[case.name]
    assert answer.kind in {*case.right, "open"}


def test_without_the_base_the_best_of_the_history_sees_an_erosion(ratchet: Any) -> None:
    # round 5 is .012 below round 4, within the margin of .02, and .048 below round 1
    case = next(case for case in CASES if case.history)
    alone, with_best = (ratchet(case, names).kind for names in (["champion"], ["champion", "best"]))
    assert alone != "stop"
    assert with_best == "stop"


def test_the_reversal_has_the_rates_that_were_measured() -> None:
    before, after = cases.reversal_rates()
    # exactly: 1 - (1 - p)^16 is the chance that one of 16 attempts is right
    assert [np.mean(rates) for rates in (before, after)] == pytest.approx([0.479, 0.541])
    assert [np.mean(1 - (1 - rates) ** 16) for rates in (before, after)] == pytest.approx([0.840, 0.594], abs=1e-3)
    assert np.sum((before > 0) & (after == 0)) == 123


def test_rare_losses_are_beyond_their_margin() -> None:
    # a hundredth of the problems go from 1 - (1 - p)^16 to 0, the rest from p to p + .002; p uniform on [.5, .92]
    p = np.linspace(0.5, cases.MOST, 10_001)
    kept = (1 - p) ** 16 - (1 - p - cases.GAIN) ** 16
    change = np.mean((1 - cases.LOST) * kept - cases.LOST * (1 - (1 - p) ** 16))
    assert change == pytest.approx(-0.010, abs=1e-4)
    assert change < -0.008


def test_failures_that_are_left_out_hide_a_fall_beyond_the_margin() -> None:
    case = next(case for case in CASES if not case.errors_are_wrong)
    outcomes = case.candidate.suites["main"][1]
    assert np.mean(outcomes == cases.FAILED) == pytest.approx(0.05, abs=0.01)
    fall = tools.mean(case.references["base"], "pass@1", True) - tools.mean(case.candidate, "pass@1", True)
    seen = tools.mean(case.references["base"], "pass@1", False) - tools.mean(case.candidate, "pass@1", False)
    assert fall > 0.02 > seen


@pytest.mark.parametrize(
    ("candidate", "baseline", "margins", "said"),
    [
        ({"a": 0.48}, {"a": 0.5}, {"a": 0.03}, "blessed"),  # fell by .02 of .03
        ({"a": 0.46}, {"a": 0.5}, {"a": 0.03}, "not blessed"),
        ({"a": 0.01}, None, {"a": 0.03}, "blessed"),  # no baseline: the change threshold is dropped
        ({}, {"a": 0.5}, {"a": 0.03}, "not blessed (1 metrics not found)"),
        ({"a": 0.5}, {"a": 0.5}, {}, "not validated"),
    ],
)
def test_a_tfx_style_check_compares_means(
    candidate: Numbers, baseline: Numbers | None, margins: Numbers, said: str
) -> None:
    assert tools.tfx_style(tools.Question(candidate, baseline, margins)).said == said


def test_a_cell_counts_what_is_wrong_against_alpha() -> None:
    null = next(case for case in CASES if case.name.startswith("null"))
    go, stop, undecided = (tools.Answer(kind, kind) for kind in ("go", "stop", "open"))
    assert peers.cell(null, [[go]] * 19 + [[stop]]) == "go 19, stop 1 ✓"  # one of twenty is alpha
    assert peers.cell(null, [[go]] * 18 + [[stop]] * 2) == "go 18, stop 2 ✗"
    assert peers.cell(null, [[undecided]] * 20) == "open 20 ?"
    assert peers.cell(null, [[peers.MISSING]]) == "missing"
