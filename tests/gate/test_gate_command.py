import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ratchet.cli import invoke
from ratchet.evaluate.build import evaluate
from ratchet.gate.verdict import read_verdict
from ratchet.records import Attempt
from ratchet.storage import write_records

Maker = Callable[..., Path]


def called(candidate: Path, policy: Path, *options: str, **references: Path) -> int:
    given = [part for name, path in references.items() for part in (f"--{name}", str(path))]
    return invoke(["gate", "--candidate", str(candidate), *given, "--policy", str(policy), *options])


def test_the_exit_code_is_the_verdict(profile: Maker, policy: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    base = profile("base", [8] * 100)
    assert called(profile("better", [9] * 100), policy(), base=base) == 0
    assert called(profile("worse", [2] * 100), policy(), base=base) == 1
    assert called(profile("unclear", [0] * 6 + [9] * 94), policy(), base=base) == 2
    assert called(profile("short", [8] * 99), policy(), base=base) == 3
    assert called(profile("first", [8] * 100), policy(), "--first") == 0
    words = re.findall(r"^([A-Z]+)(?: \(\w+\))?: ", capsys.readouterr().out, flags=re.MULTILINE)
    assert words == ["PROMOTE", "BLOCK", "INCONCLUSIVE", "ERROR", "PROMOTE"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--first"], "--first together with --base"),
        (["--frist"], "--frist"),
        (["--format", "xml"], "xml"),
    ],
)
def test_usage_errors_are_one_line_and_64(
    options: list[str], said: str, profile: Maker, policy: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(profile("new", [9] * 100), policy(), *options, base=profile("base", [8] * 100)) == 64
    errors = capsys.readouterr().err
    assert said in errors and errors.count("\n") == 1


def test_a_profile_that_is_not_there_is_64(policy: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(tmp_path / "none", policy(), "--first") == 64
    assert "none/profile.json: no such file" in capsys.readouterr().err


def test_verdict_and_page_are_written_where_asked(profile: Maker, policy: Maker, tmp_path: Path) -> None:
    verdict, page = tmp_path / "out" / "verdict.json", tmp_path / "out" / "page.html"
    options = ["--out", str(verdict), "--report", str(page)]
    assert called(profile("new", [9] * 100), policy(), *options, base=profile("base", [8] * 100)) == 0
    assert read_verdict(verdict).verdict == "PROMOTE"
    assert page.read_text().startswith("<!doctype html>")


def test_json_is_the_verdict(profile: Maker, policy: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(profile("new", [9] * 100), policy(), "--format", "json", base=profile("base", [8] * 100)) == 0
    assert json.loads(capsys.readouterr().out)["axes"][0]["axis"] == "pass@1"


def test_markdown_is_a_heading_and_a_table(profile: Maker, policy: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    called(profile("new", [9] * 100), policy(), "--format", "markdown", base=profile("base", [8] * 100))
    printed = capsys.readouterr().out
    assert printed.startswith("## ✓ PROMOTE\n") and "\n| pass@1 | critical | base | 0.562 |" in printed


def test_profiles_that_evaluate_wrote_are_judged(
    rows: Callable[..., list[Attempt]], policy: Maker, tmp_path: Path
) -> None:
    for name, right in (("base", 8), ("new", 9)):
        attempts = [replace(row, text=f"{row.problem_id} {row.attempt}") for row in rows("sums", [right] * 100)]
        header = {"checkpoint": f"sha256:{name}", "sampling": {"temperature": 0.8, "seed": right}}
        write_records(tmp_path / f"{name}.jsonl", attempts, Attempt, header)
        evaluate([tmp_path / f"{name}.jsonl"], tmp_path / name, name)
    assert called(tmp_path / "new", policy(), base=tmp_path / "base") == 0
