"""Numeric answers: the marked answer (`#### 12`) or else the last number, compared exactly."""

import re
from fractions import Fraction

from ratchet.records import Outcome

# A sign that follows a digit or a closing bracket is an operator, not a sign.
NUMBER = r"(?:(?<![\w)\]])-)?(?<![\d.])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(NUMBER)
_MARK = re.compile(r"####")
LONGEST_NUMBER = 400  # characters; a longer run of digits is no answer and would be slow to convert


def parse_number(text: str) -> Fraction | None:
    """The number that the whole of `text` is, exactly, or None."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or len(match[0]) > LONGEST_NUMBER:
        return None
    return Fraction(match[0].replace(",", ""))


def extract_answer(text: str) -> str | None:
    """The answer a text gives: the first number after its last `####`, or without a mark its last number."""
    marks = list(_MARK.finditer(text))
    if marks:
        match = _NUMBER.search(text, marks[-1].end())
        return match[0] if match else None
    numbers = _NUMBER.findall(text)
    return numbers[-1] if numbers else None


def grade_numeric(text: str, gold: str) -> tuple[Outcome, str | None, str | None]:
    """The outcome, the answer found, and the reason where it is not a plain comparison."""
    expected = parse_number(gold)
    if expected is None:
        return "ungradable", None, f"the gold answer {gold[:40]!r} is no number"
    answer = extract_answer(text)
    if answer is None:
        return "incorrect", None, "no number in the text"
    found = parse_number(answer)
    if found is None:
        return "incorrect", None, "the number is too long"
    return ("correct" if found == expected else "incorrect"), answer, None
