"""Several processes train as one does: the same batches, one writer, one line where one of them is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from ratchet.errors import InputError
from ratchet.select import EXAMPLES_FILE, select_solutions
from ratchet.train import SFT, RankLost, train_sft
from ratchet.train.launch import first_cause
from ratchet.train.ranks import shared_out

# 120 texts in batches of 7 by 3 processes: none is shared out evenly, and the last holds one text for three of them.
SETTINGS = SFT(epochs=2, batch_size=7, learning_rate=3e-3, max_length=128, save_steps=4, seed=0)


@pytest.fixture(scope="module")
def examples(problems: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return select_solutions(problems, tmp_path_factory.mktemp("examples") / "e") / EXAMPLES_FILE


@pytest.fixture(scope="module")
def alone(untrained: Path, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights that one process makes."""
    out = train_sft(untrained, examples, tmp_path_factory.mktemp("alone") / "m1", SETTINGS)
    return load_file(out / "model.safetensors")


def _apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def _program(untrained: Path, examples: Path, out: Path, processes: int) -> list[str]:
    given = f"Path({str(untrained)!r}), Path({str(examples)!r}), Path({str(out)!r}), {SETTINGS!r}, {processes}"
    lines = [
        "import sys; from pathlib import Path; from ratchet.train import SFT, RankLost, trained",
        "try: trained(" + given + ")",
        "except RankLost as lost: sys.exit(str(lost))",
    ]
    return [sys.executable, "-c", "\n".join(lines)]


def test_the_processes_take_turns_in_each_batch_and_a_filler_evens_them_out() -> None:
    # Batches 0..4 and 5..6 for two: rank 0 gets 0, 2, 4 and rank 1 gets 1, 3; then 5 and 6 with two fillers each.
    assert shared_out(range(7), 5, 2, filler=9) == [0, 2, 4, 1, 3, 9, 5, 9, 9, 6, 9, 9]
    assert shared_out(range(7), 5, 1, filler=9) == list(range(7))


@given(st.integers(1, 60), st.integers(1, 12), st.integers(2, 5))
def test_each_step_of_all_processes_holds_the_texts_of_one_batch(texts: int, batch_size: int, processes: int) -> None:
    if batch_size < processes:
        with pytest.raises(InputError, match=f"batch_size = {batch_size} for {processes} processes"):
            shared_out(range(texts), batch_size, processes, filler=-1)
        return
    shared = shared_out(range(texts), batch_size, processes, filler=-1)
    step = len(shared) // -(-texts // batch_size)
    assert step % processes == 0
    steps = [shared[start : start + step] for start in range(0, len(shared), step)]
    for number, one in enumerate(steps):
        batch = range(texts)[number * batch_size : (number + 1) * batch_size]
        assert sorted(text for text in one if text >= 0) == list(batch)
        part = step // processes
        counts = [sum(text >= 0 for text in one[at : at + part]) for at in range(0, step, part)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.slow
def test_three_processes_end_where_one_does(
    untrained: Path, examples: Path, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    out = tmp_path / "m1"
    program = _program(untrained, examples, out, 3)
    ended = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    together = load_file(out / "model.safetensors")
    assert _apart(alone, together) < 1e-5
    assert _apart(load_file(untrained / "model.safetensors"), together) > 1e-2
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "step.json"} <= names
    assert "training" not in names


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_all_with_one_line_and_fewer_processes_go_on(
    untrained: Path, examples: Path, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    out = tmp_path / "m1"
    program = _program(untrained, examples, out, 2)
    launcher = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    states = tmp_path / "m1.partial" / "training"
    while launcher.poll() is None and len(list(states.glob("checkpoint-*/trainer_state.json"))) < 2:
        time.sleep(0.005)
    os.kill(_rank_of(launcher.pid, 1), signal.SIGKILL)
    printed, said = launcher.communicate(timeout=120)
    line = "rank 1 of the training ended: killed by SIGKILL; the same command goes on from the last saved state"
    assert (launcher.returncode, printed, said.splitlines()[-1]) == (1, "", line)
    assert "Traceback" not in said
    newest = max(states.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    (newest / "rng_state_1.pth").write_bytes(b"half")  # as if that rank had been killed while it saved
    train_sft(untrained, examples, out, SETTINGS)
    assert _apart(alone, load_file(out / "model.safetensors")) < 1e-4


def _rank_of(launcher: int, rank: int) -> int:
    """The process of that rank, a child of the launcher."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    marks = {int(pid): Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in children}
    return next(pid for pid, environment in marks.items() if f"RANK={rank}".encode() in environment)


@pytest.mark.slow
def test_what_all_ranks_refuse_is_said_once(untrained: Path, examples: Path, tmp_path: Path) -> None:
    words = ["train", f"--checkpoint={untrained}", f"--examples={examples}", f"--out={tmp_path / 'm1'}"]
    command = [sys.executable, "-m", "ratchet", *words, "--max-length=30", "--processes=2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert [line.partition(" an example of ")[0] for line in ended.stderr.splitlines()] == [f"ratchet: {examples}:"]
    assert not (tmp_path / "m1.partial").exists()


def _failure(folder: Path, rank: int, exit_code: int, said: str = "", at: int = 100) -> ProcessFailure:
    file = folder / f"{rank}.json"
    if said:
        file.write_text(f'{{"message": {{"message": "{said}", "extraInfo": {{"timestamp": "{at}"}}}}}}')
    return ProcessFailure(local_rank=rank, pid=1, exitcode=exit_code, error_file=str(file))


def test_the_cause_is_the_rank_that_refused_then_the_one_that_was_killed_then_the_first_that_failed(
    tmp_path: Path,
) -> None:
    second_hand = _failure(tmp_path, 0, 1, "RuntimeError: Connection closed by peer [::1]", at=1)
    ended_with_them = _failure(tmp_path, 1, -15)
    late, early = _failure(tmp_path, 2, 1, "ValueError: late", at=9), _failure(tmp_path, 3, 1, "ValueError: x", at=5)
    killed, refusing = _failure(tmp_path, 4, -9), _failure(tmp_path, 5, 64, "e.parquet: no such file")
    failures = {0: second_hand, 1: ended_with_them, 2: late, 3: early}
    assert isinstance(first_cause(failures), RankLost)
    assert str(first_cause(failures)).startswith("rank 3 of the training ended: ValueError: x;")
    assert str(first_cause(failures | {4: killed})).startswith("rank 4 of the training ended: killed by SIGKILL;")
    found = first_cause(failures | {4: killed, 5: refusing})
    assert (type(found), str(found)) == (InputError, "e.parquet: no such file")
    said = "rank 0 of the training ended: another rank left (Connection closed by peer);"
    assert str(first_cause({0: second_hand})).startswith(said)
