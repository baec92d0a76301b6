r"""Where a text marks its answer: `#### 12`, `\boxed{12}`, or in words (`the answer is 12`, `Answer: 12`)."""

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from ratchet.records import Outcome

Judged = tuple[Outcome, str | None, str | None]  # the outcome, the answer found, the reason where it needs one


@dataclass(frozen=True, slots=True)
class Request:
    """What a judge in a process of its own is asked: whether the text's answer is the gold one."""

    gold: str
    text: str


_BOXED = re.compile(r"\\.|[{}]", re.DOTALL)
_OPENS = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_PHRASE = re.compile(r"\banswer\b[*_]{0,3}\s?(?:is|:|=)(?:[ \t]?[:*_])*", re.IGNORECASE)
LONGEST_SHOWN = 200  # characters of an answer that a grade keeps


@dataclass(frozen=True, slots=True)
class Mark:
    """One marked answer: how it is marked, and what stands there."""

    kind: Literal["hash", "boxed", "phrase"]
    content: str


def last_mark(text: str) -> Mark | None:
    r"""The last `####` or `\boxed{}` of the text, else its last "answer is" or "answer:", else None.

    `####` marks the rest of the text, a box what is between its braces (a box that is never closed marks nothing), and
    words mark the rest of their line, or the next line that isn't blank.
    """
    hash_at = text.rfind("####")
    box = _last_box(text)
    if box is not None and box[0] > hash_at:
        return Mark("boxed", text[box[0] : box[1]].strip())
    if hash_at >= 0:
        return Mark("hash", text[hash_at:].lstrip("#").strip())
    phrases = deque(_PHRASE.finditer(text), maxlen=1)
    return Mark("phrase", first_line_of(text[phrases[0].end() :])) if phrases else None


def first_line_of(text: str) -> str:
    """The first line that isn't blank, without the space around it; empty where there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line_of(text: str) -> str:
    """The last line that isn't blank, without the space around it; empty where there is none."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def shown(answer: str) -> str:
    """The answer as a grade keeps it: cut where it is long."""
    return answer if len(answer) <= LONGEST_SHOWN else answer[: LONGEST_SHOWN - 1] + "…"


def _last_box(text: str) -> tuple[int, int] | None:
    """Where the content of the closed box that begins last starts and ends; one pass, whatever the text is."""
    starts = {match.end() for match in _OPENS.finditer(text)}
    if not starts:
        return None
    open_braces: list[int] = []
    last = None
    for match in _BOXED.finditer(text):
        if match[0] == "{":
            open_braces.append(match.end())
        elif match[0] == "}" and open_braces:
            start = open_braces.pop()
            if start in starts and (last is None or start > last[0]):
                last = start, match.start()
    return last
