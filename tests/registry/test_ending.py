"""How a run ended, in MLflow: whatever ended it, whoever was away, and however often it is told."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ratchet.errors import InputError
from ratchet.failures import failures, noted
from ratchet.gate.verdict import Decision, Verdict, write_verdict
from ratchet.registry import ending
from ratchet.registry.ending import End, Told, end_of, record_end, told
from ratchet.registry.store import Unavailable
from ratchet.steps import placed, run_step

OK, FAILED = told("SUCCEEDED", None, "run-1", ""), told("FAILED", None, "run-1", "")


def _gated(folder: Path, verdict: Decision, created: str, reasons: list[str] | None = None) -> None:
    """A verdict as a gate's step leaves it in the workspace."""
    (folder / "gate").mkdir(parents=True)
    kind = "reversal" if verdict == "BLOCK" else "none"
    write_verdict(folder / "gate" / "verdict.json", _verdict(verdict, kind, created, reasons or []))


def _verdict(verdict: Decision, kind: Any, created: str, reasons: list[str]) -> Verdict:
    return Verdict(
        verdict=verdict,
        kind=kind,
        reasons=tuple(reasons),
        axes=(),
        references={},
        policy_digest="sha256:p",
        profile_digests={},
        checkpoint_digest="sha256:c",
        lineage=(),
        advice=(),
        created=created,
    )


def _fail(workspace: Path, step: str, error: Exception) -> None:
    with pytest.raises(type(error)), placed(str(workspace), step, str(workspace / "artifact")):
        raise error


def test_a_run_that_went_well_is_finished_and_one_that_the_gate_stopped_says_why(tmp_path: Path) -> None:
    _gated(tmp_path / "round-1", "PROMOTE", "2026-01-01T00:00:00Z")
    found = end_of(tmp_path, OK)
    assert (found.state, found.verdict, found.step, found.message) == ("finished", "PROMOTE", None, None)
    _gated(tmp_path / "round-2", "BLOCK", "2026-01-02T00:00:00Z", ["pass@16 fell by .25", "31 problems lost"])
    found = end_of(tmp_path, OK)
    assert (found.state, found.verdict) == ("blocked", "BLOCK")
    assert found.message == "pass@16 fell by .25; 31 problems lost"


def test_evidence_that_was_refused_is_no_block(tmp_path: Path) -> None:
    _gated(tmp_path, "ERROR", "2026-01-01T00:00:00Z", ["40 of 500 problems"])
    found = end_of(tmp_path, OK)
    assert (found.state, found.message) == ("refused", "40 of 500 problems")


def test_a_step_that_failed_is_named_with_its_words_the_first_of_several(tmp_path: Path) -> None:
    _fail(
        tmp_path, "round-2/sample-1-of-2", InputError("no such server", where="http://x", expected="one that answers")
    )
    time.sleep(0.01)  # notes are told apart by milliseconds
    _fail(tmp_path, "round-2/sample-0-of-2", RuntimeError("CUDA out of memory"))
    found = end_of(tmp_path, FAILED)
    assert (found.state, found.step) == ("failed", "round-2/sample-1-of-2")
    assert found.message == "http://x: no such server; expected one that answers"
    assert [one.message for one in failures(tmp_path)][1] == "RuntimeError: CUDA out of memory"


def test_a_step_that_goes_through_at_its_second_start_leaves_no_note(tmp_path: Path) -> None:
    _fail(tmp_path, "round-1/train", RuntimeError("the disk was full"))
    with noted(str(tmp_path), "round-1/train"):
        pass
    assert failures(tmp_path) == []


def test_a_step_whose_pod_was_killed_is_found_by_its_half_done_work(tmp_path: Path) -> None:
    class Killed(BaseException):
        """What no step survives to note."""

    def work(partial: Path) -> None:
        raise Killed

    with pytest.raises(Killed):
        run_step(tmp_path / "round-1" / "train", {"seed": 1}, work)
    found = end_of(tmp_path, FAILED)
    assert (found.state, found.step) == ("failed", "round-1/train")
    assert found.message == "it said nothing: its pod was killed, or never started"


@pytest.mark.parametrize(("trouble", "state"), [(False, "finished"), (True, "failed")])
def test_a_state_that_is_no_end_is_settled_by_what_the_steps_left(tmp_path: Path, trouble: bool, state: str) -> None:
    if trouble:
        _fail(tmp_path, "round-1/log", RuntimeError("no MLflow"))
    assert end_of(tmp_path, told("RUNNING", None, "run-1", "")).state == state


def test_a_failure_counts_for_more_than_a_verdict_and_a_good_end_for_more_than_an_old_note(tmp_path: Path) -> None:
    _gated(tmp_path / "round-1", "BLOCK", "2026-01-01T00:00:00Z", ["fell"])
    _fail(tmp_path, "round-1/log", RuntimeError("no MLflow"))
    assert end_of(tmp_path, FAILED).state == "failed"
    assert end_of(tmp_path, OK).state == "blocked"
    assert end_of(tmp_path, told("CANCELED", None, "run-1", "")).state == "terminated"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all: MLflow takes seconds to make one."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def _recorded(tracking_uri: str, name: str = "nightly") -> Any:
    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name("loop")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`ratchet.run` = '{name}'")
    return run


def test_a_run_that_failed_before_anything_was_logged_is_in_mlflow_and_telling_it_again_changes_nothing(
    uri: str, tmp_path: Path
) -> None:
    where = tmp_path / "workspace"
    error = InputError("2 duplicates", where="postgresql://me:secret@db/p", expected="none")
    _fail(where, "round-1/validate", error)
    said = told("FAILED", "Task failed", "run-1", "https://kubeflow.example/pipeline/")
    assert record_end(uri, "loop", "nightly", where, said) == "failed"
    first = _recorded(uri)
    assert first.info.status == "FAILED"
    assert first.data.tags["ratchet.end_step"] == "round-1/validate"
    assert first.data.tags["ratchet.end_message"] == "postgresql://db/p: 2 duplicates; expected none"
    assert first.data.tags["ratchet.kubeflow_link"] == "https://kubeflow.example/pipeline/#/runs/details/run-1"
    assert record_end(uri, "loop", "nightly", where, said) == "failed"
    assert _recorded(uri).data.tags == first.data.tags
    # The same run started anew goes through: nothing of the failure stays.
    (where / "round-1" / "validate.failed.json").unlink()
    assert record_end(uri, "loop", "nightly", where, told("SUCCEEDED", None, "run-2", "")) == "finished"
    again = _recorded(uri)
    assert (again.info.status, again.data.tags["ratchet.end"]) == ("FINISHED", "finished")
    assert not {"ratchet.end_step", "ratchet.end_message", "ratchet.kubeflow_link"} & set(again.data.tags)


def test_a_name_with_quotes_is_recorded_without_them(uri: str, tmp_path: Path) -> None:
    record_end(uri, "loop", 'ada\'s "first" run', tmp_path / "w", OK)
    assert _recorded(uri, "adas first run").info.status == "FINISHED"


def test_an_mlflow_that_is_away_for_a_moment_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([False, False, True])

    def work(*_: Any) -> None:
        if not next(answers):
            raise Unavailable("no answer", where="http://mlflow")

    monkeypatch.setattr(ending, "_write", work)
    record_end("http://mlflow", "loop", "nightly", tmp_path / "w", OK, patience_s=0.4)  # pauses of 0.1 and 0.2 s
    assert next(answers, "none left") == "none left"
    assert capsys.readouterr().out.count("http://mlflow: no answer; again in") == 2


def test_what_waiting_does_not_mend_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: Any) -> None:
        raise InputError("experiment 'loop' is deleted")

    monkeypatch.setattr(ending, "_write", work)
    began = time.monotonic()
    with pytest.raises(InputError, match="deleted"):
        record_end("http://mlflow", "loop", "nightly", tmp_path / "w", OK, patience_s=30)
    assert time.monotonic() - began < 5


def test_an_mlflow_that_stays_away_leaves_the_end_in_the_workspace_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(InputError, match="the end of the run is in its workspace alone"):
        record_end(uri, "loop", "nightly", tmp_path / "w", OK, patience_s=0.2)
    assert (tmp_path / "w" / "end-run-1.json").is_file()


def test_a_workspace_that_is_not_there_does_not_keep_the_end_from_mlflow(uri: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert record_end(uri, "loop", "elsewhere", tmp_path / "file" / "workspace", FAILED) == "failed"
    assert _recorded(uri, "elsewhere").data.tags["ratchet.end_message"].startswith("it said nothing")


def test_an_end_says_where_it_is_looked_at() -> None:
    assert told(None, None, "r", "") == Told("", None, "r", "")
    assert End("finished", "t", "r", "").step is None
