"""`ratchet log` as a user meets it."""

import json
from pathlib import Path

import pytest

from ratchet.cli import invoke
from ratchet.identity import checkpoint_digest


def test_it_prints_the_models_id_and_the_same_id_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs the extra `registry`")
    (tmp_path / "m1").mkdir()
    (tmp_path / "m1" / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "m1" / "config.json").write_text("{}")
    lines = [{"header": {"checkpoint": checkpoint_digest(tmp_path / "m1")}}, {"problem_id": "1", "correct": True}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert invoke(["evaluate", "--attempts", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "p1")]) == 0
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    arguments = ["log", "--checkpoint", str(tmp_path / "m1"), "--profile", str(tmp_path / "p1"), "--tracking-uri", uri]
    capsys.readouterr()
    assert invoke([*arguments, "--run", "r", "--round", "1"]) == 0
    first = capsys.readouterr().out
    assert invoke([*arguments, "--run", "r", "--round", "1"]) == 0
    assert capsys.readouterr().out == first
    assert mlflow.MlflowClient(tracking_uri=uri).get_logged_model(first.strip()).name == "p1"


def test_a_folder_that_is_no_checkpoint_is_one_line_and_exit_64(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["log", "--checkpoint", str(tmp_path), "--profile", str(tmp_path), "--run", "r", "--round", "1"]
    assert invoke([*arguments, "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]) == 64
    assert capsys.readouterr().err.startswith(f"ratchet: {tmp_path}: no weights; expected *.safetensors files")
    assert list(tmp_path.iterdir()) == []
