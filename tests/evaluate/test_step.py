"""The evaluation as a pipeline's step: each round hands on the rounds before it, oldest first."""

from pathlib import Path

import pytest

from ratchet.evaluate.profile import read_profile
from ratchet.evaluate.step import evaluate_step, hand_on, history_of
from ratchet.records import Attempt
from ratchet.storage import write_records


def attempts_of(folder: Path, right: int) -> Path:
    folder.mkdir()
    rows = [
        Attempt(str(i), "correct" if j < right else "incorrect", attempt=j, text=f"{i} + {j} = {i + j}")
        for i in range(6)
        for j in range(8)
    ]
    write_records(folder / "attempts.parquet", rows, Attempt, {"checkpoint": f"sha256:{right}"})
    return folder / "attempts.parquet"


def test_three_rounds_are_handed_on_in_their_order(tmp_path: Path) -> None:
    history, base, numbers = None, None, {}
    for number, right in enumerate((3, 6, 4)):
        attempts = attempts_of(tmp_path / f"graded-{number}", right)
        out = evaluate_step([attempts], f"M_{number + 1}", base, history, tmp_path / f"profile-{number}")
        after, page, summary = (str(tmp_path / f"{name}-{number}") for name in ("history", "page", "summary"))
        numbers = hand_on(out, history, after, page, summary)
        assert f"M\\_{number + 1}" in Path(summary).read_text()
        assert Path(page).read_text().startswith("<!doctype html>")
        history, base = after, base or str(out)
    assert [read_profile(folder).name for folder in history_of(history)] == ["M_1", "M_2", "M_3"]
    last = read_profile(tmp_path / "profile-2")
    assert [past.name for past in last.history] == ["M_1", "M_2"]
    assert last.base is not None
    assert last.base.name == "M_1"
    # pass@1 was 3/8, 6/8, 4/8
    assert numbers["default/pass_at_1"] == pytest.approx(0.5)
    assert numbers["default/dynamics.gap"] == pytest.approx(0.25)
    assert numbers["default/dynamics.peak_step"] == 1


def test_without_a_history_there_is_none() -> None:
    assert history_of(None) == ()
