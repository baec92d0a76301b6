"""Which texts diversity is measured on."""

import random
from pathlib import Path

import pytest

from ratchet.evaluate.attempts import gather
from ratchet.evaluate.texts import LONGEST_TEXT, chosen_texts
from ratchet.records import Attempt
from ratchet.storage import write_records


def gathered(folder: Path, rows: list[Attempt]) -> Path:
    write_records(folder / "rows.parquet", rows, Attempt)
    gather([folder / "rows.parquet"], folder / "out.parquet")
    return folder / "out.parquet"


def test_the_first_attempts_with_the_outcome_and_a_text_are_chosen(tmp_path: Path) -> None:
    path = gathered(
        tmp_path,
        [
            Attempt("p", "correct", attempt=4, text="third"),
            Attempt("p", "correct", attempt=3, text="second"),
            Attempt("p", "incorrect", attempt=0, text="wrong"),
            Attempt("p", "correct", attempt=1, text=None),
            Attempt("p", "correct", attempt=2, text=""),
            Attempt("p", "correct", "other", attempt=0, text="elsewhere"),
            Attempt("few", "correct", attempt=0, text="one"),
            Attempt("few", "incorrect", attempt=1, text="two"),
        ],
    )
    right, wrong = ("default", "correct"), ("default", "incorrect")
    assert chosen_texts(path, 2)[right] == {"p": ["", "second"]}
    assert chosen_texts(path, 3)[right] == {"p": ["", "second", "third"]}
    assert chosen_texts(path, 4)[right] == {}
    assert chosen_texts(path, 1)[wrong] == {"few": ["two"], "p": ["wrong"]}
    assert chosen_texts(path, 1)["other", "correct"] == {"p": ["elsewhere"]}
    assert chosen_texts(path, 2, half=0)[right] == {"p": ["", "third"]}
    assert chosen_texts(path, 1, half=1) == {right: {"p": ["second"]}, wrong: {"few": ["two"]}}
    with pytest.raises(ValueError, match="count = 0"):
        chosen_texts(path, 0)


def test_neither_the_order_of_rows_nor_the_batches_change_the_choice(tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [
        Attempt(f"p{i % 9000}", rng.choice(["correct", "incorrect"]), attempt=i // 9000, text=f"{i}")
        for i in range(99_000)
    ]
    expected: dict[str, list[str]] = {}  # the rows are in the order of their attempt numbers
    for row in rows:
        if row.outcome == "correct":
            expected.setdefault(row.problem_id, []).append(str(row.text))
    expected = {problem: texts[:4] for problem, texts in sorted(expected.items()) if len(texts) >= 4}
    rng.shuffle(rows)
    found = chosen_texts(gathered(tmp_path, rows), 4)["default", "correct"]
    assert found == expected
    assert list(found) == list(expected)


def test_a_long_text_is_cut_by_characters(tmp_path: Path) -> None:
    path = gathered(
        tmp_path, [Attempt("p", "correct", text="é" * (LONGEST_TEXT + 1) + "x"), Attempt("q", "error", text="é")]
    )
    assert chosen_texts(path, 1) == {("default", "correct"): {"p": ["é" * LONGEST_TEXT]}}
