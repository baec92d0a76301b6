import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.profile import read_profile
from ratchet.gate.step import gate_step, hand_on, step_metrics
from ratchet.gate.verdict import read_verdict

Maker = Callable[..., Path]


def test_after_promote_the_candidate_stands(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    new, base = profile("new", [9] * 100), profile("base", [8] * 100)
    verdict = gate_step(str(new), {"base": str(base), "champion": None}, policy().read_text(), False, tmp_path / "out")
    assert verdict.verdict == "PROMOTE" and read_verdict(tmp_path / "out" / "verdict.json") == verdict
    assert read_profile(tmp_path / "out" / "champion").name == "new"
    assert (tmp_path / "out" / "policy.yaml").read_text() == policy().read_text()
    assert "PROMOTE" in (tmp_path / "out" / "verdict.md").read_text()
    assert "PROMOTE" in (tmp_path / "out" / "report.html").read_text()


def test_after_anything_else_the_champion_stands(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    both = policy("against: [base]", "against: [base, champion]").read_text()
    given = {"base": str(profile("base", [4] * 100)), "champion": str(profile("champion", [8] * 100))}
    worse = gate_step(str(profile("new", [2] * 100)), given, both, False, tmp_path / "out")
    assert worse.verdict == "BLOCK"
    assert read_profile(tmp_path / "out" / "champion").name == "champion"
    short, only_base = str(profile("short", [9] * 99)), {"base": given["base"]}
    refused = gate_step(short, only_base, policy().read_text(), False, tmp_path / "o2")
    assert refused.verdict == "ERROR"
    assert read_profile(tmp_path / "o2" / "champion").name == "base"


def test_a_first_checkpoint_becomes_champion_or_nothing_does(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    nothing: dict[str, str | None] = {"base": None, "champion": None}
    gate_step(str(profile("m1", [8] * 100)), nothing, policy().read_text(), True, tmp_path / "out")
    assert read_profile(tmp_path / "out" / "champion").name == "m1"
    gate_step(str(profile("m2", [8] * 99)), nothing, policy().read_text(), True, tmp_path / "o2")
    assert list((tmp_path / "o2" / "champion").iterdir()) == []


def test_a_second_start_gives_the_same_verdict_and_another_policy_is_refused(
    profile: Maker, policy: Maker, tmp_path: Path
) -> None:
    new, text = str(profile("m1", [8] * 100)), policy().read_text()
    once = gate_step(new, {}, text, True, tmp_path / "out")
    written = (tmp_path / "out" / "verdict.json").stat().st_mtime_ns
    assert gate_step(new, {}, text, True, tmp_path / "out") == once
    assert (tmp_path / "out" / "verdict.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="policy"):
        gate_step(new, {}, text + "# changed\n", True, tmp_path / "out")


def test_a_policy_that_cannot_be_read_leaves_no_verdict(profile: Maker, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no 'suites'"):
        gate_step(str(profile("m1", [8] * 100)), {}, "version: 1\n", True, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_metrics_hold_numbers_only(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    first = gate_step(str(profile("m1", [8] * 100)), {}, policy().read_text(), True, tmp_path / "out")
    assert step_metrics(first) == {"promoted": 1.0, "pass_at_1": 0.5, "pass_at_16": 1.0}
    base = {"base": str(profile("base", [4] * 100))}
    later = step_metrics(gate_step(str(profile("m2", [8] * 100)), base, policy().read_text(), False, tmp_path / "o2"))
    assert later["pass_at_1.base.difference"] == 0.25 and later["pass_at_1.base.low"] < 0.25
    assert all(isinstance(number, float) for number in later.values())


def test_artifacts_are_handed_on(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    gate_step(str(profile("m1", [8] * 100)), {}, policy().read_text(), True, tmp_path / "out")
    paths = [tmp_path / "artifacts" / name for name in ("champion", "report", "summary")]
    assert hand_on(tmp_path / "out", *map(str, paths))["promoted"] == 1.0
    assert read_profile(paths[0]).name == "m1"
    assert paths[1].read_text().startswith("<!doctype html>") and paths[2].read_text().startswith("## ")


@pytest.mark.slow
def test_one_component_serves_the_first_round_and_later_ones(
    profile: Maker, policy: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp = pytest.importorskip("kfp", reason="needs the extra 'kfp'")
    from ratchet.gate.component import gate

    @kfp.dsl.pipeline
    def two_rounds(base: str, new: str, policy: str, workspace: str) -> str:
        first = kfp.dsl.importer(artifact_uri=base, artifact_class=kfp.dsl.Dataset, reimport=False)
        second = kfp.dsl.importer(artifact_uri=new, artifact_class=kfp.dsl.Dataset, reimport=False)
        start = gate(candidate=first.output, policy=policy, workspace=workspace, step="one", first=True)
        later = gate(
            candidate=second.output,
            policy=policy,
            workspace=workspace,
            step="two",
            base=first.output,
            champion=start.outputs["champion_out"],
        )
        return later.outputs["Output"]

    monkeypatch.chdir(tmp_path)
    kfp.local.init(kfp.local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    both = policy("against: [base]", "against: [base, champion]").read_text()
    paths = [str(profile("base", [8] * 100)), str(profile("new", [9] * 100))]
    task = two_rounds(base=paths[0], new=paths[1], policy=both, workspace=str(tmp_path / "workspace"))
    assert task.output == "PROMOTE"
    assert read_profile(tmp_path / "workspace" / "two" / "champion").name == "new"
    assert list(read_verdict(tmp_path / "workspace" / "two" / "verdict.json").references) == ["base = champion"]


def test_the_history_that_evaluate_hands_on_gives_the_best(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    rules = policy("  pass@16: {tier: critical, max_drop: 0.05}\n", "", "[base]", "[base, best]").read_text()
    rounds = [profile("0000", [4] * 200), profile("0001", [10] * 200)]
    for folder in rounds:
        shutil.copytree(folder, tmp_path / "history" / folder.name)
    given = {"base": str(rounds[0]), "champion": None}
    new = str(profile("new", [6] * 200))
    verdict = gate_step(new, given, rules, False, tmp_path / "out", str(tmp_path / "history"))
    assert (verdict.verdict, list(verdict.references)) == ("BLOCK", ["base", "best"])
    assert set(verdict.profile_digests) == {"candidate", "base", "best", "history 1", "history 2"}
    assert verdict.lineage == ("sha256:0000", "sha256:0001", "sha256:new")
