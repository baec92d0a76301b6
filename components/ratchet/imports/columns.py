"""Which column or field holds what, for tables whose names are their author's own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from ratchet.errors import InputError
from ratchet.imports.imported import UNNUMBERED, Place
from ratchet.imports.outcomes import chosen
from ratchet.imports.parsing import shown
from ratchet.records import Attempt, Outcome

TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each field of an attempt; None: the column of the field's own name, where there is one."""

    problem_id: str | None = None
    outcome: str | None = None
    correct: str | None = None
    attempt: str | None = None
    text: str | None = None
    answer: str | None = None
    group: str | None = None
    cluster: str | None = None
    confidence: str | None = None
    suite: str | None = None

    def found_in(self, names: Sequence[str], place: Place) -> dict[str, str]:
        """The columns that there are, by field; one that was asked for and isn't there is refused."""
        found: dict[str, str] = {}
        for field in fields(self):
            given = getattr(self, field.name)
            if given is not None:
                found[field.name] = chosen("column", list(names), given, "", place)
            elif field.name in names:
                found[field.name] = field.name
        if self.outcome is None and self.correct is not None:
            found.pop("outcome", None)
        if self.correct is None and self.outcome is not None:
            found.pop("correct", None)
        _check_needed(found, names, place)
        return found


def _check_needed(found: Mapping[str, str], names: Sequence[str], place: Place) -> None:
    there = ", ".join(map(repr, names))
    if "problem_id" not in found:
        raise place.error(f"columns {there}", "one with the problem's id", "name it with --problem-id")
    if ("outcome" in found) == ("correct" in found):
        expected = "one with the outcome or with whether it is correct, not both"
        raise place.error(f"columns {there}", expected, "name it with --outcome or --correct")


def attempt_of(value: Mapping[str, Any], suite: str | None, place: Place) -> Attempt:
    """The attempt that a row's fields make; `suite` overrides what the row says. Blank cells are None before this."""
    text = {name: _text(value, name, place) for name in ("problem_id", "suite", "text", "answer", "group", "cluster")}
    if text["problem_id"] is None:
        raise place.error("no problem id", "one in every record")
    return Attempt(
        problem_id=text["problem_id"],
        outcome=_outcome(value, place),
        suite=suite or text["suite"] or "default",
        attempt=_attempt(value.get("attempt"), place),
        text=text["text"],
        answer=text["answer"],
        confidence=_confidence(value.get("confidence"), place),
        group=text["group"],
        cluster=text["cluster"],
    )


def _text(value: Mapping[str, Any], name: str, place: Place) -> str | None:
    found = value.get(name)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise place.error(f"{name} = {shown(found)}", "text or a number")
    return str(found)


def _outcome(value: Mapping[str, Any], place: Place) -> Outcome:
    if "outcome" in value:
        outcome = value["outcome"]
        known = get_args(Outcome)
        if outcome not in known:
            raise place.error(f"outcome = {shown(outcome)}", "one of " + ", ".join(known))
        return next(name for name in known if name == outcome)
    given = value.get("correct")
    correct = TRUTH.get(str(given).strip().lower()) if isinstance(given, str | int | float) else None
    if correct is None:
        next_step = "give what has no verdict as an outcome: ungradable or error"
        raise place.error(f"correct = {shown(given)}", "true, false, 1 or 0", next_step)
    return "correct" if correct else "incorrect"


def _attempt(value: Any, place: Place) -> int:
    if value is None:
        return UNNUMBERED
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**63:
        raise place.error(f"attempt = {shown(value)}", "a whole number from 0 on")
    return number


def _confidence(value: Any, place: Place) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        raise place.error(f"confidence = {shown(value)}", "a number from 0 to 1")
    return number


def table_header(found: Mapping[str, str], kind: str) -> dict[str, Any]:
    """The header: nothing is known but where confidences come from."""
    if "confidence" not in found:
        return {}
    return {"checkpoint": None, "sampling": None, "confidence": f"{kind} {found['confidence']!r}"}


def left_out(found: Mapping[str, str], names: Sequence[str], kind: str) -> tuple[str, ...]:
    """A note of what no field of an attempt takes, so that nothing is dropped unsaid."""
    others = [repr(name) for name in names if name not in found.values()]
    return (f"{kind}s left out: {', '.join(others)}",) if others else ()


def refuse_empty(rows: Sequence[Any], place: Place) -> None:
    """Refuse a file without a record."""
    if not rows:
        raise InputError("no records", where=place.path, expected="at least one")
