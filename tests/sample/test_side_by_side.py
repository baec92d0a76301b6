"""Processes that share work: all of it is done once, and none outlives what it was for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ratchet.checkpoints import load_tokenizer
from ratchet.errors import InputError
from ratchet.prompts import prompt_tokens
from ratchet.records import Problem
from ratchet.sample import Sampling, transformers_engine
from ratchet.sample.engine import Job, Question
from ratchet.sample.side_by_side import side_by_side
from ratchet.storage import read_records


def _counting(start: int, count: int) -> Iterator[tuple[int, int]]:
    for number in range(start, start + count):
        yield os.getpid(), number


def _endless() -> Iterator[int]:
    while True:
        time.sleep(0.01)
        yield os.getpid()


def _stops(how: Callable[[], Any]) -> Iterator[int]:
    yield os.getpid()
    how()


def _gone(pid: int) -> bool:
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_each_share_is_done_once_and_in_a_process_of_its_own() -> None:
    found = list(side_by_side([partial(_counting, 0, 500), partial(_counting, 500, 3), partial(_counting, 900, 0)]))
    assert sorted(number for _, number in found) == list(range(503))
    workers = {pid for pid, _ in found}
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert all(map(_gone, workers))


def _fails() -> None:
    raise ValueError("no such token")


def _is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [(_fails, RuntimeError, "ValueError: no such token"), (_is_killed, InputError, "ended early .-9.*more memory")],
)
def test_a_share_that_fails_ends_all(how: Callable[[], Any], error: type[Exception], said: str) -> None:
    seen = set()
    with pytest.raises(error, match=said):
        for pid in side_by_side([_endless, partial(_stops, how)]):
            seen.add(pid)
    assert seen
    assert all(map(_gone, seen))


def test_who_stops_listening_ends_the_processes() -> None:
    working = side_by_side([_endless, _endless])
    seen = {next(working) for _ in range(50)}
    working.close()  # type: ignore[attr-defined]
    assert seen
    assert all(map(_gone, seen))


def test_processes_end_where_the_one_that_forked_them_is_killed() -> None:
    program = (
        "import os, time\n"
        "from ratchet.sample.side_by_side import side_by_side\n"
        "def endless():\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "        yield os.getpid()\n"
        "for pid in side_by_side([endless, endless, endless]):\n"
        "    print(pid, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        seen: set[int] = set()
        while len(seen) < 3:
            seen.add(int(parent.stdout.readline()))
        parent.kill()
    assert all(map(_gone, seen))


def test_attempts_are_the_same_from_one_process_as_from_three(
    problems: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, settings = load_tokenizer(untrained), Sampling(attempts=9, max_new_tokens=8, stop=("e",))
    asked = [
        Question(p.suite, p.id, tuple(prompt_tokens(p, tokenizer, settings.prompt)), tuple(range(9)))
        for p in read_records(problems, Problem)[:10]
    ]

    def drawn() -> dict[tuple[str, int], tuple[str, int]]:
        with transformers_engine.transformers_engine(Job(untrained, settings, 100)) as engine:
            samples = [one for some in engine.draw(asked) for one in some]
        assert len(samples) == 90
        return {(one.problem_id, one.attempt): (one.text, one.tokens) for one in samples}

    monkeypatch.setattr(transformers_engine, "threads", lambda: 3)
    assert transformers_engine._sharers(None, [], settings) == 1
    alone = drawn()  # 90 rows are too few for three
    forks: list[int] = []

    def counted(shares: Any) -> Any:
        forks.append(len(shares))
        return side_by_side(shares)

    monkeypatch.setattr(transformers_engine, "side_by_side", counted)
    assert drawn() == alone
    assert forks == []
    monkeypatch.setattr(transformers_engine, "FEWEST_ROWS", 30)
    assert drawn() == alone
    assert forks == [3]
