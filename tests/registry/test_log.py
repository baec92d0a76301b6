"""A checkpoint in MLflow: everything there once, of the right weights, also after a kill and from two processes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.evaluate.profile import PROFILE_FILE
from ratchet.gate.verdict import Verdict, write_verdict
from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt
from ratchet.registry.log import log_checkpoint
from ratchet.storage import file_digest, write_json, write_records

mlflow = pytest.importorskip("mlflow", reason="needs the extra `registry`")


def checkpoint_folder(path: Path, weights: bytes = b"weights") -> Path:
    path.mkdir()
    (path / "model.safetensors").write_bytes(weights)
    (path / "config.json").write_text("{}")
    return path


def profile_folder(path: Path, digest: str | None, name: str = "M_2") -> Path:
    """Two problems, four attempts each, one and three of them right: pass@1 = 1/2, pass@2 = (1/2 + 1) / 2 = 3/4."""
    rows = [
        Attempt(problem, "correct" if attempt < right else "incorrect", suite="arithmetic", attempt=attempt)
        for problem, right in (("a", 1), ("b", 3))
        for attempt in range(4)
    ]
    attempts = path.with_suffix(".attempts.parquet")
    write_records(attempts, rows, Attempt, {"checkpoint": digest, "sampling": {"temperature": 0.7, "backend": "x"}})
    return evaluate([attempts], path, name)


def verdict_file(path: Path, digest: str, profile: Path) -> Path:
    verdict = Verdict(
        verdict="BLOCK",
        kind="reversal",
        reasons=("pass@16 fell",),
        axes=(),
        references={},
        policy_digest="sha256:policy",
        profile_digests={"candidate": file_digest(profile / PROFILE_FILE)},
        checkpoint_digest=digest,
        created="2025-01-01T00:00:00+00:00",
    )
    write_verdict(path, verdict)
    return path


@pytest.fixture
def call(tmp_path: Path, empty_sqlite: Path) -> dict[str, Any]:
    """The arguments of a call that is in order."""
    shutil.copyfile(empty_sqlite, tmp_path / "mlflow.db")
    checkpoint = checkpoint_folder(tmp_path / "m2")
    write_json(
        checkpoint / "step.json", {"checkpoint": "sha256:before", "method": "sft", "examples": "sha256:examples"}
    )
    digest = checkpoint_digest(checkpoint)
    profile = profile_folder(tmp_path / "p2", digest)
    report = tmp_path / "report.html"
    report.write_text("<!doctype html>")
    return {
        "tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "experiment": "loop",
        "run_name": "first run",
        "checkpoint": checkpoint,
        "profile": profile,
        "round": 2,
        "verdict": verdict_file(tmp_path / "verdict.json", digest, profile),
        "parent": "sha256:parent",
        "report": report,
    }


def stored(tracking_uri: str) -> dict[str, Any]:
    """All that the store holds of the experiment, with what differs between equal calls left out."""
    client = mlflow.MlflowClient(tracking_uri=tracking_uri)
    experiment = client.get_experiment_by_name("loop").experiment_id
    models = client.search_logged_models([experiment])
    runs = client.search_runs([experiment])
    numbers = {model.model_id: i for i, model in enumerate(models)}
    return {
        "models": [
            {
                "name": model.name,
                "status": str(model.status),
                "tags": {key: value for key, value in model.tags.items() if key.startswith("ratchet.")},
                "params": model.params,
                "metrics": sorted((metric.key, metric.value, metric.step) for metric in model.metrics),
                "artifacts": sorted(found.path for found in client.list_logged_model_artifacts(model.model_id)),
            }
            for model in models
        ],
        "runs": [
            {
                "name": run.info.run_name,
                "tag": run.data.tags["ratchet.run"],
                "status": run.info.status,
                "curves": {
                    key: [(point.value, point.step) for point in client.get_metric_history(run.info.run_id, key)]
                    for key in sorted(run.data.metrics)
                },
                "models": [(numbers[output.model_id], output.step) for output in run.outputs.model_outputs],
            }
            for run in runs
        ],
    }


def refusal(**arguments: Any) -> str:
    with pytest.raises(InputError) as caught:
        log_checkpoint(**arguments)
    return str(caught.value)


def test_a_checkpoint_becomes_one_ready_model_with_all_that_is_known_of_it(call: dict[str, Any]) -> None:
    log_checkpoint(**call)
    found = stored(call["tracking_uri"])
    (model,) = found["models"]
    assert (model["name"], model["status"]) == ("M_2", "READY")
    assert model["tags"] == {
        "ratchet.run": "first run",
        "ratchet.round": "2",
        "ratchet.digest": checkpoint_digest(call["checkpoint"]),
        "ratchet.checkpoint": str(call["checkpoint"]),
        "ratchet.profile_digest": file_digest(call["profile"] / "profile.json"),
        "ratchet.attempts_digest": file_digest(call["profile"] / "attempts.parquet"),
        "ratchet.parent": "sha256:parent",
        "ratchet.method": "sft",
        "ratchet.examples_digest": "sha256:examples",
        "ratchet.verdict": "BLOCK",
        "ratchet.kind": "reversal",
        "ratchet.policy_digest": "sha256:policy",
    }
    assert model["params"] == {"sampling.temperature": "0.7", "sampling.backend": "x"}
    values = {key: (value, step) for key, value, step in model["metrics"]}
    assert values["arithmetic/pass_at_1"] == (0.5, 2)
    assert values["arithmetic/pass_at_2"] == (0.75, 2)
    assert values["arithmetic/pass_at_1/low"][0] < 0.5 < values["arithmetic/pass_at_1/high"][0]
    assert model["artifacts"] == [
        *("MLmodel", "attempts.parquet", "model", "profile.html", "profile.json", "report.html", "verdict.json")
    ]


def test_the_rounds_of_a_run_are_steps_of_one_curve(call: dict[str, Any], tmp_path: Path) -> None:
    log_checkpoint(**call)
    other = checkpoint_folder(tmp_path / "m3", b"other weights")
    profile = profile_folder(tmp_path / "p3", checkpoint_digest(other), "M_3")
    log_checkpoint(**{**call, "checkpoint": other, "profile": profile, "round": 3, "verdict": None})
    (run,) = stored(call["tracking_uri"])["runs"]
    assert run["curves"]["arithmetic/pass_at_1"] == [(0.5, 2), (0.5, 3)]
    assert sorted(step for _, step in run["models"]) == [2, 3]
    assert (run["name"], run["tag"], run["status"]) == ("first run", "first run", "FINISHED")


def test_the_same_call_again_changes_nothing(call: dict[str, Any]) -> None:
    first = log_checkpoint(**call)
    before = stored(call["tracking_uri"])
    assert log_checkpoint(**call) == first
    assert stored(call["tracking_uri"]) == before


@pytest.mark.parametrize(
    "interrupted", ["log_model_artifacts", "log_model_artifact", "log_outputs", "log_batch", "finalize_logged_model"]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_was_killed_is_completed_by_the_next(
    call: dict[str, Any], monkeypatch: pytest.MonkeyPatch, empty_sqlite: Path, interrupted: str, when: str
) -> None:
    copy = call["report"].with_name("whole.db")
    whole = {**call, "tracking_uri": f"sqlite:///{shutil.copyfile(empty_sqlite, copy)}"}
    log_checkpoint(**whole)
    real = getattr(mlflow.MlflowClient, interrupted)

    def killed(*arguments: Any, **options: Any) -> None:
        if when == "after":
            real(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, interrupted, killed)
        with pytest.raises(KeyboardInterrupt):
            log_checkpoint(**call)
    log_checkpoint(**call)
    assert stored(call["tracking_uri"]) == stored(whole["tracking_uri"])


def test_another_run_of_the_same_checkpoint_is_a_model_of_its_own(call: dict[str, Any]) -> None:
    assert log_checkpoint(**call) != log_checkpoint(**{**call, "run_name": "second run"})
    assert len(stored(call["tracking_uri"])["runs"]) == 2


def test_a_profile_of_other_weights_is_refused(call: dict[str, Any]) -> None:
    (call["checkpoint"] / "model.safetensors").write_bytes(b"changed after it was evaluated")
    message = refusal(**call)
    assert "profile.json: speaks of checkpoint sha256:" in message
    assert checkpoint_digest(call["checkpoint"]) in message


def test_a_profile_of_unknown_weights_is_refused(call: dict[str, Any], tmp_path: Path) -> None:
    call["profile"] = profile_folder(tmp_path / "unknown", None)
    assert "profile.json: speaks of checkpoint unknown" in refusal(**call)


def test_a_verdict_on_other_weights_or_another_profile_is_refused(call: dict[str, Any], tmp_path: Path) -> None:
    other = verdict_file(tmp_path / "other.json", "sha256:other", call["profile"])
    assert "other.json: speaks of checkpoint sha256:other" in refusal(**{**call, "verdict": other})
    profile = profile_folder(tmp_path / "again", checkpoint_digest(call["checkpoint"]), "again")
    assert "verdict.json: decided on the profile sha256:" in refusal(**{**call, "profile": profile})


def test_a_second_verdict_is_not_logged_over_the_first(call: dict[str, Any]) -> None:
    log_checkpoint(**call)
    text = json.loads(call["verdict"].read_text())
    write_json(call["verdict"], text | {"verdict": "PROMOTE", "kind": "none"})
    assert "ratchet.kind = none; expected ratchet.kind = reversal" in refusal(**call)


def test_what_cannot_be_logged_leaves_no_trace(call: dict[str, Any], tmp_path: Path) -> None:
    call["tracking_uri"] = f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}"
    assert "nowhere.html: no such file" in refusal(**{**call, "report": tmp_path / "nowhere.html"})
    assert "run name" in refusal(**{**call, "run_name": "it's"})
    assert not (tmp_path / "tracking").exists()


def test_the_parent_is_read_from_the_train_steps_stamp(call: dict[str, Any]) -> None:
    log_checkpoint(**{**call, "parent": None})
    (model,) = stored(call["tracking_uri"])["models"]
    assert model["tags"]["ratchet.parent"] == "sha256:before"


def test_a_store_that_is_none_is_an_input_error(call: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but text of some length" * 40)
    assert "text.db: MLflow can't be used" in refusal(**{**call, "tracking_uri": f"sqlite:///{tmp_path / 'text.db'}"})


def test_a_deleted_experiment_is_an_input_error(call: dict[str, Any]) -> None:
    log_checkpoint(**call)
    client = mlflow.MlflowClient(tracking_uri=call["tracking_uri"])
    client.delete_experiment(client.get_experiment_by_name("loop").experiment_id)
    assert "experiment 'loop' is deleted" in refusal(**call)


@pytest.mark.slow
def test_two_processes_may_create_the_database_at_once(call: dict[str, Any], tmp_path: Path) -> None:
    call["tracking_uri"] = f"sqlite:///{tmp_path / 'tracking' / 'mlflow.db'}"
    commands = [
        [sys.executable, "-m", "ratchet", "log", "--checkpoint", call["checkpoint"], "--profile", call["profile"]]
        + ["--tracking-uri", call["tracking_uri"], "--experiment", "loop", "--run", "first run", "--round", number]
        for number in ("1", "2")
    ]
    running = [subprocess.Popen([str(part) for part in c], stdout=-1, stderr=-1, cwd=tmp_path) for c in commands]
    printed = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert [error for _, error in printed] == [b"", b""]
    found = stored(call["tracking_uri"])
    assert [out.decode().strip()[:2] for out, _ in printed] == ["m-", "m-"]
    assert (len(found["runs"]), len(found["models"])) == (1, 2)


def test_the_documentation_names_every_tag(call: dict[str, Any]) -> None:
    log_checkpoint(**call)
    (model,) = stored(call["tracking_uri"])["models"]
    page = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text()
    assert {line.split("`")[1] for line in page.splitlines() if line.startswith("| `ratchet.")} == set(model["tags"])
