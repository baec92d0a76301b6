"""`ratchet validate` as a user meets it."""

import json
from pathlib import Path

import pytest

from ratchet.cli import invoke

GOOD = [
    {"id": "1", "prompt": "2 + 3?", "answer": "5", "split": "train"},
    {"id": "2", "prompt": "2 + 4?", "answer": "6", "split": "eval"},
]


def problem_file(path: Path, *more: dict[str, str]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in [*GOOD, *more]))
    return str(path)


def test_a_valid_file_exits_zero_and_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = problem_file(tmp_path / "p.jsonl")
    assert invoke(["validate", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:-1]] == ["pass"] * 10
    assert lines[-1] == f"{path}: valid"
    assert [child.name for child in tmp_path.iterdir()] == ["p.jsonl"]


def test_an_invalid_file_exits_one_and_names_the_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = problem_file(tmp_path / "p.jsonl", {"id": "3", "prompt": "2 + 3?", "answer": "5", "split": "ood"})
    assert invoke(["validate", path, "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert ["no_leakage", "FAIL", "1", "default/3", "(default/1)"] in [line.split() for line in printed.splitlines()]
    assert "1 of 10 checks failed" in printed
    assert (tmp_path / "out" / "report.html").is_file()


def test_json_is_the_result_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = problem_file(tmp_path / "p.jsonl", {"id": "3", "prompt": "How?", "answer": "many"})
    assert invoke(["validate", path, "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["checks"][0]["found"] == 1


def test_what_cannot_be_read_is_one_line_and_exit_64(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = problem_file(tmp_path / "p.jsonl", {"id": "3", "question": "How?", "answer": "1"})
    assert invoke(["validate", path]) == 64
    assert capsys.readouterr().err.startswith(
        f"ratchet: {path}:3: unknown field 'question'; expected one of id, prompt"
    )
