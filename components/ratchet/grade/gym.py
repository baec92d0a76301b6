r"""Problems of reasoning-gym: what the family's scorer is asked.

The problem's `answer` is an entry: JSON of the `family`, its `answer`, the `metadata` that the scorer reads and, where
it isn't the family's own, the `config`. The model's answer is what stands in the last `<answer>` and `</answer>`, else
where the text marks it, else its last line, or all of it where the gold answer has several lines.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ratchet.errors import InputError
from ratchet.grade.exact import place_of_answer
from ratchet.grade.families import CHECKED_RELEASE, refusal
from ratchet.grade.marks import Judged, Request

PACKAGE = "reasoning-gym"
LONGEST_ENTRY = 100_000  # characters of JSON
LONGEST_ANSWER = 20_000  # characters of a model's answer
_FIELDS = {"family": str, "answer": str, "metadata": dict}
_OPEN, _CLOSE = "<answer>", "</answer>"


@dataclass(frozen=True, slots=True)
class Entry:
    """A problem of reasoning-gym as its family's scorer knows it."""

    family: str
    answer: str
    metadata: dict[str, Any]
    config: dict[str, Any]


def require_installed() -> None:
    """Raises InputError unless the release of reasoning-gym is there whose scorers were read."""
    expected = f"{PACKAGE} {CHECKED_RELEASE}, whose scorers were read"
    install = "install it with pip install 'ratchet-mlops[reasoning-gym]'"
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        raise InputError(f"no package {PACKAGE}", expected=expected, next=install) from None
    if found != CHECKED_RELEASE:
        raise InputError(f"{PACKAGE} {found}", expected=expected, next=install)


def read_entry(answer: str) -> Entry:
    """The entry that a problem's `answer` holds; a ValueError that says why where it holds none that is graded."""
    if len(answer) > LONGEST_ENTRY:
        raise ValueError(f"the entry has more than {LONGEST_ENTRY:,} characters")
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        raise ValueError(f"{answer[:40]!r} is no JSON") from None
    fits = isinstance(said, dict) and all(isinstance(said.get(name), kind) for name, kind in _FIELDS.items())
    if not fits or not isinstance(said.get("config", {}), dict) or not said.keys() <= {*_FIELDS, "config"}:
        raise ValueError(f"{answer[:40]!r} is no entry of 'family', 'answer', 'metadata' and 'config'")
    reason = refusal(said["family"])
    if reason is not None:
        raise ValueError(reason)
    return Entry(said["family"], said["answer"], said["metadata"], said.get("config", {}))


@lru_cache(maxsize=4096)
def entry_fault(answer: str) -> str | None:
    """Why no attempt could be graded by this entry, or None where it can."""
    try:
        read_entry(answer)
    except ValueError as error:
        return str(error)
    return None


def marked(entry: Entry) -> str:
    """The entry's own answer as a text that marks it."""
    return f"{_OPEN}\n{entry.answer}\n{_CLOSE}"


def request_of(text: str, gold: str) -> Request | Judged:
    """What the scorer is asked, or the judgement where there is nothing to ask."""
    fault = entry_fault(gold)
    if fault is not None:
        return "ungradable", None, fault
    answer = answer_in(text, several="\n" in read_entry(gold).answer.strip())
    if not answer:
        return "incorrect", None, "no answer in the text"
    if len(answer) > LONGEST_ANSWER:
        return "incorrect", None, "the answer is too long"
    return Request(gold, answer)


def answer_in(text: str, several: bool) -> str:
    """The one answer that a text gives, without the space around it; `several`: it may have several lines."""
    end = text.rfind(_CLOSE)
    start = text.rfind(_OPEN, 0, end) if end >= 0 else -1
    return text[start + len(_OPEN) : end].strip() if start >= 0 else place_of_answer(text, several).strip()
