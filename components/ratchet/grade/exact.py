"""Answers compared as text: the marked answer or else the last line, after case, spaces and quotes are folded."""

import re
import unicodedata

from ratchet.grade.marks import Judged, last_line_of, last_mark, shown

_SPACE = re.compile(r"\s+")
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s?\{([^{}]*+)\}")
_QUOTES = "\"'“”‘’`*_$ "


def folded(answer: str) -> str:
    """The text in normal form: NFKC, no case, single spaces, no quotes or emphasis around it, no stop at its end."""
    text = _SPACE.sub(" ", unicodedata.normalize("NFKC", _WRAPPED.sub(r"\1", answer))).casefold().strip(_QUOTES)
    return text.rstrip(".!").rstrip(_QUOTES).rstrip(".!")


def grade_exact(text: str, gold: str) -> Judged:
    """The outcome, the answer in normal form, and the reason where the text has no answer.

    Of a text without a mark the last line is the answer, or all of it where the gold answer has several lines.
    """
    expected = folded(gold)
    if not expected:
        return "ungradable", None, "the gold answer is empty"
    answer = folded(place_of_answer(text, several="\n" in gold.strip()))
    if not answer:
        return "incorrect", None, "no answer in the text"
    return ("correct" if answer == expected else "incorrect"), shown(answer), None


def place_of_answer(text: str, several: bool) -> str:
    """The part of a text that is its answer; `several`: an answer may have several lines."""
    mark = last_mark(text)
    if mark is None or (several and mark.kind == "phrase"):
        return text if several else last_line_of(text)
    return mark.content if several or mark.kind != "hash" else mark.content.partition("\n")[0]
