"""`ratchet grade`: counts by outcome and reason."""

import json
import sys
from pathlib import Path

import pytest

from ratchet.cli import invoke
from ratchet.records import Problem, Sample
from ratchet.storage import write_records


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    texts = ["#### 4", "#### 4", "#### 5", "nothing", "or so"]
    samples = [Sample("1", "s", number, text, "stop", 1, -1.0) for number, text in enumerate(texts)]
    write_records(tmp_path / "s.parquet", samples, Sample)
    write_records(tmp_path / "p.jsonl", [Problem("1", "2+2?", "4", suite="s")], Problem)
    given = {"--samples": "s.parquet", "--problems": "p.jsonl", "--out": "g"}
    return ["grade", *(word for option, name in given.items() for word in (option, str(tmp_path / name)))]


def test_outcomes_and_reasons_are_counted(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(arguments) == 0
    assert capsys.readouterr().out == "3 incorrect, 2 correct\n  2 incorrect: no number in the text\n"
    assert invoke([*arguments, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "correct": 2,
        "incorrect": 3,
        "ungradable": 0,
        "error": 0,
        "reasons": [{"outcome": "incorrect", "reason": "no number in the text", "count": 2}],
    }


def test_a_setting_that_makes_no_sense_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke([*arguments, "--tolerance", "7"]) == 64
    assert "tolerance = 7.0; expected a number from 0 to less than 1" in capsys.readouterr().err


def test_a_shard_is_graded_and_what_is_none_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke([*arguments, "--shard", "2/2"]) == 64
    assert "there is no shard '2/2'; expected i/n with i from 0 to n - 1" in capsys.readouterr().err
    assert invoke([*arguments, "--shard", "1/2"]) == 0  # there is one problem, of shard 0
    assert capsys.readouterr().out == "no attempt\n"


def test_math_without_its_extra_is_named_not_marked_wrong(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)  # what a base install finds
    write_records(tmp_path / "p.jsonl", [Problem("1", "2+2?", "4", suite="s", kind="math")], Problem)
    assert invoke(arguments) == 64
    assert "expected the extra 'grade'; install it with pip install 'ratchet-mlops[grade]'" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()
