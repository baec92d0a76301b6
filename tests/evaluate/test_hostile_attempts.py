"""Attempts files that are broken, or made to break their reader: refused with the place, or read as the docs say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.evaluate.attempts import AttemptsHeader, gather
from ratchet.evaluate.lines import read_at_once, read_with_care
from ratchet.records import Attempt
from ratchet.storage import arrow_schema, header_metadata, read_records, write_records

GOOD = b'{"problem_id": "0", "correct": true}\n'
MIB = 2**20


def gathered(*paths: Path) -> list[Attempt]:
    gather(paths, paths[0].parent / "gathered.parquet")
    return read_records(paths[0].parent / "gathered.parquet", Attempt)


def refusal(*paths: Path) -> str:
    out = paths[0].parent / "refused.parquet"
    with pytest.raises(InputError) as caught:
        gather(paths, out)
    assert not out.exists()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def parquet(path: Path, change: dict[str, Any], header: dict[str, Any] | None = None) -> Path:
    """Two attempts in a Parquet file whose columns are replaced by those of `change`, or left out where it has None."""
    schema = arrow_schema(Attempt)
    rows = [Attempt("0", "correct", text="one"), Attempt("1", "correct", text="two")]
    columns = {name: pa.array([getattr(row, name) for row in rows], schema.field(name).type) for name in schema.names}
    kept = {name: column for name, column in (columns | change).items() if column is not None}
    pq.write_table(pa.table(kept).replace_schema_metadata(header_metadata(header)), path)
    return path


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"problem_id": "1", "correct": true, "confidence": NaN}', "not JSON (NaN is no JSON number)"),
        (b'{"problem_id": "1", "correct": true, "confidence": -Infinity}', "not JSON (-Infinity is no JSON number)"),
        (b'{"problem_id": "1", "correct": true, "confidence": 1e999}', "field 'confidence' = inf"),
        (b'{"problem_id": "1", "correct": true, "attempt": -1}', "field 'attempt' = -1"),
        (b'{"problem_id": "1", "correct": true, "attempt": 9223372036854775808}', "field 'attempt' = 92233720368547"),
        (b'{"problem_id": "", "correct": true}', "field 'problem_id' = ''"),
        (b'{"problem_id": "1", "correct": true, "suite": ""}', "field 'suite' = ''"),
        (b'{"problem_id": "1", "correct": true, "concepts": ["add", null]}', "field 'concepts.1' = None"),
        (b'{"problem_id": "1", "correct": true, "text": "\xff"}', "not JSON ('utf-8' codec can't decode"),
        (b'{"problem_id": "1", "correct": true, "text": "\\ud800"}', "not JSON ('utf-8' codec can't encode"),
        (b'{"problem_id": "1", "correct": true, "text": "\0"}', "not JSON (Invalid control character"),
        (b'{"problem_id": "1", "correct": true}\0}', "not JSON (Extra data"),
        (b'{"problem_id": "1", "correct": true} {"problem_id": "2", "correct": true}', "not JSON (Extra data"),
        (b'{"problem_id": "1", "correct": true, "correct": false}', "not JSON (key 'correct' twice)"),
        (b'{"problem_id": "1", "correct": true, "corr\\u0065ct": false}', "not JSON (key 'correct' twice)"),
        (b'{"problem_id": "1", "correct": true, "text": ' + b"[" * 100_000, "not JSON (maximum recursion depth"),
        (b'{"problem_id": "1", "correct": true, "concepts": [' + b"[" * 500 + b"]" * 501 + b"}", "field 'concepts.0'"),
        (b'{"header": {"checkpoint": "sha256:1"}}', "unknown field 'header'"),
        (b'\xef\xbb\xbf{"problem_id": "1", "correct": true}', "not JSON (Unexpected UTF-8 BOM"),
        (b'{"problem_id":\n"1", "correct": true}', "not JSON (Expecting value"),
    ],
)
@pytest.mark.parametrize("after", [b"", GOOD])
def test_a_hostile_line_is_refused_with_its_number(tmp_path: Path, line: bytes, found: str, after: bytes) -> None:
    path = written(tmp_path / "a.jsonl", GOOD + b"\n" + line + (b"\n" + after if after else b""))
    assert refusal(path).startswith(f"{path}:3: {found}")


@pytest.mark.parametrize("length", [1, 20, len(GOOD) - 2])
def test_a_last_line_that_was_cut_is_refused(tmp_path: Path, length: int) -> None:
    assert refusal(written(tmp_path / "a.jsonl", GOOD + GOOD[:length])).startswith(
        f"{tmp_path / 'a.jsonl'}:2: not JSON"
    )


def test_a_line_is_named_although_it_is_far_into_the_file(tmp_path: Path) -> None:
    text = "x" * MIB
    lines = [json.dumps({"problem_id": str(i), "correct": True, "text": text}).encode() for i in range(40)]
    lines[37] = lines[37].replace(b"true", b"trve")
    assert refusal(written(tmp_path / "a.jsonl", b"\n".join(lines))).startswith(f"{tmp_path / 'a.jsonl'}:38: not JSON")
    lines[37] = lines[2]  # the third line again, although unnumbered: attempt 1 of its problem
    assert [a.attempt for a in gathered(written(tmp_path / "b.jsonl", b"\n".join(lines)))] == [0] * 37 + [1, 0, 0]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b" \n"])
def test_a_byte_order_mark_blank_lines_and_any_line_end_change_nothing(tmp_path: Path, ending: bytes) -> None:
    lines = [b'{"header": {"checkpoint": "c"}}', b'{"problem_id": "1", "correct": true, "text": "\xc3\xa9"}', b""]
    for start in (b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf" + ending):
        path = written(tmp_path / "a.jsonl", start + ending.join(lines))
        assert gathered(path) == [Attempt("1", "correct", text="é")]
        without_header = written(tmp_path / "b.jsonl", start + ending.join(lines[1:]))
        assert gathered(without_header) == [Attempt("1", "correct", text="é")]


def test_null_means_what_a_missing_field_means(tmp_path: Path) -> None:
    nulls = dict.fromkeys(
        ("outcome", "suite", "attempt", "text", "answer", "confidence", "group", "cluster", "concepts")
    )
    line = json.dumps({"problem_id": "1", "correct": False, **nulls}).encode()
    assert gathered(written(tmp_path / "a.jsonl", line)) == [Attempt("1", "incorrect")]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b'{"header": {"sampling": {"temperature": NaN}}}', "not JSON (NaN is no JSON number)"),
        (b'{"header": {"sampling": {"temperature": 1e999}}}', "a header with Out of range float"),
        (b'{"header": {"checkpoint": "a", "checkpoint": "b"}}', "not JSON (key 'checkpoint' twice)"),
        (b'{"header": {"confidence": 1}}', "field 'confidence' = 1"),
    ],
)
def test_a_hostile_header_is_refused(tmp_path: Path, header: bytes, found: str) -> None:
    path = written(tmp_path / "a.jsonl", b"\n" + header + b"\n" + GOOD)
    assert refusal(path).startswith(f"{path}:2: {found}")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_mixed_confidence_sources_are_refused(tmp_path: Path, suffix: str) -> None:
    one, other = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    write_records(one, [Attempt("1", "correct", confidence=0.5)], Attempt, {"confidence": "agreement"})
    write_records(other, [Attempt("2", "correct", confidence=0.5)], Attempt, {"confidence": "verbalised"})
    assert gather([one], tmp_path / "out.parquet") == AttemptsHeader(confidence="agreement")
    message = refusal(one, other)
    assert message.startswith(f"{other}: confidence = verbalised; expected confidence = agreement as in {one}")
    assert "mixed confidence sources" in message


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"confidence": pa.array([None, float("nan")])}, "confidence = nan in row 1"),
        ({"confidence": pa.array([None, float("inf")])}, "confidence = inf in row 1"),
        ({"attempt": pa.array([0, -7])}, "attempt = -7 in row 1"),
        ({"attempt": pa.array([0, None])}, "attempt = None in row 1"),
        ({"problem_id": pa.array(["0", ""])}, "problem_id = '' in row 1"),
        ({"suite": pa.array(["s", ""])}, "suite = '' in row 1"),
        ({"outcome": pa.array(["correct", None])}, "outcome = None in row 1"),
        ({"attempt": pa.array([0, 2**63], pa.uint64())}, "not a Parquet file of Attempt records (Integer value 92233"),
        ({"attempt": pa.array(["0", "one"])}, "not a Parquet file of Attempt records (Failed to parse string: 'one'"),
        ({"text": None}, 'not a Parquet file of Attempt records (\'Field "text" does not exist'),
        ({"text": pa.array([{"a": 1}, {"a": 2}])}, "not a Parquet file of Attempt records (Unsupported cast"),
    ],
)
def test_a_hostile_column_is_refused(tmp_path: Path, change: dict[str, Any], found: str) -> None:
    path = parquet(tmp_path / "a.parquet", change)
    assert refusal(path).startswith(f"{path}: {found}")


@pytest.mark.parametrize("column", ["problem_id", "text", "group", "concepts"])
def test_a_parquet_text_that_is_not_utf8_is_refused_with_its_row(tmp_path: Path, column: str) -> None:
    # Written as text, which Arrow does not check; it would fail much later, where somebody looks at the text.
    wrong = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xc3("]).buffers())
    values = pa.ListArray.from_arrays([0, 1, 2], wrong) if column == "concepts" else wrong
    path = parquet(tmp_path / "a.parquet", {column: values})
    assert refusal(path).startswith(f"{path}: {column} in row 1 is not UTF-8")


@pytest.mark.parametrize("metadata", [b"[]", b"{", b'{"sampling": {"t": NaN}}', b"[" * 100_000, b"\xff"])
def test_a_hostile_parquet_header_is_refused(tmp_path: Path, metadata: bytes) -> None:
    path = parquet(tmp_path / "a.parquet", {})
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"ratchet": metadata}), path)
    assert refusal(path).startswith(f"{path}: ")


def test_a_parquet_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet", {}).read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 1):
        path = written(tmp_path / "cut.parquet", whole[:length])
        assert refusal(path).startswith(f"{path}: not a Parquet file of Attempt records")


def test_a_damaged_parquet_page_is_refused(tmp_path: Path) -> None:
    whole = bytearray(parquet(tmp_path / "a.parquet", {}).read_bytes())
    whole[4:40] = b"\xff" * 36
    path = written(tmp_path / "damaged.parquet", bytes(whole))
    assert refusal(path).startswith(f"{path}: ")


def test_duplicates_and_two_groups_are_found_across_formats_and_batches(tmp_path: Path) -> None:
    first = tmp_path / "a.parquet"
    rows = [Attempt(str(i % 70_000), "correct", attempt=i // 70_000, group=str(i % 7)) for i in range(140_000)]
    write_records(first, rows, Attempt)
    again = written(
        tmp_path / "b.jsonl", GOOD + b'{"problem_id": "69999", "attempt": 1, "correct": true, "group": "6"}'
    )
    assert refusal(again, first).startswith(f"{first}: problem '0' of suite 'default' in group '0' (row 0)")
    again.write_bytes(GOOD.replace(b'"0"', b'"new"') + again.read_bytes().split(b"\n")[1])
    assert refusal(first, again).startswith(f"{again}:2: attempt 1 of problem '69999' of suite 'default' again")
    assert refusal(again, first).startswith(
        f"{first}: attempt 1 of problem '69999' of suite 'default' again (row 139999)"
    )


@pytest.mark.parametrize(
    ("before", "now"), [('["add", "carry"]', '["carry", "add"]'), ('["add"]', "[]"), ("[]", '[""]'), ('["a"]', "null")]
)
def test_attempts_of_one_problem_carry_the_same_concepts(tmp_path: Path, before: str, now: str) -> None:
    line = '{"problem_id": "1", "correct": true, "concepts": '
    path = written(tmp_path / "a.jsonl", f"{line}{before}}}\n{line}{now}}}\n".encode())
    wanted, found = (tuple(json.loads(text) or ()) for text in (before, now))
    assert refusal(path) == (
        f"{path}:2: problem '1' of suite 'default' in concepts {list(found)}; "
        f"expected concepts {list(wanted)} as before"
    )
    again = written(tmp_path / "b.jsonl", f"{line}{before}}}\n{line}{before}}}\n".encode())
    assert [attempt.concepts for attempt in gathered(again)] == [wanted, wanted]


def test_absurd_attempt_numbers_are_still_told_apart(tmp_path: Path) -> None:
    largest = 2**63 - 1
    rows = [Attempt(problem, "correct", attempt=n) for n in (0, largest, largest - 1) for problem in ("1", "2", "3")]
    write_records(tmp_path / "a.parquet", rows, Attempt)
    assert gathered(tmp_path / "a.parquet") == rows
    write_records(tmp_path / "a.parquet", [*rows, rows[4]], Attempt)
    assert f"attempt {largest} of problem '2' of suite 'default' again (row 9)" in refusal(tmp_path / "a.parquet")


def test_a_text_of_ten_megabytes_comes_through(tmp_path: Path) -> None:
    text = "é" * (5 * MIB)
    path = written(tmp_path / "a.jsonl", GOOD + json.dumps({"problem_id": "1", "correct": True, "text": text}).encode())
    assert [attempt.text for attempt in gathered(path)] == [None, text]
    assert [attempt.text for attempt in gathered(tmp_path / "gathered.parquet")] == [None, text]


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD + b'{"problem_id": "' + b"x" * (65 * MIB))
    assert refusal(path).startswith(f"{path}:2: a line of over 67108864 bytes")


PEAK = """
import sys
from pathlib import Path
from ratchet.evaluate.attempts import gather
gather([Path(sys.argv[1])], Path(sys.argv[2]))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)  # getrusage would count the parent's memory before the exec
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_texts_larger_than_the_memory_it_takes_are_gathered(tmp_path: Path, suffix: str) -> None:
    bound, rows, text = 350, 200_000, "0123456789abcdef" * 128  # 2 KiB a text: 400 MB
    path = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        with path.open("w") as stream:
            stream.writelines(
                f'{{"problem_id": "{i // 100}", "correct": true, "text": "{text}"}}\n' for i in range(rows)
            )
    else:
        columns = {"problem_id": [str(i // 100) for i in range(5000)], "outcome": ["correct"] * 5000}
        columns |= {"suite": ["s"] * 5000, "text": [f"{i}{text}" for i in range(5000)]}
        with pq.ParquetWriter(path, arrow_schema(Attempt), compression="zstd") as writer:
            for part in range(rows // 5000):
                numbers = {"attempt": list(range(part * 5000, (part + 1) * 5000))}
                empty = {name: [None] * 5000 for name in ("answer", "confidence", "group", "cluster", "concepts")}
                writer.write_table(pa.table(columns | numbers | empty, schema=arrow_schema(Attempt)))
    command = [sys.executable, "-c", PEAK, str(path), str(tmp_path / "out.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert rows * len(text) > bound * MIB > int(done.stdout) * MIB


VALUES = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, -1, 0.5, 1.0, 2.5, "", "1", "correct", "error", "\0", "\x7f", "é\\", "😀"]
    ),
    st.lists(st.sampled_from(["add", "", None, 1, []]), max_size=2),
    st.integers(-(2**70), 2**70),
)
FIELDS = ["problem_id", "outcome", "correct", "suite", "attempt", "text", "confidence", "group", "concepts", "other"]
OBJECTS = st.one_of(
    st.builds(
        lambda more: {"problem_id": "1", "correct": True} | more, st.dictionaries(st.sampled_from(FIELDS), VALUES)
    ),
    st.just({"problem_id": "1", "outcome": "error", "attempt": 3, "confidence": 1, "concepts": ["add"]}),
)
LINES = OBJECTS.flatmap(lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)]))
PIECES = st.sampled_from([*b'{}[],:"\\\0\n\r \xef\xff\xc3\xa90N-.e', *b"\xed\xa0\x80"]).map(lambda byte: bytes([byte]))


@given(st.lists(LINES, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 400), PIECES), max_size=3), st.data())
def test_the_fast_way_takes_nothing_that_the_careful_way_refuses_and_reads_the_same(
    lines: list[str], edits: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    block = data.draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join(lines).encode()
    for place, piece in edits:
        at = place % (len(block) + 1)
        block = block[:at] + piece + block[at + data.draw(st.integers(0, 1)) :]
    fast = read_at_once(block, 1)
    if fast is not None:
        assert fast.equals(read_with_care(block, Path("a.jsonl"), 1))


def test_the_fast_way_is_taken_for_ordinary_files() -> None:
    lines = [
        b'{"problem_id": "1", "attempt": 0, "outcome": "correct", "text": "a", "confidence": 0.9}',
        GOOD.strip(),
        b"",
    ]
    assert read_at_once(b"\n".join(lines), 1) is not None
