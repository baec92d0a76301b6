"""A step's result appears whole or not at all, and a second start goes on where the first was."""

import multiprocessing
import time
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.steps import located, placed, run_step


def _append(folder: Path, line: str) -> None:
    with (folder / "lines").open("a") as stream:
        stream.write(line)


def test_a_finished_step_is_not_done_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        run_step(out, {"seed": 1}, lambda partial: _append(partial, "x"))
    assert (out / "lines").read_text() == "x"


def test_a_step_that_died_finds_what_it_had_done(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def dies(partial: Path) -> None:
        _append(partial, "first ")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        run_step(out, {"seed": 1}, dies)
    assert not out.exists()
    run_step(out, {"seed": 1}, lambda partial: _append(partial, "second"))
    assert (out / "lines").read_text() == "first second"


@pytest.mark.parametrize("finished", [True, False])
def test_a_result_made_from_something_else_is_neither_used_nor_overwritten(tmp_path: Path, finished: bool) -> None:
    out = tmp_path / "out"

    def work(partial: Path) -> None:
        _append(partial, "x")
        if not finished:
            raise RuntimeError

    try:
        run_step(out, {"seed": 1}, work)
    except RuntimeError:
        assert not finished
    with pytest.raises(InputError, match="a result made with seed = 1; expected seed = 2"):
        run_step(out, {"seed": 2}, lambda partial: _append(partial, "y"))
    kept = out if finished else out.with_name("out.partial")
    assert (kept / "lines").read_text() == "x"


def test_input_that_was_refused_leaves_nothing_that_a_mended_one_would_stumble_over(tmp_path: Path) -> None:
    def refuses(partial: Path) -> None:
        _append(partial, "x")
        raise InputError("a bad line", expected="a good one")

    with pytest.raises(InputError, match="a bad line"):
        run_step(tmp_path / "out", {"digest": "bad"}, refuses)
    assert run_step(tmp_path / "out", {"digest": "good"}, lambda partial: _append(partial, "y")).is_dir()
    assert (tmp_path / "out" / "lines").read_text() == "y"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="a folder that Ratchet did not write"):
        run_step(tmp_path / "out", {}, lambda partial: None)


def _slow_step(out: Path) -> None:
    def work(partial: Path) -> None:
        _append(partial, "begin ")
        time.sleep(0.3)
        _append(partial, "end ")

    run_step(out, {"seed": 1}, work)


def test_two_processes_at_one_step_do_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_slow_step, args=(tmp_path / "out",)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "out" / "lines").read_text() == "begin end "


def test_a_placed_step_is_copied_to_its_artifact_and_stays_in_the_workspace(tmp_path: Path) -> None:
    for run in ("run-1", "run-2"):
        artifact = tmp_path / run / "artifact"
        with placed(str(tmp_path / "workspace"), "round-1/step", str(artifact)) as out:
            run_step(out, {}, lambda partial: _append(partial, "x"))
        assert (artifact / "lines").read_text() == "x"
    assert (tmp_path / "workspace" / "round-1" / "step" / "lines").read_text() == "x"


def _placed_checkpoint(tmp_path: Path, seed: int = 1) -> Path:
    artifact = tmp_path / "artifact"
    with placed(str(tmp_path / "workspace"), "round-1/train", str(artifact), as_pointer=True) as out:
        run_step(out, {"seed": seed}, lambda partial: _append(partial, "weights"))
    return artifact


def test_a_pointer_stands_for_the_folder_in_the_workspace_and_copies_nothing(tmp_path: Path) -> None:
    artifact = _placed_checkpoint(tmp_path)
    assert [path.name for path in artifact.iterdir()] == ["pointer.json"]
    assert (located(str(artifact)) / "lines").read_text() == "weights"
    assert located(str(tmp_path / "workspace" / "round-1" / "train")) == tmp_path / "workspace" / "round-1" / "train"


def test_a_pointer_to_a_folder_that_is_gone_or_was_made_anew_is_refused(tmp_path: Path) -> None:
    artifact = _placed_checkpoint(tmp_path)
    (tmp_path / "workspace").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no such folder; .* mount the run's workspace there"):
        located(str(artifact))
    with placed(str(tmp_path / "workspace"), "round-1/train", str(tmp_path / "other"), as_pointer=True) as out:
        run_step(out, {"seed": 2}, lambda partial: _append(partial, "weights"))
    with pytest.raises(InputError, match="another result than the one pointed to"):
        located(str(artifact))
