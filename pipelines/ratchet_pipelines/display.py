"""What a terminal shows while a run works: steps as they end, and how far the present one is."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.errors import InputError
from ratchet.progress import Progress, clock, read_progress
from ratchet.steps import PARTIAL, STAMP

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LOOKS = 0.25


@contextlib.contextmanager
def shown(workspace: Path, progress: Path, rounds: int, console: "Console") -> Iterator[None]:
    """Show the run that works in `workspace` while the block runs; nothing where the console is no terminal."""
    if not console.is_terminal:
        yield
        return
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(_Watched(workspace, progress, rounds), console, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


@dataclass
class _Watched:
    """The state of a run as its files tell it."""

    workspace: Path
    progress: Path
    rounds: int
    began: float = field(default_factory=time.time)
    seen: set[str] = field(default_factory=set)
    first_look: bool = True

    def ended(self) -> list[str]:
        """A line for each step that has ended since the last look."""
        stamps = sorted(self.workspace.glob(f"round-*/*/{STAMP}"), key=lambda path: path.stat().st_mtime)
        folders = [path.parent for path in stamps if not path.parent.name.endswith(PARTIAL)]
        new = [folder for folder in folders if str(folder) not in self.seen]
        self.seen.update(map(str, new))
        if self.first_look:
            self.first_look = False
            return [f"[dim]going on after {len(new)} steps that an earlier start has done[/dim]"] if new else []
        return [_ended_line(folder) for folder in new]

    def status(self) -> str:
        """The present step: its round, how far it is, its rate and the time left."""
        working = sorted(self.workspace.glob(f"round-*/*{PARTIAL}"))
        spent = clock(time.time() - self.began)
        if not working:
            return f"{spent}  starting the next step"
        step = working[-1]
        round_ = step.parent.name.partition("-")[2]
        name = step.name.removesuffix(PARTIAL)
        return f"{spent}  round {round_} of at most {self.rounds + 1}  {name}  {_how_far(self._progress(step))}"

    def _progress(self, step: Path) -> Progress | None:
        with contextlib.suppress(OSError, InputError):  # a file between two writes is read at the next look
            if self.progress.stat().st_mtime >= (step / STAMP).stat().st_mtime:
                return read_progress(self.progress)
        return None


def _watch(run: _Watched, console: "Console", stop: threading.Event) -> None:
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("dots", text="starting")
    # The steps' own output is being redirected to the log meanwhile; Live must not redirect it a second time.
    with Live(spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            for line in run.ended():
                console.print(line)
            spinner.update(text=run.status())
    for line in run.ended():
        console.print(line)


def _ended_line(folder: Path) -> str:
    took = max(0.0, folder.stat().st_mtime - (folder / STAMP).stat().st_mtime)
    return f"[green]✓[/green] {folder.parent.name:<9} {folder.name:<18} {clock(took):>6}"


def _how_far(progress: Progress | None) -> str:
    return progress.told if progress is not None and progress.total else ""
