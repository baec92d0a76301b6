"""A whole run on this machine, killed at every turn; and runs that can't start."""

import builtins
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ratchet.cli import invoke as ratchet
from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt, Problem, Sample
from ratchet.storage import read_records, read_with_header
from ratchet_pipelines.local import RunFolder, without_retries
from ratchet_pipelines.self_improvement import self_improvement

TINY = Path(__file__).with_name("tiny.yaml")


def _start(out: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ratchet", "run", str(TINY), "--out", str(out)]
    return subprocess.Popen(command, start_new_session=True, env=environment, stdout=subprocess.PIPE)


@pytest.mark.slow
def test_a_run_killed_at_its_steps_ends_with_every_attempt_once(tmp_path: Path) -> None:
    out = tmp_path / "run"
    kills = 0
    # Killed while each of these steps is at work, in the order in which they come.
    for name in ("round-1/train", "round-1/evaluation-sample", "round-1/evaluate", "round-2/sample", "round-2/train"):
        working = out / "workspace" / f"{name}.partial"
        process = _start(out)
        while process.poll() is None and not working.exists():
            time.sleep(0.005)
        assert process.poll() is None, f"the run ended before {name}"
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    process = _start(out)
    printed, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    assert kills == 5
    assert b"M_3" in printed
    assert (out / "report.html").stat().st_size > 10_000
    _every_attempt_once(RunFolder(out))


@pytest.mark.slow
def test_a_run_in_two_shards_draws_every_attempt_once_and_records_its_end(tmp_path: Path) -> None:
    config = _tiny(tmp_path, "keep_per_problem: 4}", "keep_per_problem: 4, pods: 2}")
    config.write_text(config.read_text().replace("rounds: 2", "rounds: 1"))
    printing = builtins.print
    assert ratchet(["run", str(config), "--out", str(tmp_path / "out")]) == 0
    assert builtins.print is printing, "kfp.local indents what steps print, and loops leave it so"
    folder = RunFolder(tmp_path / "out")
    for step in ("round-1/evaluation-sample", "round-2/sample", "round-2/grade", "round-2/evaluation-grade"):
        found = {path.name for path in (folder.workspace / step).parent.glob(f"{Path(step).name}*")}
        assert found == {f"{Path(step).name}-{number}-of-2" for number in (0, 1)}
    problems = read_records(folder.workspace / "problems" / "problems.parquet", Problem)
    for found in folder.rounds():
        attempts = read_records(found.profile / "attempts.parquet", Attempt)
        expected = Counter((p.suite, p.id, n) for p in problems if p.split != "train" for n in range(16))
        assert Counter((a.suite, a.problem_id, a.attempt) for a in attempts) == expected
    assert _end(folder) == {"ratchet.end": "finished", "ratchet.end_verdict": folder.rounds()[-1].verdict.verdict}


@pytest.mark.slow
def test_a_step_that_fails_ends_the_run_with_its_own_words_and_mlflow_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "llama"}')
    (broken / "model.safetensors").write_bytes(b"no weights")
    config = _tiny(tmp_path, "{type: untrained}", "{type: checkpoint, path: broken}")
    assert ratchet(["run", str(config), "--out", str(tmp_path / "out")]) == 64
    said = capsys.readouterr().err.splitlines()[-1]
    assert "broken" in said
    end = _end(RunFolder(tmp_path / "out"))
    assert (end["ratchet.end"], end["ratchet.end_step"]) == ("failed", "round-1/train")
    assert end["ratchet.end_message"] in said


def test_a_step_that_fails_is_not_tried_again_where_no_cluster_can_have_been_the_cause() -> None:
    def tried_again(pipeline: Any) -> int:
        spec = pipeline.pipeline_spec
        parts = [spec.root, *spec.components.values()]
        return sum(task.HasField("retry_policy") for part in parts for task in part.dag.tasks.values())

    assert tried_again(self_improvement(2)) > 10
    assert tried_again(without_retries(self_improvement(2))) == 0


def _end(folder: RunFolder) -> dict[str, str]:
    """What MLflow holds of the run's end, but for when and under which id."""
    import mlflow

    client = mlflow.MlflowClient(folder.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    (run,) = client.search_runs([experiment.experiment_id])
    own = {key: value for key, value in run.data.tags.items() if key.startswith("ratchet.end")}
    assert own.pop("ratchet.end_at") > "2026"
    return own


def _every_attempt_once(folder: RunFolder) -> None:
    problems = read_records(folder.workspace / "problems" / "problems.parquet", Problem)
    held_out = [p for p in problems if p.split != "train"]
    rounds = folder.rounds()
    assert [r.number for r in rounds] == [1, 2, 3]
    for found in rounds:
        expected = Counter((p.suite, p.id, n) for p in held_out for n in range(16))
        attempts, header = read_with_header(found.profile / "attempts.parquet", Attempt)
        assert Counter((a.suite, a.problem_id, a.attempt) for a in attempts) == expected
        assert header["checkpoint"] == checkpoint_digest(found.folder / "train") == found.verdict.checkpoint_digest
    for number in (2, 3):
        samples = read_records(folder.workspace / f"round-{number}" / "sample" / "samples.parquet", Sample)
        trained_on = [p for p in problems if p.split == "train"][:40]
        assert Counter((s.problem_id, s.attempt) for s in samples) == Counter(
            (p.id, n) for p in trained_on for n in range(16)
        )
    _each_checkpoint_is_logged_once(folder)


def _each_checkpoint_is_logged_once(folder: RunFolder) -> None:
    import mlflow

    client = mlflow.MlflowClient(folder.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    models = client.search_logged_models([experiment.experiment_id])
    digests = [checkpoint_digest(r.folder / "train") for r in folder.rounds()]
    assert sorted(model.tags["ratchet.digest"] for model in models) == sorted(digests)


def _tiny(folder: Path, old: str = "", new: str = "") -> Path:
    for name in ("tiny.yaml", "tiny-policy.yaml"):
        shutil.copy(TINY.with_name(name), folder / name)
    path = folder / "tiny.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old else text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("rounds: 2", "round: 2", "tiny.yaml:4: unknown key 'round'"),
        ("policy: tiny-policy.yaml", "policy: none.yaml", "none.yaml: no such file or directory"),
        ("{type: untrained}", "{type: checkpoint, path: nowhere}", "nowhere: no such folder"),
        (
            "{type: arithmetic, train: 120, eval: 20, ood: 8}",
            "{type: file, path: empty.jsonl}",
            "empty.jsonl: no problem; expected problems of splits train and eval",
        ),
        ("{type: arithmetic, train: 120, eval: 20, ood: 8}", "{type: file, path: bad.jsonl}", "bad.jsonl:2: not JSON"),
    ],
)
def test_a_run_that_cannot_start_says_why_in_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, complaint: str
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bad.jsonl").write_text('{"id": "1", "prompt": "1+1", "answer": "2"}\n{"id": "2"')
    config = _tiny(tmp_path, old, new)
    assert ratchet(["run", str(config), "--out", str(tmp_path / "out")]) == 64
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_folder_of_another_configuration_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.yaml").write_text("name: another\n")
    assert ratchet(["run", str(_tiny(tmp_path)), "--out", str(out)]) == 64
    assert "a run with another configuration" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["config.yaml"]
