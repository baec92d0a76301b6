"""How far a step is: a bar on a terminal, a small file for the run that started the step, nothing in a pipe."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from ratchet.storage import read_json, write_json

PROGRESS_FILE = "RATCHET_PROGRESS"  # environment: where the run that started this step reads how far it is
SECONDS_BETWEEN_WRITES = 0.2


class Advance(Protocol):
    """A function that is told how far a step got."""

    def __call__(self, amount: float, tokens: float = 0, /) -> None:
        """So many more units are done and, in a step that writes text, took so many tokens."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is, and the work that this process itself did (`done` counts what an earlier start left too)."""

    step: str
    done: float
    total: float
    unit: str
    started: float
    done_here: float
    tokens_here: float = 0

    @property
    def rate(self) -> float:
        """Units a second in this process."""
        return self.done_here / max(time.time() - self.started, 1e-9)

    @property
    def tokens_a_second(self) -> float | None:
        """Tokens a second in this process; None for a step that counts none."""
        return self.tokens_here / max(time.time() - self.started, 1e-9) if self.tokens_here > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the rate so far; None before anything is done."""
        return (self.total - self.done) / self.rate if self.done_here > 0 else None


@contextmanager
def tracking(step: str, total: float, unit: str, already: float = 0) -> Iterator[Advance]:
    """Yield a function that is told how many more units are done."""
    path = os.environ.get(PROGRESS_FILE)
    if path:
        yield _file_writer(Path(path), Progress(step, already, total, unit, time.time(), 0))
    elif sys.stderr.isatty():
        with _terminal_bar(step, total, unit, already) as advance:
            yield advance
    else:
        yield _nothing


def read_progress(path: Path) -> Progress | None:
    """What a step last wrote, or None where there is nothing."""
    return Progress(**read_json(path)) if path.is_file() else None


def _nothing(amount: float, tokens: float = 0, /) -> None:
    """Nobody looks."""


def _file_writer(path: Path, state: Progress) -> Advance:
    here = tokens_here = written = 0.0

    def advance(amount: float, tokens: float = 0, /) -> None:
        nonlocal here, tokens_here, written
        here += amount
        tokens_here += tokens
        now = time.time()
        if now - written >= SECONDS_BETWEEN_WRITES or state.done + here >= state.total:
            written = now
            done = {"done": state.done + here, "done_here": here, "tokens_here": tokens_here}
            write_json(path, asdict(state) | done)

    advance(0)
    return advance


@contextmanager
def _terminal_bar(step: str, total: float, unit: str, already: float) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + "{task.fields[rates]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(step, total=total, completed=int(already), rates="")
        begun, sums = time.monotonic(), [0.0, 0.0]

        def advance(amount: float, tokens: float = 0, /) -> None:
            sums[0], sums[1] = sums[0] + amount, sums[1] + tokens
            bars.update(task, advance=amount, rates=_rates(sums[0], sums[1], time.monotonic() - begun))

        yield advance


def _rates(done: float, tokens: float, seconds: float) -> str:
    """Units and tokens a second, the latter where there are any."""
    if seconds <= 0:
        return ""
    return f", {done / seconds:.3g}/s" + (f", {tokens / seconds:,.0f} tokens/s" if tokens else "")
