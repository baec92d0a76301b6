"""What is read from outside is checked, with the line named; what is written is there whole or not at all."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.records import Attempt, Problem, Sample
from ratchet.storage import atomic_path, read_records, read_with_header, write_json, write_records

GOOD = {"id": "1", "prompt": "1+1?", "answer": "2"}
HEADER = {"checkpoint": "sha256:ab", "sampling": {"temperature": 1.0}}


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ATTEMPTS = st.builds(
    Attempt,
    problem_id=TEXT,
    outcome=st.sampled_from(["correct", "incorrect", "ungradable", "error"]),
    attempt=st.integers(0, 2**40),
    text=st.none() | TEXT,
    confidence=st.none() | st.floats(0, 1),
    concepts=st.lists(st.sampled_from(["add", "divide"])).map(tuple),
)


@given(records=st.lists(ATTEMPTS, min_size=1), suffix=st.sampled_from(["jsonl", "parquet"]))
def test_records_come_back_as_they_were_written(
    records: list[Attempt], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("records") / f"a.{suffix}"
    write_records(path, records, Attempt, HEADER)
    assert read_with_header(path, Attempt) == (records, HEADER)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (json.dumps(GOOD | {"promt": "x"}), "unknown field 'promt'"),
        (json.dumps({"id": "1", "prompt": "x"}), "field 'answer': Field required"),
        (json.dumps(GOOD | {"answer": 2}), "field 'answer' = 2: Input should be a valid string"),
        (json.dumps(GOOD | {"split": "test"}), "field 'split' = 'test'"),
        ('{"id": "1", "prompt": "cut o', "not JSON"),
        ("[1, 2]", "a JSON list"),
        ('{"id": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + line + "\n")
    with pytest.raises(InputError) as caught:
        read_records(path, Problem)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(InputError, match=r"p\.jsonl:2: not JSON \('utf-8' codec"):
        read_records(path, Problem)


def test_a_parquet_file_of_other_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_records(path, [Sample("1", "s", 0, "x", "stop", 1, -0.5)], Sample)
    with pytest.raises(InputError, match="not a Parquet file of Attempt records"):
        read_records(path, Attempt)
    path.write_text("no parquet at all")
    with pytest.raises(InputError, match="not a Parquet file of Attempt records"):
        read_records(path, Attempt)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.parquet"):
        with pytest.raises(InputError, match="no such file or directory"):
            read_records(tmp_path / name, Problem)


def test_a_file_of_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected \.jsonl or \.parquet"):
        read_records(tmp_path / "p.csv", Problem)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": math.nan})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["v.json"]
