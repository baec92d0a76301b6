"""The interchange edge: what an attempts file may leave out, and what is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.attempts import AttemptsHeader, gather, read_light
from ratchet.records import Attempt, Served
from ratchet.storage import as_record, read_with_header, write_records


def write_lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def gathered(*paths: Path) -> tuple[list[Attempt], AttemptsHeader]:
    out = paths[0].parent / "gathered.parquet"
    header = gather(paths, out)
    attempts, stated = read_with_header(out, Attempt)
    assert as_record(stated, AttemptsHeader, out, "a header") == header
    return attempts, header


def refusal(*paths: Path) -> str:
    out = paths[0].parent / "refused.parquet"
    with pytest.raises(InputError) as caught:
        gather(paths, out)
    assert not out.exists()
    return str(caught.value)


def test_only_problem_and_outcome_are_required(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"problem_id": "2", "outcome": "error"},
        {"problem_id": "1", "correct": True},
        {"problem_id": "2", "correct": False},
        {"problem_id": "1", "outcome": "ungradable"},
    )
    attempts, header = gathered(path)
    assert header == AttemptsHeader(checkpoint=None, sampling=None, confidence=None)
    assert [(a.suite, a.problem_id, a.attempt, a.outcome) for a in attempts] == [
        ("default", "2", 0, "error"),
        ("default", "1", 0, "correct"),
        ("default", "2", 1, "incorrect"),
        ("default", "1", 1, "ungradable"),
    ]


def test_unnumbered_attempts_are_numbered_across_files(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a.jsonl", {"problem_id": "1", "correct": True, "text": "x"})
    second = write_lines(tmp_path / "b.jsonl", {"problem_id": "1", "correct": True, "text": "y"})
    attempts, _ = gathered(first, second)
    assert [(a.attempt, a.text) for a in attempts] == [(0, "x"), (1, "y")]


@pytest.mark.parametrize(
    ("levels", "weakest"),
    [
        (("none", "none"), "none"),
        (("none", "namespaces"), "namespaces"),
        (("landlock", "namespaces"), "landlock"),
        (("namespaces", "process"), "process"),
        (("namespaces", None), None),
    ],
)
def test_of_several_files_the_weakest_isolation_is_that_of_all(
    levels: tuple[str | None, ...], weakest: str | None, tmp_path: Path
) -> None:
    paths = [
        write_lines(tmp_path / f"{n}.jsonl", {"header": {"isolation": level}}, {"problem_id": str(n), "correct": True})
        for n, level in enumerate(levels)
    ]
    assert gathered(*paths)[1].isolation == weakest
    assert gathered(*reversed(paths))[1].isolation == weakest


SERVED = {"backend": "vllm", "weights": "sha256:1", "tokens": "sha256:t", "logprobs": [-1.0, -2.0]}
COMPARED = {**SERVED, "precision": "bfloat16", "distance": 0.01, "at_most": 0.06}


def served_by(tmp_path: Path, *served: dict[str, Any] | None) -> list[Path]:
    return [
        write_lines(tmp_path / f"{n}.jsonl", {"header": {"served": one}}, {"problem_id": str(n), "correct": True})
        for n, one in enumerate(served)
    ]


def test_who_drew_the_attempts_is_carried_and_of_several_files_the_least_sure(tmp_path: Path) -> None:
    sure, unsure = COMPARED, {**COMPARED, "distance": 0.03}
    assert gathered(*served_by(tmp_path, sure))[1].served == Served(**{**sure, "logprobs": (-1.0, -2.0)})
    for files in ((sure, unsure), (unsure, sure)):
        found = gathered(*served_by(tmp_path, *files))[1].served
        assert found is not None
        assert found.distance == 0.03
    loaded = gathered(*served_by(tmp_path, sure, SERVED))[1].served
    assert loaded is not None
    assert loaded.distance is None  # compared with nothing: less sure than any distance
    assert gathered(*served_by(tmp_path, sure, None))[1].served is None


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"weights": "sha256:2"}, "served.weights = sha256:2; expected sha256:1 as in"),
        ({"backend": "openai"}, "served.backend = openai; expected vllm as in"),
        # |-1.2 + 1.0| and |-2.0 + 2.0| are 0.1 a token, more than two precisions of one model differ by
        ({"logprobs": [-1.2, -2.0]}, "a fingerprint with log-probabilities 0.1 a token away"),
        ({"logprobs": [-1.0]}, "a fingerprint with other tokens"),
    ],
)
def test_files_that_two_models_drew_are_refused(other: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert f"1.jsonl: {said}" in refusal(*served_by(tmp_path, COMPARED, {**COMPARED, **other}))
    assert f"2.jsonl: {said}" in refusal(*served_by(tmp_path, COMPARED, None, {**COMPARED, **other}))


def test_shards_whose_fingerprints_are_a_little_apart_are_of_one_model(tmp_path: Path) -> None:
    near = {**COMPARED, "logprobs": [-1.1, -2.0]}  # 0.05 a token
    assert gathered(*served_by(tmp_path, COMPARED, near))[1].served is not None
    exact = {"precision": "float32", "at_most": 0.002}
    assert "at most 0.002 a token away" in refusal(*served_by(tmp_path, COMPARED | exact, near | exact))


def test_an_isolation_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"header": {"isolation": "chroot"}}, {"problem_id": "1", "correct": True})
    assert "a.jsonl:1: field 'isolation' = 'chroot'" in refusal(path)


def test_the_header_is_read_and_must_be_the_same_in_every_file(tmp_path: Path) -> None:
    one = write_lines(
        tmp_path / "a.jsonl",
        {"header": {"checkpoint": "sha256:1", "sampling": {"temperature": 1.0}}},
        {"problem_id": "1", "correct": True},
    )
    other = write_lines(
        tmp_path / "b.jsonl",
        {"header": {"checkpoint": "sha256:2", "sampling": {"temperature": 1.0}}},
        {"problem_id": "2", "correct": True},
    )
    _, header = gathered(one)
    assert (header.checkpoint, header.sampling) == ("sha256:1", {"temperature": 1.0})
    message = refusal(one, other)
    assert "b.jsonl: checkpoint = sha256:2; expected checkpoint = sha256:1" in message


def test_an_unknown_header_key_is_refused_rather_than_read_as_no_checkpoint(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl", {"header": {"chekpoint": "sha256:1"}}, {"problem_id": "1", "correct": True}
    )
    assert "a.jsonl:1: field 'chekpoint'" in refusal(path)


def test_a_duplicate_attempt_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps({"problem_id": "7", "suite": "s", "attempt": 3, "correct": True})
    path.write_text('{"header": {"checkpoint": "c"}}\n' + line + "\n\n" + line + "\n")
    assert refusal(path).startswith(f"{path}:4: attempt 3 of problem '7' of suite 's' again")


def test_a_duplicate_across_files_is_found_in_the_second(tmp_path: Path) -> None:
    first = tmp_path / "a.parquet"
    second = tmp_path / "b.parquet"
    write_records(first, [Attempt("1", "correct"), Attempt("2", "correct")], Attempt)
    write_records(second, [Attempt("3", "correct"), Attempt("1", "incorrect")], Attempt)
    assert refusal(first, second).startswith(f"{second}: attempt 0 of problem '1' of suite 'default' again (row 1)")


def test_the_same_file_twice_is_refused_although_its_attempts_have_no_numbers(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"problem_id": "1", "correct": True})
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(path.read_bytes())
    assert "copy.jsonl: the same content as" in refusal(path, copy)


@pytest.mark.parametrize("column", ["group", "cluster"])
def test_a_problem_in_two_groups_or_clusters_is_refused(tmp_path: Path, column: str) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"problem_id": "1", "correct": True, column: "x"},
        {"problem_id": "2", "correct": True},
        {"problem_id": "1", "correct": True, column: "y"},
    )
    assert f"a.jsonl:3: problem '1' of suite 'default' in {column} 'y'; expected {column} 'x'" in refusal(path)


def test_the_same_id_in_two_suites_is_two_problems(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"problem_id": "1", "suite": "a", "attempt": 0, "correct": True, "group": "x"},
        {"problem_id": "1", "suite": "b", "attempt": 0, "correct": True, "group": "y"},
    )
    assert len(gathered(path)[0]) == 2


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"problem_id": "1"}, "neither 'outcome' nor 'correct'"),
        ({"problem_id": "1", "outcome": "correct", "correct": False}, "both 'outcome' and 'correct'"),
        ({"problem_id": "1", "outcome": "right"}, "field 'outcome' = 'right'"),
        ({"problem_id": "1", "correct": True, "attempt": -1}, "field 'attempt"),
        ({"problem_id": "1", "correct": True, "confidence": 1.5}, "field 'confidence"),
        ({"problem_id": "1", "correct": True, "grup": "1"}, "unknown field 'grup'"),
        ({"correct": True}, "field 'problem_id'"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, line: dict[str, Any], found: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"problem_id": "0", "correct": True}, line)
    assert refusal(path).startswith(f"{path}:2: {found}")


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Attempt("1", "right"), "outcome = 'right' in row 1"),  # type: ignore[arg-type]
        (Attempt("1", "correct", attempt=-1), "attempt = -1 in row 1"),
        (Attempt("1", "correct", confidence=float("nan")), "confidence = nan in row 1"),
        (Attempt("1", "correct", confidence=1.1), "confidence = 1.1 in row 1"),
        (Attempt(None, "correct"), "problem_id = None in row 1"),  # type: ignore[arg-type]
    ],
)
def test_what_parquet_types_let_through_is_refused(tmp_path: Path, wrong: Attempt, found: str) -> None:
    path = tmp_path / "a.parquet"
    write_records(path, [Attempt("0", "correct"), wrong], Attempt)
    assert refusal(path).startswith(f"{path}: {found}")


@pytest.mark.parametrize("content", ["", "\n\n", '{"header": {"checkpoint": "c"}}\n'])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    assert refusal(path) == f"{path}: no attempts; expected at least one attempt"


def test_the_light_table_has_every_column_but_the_texts(tmp_path: Path) -> None:
    rows = [
        Attempt("b", "error", attempt=2, text="long", answer="7", confidence=0.5, group="1", concepts=("add",)),
        Attempt("a", "correct", "other", cluster="book"),
    ]
    write_records(tmp_path / "a.parquet", rows, Attempt)
    gather([tmp_path / "a.parquet"], tmp_path / "out.parquet")
    light = read_light(tmp_path / "out.parquet").to_pylist()
    assert [{**row, "concepts": tuple(row["concepts"])} for row in light] == [
        {field: getattr(row, field) for field in Attempt.__dataclass_fields__ if field != "text"} for row in rows
    ]
