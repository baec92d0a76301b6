"""`ratchet plan` on the command line: what it prints and writes, and what it refuses."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ratchet.cli import invoke as ratchet

POLICY = """version: 1
suites: {main: "<b>sums"}
evidence: {min_problems: 60, min_attempts: 8}
axes:
  pass@1: {tier: critical, max_drop: 0.1}
  calibration.ece: {tier: supporting, max_rise: 0.1}
against: [base]
"""
EASY = ["--difficulty", "beta:0.5,0.5,never:0.9", "--attempts", "8"]


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return str(path)


def test_a_plan_is_a_table_and_a_page_that_needs_nothing(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "plan.html"
    prices = ["--tokens-per-attempt", "100", "--tokens-per-second", "50"]
    assert ratchet(["plan", "--policy", policy, *EASY, *prices, "--report", str(page)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("To promote an equal candidate 90% of the time, take about ")
    # 60 problems x 8 attempts x 100 tokens / 50 a second = 960 s
    assert "60 problems x 8 attempts decide, 480 attempts a checkpoint, 48,000 tokens, 0.3 GPU hours:" in said
    assert "Not planned for: calibration.ece: confidences can't be simulated" in said
    html = page.read_text()
    assert "&lt;b&gt;sums" in html and "<b>sums" not in html
    assert "<svg" in html and "http" not in html.replace("http-equiv", "")


def test_the_curve_alone_is_a_picture_and_json_holds_all(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "curve.svg"
    assert ratchet(["plan", "--policy", policy, *EASY, "--format", "json", "--report", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["needs"][0]["attempts"] == 8 and len(found["curve"]) == 6
    assert ET.fromstring(picture.read_text()).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "neither --base nor --difficulty"),
        (["--difficulty", "beta:1,1", "--base", "b"], "--base and --difficulty"),
        (["--difficulty", "beta:x"], "difficulty 'beta:x'; expected beta:A,B"),
        (["--base", "nowhere"], "nowhere"),
        ([*EASY, "--references", "champion"], "reference 'champion'; expected some of"),
        ([*EASY, "--tokens-per-second", "9"], "expected --tokens-per-attempt beside it"),
        ([*EASY, "--report", "plan.pdf"], "plan.pdf: report 'plan.pdf'; expected a name that ends in .html or .svg"),
        ([*EASY, "--change", "0.5"], "a change of pass@1 by +0.5"),
        ([*EASY, "--change", "nan"], "expected a number"),
        ([*EASY, "--churn", "0.9"], "a churn of 0.9"),
        ([*EASY, "--problems", "0"], "Invalid value for '--problems'"),
        ([*EASY, "--power", "1"], "Invalid value for '--power'"),
        ([*EASY, "--seed", "-1"], "seed -1; expected"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    policy: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ratchet(["plan", "--policy", policy, *arguments]) == 64
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
