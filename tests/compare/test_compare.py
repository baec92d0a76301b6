"""Two profiles side by side: paired changes and flips, by hand and by a second method."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from ratchet.cli import invoke
from ratchet.compare.compare import Comparison, Row, compare
from ratchet.errors import InputError
from ratchet.evaluate.build import evaluate
from ratchet.metrics.bounds import lower_bound
from ratchet.records import Attempt
from ratchet.storage import write_records


def profile_of(folder: Path, right: list[int], n: int = 4, **header: object) -> Path:
    rows = [
        Attempt(
            f"p{i:03}",
            "correct" if j < c else "incorrect",
            attempt=j,
            text=f"{folder.name} {i} {j}",
            group=str(1 + i % 2),
            confidence=0.9,
        )
        for i, c in enumerate(right)
        for j in range(n)
    ]
    path = folder.with_suffix(".parquet")
    write_records(path, rows, Attempt, {"checkpoint": f"sha256:{folder.name}", "sampling": {"top_p": 1.0}, **header})
    return evaluate([path], folder, folder.name)


def row(found: Comparison, name: str) -> Row:
    return next(row for row in found.rows if row.name == name)


def test_the_change_is_paired_problem_by_problem(tmp_path: Path) -> None:
    before, after = [0, 1, 2, 3, 4, 4], [1, 1, 2, 3, 4, 0]
    found = compare(profile_of(tmp_path / "a", before), profile_of(tmp_path / "b", after))
    change = (np.array(after) - np.array(before)) / 4
    one = row(found, "pass@1")
    assert (one.before, one.after, one.change) == pytest.approx((14 / 24, 11 / 24, -3 / 24))
    assert one.low == pytest.approx(lower_bound(change, -1.0, 0.025))
    second = row(found, "pass@1[group=2]")  # problems 1, 3, 5
    assert second.change == pytest.approx((0 + 0 - 1) / 3)


def test_problems_that_flipped_come_with_an_answer_of_each_side_the_surest_first(tmp_path: Path) -> None:
    found = compare(profile_of(tmp_path / "a", [4, 0, 3, 2]), profile_of(tmp_path / "b", [0, 4, 2, 2]))
    assert [(f.problem_id, f.lost) for f in found.flips] == [("p000", True), ("p002", True), ("p001", False)]
    first, _, won = found.flips
    assert (first.before, first.after) == ((4, 4), (0, 4))
    assert first.surprise == pytest.approx(fisher_exact([[4, 0], [0, 4]]).pvalue)
    assert (first.text_before, first.text_after) == ("a 0 0", "b 0 0")
    assert (won.text_before, won.text_after) == ("a 1 0", "b 1 0")
    counts = found.flip_counts[0]
    assert (counts.problems, counts.lost, counts.won) == (4, 1, 1)


def test_disparity_and_calibration_have_paired_changes_too(tmp_path: Path) -> None:
    # group 1 (even problems) stays at 4 of 4, group 2 falls from 4 of 4 to 2 of 4: disparity 0 -> .5
    before, after = [4] * 40, [4, 2] * 20
    found = compare(profile_of(tmp_path / "a", before), profile_of(tmp_path / "b", after))
    disparity = row(found, "disparity")
    assert (disparity.before, disparity.after, disparity.change) == pytest.approx((0.0, 0.5, 0.5))
    assert disparity.low is not None and 0.1 < disparity.low < 0.5
    # always .9 sure: right always (gap .1), then right three times in four (gap .15)
    ece = row(found, "calibration.ece")
    assert (ece.before, ece.after, ece.change) == pytest.approx((0.1, 0.15, 0.05))


def test_a_profile_compared_with_itself_is_said_to_be_one_checkpoint(tmp_path: Path) -> None:
    folder = profile_of(tmp_path / "a", [1, 2, 3])
    found = compare(folder, folder)
    assert found.notes == ("both profiles are of one checkpoint: what differs is chance",)
    assert row(found, "pass@1").change == 0.0


def test_other_sampling_is_noted_and_other_problems_are_refused(tmp_path: Path) -> None:
    one = profile_of(tmp_path / "a", [1, 2, 3])
    found = compare(one, profile_of(tmp_path / "b", [1, 2, 3], sampling={"top_p": 0.9}))
    assert any("differ in sampling" in note for note in found.notes)
    with pytest.raises(InputError, match="'p003' is on one side only"):
        compare(one, profile_of(tmp_path / "c", [1, 2, 3, 4]))


def test_the_command_prints_a_table_json_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = str(profile_of(tmp_path / "a", [4, 0, 3, 2])), str(profile_of(tmp_path / "b", [0, 4, 2, 2]))
    page = tmp_path / "page.html"
    assert invoke(["compare", before, after, "--all", "--report", str(page)]) == 0
    printed = capsys.readouterr().out
    lines = {line.split()[1]: line.split() for line in printed.splitlines() if line.startswith("default ")}
    assert lines["pass@1"][2:5] == ["0.562", "0.500", "-0.062"]
    assert lines["p000"][2:] == ["lost", "4", "of", "4", "0", "of", "4", "0.029"]
    assert "of 4 problems 1 are no longer solved by any attempt, 1 are solved for the first time" in printed
    assert "p000" in page.read_text(encoding="utf-8")
    assert invoke(["compare", before, after, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flips"][0]["problem_id"] == "p000"


def test_show_refuses_what_the_profile_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(profile_of(tmp_path / "a", [4, 0, 3, 2]))
    assert invoke(["show", folder, "--suite", "gsm8k"]) == 64
    assert "suite 'gsm8k'; expected one of default" in capsys.readouterr().err
    assert invoke(["show", folder, "--metric", "accuracy"]) == 64
    assert "no metric whose name begins with 'accuracy'" in capsys.readouterr().err
