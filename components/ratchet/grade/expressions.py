r"""Math answers: what math-verify is asked to compare.

The answer is the last `\boxed{}`, what stands behind `####`, or else what math-verify finds in the end of the text.
"""

import re
from importlib.util import find_spec

from ratchet.grade.marks import Judged, Request, first_line_of, last_mark

LONGEST_EXPRESSION = 2000  # characters of a marked answer
TAIL = 4000  # characters that math-verify searches where nothing is marked
_SEPARATOR = re.compile(r"(?<=\d),\\!(?=\d{3})")


def require_installed() -> None:
    """Raises ModuleNotFoundError where math-verify is not there: the extra `grade` brings it."""
    if find_spec("math_verify") is None:
        raise ModuleNotFoundError("No module named 'math_verify'", name="math_verify")


def request_of(text: str, gold: str) -> Request | Judged:
    """What is to be compared, or the judgement where the text gives no answer."""
    answer = request_text(text)
    return _unread(text) if answer is None else Request(boxed(gold), answer)


def request_text(text: str) -> str | None:
    r"""What math-verify is given of a text: the marked answer in a box, or the end of the text; None: no answer."""
    mark = last_mark(text)
    if mark is None or mark.kind == "phrase":
        return text[-TAIL:] if text.strip() else None
    content = mark.content if mark.kind == "boxed" else first_line_of(mark.content)
    return boxed(content) if 0 < len(content.strip()) <= LONGEST_EXPRESSION else None


def boxed(expression: str) -> str:
    r"""The expression in `\boxed{}`, where math-verify looks first, without `$`, a final stop and `\!`."""
    bare = _SEPARATOR.sub("", expression).replace("\\!", "").strip().removesuffix(".")
    if len(bare) > 1 and bare.startswith("$") and bare.endswith("$"):
        bare = bare.strip("$").strip()
    return bare if bare.startswith("\\boxed{") else f"\\boxed{{{bare}}}"


def _unread(text: str) -> Judged:
    mark = last_mark(text)
    return "incorrect", None, "the answer is too long" if mark and mark.content else "no answer in the text"
