"""`ratchet evaluate` as a user meets it."""

import json
from pathlib import Path

import pytest

from ratchet.cli import invoke


def results(path: Path) -> Path:
    lines = [{"problem_id": str(i // 4), "correct": i % 4 < 2, "text": f"{i} + {i}", "group": "1"} for i in range(40)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_it_prints_the_headlines_and_show_every_metric_with_its_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results(tmp_path / "results.jsonl")
    assert invoke(["evaluate", "--attempts", str(path), "--out", str(tmp_path / "mine")]) == 0
    lines = {line.split()[1]: line.split() for line in capsys.readouterr().out.splitlines()[1:-1]}
    # half of each problem's four attempts are right: pass@1 = 1/2, pass@2 = 1 - 1/C(4,2) = 5/6
    assert lines["pass@1"][2] == "0.500"
    assert lines["pass@2"][2] == "0.833"
    assert "pass^2" not in lines
    assert invoke(["show", str(tmp_path / "mine")]) == 0
    everything = {line.split()[1]: line.split() for line in capsys.readouterr().out.splitlines()[1:]}
    assert everything["pass@1[group=1]"][5:9] == ["10", "0", "0", "0"]
    # both attempts right: C(2,2)/C(4,2) = 1/6
    assert everything["pass^2"][2] == "0.167"
    assert everything["diversity.distinct_1.correct"][2:5] == ["–", "–", "–"]
    assert json.loads((tmp_path / "mine" / "profile.json").read_text())["name"] == "mine"


def test_json_is_the_profile_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "results.jsonl")
    arguments = ["evaluate", "--attempts", str(path), "--out", str(tmp_path / "out"), "--name", "n", "--format", "json"]
    assert invoke(arguments) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "profile.json").read_text())


def test_the_same_command_again_finds_its_result_and_other_attempts_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results(tmp_path / "results.jsonl")
    arguments = ["evaluate", "--attempts", str(path), "--out", str(tmp_path / "out"), "--name", "n"]
    assert invoke(arguments) == invoke(arguments) == 0
    path.write_text('{"problem_id": "1", "correct": true}\n')
    assert invoke(arguments) == 64
    assert "a result made with attempts" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "not json\n", '{"problem_id": "1", "outcome": "maybe"}\n'])
def test_unusable_attempts_are_one_line_and_exit_64(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(content)
    assert invoke(["evaluate", "--attempts", str(path), "--out", str(tmp_path / "out")]) == 64
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
