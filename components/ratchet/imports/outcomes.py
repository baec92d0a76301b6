"""From the numbers that other tools write to an outcome: nothing is rounded unless a threshold was asked for."""

import math
from typing import Any

from ratchet.errors import InputError
from ratchet.imports.imported import Place
from ratchet.imports.parsing import shown
from ratchet.records import Outcome


def outcome_of(value: Any, name: str, place: Place, threshold: float | None, next: str = "") -> Outcome:
    """`correct` or `incorrect` from 1 or 0 (or true and false), or from any number with a threshold.

    With a threshold, `correct` is a value of at least the threshold. NaN and what is no number are refused.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise place.error(f"{name} = {shown(value)}", "a number", next)
    if threshold is not None:
        return "correct" if value >= threshold else "incorrect"
    if value not in (0, 1):
        raise place.error(
            f"{name} = {value}", "0 or 1", next or "say with --threshold from which value on it is correct"
        )
    return "correct" if value == 1 else "incorrect"


def chosen(what: str, names: list[str], given: str | None, option: str, place: Place) -> str:
    """The one of `names` that was asked for, or the only one; several without a choice are refused with their names."""
    listed = ", ".join(map(repr, names))
    if given is not None:
        if given not in names:
            raise place.error(f"no {what} {given!r}", f"one of {listed}" if names else f"a log with a {what}")
        return given
    if len(names) != 1:
        found = f"{len(names)} {what}s" if names else f"no {what}"
        raise place.error(found, f"one {what}", f"choose with {option}: {listed}" if names else "")
    return names[0]


def check_threshold(threshold: float | None) -> None:
    """Refuse a threshold that isn't a finite number."""
    if threshold is not None and not math.isfinite(threshold):
        raise InputError(f"threshold = {threshold}", expected="a finite number")
