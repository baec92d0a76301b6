"""Text that others wrote, made fit to show: nothing in it can hide, turn around or overrun what stands beside it."""

import unicodedata

LONGEST_NAME = 40  # columns of a name in a chart
LONGEST_EXCERPT = 1_200  # characters of a model's answer

_HIDDEN = (
    *(code for code in range(0x20) if chr(code) not in "\n\t"),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200B, 0x200E, 0x200F),  # marks without a width, but the two that join letters and emoji
    *range(0x2028, 0x202F),  # separators of lines, and what turns the direction of writing
    *range(0x2060, 0x2070),
    *(0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB),
    *range(0xE0000, 0xE0080),  # letters that no reader sees and a model reads
)
_NO_CHARACTERS = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)  # not to be written in UTF-8
_SHOWN = {code: f"<U+{code:04X}>" for code in _HIDDEN} | dict.fromkeys(_NO_CHARACTERS, "\ufffd")
_MARKDOWN = "\\`*_[]|#!~"


def visible(text: str) -> str:
    """The text with what a reader would not see shown as codes, <U+202E>; line ends and tabs stay.

    Control characters, marks of no width, and marks that change the direction of writing: with those a name can pretend
    to be another one.
    """
    return text.replace("\r\n", "\n").translate(_SHOWN)


def short(name: str, most: int = LONGEST_NAME) -> str:
    """The name on one line of at most `most` columns, cut in the middle, for ends tell names apart."""
    line = " ".join(visible(name).split())
    if columns(line) <= most:
        return line
    tail = _fitting(line[::-1], most // 2)[::-1]
    return f"{_fitting(line, most - 1 - columns(tail))}…{tail}"


def columns(text: str) -> int:
    """The width of a line: East Asian characters and emoji take two columns, accents none."""
    return sum(_width(character) for character in text)


def excerpt(text: str, most: int = LONGEST_EXCERPT) -> str:
    """Beginning and end of a text of more than `most` characters, and how much is left out between them."""
    if len(text) <= most:
        return visible(text)
    head, tail = most * 2 // 3, most // 3
    return f"{visible(text[:head])}\n[… {len(text) - head - tail:,} characters left out …]\n{visible(text[-tail:])}"


def markdown(text: str) -> str:
    """The text on one line of Markdown, in which nothing of it is markup."""
    plain = " ".join(visible(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in _MARKDOWN else c for c in plain)


def _fitting(text: str, most: int) -> str:
    used = 0
    for place, character in enumerate(text):
        used += _width(character)
        if used > most:
            return text[:place]
    return text


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
