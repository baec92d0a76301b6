"""CSV and JSONL with names of their author's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.records import Attempt
from ratchet.storage import read_records, read_with_header

Imported = Callable[..., tuple[Path, str]]
Refused = Callable[..., str]
Profiled = Callable[[Path], dict[str, float | None]]
MAPPING = ("--problem-id", "task", "--correct", "passed", "--text", "said")


def csv_file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_columns_are_mapped_and_what_is_left_out_is_said(
    imported: Imported, profiled: Profiled, tmp_path: Path
) -> None:
    content = (
        "\ufefftask,passed,said,level,sure,cost\r\n"
        '1,True,"a, ""b""\r\nc",easy,0.5,3\r\n'
        "1,0,,easy,1,4\r\n"
        "2,1.0,x,hard,0,5\r\n"
    )
    path = csv_file(tmp_path / "r.csv", content)
    out, said = imported("csv", path, *MAPPING, "--group", "level", "--confidence", "sure", "--suite", "mine")
    attempts, header = read_with_header(out, Attempt)
    assert attempts == [
        Attempt("1", "correct", "mine", 0, 'a, "b"\r\nc', None, 0.5, "easy"),
        Attempt("1", "incorrect", "mine", 1, None, None, 1.0, "easy"),
        Attempt("2", "correct", "mine", 0, "x", None, 0.0, "hard"),
    ]
    assert header == {"checkpoint": None, "sampling": None, "confidence": "column 'sure'"}
    assert "mine: 2 problems, 3 attempts: 2 correct, 1 incorrect" in said
    assert "note: columns left out: 'cost'" in said
    assert profiled(out)["pass@1"] == pytest.approx(0.75)  # problem 1 solves 1 of 2, problem 2 1 of 1


def test_columns_with_the_attempts_own_names_need_no_mapping(imported: Imported, tmp_path: Path) -> None:
    path = csv_file(
        tmp_path / "r.csv", "suite,problem_id,attempt,outcome,answer,cluster\na,1,7,ungradable,,k\nb,1,0,error,5,\n"
    )
    out, said = imported("csv", path)
    assert read_records(out, Attempt) == [
        Attempt("1", "ungradable", "a", 7, cluster="k"),
        Attempt("1", "error", "b", 0, answer="5"),
    ]
    assert "note" not in said
    assert "header" not in out.read_text()  # nothing is known, so nothing is claimed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "nothing; expected CSV"),
        ("task,passed,said\n", "no records"),
        ("task,task,passed,said\n1,1,1,x\n", "a column name twice"),
        ("id,passed,said\n1,1,x\n", "no column 'task'; expected one of 'id', 'passed', 'said'"),
        ("task,passed,said\n1,1\n", "r.csv:2: 2 cells; expected 3"),
        ('task,passed,said\n1,1,"x\ny"\n2,1,x,y\n', "r.csv:4: 4 cells; expected 3"),
        ("task,passed,said\n1,maybe,x\n", "r.csv:2: correct = 'maybe'; expected true, false, 1 or 0"),
        ("task,passed,said\n1,,x\n", "correct = None"),
        ("task,passed,said\n1,0.5,x\n", "correct = '0.5'"),
        ("task,passed,said\n,1,x\n", "r.csv:2: no problem id"),
        ('task,passed,said\n1,1,"x\n', "r.csv:2: not CSV"),
        ('task,passed,said\n1,1,"x"y\n', "r.csv:2: not CSV"),
        (b"task,passed,said\n1,1,\xff\n", "r.csv:2: not UTF-8"),
        ("task,passed,said\n1,1,x\r2,1,y\n", "r.csv:2: not CSV"),
    ],
)
def test_a_csv_that_cant_be_understood_is_refused_with_its_line(
    content: str | bytes, expected: str, refused: Refused, tmp_path: Path
) -> None:
    assert expected in refused("csv", csv_file(tmp_path / "r.csv", content), *MAPPING)


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("confidence", "nan", "confidence = 'nan'; expected a number from 0 to 1"),
        ("confidence", "1.2", "confidence = '1.2'"),
        ("confidence", "high", "confidence = 'high'"),
        ("attempt", "-1", "attempt = '-1'; expected a whole number from 0 on"),
        ("attempt", "1.5", "attempt = '1.5'"),
        ("attempt", "9" * 30, "attempt = '999"),
    ],
)
def test_a_cell_out_of_range_is_refused(
    column: str, cell: str, expected: str, refused: Refused, tmp_path: Path
) -> None:
    path = csv_file(tmp_path / "r.csv", f"problem_id,outcome,{column}\n1,correct,{cell}\n")
    assert f"r.csv:2: {expected}" in refused("csv", path)


def test_outcome_and_correct_are_not_both_taken(refused: Refused, imported: Imported, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "r.csv", "problem_id,outcome,correct\n1,error,0\n")
    assert "not both; name it with --outcome or --correct" in refused("csv", path)
    out, said = imported("csv", path, "--outcome", "outcome")
    assert [a.outcome for a in read_records(out, Attempt)] == ["error"]
    assert "columns left out: 'correct'" in said
    assert "outcome = 'right'; expected one of correct, incorrect, ungradable, error" in refused(
        "csv", csv_file(path, "problem_id,outcome\n1,right\n")
    )


def test_an_attempt_twice_is_refused(refused: Refused, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "r.csv", "problem_id,outcome,attempt\n1,correct,0\n1,correct,0\n")
    assert "r.csv:3: attempt 0 of problem '1' again" in refused("csv", path)


def test_a_cell_of_10_mb_is_kept_whole(imported: Imported, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "r.csv", "task,passed,said\n1,1," + "x" * 10_000_000 + "\n")
    out, _ = imported("csv", path, *MAPPING, suffix=".parquet")
    assert len(read_records(out, Attempt)[0].text or "") == 10_000_000


def test_jsonl_fields_may_lie_inside_objects(imported: Imported, tmp_path: Path) -> None:
    rows = [
        {"doc": {"id": 7, "level": 3}, "passed": True, "model": {"said": "a"}},
        {"doc": {"id": 7, "level": 3}, "passed": False, "model": {"said": None}, "cost": 1},
        {"doc.id": 8, "doc": {}, "passed": 1},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    options = ("--problem-id", "doc.id", "--correct", "passed", "--text", "model.said", "--group", "doc.level")
    out, said = imported("jsonl", path, *options)
    assert read_records(out, Attempt) == [
        Attempt("7", "correct", text="a", group="3"),
        Attempt("7", "incorrect", attempt=1, group="3"),
        Attempt("8", "correct"),
    ]
    assert "'cost'" in said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no records"),
        (b'{"task": 1, "passed": true}', "no column 'said'"),
        (b'{"task": 1, "passed": true, "said": "x"}\n{"task": 2, "pas', "r.jsonl:2: not JSON"),
        (b'{"task": 1, "passed": true, "said": "x"}\n{"task": 2, "said": "x"}\n', "r.jsonl:2: correct = None"),
        (b'{"task": [1], "passed": true, "said": "x"}\n', "r.jsonl:1: problem_id = [1]; expected text or a number"),
        (b'{"task": true, "passed": true, "said": "x"}\n', "r.jsonl:1: problem_id = True"),
        (b'{"task": NaN, "passed": true, "said": "x"}\n', "r.jsonl:1: problem_id = nan"),
        (b'{"task": "", "passed": true, "said": "x"}\n', "r.jsonl:1: an empty problem_id"),
        (b'{"task": 1, "passed": NaN, "said": "x"}\n', "r.jsonl:1: correct = nan"),
        (b'{"task": 1, "passed": 1, "said": "\\ud800"}\n', "r.jsonl:1: half a surrogate pair in the text"),
        (b'{"task": 1, "passed": 1, "said": "\xff"}\n', "r.jsonl:1: not JSON"),
        (b'{"task": 1, "task": 2, "passed": 1, "said": "x"}\n', "r.jsonl:1: not JSON (key 'task' twice)"),
        (b'{"task": 1, "passed": 1, "said": ' + b"[" * 5000 + b"\n", "r.jsonl:1: not JSON"),
    ],
)
def test_a_jsonl_that_cant_be_understood_is_refused_with_its_line(
    content: bytes, expected: str, refused: Refused, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    assert expected in refused("jsonl", path, *MAPPING)


def test_a_file_that_isnt_there_is_refused(refused: Refused, tmp_path: Path) -> None:
    for verb in ("lm-eval", "inspect", "jsonl", "csv"):
        options = ("--suite", "s") if verb == "lm-eval" else ()
        assert "no such file" in refused(verb, tmp_path / "none.jsonl", *options)
