"""How far a step is: a bar on a terminal, a small file for the run that started the step, nothing in a pipe."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ratchet.storage import read_json, write_json

PROGRESS_FILE = "RATCHET_PROGRESS"  # environment: where the run that started this step reads how far it is
SECONDS_BETWEEN_WRITES = 0.2

Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is, and the work that this process itself did (`done` counts what an earlier start left too)."""

    step: str
    done: float
    total: float
    unit: str
    started: float
    done_here: float

    @property
    def rate(self) -> float:
        """Units a second in this process."""
        return self.done_here / max(time.time() - self.started, 1e-9)

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
        yield lambda amount: None


def read_progress(path: Path) -> Progress | None:
    """What a step last wrote, or None where there is nothing."""
    return Progress(**read_json(path)) if path.is_file() else None


def _file_writer(path: Path, state: Progress) -> Advance:
    here = 0.0
    written = 0.0

    def advance(amount: float) -> None:
        nonlocal here, written
        here += amount
        now = time.time()
        if now - written >= SECONDS_BETWEEN_WRITES or state.done + here >= state.total:
            written = now
            write_json(path, asdict(state) | {"done": state.done + here, "done_here": here})

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
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(step, total=total, completed=int(already))
        yield lambda amount: bars.advance(task, amount)
