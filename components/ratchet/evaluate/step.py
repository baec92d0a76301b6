"""The evaluation as a pipeline's step: it hands on the profile, its page, and the history with this round in it."""

from collections.abc import Sequence
from pathlib import Path

from ratchet.evaluate.build import Beside, evaluate
from ratchet.evaluate.profile import PAGE_FILE, read_profile
from ratchet.evaluate.summary import as_markdown
from ratchet.evaluate.tracked import tracked_metrics
from ratchet.steps import publish
from ratchet.storage import write_text


def evaluate_step(attempts: Sequence[Path], name: str, base: str | None, history: str | None, out: Path) -> Path:
    """The profile folder `out`, looked at beside the base's profile and those in the folder `history`.

    `attempts` are the files of the grade steps, one a shard.
    """
    beside = Beside(base=None if base is None else Path(base), history=history_of(history))
    return evaluate(attempts, out, name, beside=beside)


def history_of(folder: str | None) -> tuple[Path, ...]:
    """The profiles in a folder that `hand_on` wrote, oldest first."""
    return () if folder is None else tuple(sorted(Path(folder).iterdir()))


def hand_on(out: Path, history: str | None, history_out: str, report: str, summary: str) -> dict[str, float]:
    """The numbers of the profile in `out`, after the history, the page and the summary were written to artifacts."""
    past = history_of(history)
    for number, folder in enumerate([*past, out]):
        publish(folder, Path(history_out, f"{number:04d}"))
    write_text(Path(report), (out / PAGE_FILE).read_text(encoding="utf-8"))
    profile = read_profile(out)
    write_text(Path(summary), as_markdown(profile))
    return tracked_metrics(profile)
