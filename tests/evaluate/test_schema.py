import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from ratchet.evaluate.build import Beside, evaluate
from ratchet.evaluate.profile import PROFILE_FILE
from ratchet.evaluate.schema import MEANINGS, SCHEMA_FILE, schema

LINES = [
    {
        "problem_id": str(i),
        "attempt": a,
        "outcome": "correct" if i > a else "incorrect",
        "group": str(i % 2),
        "confidence": 0.5,
        "text": f"{i} + {a} = {i + a}",
    }
    for i in range(8)
    for a in range(8)
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A profile with everything in it: base, history, bins, a suggestion."""
    folder = tmp_path_factory.mktemp("schema")
    attempts = folder / "attempts.jsonl"
    attempts.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    base = evaluate([attempts], folder / "base", "base")
    profile = evaluate([attempts], folder / "profile", "p", beside=Beside(base=base, history=(base,)))
    found: dict[str, object] = json.loads(Path(profile, PROFILE_FILE).read_text())
    return found


def test_the_committed_schema_is_what_the_dataclasses_say() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == schema(), "run `make golden`"


def test_every_field_has_a_meaning_and_no_meaning_is_left_over() -> None:
    found = schema()
    records = {"Profile": found} | found["$defs"]
    assert {name: set(record["properties"]) for name, record in records.items()} == {
        name: set(fields) for name, fields in MEANINGS.items()
    }


def test_a_profile_as_it_is_written_fits_the_schema(written: dict[str, object]) -> None:
    Draft202012Validator.check_schema(schema())
    assert written["base"] and written["history"] and written["reliability"] and written["suggestions"]
    Draft202012Validator(schema()).validate(written)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"extra": 1},
        {"metrics": [{"suite": "s", "name": "pass@1", "estimate": "0.5"}]},
        {"suites": {"s": {"problems": 1}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_profile_does_not_fit(written: dict[str, object], change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(schema()).validate(written | change)
