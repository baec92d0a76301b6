import dataclasses
import json
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.gate.verdict import AxisResult, Reference, Verdict, read_verdict, write_verdict
from ratchet.gate.wording import as_markdown, as_text, headline

FALLEN = AxisResult(
    axis="pass@16",
    tier="critical",
    reference="base",
    candidate_estimate=0.6,
    reference_estimate=0.8,
    difference=-0.2,
    low=-0.25,
    high=-0.15,
    margin=0.03,
    margin_kind="drop",
    p_within=1.0,
    p_harm=1e-9,
    p_harm_holm=2e-9,
    p_gain=None,
    outcome="harm",
    problems=500,
)
VERDICT = Verdict(
    verdict="BLOCK",
    kind="reversal",
    reasons=("pass@16 fell by 0.200",),
    axes=(FALLEN,),
    references={"base": Reference("sha256:a", "sha256:b")},
    policy_digest="sha256:p",
    profile_digests={"candidate": "sha256:c", "base": "sha256:b"},
    checkpoint_digest=None,
    created="2026-01-01T12:00:00+00:00",
    advice=("Keep base.",),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_verdict(tmp_path / "verdict.json", VERDICT)
    assert read_verdict(tmp_path / "verdict.json") == VERDICT


def test_the_file_holds_what_the_contract_lists(tmp_path: Path) -> None:
    write_verdict(tmp_path / "verdict.json", VERDICT)
    digests = {"policy_digest", "profile_digests", "checkpoint_digest"}
    decided = {"version", "verdict", "kind", "reasons", "axes", "references", "lineage", "advice", "created"}
    decided |= {"alpha", "reversal", "overridden"}
    assert set(json.loads((tmp_path / "verdict.json").read_text())) == digests | decided | {"signature"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blessed": True}, "blessed"),
        ({"verdict": "PASS"}, "verdict"),
        ({"version": 2}, "version"),
        ({"axes": [{"axis": "pass@1"}]}, "axes.0"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "verdict.json"
    write_verdict(path, VERDICT)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=said):
        read_verdict(path)


def test_nan_is_neither_written_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    broken = dataclasses.replace(VERDICT, axes=(dataclasses.replace(FALLEN, low=float("nan")),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_verdict(path, broken)
    path.write_text(json.dumps(dataclasses.asdict(broken)))
    with pytest.raises(InputError, match="finite number"):
        read_verdict(path)


@pytest.mark.parametrize(("decision", "code"), [("PROMOTE", 0), ("BLOCK", 1), ("INCONCLUSIVE", 2), ("ERROR", 3)])
def test_exit_codes(decision: str, code: int) -> None:
    assert dataclasses.replace(VERDICT, verdict=decision).exit_code == code  # type: ignore[arg-type]


def test_the_text_says_the_verdict_first_then_why_then_the_axes() -> None:
    lines = as_text(VERDICT).splitlines()
    assert lines[0].startswith("BLOCK (reversal): Do not promote this checkpoint")
    assert lines[2] == "- pass@16 fell by 0.200"
    assert " ".join(lines[5].split()) == "pass@16 critical base 0.600 0.800 -0.200 [-0.250, -0.150] 0.030 harm"
    assert lines[-1] == "Next: Keep base."


def test_the_headline_of_a_reversal_speaks_of_pass_at_1_only_where_it_held() -> None:
    risen = dataclasses.replace(FALLEN, axis="pass@1", difference=0.1, outcome="ok")
    assert "pass@1 held" in headline(dataclasses.replace(VERDICT, axes=(risen, FALLEN)))
    assert "pass@1" not in headline(VERDICT)


def test_names_from_files_are_no_markup_and_no_control_characters() -> None:
    hostile = dataclasses.replace(VERDICT, reasons=("<b>|`x`\x1b[31m [a](http://b)",))
    assert "\x1b" not in as_text(hostile)
    assert r"&lt;b&gt;\|\`x\` \[31m \[a\](http://b)" in as_markdown(hostile)
