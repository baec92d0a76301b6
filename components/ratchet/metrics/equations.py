"""The equations that a solution is made of, and how many different sequences of them a problem's samples hold.

A text is rewritten rule by rule to one spelling (`3 × 4 = $12.00` becomes `3*4=12`), after which an equation is a run
of characters without a space. No rule gives back what it has read to try it otherwise, so the time grows with the
length of the text, whatever it is made of.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.metrics.diversity import Floats

_MARK = re.compile(r"<<([^<>\n]*+)>>")  # GSM8K's calculator: what was entered and what came out
_COMPUTES = re.compile(r"[\d.)%] ?[-+*/^] ?[\d.(]")
_LATEX = (
    (re.compile(r"\\[dt]?frac\{([^{}]*+)\}\{([^{}]*+)\}"), r"(\1)/(\2)"),
    (re.compile(r"\^\{([^{}]*+)\}"), r"^(\1)"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])"), "*"),
    (re.compile(r"\\div(?![a-z])"), "/"),
    (re.compile(r"\\approx(?![a-z])"), "="),
    (re.compile(r"\\sqrt(?![a-z])"), "√"),
    (re.compile(r"\\\\"), "\n"),
    (re.compile(r"\\(?:[a-z]++|[,;:! ])"), " "),
)
_CHARACTERS = str.maketrans(
    dict.fromkeys("×∗⋅∙·", "*") | dict.fromkeys("÷∕⁄", "/") | dict.fromkeys("−–‐‑", "-") | {"≈": "="}
    | dict.fromkeys("$€£¥¢{}&\\", "")
)  # fmt: skip
_WORD = r"[^\W\d_]{2,}+(?:-[^\W\d_]++)?+"
_OPERATOR = r"[-+*/^=]"
_SPELLING = (  # what a text must hold for the rule to find anything (looking for that alone is faster), rule, spelling
    ("", re.compile(r"[^\S\n]++"), " "),
    ("\n", re.compile(r" ?\n[ \n]*+"), "\n"),
    ("", re.compile(r"^[-*+•] ", re.MULTILINE), ""),  # the dash of a list is no minus
    ("\n", re.compile(r"\n(?==)"), ""),
    (",", re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    ("**", re.compile(r"(?<=\d)\*\*(?=\d)"), "^"),
    ("**", re.compile(r"\*\*"), ""),  # bold
    ("%", re.compile(r"(?<=\d) %"), "%"),
    ("%", re.compile(r"(?<=%) of (?=[\d(])"), "*"),
    ("", re.compile(rf"(?<=\d){_WORD}"), ""),  # units: 5kg
    ("", re.compile(rf"(?<=[\d)%])(?:[ /]{_WORD}){{1,3}}+(?= ?{_OPERATOR}| x )"), ""),  # 5 books/person * 2
    ("x", re.compile(r"(?<=[\d)%]) ?x ?(?=[\d.(])"), "*"),
    ("", re.compile(rf" ?({_OPERATOR})=*+ ?"), r"\1"),
    ("", re.compile(r"(?<=\() | (?=\))"), ""),
    ("(", re.compile(r"(?<=[\d)])\("), "*("),
    ("", re.compile(r"(?<![\d.])(?:\d*+\.\d++|0\d++)"), lambda match: _number(match[0])),
    ("(", re.compile(r"(?<![\w.)])\((-?[\d.]++%?+)\)"), r"\1"),  # (5) is 5
)
_EQUALS = ("=", "≈", "\\approx")
_CHUNK = re.compile(r"[\w.%()+\-*/^=√]++")
# A letter that stands alone is a variable, but for a and i, which are words.
_OPERAND = r"[-(]*+(?:\d++(?:\.\d++)?+%?+[a-z]?+|[b-hj-z])(?!\w)\)*+"
_SIDE = re.compile(rf"{_OPERAND}(?:[-+*/^]{_OPERAND})*+")
_PLAIN = re.compile(r"-?[\d.]++%?+")


def equations(text: str) -> tuple[str, ...]:
    r"""The equations of a solution in their order, in one spelling.

    An equation is two or more sides joined by `=`, each arithmetic over numbers and one-letter variables, at least one
    of them more than a plain number. Spaces, currency signs, thousands separators, trailing zeros, units and the
    operators' many forms (`×`, `x`, `\times`, `\div`, `\frac{a}{b}`) don't matter. The order of operands does, and so
    do brackets and the percent sign: 3+4=7 and 4+3=7 are two ways to write a step, and no step is worked out to tell
    whether two are equal. A chain a = b = c is one equation. A side without a number is a name for the others and is
    left out. What is said twice in a row counts once, and a calculator's mark (`<<3+4=7>>`) stands for the equation
    that leads to it. What holds a root, a function or an unknown word is no equation; nor is one without a last side.
    """
    lowered = text.casefold()
    if not any(sign in lowered for sign in _EQUALS):
        return ()
    chunks = _CHUNK.findall(_in_one_spelling(lowered))
    found = [equation for chunk in chunks if "=" in chunk for equation in _of_chunk(chunk)]
    return tuple(equation for i, equation in enumerate(found) if i == 0 or equation != found[i - 1])


def distinct_equations_by_problem(texts: Sequence[Sequence[str]]) -> Floats:
    """The number of different equation sequences among each problem's texts over the number of texts.

    NaN where none of its texts holds an equation, as where there is no text. A text without one beside others that do
    has the empty sequence, which is as different as any (methods: distinct equations, P1).
    """
    values = np.full(len(texts), np.nan)
    for i, of_problem in enumerate(texts):
        sequences = [equations(text) for text in of_problem]
        if any(sequences):
            values[i] = len(set(sequences)) / len(sequences)
    return values


def _in_one_spelling(text: str) -> str:
    text = _MARK.sub(_mark, text)
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    text = text.translate(_CHARACTERS)
    for needed, pattern, spelling in _SPELLING:
        if needed in text:
            text = pattern.sub(spelling, text)
    return text


def _mark(match: re.Match[str]) -> str:
    """A mark that computes stands apart; `<<6=6>>` says nothing, and the prose around it is read as if it weren't."""
    return f";{match[1]};" if "=" in match[1] and _COMPUTES.search(match[1]) else ""


def _number(written: str) -> str:
    """A number without needless zeros, by its digits: a number of any length stays what it is."""
    whole, _, decimals = written.partition(".")
    return ".".join(part for part in (whole.lstrip("0") or "0", decimals.rstrip("0")) if part)


def _of_chunk(chunk: str) -> Iterator[str]:
    """The equations of a run without spaces: several where a side in the midst is none."""
    sides = chunk.lstrip(".+").split("=")
    if not sides[-1]:  # cut short: a mark follows, or words
        return
    chain: list[str] = []
    for place, side in enumerate(sides, 1):
        # After the last side may follow what belongs to the sentence: a full stop, a dash.
        match = _SIDE.match(side) if place == len(sides) else _SIDE.fullmatch(side)
        if match and (arithmetic := _without_outer_brackets(match[0])):
            chain.append(arithmetic)
        else:
            yield from _joined(chain)
            chain = []
    yield from _joined(chain)


def _joined(chain: Sequence[str]) -> Iterator[str]:
    sides = [side for side in chain if any(character.isdigit() for character in side)]
    if len(sides) > 1 and not all(_PLAIN.fullmatch(side) for side in sides):
        yield "=".join(sides)


def _without_outer_brackets(side: str) -> str | None:
    """A side without the bracket that opens or closes the whole equation; None where its brackets don't match."""
    unclosed = side.count("(") - side.count(")")
    if unclosed > 0 and side.startswith("(" * unclosed):
        return side[unclosed:]
    if unclosed < 0 and side.endswith(")" * -unclosed):
        return side[:unclosed]
    return None if unclosed else side
