"""How far a step is: a bar on a terminal, nothing in a pipe; a file or lines of a log where the environment asks."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ratchet.storage import read_json, write_json

PROGRESS_FILE = "RATCHET_PROGRESS"  # environment: where the run that started this step reads how far it is
LOG = "log"  # in its place: a line on stderr now and then, for the log of a pod
SECONDS_BETWEEN_WRITES = 0.2
SECONDS_BETWEEN_LINES = 30.0


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

    @property
    def told(self) -> str:
        """How far it is, how fast it goes and how long it will take, in words."""
        parts = [f"{self.done:,.0f} of {self.total:,.0f} {self.unit}"]
        if self.done_here > 0:
            parts.append(_rates(self.rate, self.tokens_a_second))
        if self.seconds_left is not None and self.done < self.total:
            parts.append(f"{clock(self.seconds_left)} left")
        return ", ".join(parts)


@contextmanager
def tracking(step: str, total: float, unit: str, already: float = 0) -> Iterator[Advance]:
    """Yield a function that is told how many more units are done."""
    path = os.environ.get(PROGRESS_FILE)
    begun = Progress(step, already, total, unit, time.time(), 0)
    if path == LOG:
        yield _teller(begun, SECONDS_BETWEEN_LINES, lambda at: print(f"{step}: {at.told}", file=sys.stderr, flush=True))
    elif path:
        yield _teller(begun, SECONDS_BETWEEN_WRITES, lambda at: write_json(Path(path), asdict(at)))
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


def clock(seconds: float) -> str:
    """Minutes and seconds, hours before them where there are any: `5:07`, `1:05:07`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _teller(state: Progress, every_s: float, tell: Callable[[Progress], None]) -> Advance:
    """Tells at the beginning, at most every `every_s` seconds, and at the end."""
    here = tokens_here = told = 0.0
    ended = False

    def advance(amount: float, tokens: float = 0, /) -> None:
        nonlocal here, tokens_here, told, ended
        here += amount
        tokens_here += tokens
        now = time.time()
        ends = state.done + here >= state.total and not ended
        if now - told >= every_s or ends:
            told, ended = now, ended or ends
            tell(replace(state, done=state.done + here, done_here=here, tokens_here=tokens_here))

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
        TextColumn(unit + "{task.fields[rates]},"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(step, total=total, completed=int(already), rates="")
        begun, sums = time.monotonic(), [0.0, 0.0]

        def advance(amount: float, tokens: float = 0, /) -> None:
            sums[0], sums[1] = sums[0] + amount, sums[1] + tokens
            seconds = max(time.monotonic() - begun, 1e-9)
            rates = f", {_rates(sums[0] / seconds, sums[1] / seconds or None)}" if sums[0] else ""
            bars.update(task, advance=amount, rates=rates)

        yield advance


def _rates(units: float, tokens: float | None) -> str:
    """Units and tokens a second, the latter where there are any."""
    shown = f"{units:,.0f}/s" if units >= 100 else f"{units:.3g}/s"
    return shown if tokens is None else f"{shown}, {tokens:,.0f} tokens/s"
