r"""Numeric answers: the marked answer (`#### 12`, `\boxed{12}`) or else the last number, compared exactly."""

import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from ratchet.grade.marks import Judged, first_line_of, last_mark, shown
from ratchet.grade.spelling import plain_spelling

# After a digit or a closing bracket `-` is an operator, not a sign; after `^` stands an exponent (`5 m^2`), no answer.
_SIGN = r"(?:(?<![\w)\]])-[$€£¥₹]?)?(?<![\d.^])(?<!\^\{)"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:[eE][+-]?\d+)?"
_OVER = r" ?/ ?\d++(?:\.\d++)?(?![/\d])"
_MIXED = r"\d++ {1,3}\d++/\d++(?![/\d])"
_FACTOR = r"(?: ?(?P<percent>%|per ?cent\b)| (?P<scale>thousand|million|billion|trillion)\b)?"
NUMBER = rf"{_SIGN}(?:(?P<mixed>{_MIXED})|(?P<top>{_DIGITS})(?P<over>{_OVER})?){_FACTOR}"
_NUMBER = re.compile(NUMBER)
_UNIT = r"(?! ?(?:[xyzni]|pi|π)\b)(?:[^\W\d_]|[ °'\"$€£¥₹/%.*²³-]|\^[23]){0,60}"
_WHOLE = re.compile(rf"[+~≈]?[$€£¥₹]? ?{NUMBER}{_UNIT}")
_EXPONENT = re.compile(r"[eE]([+-]?\d+)")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
LONGEST_NUMBER = 400  # characters, and the largest exponent: what is beyond is no answer and would be slow to convert
LONGEST_SPELLING = 60  # characters of a number that a grade spells out


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: its value, and what a percent sign or a word such as `million` multiplies it by."""

    value: Fraction
    factor: Fraction = Fraction(1)

    def equals(self, gold: "Number", tolerance: Fraction = Fraction(0)) -> bool:
        """Whether both are the same number, up to `tolerance` times the gold one.

        `50%` is 50 and is 1/2 where the other side has no sign; where both have one, what is before it counts.
        """
        if self.factor == gold.factor:
            return _near(self.value, gold.value, tolerance)
        scaled = _near(self.value * self.factor, gold.value * gold.factor, tolerance)
        return scaled or (1 in (self.factor, gold.factor) and _near(self.value, gold.value, tolerance))

    def spelled(self) -> str:
        """The number in one spelling, so that equal answers are equal texts."""
        suffix = "%" if self.factor == Fraction(1, 100) else ""
        return _decimal(self.value if suffix else self.value * self.factor) + suffix


def read_number(text: str) -> Number | None:
    """The number that the whole of `text` is, with a currency before or a unit after it, or None."""
    match = _WHOLE.fullmatch(plain_spelling(text).strip())
    return None if match is None else _number(match)


def extract_answer(text: str) -> str | None:
    """The answer that a text gives: the first number of what it marks last, or without a mark its last number."""
    match = _answer(text)
    return None if match is None else match[0]


def grade_numeric(text: str, gold: str, tolerance: Fraction = Fraction(0)) -> Judged:
    """The outcome, the answer found, and the reason where it is not a plain comparison."""
    expected = read_number(gold)
    if expected is None:
        return "ungradable", None, f"the gold answer {gold[:40]!r} is no number"
    match = _answer(text)
    if match is None:
        return "incorrect", None, "no number in the text"
    found = _number(match)
    if found is None:
        return "incorrect", None, "the number is too long or has the denominator 0"
    answer = found.spelled()
    answer = answer if len(answer) <= LONGEST_SPELLING else shown(match[0])
    return ("correct" if found.equals(expected, tolerance) else "incorrect"), answer, None


def _answer(text: str) -> re.Match[str] | None:
    mark = last_mark(text)
    if mark is not None:
        match = _NUMBER.search(_after_equals(plain_spelling(mark.content)))
        if match is not None or mark.kind != "phrase":
            return match
    numbers = deque(_NUMBER.finditer(plain_spelling(text)), maxlen=1)
    return numbers[0] if numbers else None


def _after_equals(content: str) -> str:
    """What stands after the last `=` of the first line, where a number stands there; else all of it."""
    line = first_line_of(content)
    after = line.rpartition("=")[2]
    return after if "=" in line and _NUMBER.search(after) else content


def _number(match: re.Match[str]) -> Number | None:
    value = _value(match)
    if value is None:
        return None
    factor = Fraction(1, 100) if match["percent"] else Fraction(_SCALES.get(match["scale"], 1))
    negative = match[0].lstrip("+~≈$€£¥₹ ").startswith("-")
    return Number(-value if negative else value, factor)


def _value(match: re.Match[str]) -> Fraction | None:
    """The value without its sign; None where it is too long to be an answer or is divided by 0."""
    if len(match[0]) > LONGEST_NUMBER or any(abs(int(e)) > LONGEST_NUMBER for e in _EXPONENT.findall(match[0])):
        return None
    if match["mixed"]:
        whole, top, under = (int(part) for part in re.findall(r"\d+", match["mixed"]))
        return whole + Fraction(top, under) if under else None
    under_text = (match["over"] or "/1").strip(" /")
    under_value = Fraction(under_text)
    return Fraction(match["top"].replace(",", "")) / under_value if under_value else None


def _near(found: Fraction, gold: Fraction, tolerance: Fraction) -> bool:
    return found == gold if not tolerance else abs(found - gold) <= tolerance * abs(gold)


def _decimal(value: Fraction) -> str:
    """The decimal expansion where it ends, else the fraction in lowest terms."""
    under, places = value.denominator, 0
    while under % 10 == 0:
        under, places = under // 10, places + 1
    while under % 2 == 0 or under % 5 == 0:
        under, places = under // (2 if under % 2 == 0 else 5), places + 1
    if under != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")
