"""Exactly n attempts a problem, whatever interrupts the work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.records import Problem, Sample
from ratchet.sample import SAMPLES_FILE, Sampling, sample
from ratchet.storage import read_records, read_with_header, write_records

SETTINGS = Sampling(attempts=64, max_new_tokens=6, seed=3)


def _keys(folder: Path) -> list[tuple[str, int]]:
    return [(s.problem_id, s.attempt) for s in read_records(folder / SAMPLES_FILE, Sample)]


def test_each_problem_of_the_splits_gets_its_attempts_once(problems: Path, untrained: Path, tmp_path: Path) -> None:
    out = sample(problems, untrained, tmp_path / "s", SETTINGS, ["eval", "ood"])
    samples, header = read_with_header(out / SAMPLES_FILE, Sample)
    wanted = [p.id for p in read_records(problems, Problem) if p.split != "train"]
    assert sorted(_keys(out)) == sorted((name, attempt) for name in wanted for attempt in range(64))
    assert header["checkpoint"] == checkpoint_digest(untrained)
    assert header["sampling"]["seed"] == 3
    assert len({s.text for s in samples if s.problem_id == wanted[0]}) > 32  # attempts are no copies of each other


def test_the_same_seed_draws_the_same_and_another_draws_others(problems: Path, untrained: Path, tmp_path: Path) -> None:
    def texts(name: str, seed: int) -> list[str]:
        settings = Sampling(attempts=4, max_new_tokens=6, seed=seed)
        out = sample(problems, untrained, tmp_path / name, settings, ["ood"])
        return [s.text for s in read_records(out / SAMPLES_FILE, Sample)]

    assert texts("a", 1) == texts("b", 1)
    assert texts("a", 1) != texts("c", 2)


@pytest.mark.slow
def test_a_sampler_killed_again_and_again_draws_what_an_unbroken_one_does(
    problems: Path, untrained: Path, tmp_path: Path
) -> None:
    """Parts are left as they are after each kill -9; the last start only completes them."""
    unbroken = sample(problems, untrained, tmp_path / "unbroken", SETTINGS, ["train"])
    broken = tmp_path / "broken"
    arguments = ["--problems", problems, "--checkpoint", untrained, "--split", "train", "--out", broken]
    arguments += ["--attempts", "64", "--max-new-tokens", "6", "--seed", "3"]
    kills = 0
    for parts_wanted in (1, 2, 3):
        process = subprocess.Popen(
            [sys.executable, "-m", "ratchet", "sample", *map(str, arguments)], start_new_session=True
        )
        parts = tmp_path / "broken.partial" / "parts"
        while process.poll() is None and len(list(parts.glob("part-*.parquet"))) < parts_wanted:
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 3, "every start was to be killed before its end"
    sample(problems, untrained, broken, SETTINGS, ["train"])
    assert _keys(broken) == _keys(unbroken)
    assert read_records(broken / SAMPLES_FILE, Sample) == read_records(unbroken / SAMPLES_FILE, Sample)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"attempts": 2, "temperature": 0.0}, "temperature = 0 with 2 attempts"),
        ({"attempts": 0}, "attempts = 0"),
        ({"attempts": 1, "temperature": float("nan")}, "temperature = nan"),
        ({"attempts": 1, "temperature": -1.0}, "temperature = -1.0"),
        ({"attempts": 1, "top_p": 0.0}, "top_p = 0.0"),
        ({"attempts": 1, "max_new_tokens": 0}, "max_new_tokens = 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Sampling(**settings)  # type: ignore[arg-type]


def test_a_prompt_that_leaves_no_room_is_refused_before_anything_is_drawn(untrained: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_records(path, [Problem("long", "pens " * 300, "1", split="eval")], Problem)
    with pytest.raises(InputError, match=r"problem long: a prompt of \d+ tokens and 6 new ones; expected at most 256"):
        sample(path, untrained, tmp_path / "s", SETTINGS, ["eval"])
    assert not (tmp_path / "s").exists()


def test_a_split_without_problems_is_refused(untrained: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_records(path, [Problem("1", "x", "1", split="train")], Problem)
    with pytest.raises(InputError, match="no problem to sample"):
        sample(path, untrained, tmp_path / "s", SETTINGS, ["eval"])
