"""Programs that read the standard input and write the standard output."""

import socket
from dataclasses import dataclass

from ratchet.grade.sandbox import child
from ratchet.grade.sandbox.lifeline import Failed, Lifeline, Lost
from ratchet.grade.sandbox.limits import Limits


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program wrote; or why there is no saying."""

    text: bytes = b""
    reason: str | None = None
    failed: bool = False
    """Whether the reason is ours, not the program's."""


def run(channel: socket.socket, program: str, given: str, limits: Limits) -> Ran:
    """Runs the program in the child at the other end, with `given` as its input."""
    lifeline = Lifeline(channel, limits)
    if len(given) > limits.file_bytes // 4:  # it must fit into a file, in UTF-8
        return Ran(reason="the input of a case is too long", failed=True)
    try:
        lifeline.send(child.script(program, given))
        lifeline.meet()
        text = lifeline.rest()
    except (Failed, UnicodeEncodeError) as error:
        return Ran(reason=str(error), failed=True)
    except Lost as error:
        return Ran(reason=error.reason or "the program ended before its input was read")
    if text is None:
        return Ran(reason=f"the program wrote more than {limits.output_bytes} bytes")
    return Ran(text)


def same(written: bytes, expected: str) -> bool:
    """Whether the two are equal line by line, but for space at the ends of lines and empty lines at the end."""
    return _lines(written.decode("utf-8", "replace")) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]
