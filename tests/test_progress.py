"""How far a step is, as the run that started it reads it."""

import contextlib
import io
import os
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from ratchet.progress import LOG, PROGRESS_FILE, Progress, clock, read_progress, tracking
from ratchet.steps import PARTIAL, STAMP
from ratchet_pipelines.display import _how_far, _Watched, shown


def test_a_step_started_by_a_run_writes_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS_FILE, str(path))
    with tracking("sample", 100, "attempts", already=40) as advance:
        begun = read_progress(path)
        assert begun is not None
        assert (begun.done, begun.seconds_left) == (40, None)
        advance(20)
        advance(40)
    ended = read_progress(path)
    assert ended is not None
    assert (ended.step, ended.done, ended.done_here, ended.total, ended.unit) == ("sample", 100, 60, 100, "attempts")


def test_the_rate_counts_what_this_process_did_alone() -> None:
    half = Progress("train", done=75, total=100, unit="steps", started=time.time() - 10, done_here=50)
    assert half.rate == pytest.approx(5, rel=0.01)  # 50 steps in 10 s, the 25 of an earlier start left out
    assert half.seconds_left == pytest.approx(5, rel=0.01)  # 25 steps at 5/s
    assert _how_far(half) == "75 of 100 steps, 5/s, 0:05 left"


def test_a_step_that_writes_text_counts_its_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS_FILE, str(path))
    with tracking("sample", 10, "attempts", already=4) as advance:
        advance(2, 30)
        advance(4, 50)
    ended = read_progress(path)
    assert ended is not None
    assert (ended.done_here, ended.tokens_here) == (6, 80)
    assert Progress("sample", 8, 10, "attempts", time.time() - 10, 4, 80).tokens_a_second == pytest.approx(8, rel=0.01)
    assert Progress("train", 8, 10, "steps", time.time() - 10, 4).tokens_a_second is None


def test_nothing_is_shown_in_a_pipe(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_FILE, raising=False)
    with tracking("grade", 10, "attempts") as advance:
        advance(10)
    assert capfd.readouterr() == ("", "")


def test_a_log_gets_a_line_at_the_beginning_now_and_then_and_at_the_end(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRESS_FILE, LOG)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    with tracking("sample", 3000, "attempts", already=1000) as advance:
        advance(500, 3000)  # too soon after the first line
        monkeypatch.setattr(time, "time", lambda: 1e9 + 100)
        advance(500, 2000)  # 1,000 attempts in 100 s, 5,000 tokens, and 1,000 attempts to go
        advance(1000, 5000)
        advance(0)
    out, lines = capfd.readouterr()
    assert out == ""
    assert lines.splitlines() == [
        "sample: 1,000 of 3,000 attempts",
        "sample: 2,000 of 3,000 attempts, 10/s, 50 tokens/s, 1:40 left",
        "sample: 3,000 of 3,000 attempts, 20/s, 100 tokens/s",
    ]


def test_a_terminal_shows_the_rate_the_tokens_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.delenv(PROGRESS_FILE, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("sys.stderr", terminal)
    with tracking("sample", 200, "attempts", already=40) as advance:
        for _ in range(4):
            time.sleep(0.05)
            advance(10, 300)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    last = shown.replace("\r", "\n").strip().splitlines()[-1]
    found = re.fullmatch(r"sample .* +80/200 attempts, ([0-9.]+)/s, ([0-9,]+) tokens/s, ([0-9:-]+) left", last.strip())
    assert found, last
    attempts, tokens = (float(part.replace(",", "")) for part in found.groups()[:2])
    assert tokens / attempts == pytest.approx(30, rel=0.05)  # 30 tokens an attempt; what was there is no work
    assert attempts < 40 / 0.2


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (59.9, "0:59"), (307, "5:07"), (3907, "1:05:07")])
def test_a_clock_has_hours_where_there_are_any(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def _step(workspace: Path, name: str, when: float) -> None:
    folder = workspace / name
    folder.mkdir(parents=True)
    (folder / STAMP).write_text("{}")
    os.utime(folder / STAMP, (when, when))
    os.utime(folder, (when + 65, when + 65))


def test_a_terminal_shows_the_run_and_the_log_gets_what_the_steps_print(tmp_path: Path) -> None:
    terminal, log = io.StringIO(), io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100)
    _step(tmp_path, f"round-1/train{PARTIAL}", time.time())
    with shown(tmp_path, tmp_path / "progress.json", 3, console), contextlib.redirect_stdout(log):
        print("noise of a step")
        deadline = time.time() + 20
        while "round 1 of at most 4  train" not in terminal.getvalue():
            assert time.time() < deadline, terminal.getvalue()
            time.sleep(0.05)
        _step(tmp_path, "round-1/select", time.time() - 65)
    assert "✓ round-1   select               1:05" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert log.getvalue() == "noise of a step\n"


def test_a_run_is_shown_by_the_steps_that_ended_and_the_one_at_work(tmp_path: Path) -> None:
    watched = _Watched(tmp_path, tmp_path / "progress.json", rounds=3)
    now = time.time() - 1000
    _step(tmp_path, "round-1/train", now)
    assert watched.ended() == ["[dim]going on after 1 steps that an earlier start has done[/dim]"]
    _step(tmp_path, "round-2/sample", now + 100)
    _step(tmp_path, f"round-2/train{PARTIAL}", now + 200)
    assert watched.ended() == ["[green]✓[/green] round-2   sample               1:05"]
    assert watched.ended() == []
    assert "round 2 of at most 4  train" in watched.status()
