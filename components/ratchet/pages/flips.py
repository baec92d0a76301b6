"""Problems that one side solves more often than the other, as a page shows them: counts, and answers side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ratchet.pages.numbers import one_in
from ratchet.pages.text import excerpt, short

if TYPE_CHECKING:
    from ratchet.compare.flips import Flip

LONGEST_CELL = 160


@dataclass(frozen=True, slots=True)
class FlipShown:
    """One problem with what each side made of it; a text is None where none was kept."""

    problem: str
    group: str
    moved: str
    chance: str
    texts: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class FlipList:
    """Problems that are solved less often, or more often; `answers` says whose answers stand left and right."""

    title: str
    answers: tuple[str, str]
    flips: list[FlipShown]
    left_out: int


def flip_list(title: str, lost: bool, flips: Sequence["Flip"], most: int, sides: tuple[str, str]) -> FlipList:
    """Up to `most` flips of one direction; `sides` are what the page calls what was before and what came after."""
    right, wrong = "a right answer", "a wrong answer"
    kinds = (right, wrong) if lost else (wrong, right)
    answers = (f"{sides[0]}, {kinds[0]}", f"{sides[1]}, {kinds[1]}")
    return FlipList(title, answers, [_shown(flip, sides) for flip in flips[:most]], max(0, len(flips) - most))


def _shown(flip: "Flip", sides: tuple[str, str]) -> FlipShown:
    moved = [
        f"{side} {right} of {tried}" for side, (right, tried) in zip(sides, (flip.before, flip.after), strict=True)
    ]
    return FlipShown(
        problem=short(flip.problem_id, LONGEST_CELL),
        group="" if flip.group is None else short(flip.group, 60),
        moved=f"right {', '.join(moved)}",
        chance=one_in(flip.surprise),
        texts=(_text(flip.text_before), _text(flip.text_after)),
    )


def _text(text: str | None) -> str | None:
    return None if text is None else excerpt(text)
