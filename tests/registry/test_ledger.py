"""The ledger's compare-and-set, without MLflow: whatever writers do, all readers agree on one order of champions."""

import dataclasses
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ratchet.registry.ledger import (
    START,
    LedgerEntry,
    Line,
    before,
    chain,
    champions,
    digest_of,
    entry_text,
    head_digest,
    read_line,
    signed_entry,
    succession,
)
from ratchet.registry.signed import record_fault, signature

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ENTRY = LedgerEntry(
    kind="promote",
    model="solver",
    version="2",
    source="s3://bucket/2",
    checkpoint="sha256:c",
    verdict_digest="sha256:v",
    before="1",
    after=START,
    by="ada",
    reason="größer",
    created="2026-01-01T00:00:00+00:00",
    claim="00",
)


def line(number: int, after: str, claim: str) -> Line:
    entry = dataclasses.replace(ENTRY, after=after, claim=claim)
    text = entry_text(entry)
    return read_line(number, digest_of(text.encode()), after, text, False)


def test_of_two_entries_after_the_same_one_the_first_counts() -> None:
    first = line(1, START, "a")
    second, late = line(2, first.digest, "b"), line(3, first.digest, "c")
    third = line(4, second.digest, "d")
    assert chain([third, late, second, first]) == (first, second, third)
    assert head_digest(chain([first, second, late])) == second.digest and head_digest(()) == START


def test_an_entry_after_one_that_came_too_late_does_not_count() -> None:
    first = line(1, START, "a")
    late = line(2, START, "b")
    assert chain([first, late, line(3, late.digest, "c")]) == (first,)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_each_writer_has_won_or_lost_for_good_once_its_entry_is_written(steps: list[tuple[int, bool]]) -> None:
    """Four writers that read the head at some time and append at another, in any order."""
    lines: list[Line] = []
    read: dict[int, str] = {}
    won: list[str] = []
    for writer, appends in steps:
        if not appends or writer not in read:
            read[writer] = head_digest(chain(lines))
            continue
        before = head_digest(chain(lines))
        new = line(len(lines) + 1, read.pop(writer), f"{writer}-{len(lines)}")
        lines.append(new)
        counts = new.digest in {each.digest for each in chain(lines)}
        assert counts == (new.after == before)  # it wins exactly where nobody was first since it looked
        won += [new.digest] if counts else []
        assert [each.digest for each in chain(lines)] == won  # and what has won stays, in its order


def test_an_entry_written_twice_counts_once() -> None:
    first = line(1, START, "a")
    assert chain([first, dataclasses.replace(first, number=2)]) == (first,)


def test_a_text_that_is_not_the_digests_is_nobodys_entry() -> None:
    text = entry_text(ENTRY)
    digest = digest_of(text.encode())
    assert read_line(1, digest, START, text, False).entry == ENTRY
    for other in (text.replace('"2"', '"3"'), None, "", "[]"):
        assert read_line(1, digest, START, other, False).entry is None
    assert read_line(1, digest, "sha256:" + "0" * 64, text, False).entry is None
    # the line keeps its place all the same: what came after it still counts
    changed = read_line(1, digest, START, "x", False)
    second = line(2, digest, "b")
    assert chain([changed, second]) == (changed, second) and champions([changed, second]) == [second, changed]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ("p1 p2 p3", "123"),
        ("p1 p2 p3 r2", "12"),  # 3 was rolled back from
        ("p1 p2 p3 r1", "1"),
        ("p1 p2 r1 p3", "13"),
        ("p1 p2 r1 r2", "12"),  # asked for by its number
        ("p1 p2 p3 r2 p4 r2 r1", "1"),
        ("r7", "7"),
        ("", ""),
    ],
)
def test_a_succession_leaves_out_what_was_rolled_back_from(moves: str, expected: str) -> None:
    lines: list[Line] = []
    for number, move in enumerate(moves.split(), start=1):
        kind: Literal["promote", "rollback"] = "promote" if move[0] == "p" else "rollback"
        entry = dataclasses.replace(
            ENTRY, kind=kind, version=move[1:], after=head_digest(chain(lines)), claim=str(number)
        )
        text = entry_text(entry)
        lines.append(read_line(number, digest_of(text.encode()), entry.after, text, False))
    found = "".join(str(line.entry.version) for line in succession(lines) if line.entry)
    assert found == expected
    earlier = "".join(str(line.entry.version) for line in before(lines, expected[-1:]) if line.entry)
    assert earlier == expected[-2::-1]  # all before the last one, the latest first


def test_a_text_that_is_no_entry_is_none() -> None:
    for text in ("{}", "[1]", '{"kind": "promote", "kind": "promote"}', "[" * 10_000, '{"more": 1}'):
        assert read_line(1, digest_of(text.encode()), START, text, False).entry is None


def test_a_signature_speaks_of_one_record_of_one_kind() -> None:
    record = dataclasses.asdict(signed_entry(ENTRY, KEY))
    assert record_fault("ledger", record, [KEY.public_key()]) is None
    assert record_fault("review", record, [KEY.public_key()]) == (
        f"the review record is not what key {record['signature'].split(':')[1]} signed"
    )
    for name in record:
        changed = record | {name: "other"}
        assert record_fault("ledger", changed, [KEY.public_key()]) is not None, name
    assert record_fault("ledger", record | {"signature": None}, [KEY.public_key()]) == "the ledger record is not signed"
    stranger = Ed25519PrivateKey.generate()
    foreign = record | {"signature": signature("ledger", record, stranger)}
    assert "which is not trusted here" in str(record_fault("ledger", foreign, [KEY.public_key()]))
