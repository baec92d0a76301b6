"""The process that runs a program: alone, and with nothing in its memory but the program and what it is called with."""

import json
import os
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ratchet.grade.sandbox import values, wire
from ratchet.grade.sandbox.isolation import CHANNEL, isolate

if TYPE_CHECKING:
    from ratchet.grade.sandbox import kernel
    from ratchet.grade.sandbox.limits import Level, Limits

MODULE = "solution"
READY, LOADED, CALL, VALUE, RAISED = b"ready", b"loaded", b"c", b"v", b"e"
_READY_FRAMED = wire.framed(READY)
_REHEARSAL = """
from typing import List
import math
def solve(items: List[int], rest=()):
    \'\'\'Of the kinds of things that programs do.\'\'\'
    counts = {}
    for place, item in enumerate(items):
        counts[item] = counts.get(item, 0) + 1
    try:
        text = "".join(sorted(str(k).lower() for k in counts if k))
    except ValueError:
        return None
    squares = [math.sqrt(len(text)) * k ** 2 // 3 % 7 for k in range(5)]
    while squares and squares[-1] < 0:
        squares.pop()
    return squares, set(text.split(",")), {k: v for k, v in zip(text, squares)}, max(squares, key=lambda k: -k), True
"""
CUTS = 50  # tries to find the part of a text that compiles


def script(program: str, given: str) -> bytes:
    """The message that gives a child a program that reads the standard input, and the text for it."""
    text = program.encode("utf-8", "surrogatepass")
    return b"%d " % len(text) + text + given.encode("utf-8", "surrogateescape")


def run(script: bool, level: "Level", limits: "Limits", last: "list[kernel.Call]", scratch: Path | None) -> NoReturn:
    """Isolates this process, takes a program from the channel and runs it; a script uses the standard streams."""
    try:
        if script:
            os.dup2(os.memfd_create("stdin"), 0)
            os.dup2(CHANNEL, 1)
        isolate(level, limits, last, scratch)
    except BaseException as error:
        wire.send(CHANNEL, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.write(CHANNEL, _READY_FRAMED)
    reader = wire.Reader(CHANNEL)
    said = reader.receive()
    if said is None:  # there was no use for this child
        os._exit(0)
    if script:
        _run_script(_open_standard_streams(said))
    _serve(said.decode("utf-8", "surrogatepass"), reader)


def _open_standard_streams(said: bytes) -> str:
    """The program of the message; what follows it there becomes the standard input, from memory."""
    size, _, rest = said.partition(b" ")
    program, given = rest[: int(size)], rest[int(size) :]
    with open(0, "wb", closefd=False) as file:
        file.write(given)
    os.lseek(0, 0, os.SEEK_SET)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    return program.decode("utf-8", "surrogatepass")


def _run_script(program: str) -> NoReturn:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    code = 0
    try:
        exec(_compiled(program), module.__dict__)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        code = 1
    sys.stdout.flush()
    os._exit(code & 0xFF)


def _serve(program: str, reader: wire.Reader) -> NoReturn:
    """Loads the program, says how that went, and answers the tester until the channel ends."""
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    held: list[Any] = []
    try:
        exec(_compiled(program), module.__dict__)
    except BaseException as error:
        wire.send(CHANNEL, _raised(error))
    else:
        wire.send(CHANNEL, LOADED)
    while (request := reader.receive()) is not None:
        try:
            reply = VALUE + _encoded(_answer(request, module, held), held)
        except BaseException as error:
            reply = _raised(error)
        wire.send(CHANNEL, reply)
    os._exit(0)


def rehearse() -> None:
    """Does in the zygote what children will do. What Python works out on the way they then find, and don't copy."""
    coming, going = os.pipe()
    reader = wire.Reader(coming)
    module = types.ModuleType(MODULE)
    exec(_compiled(_REHEARSAL), module.__dict__)
    for _ in range(16):
        wire.send(going, CALL + (values.pack(["solve", [[1, "a", 2.5], ()], {}]) or b""))
        wire.send(going, VALUE + _encoded(_answer(reader.receive() or b"", module, []), []))
        reader.receive()
    os.close(coming)
    os.close(going)


def _answer(request: bytes, module: types.ModuleType, held: list[Any]) -> Any:
    """What the tester's request comes to: a call, an attribute (always as a handle) or the setting of one."""
    if request[:1] == CALL:
        name, arguments, named = values.unpack(request[1:])
        return _named(module, name)(*arguments, **named)

    def meant(tag: str, which: Any) -> Any:
        return held[which] if tag == "handle" else _named(module, which)

    verb, target, *rest = values.decode(request, meant)
    if verb == "call":
        return target(*rest[0], **rest[1])
    if verb == "get":
        return _Handle(getattr(target, rest[0]))
    return setattr(target, rest[0], rest[1])


def _named(module: types.ModuleType, name: str) -> Any:
    if name not in module.__dict__:
        raise NameError(f"the program defines no {name!r}")
    return module.__dict__[name]


class _Handle:
    """Marks what stays here, whatever its type."""

    def __init__(self, held: Any):
        self.held = held


def _encoded(value: Any, held: list[Any]) -> bytes:
    def keep(kept: Any) -> list[Any]:
        held.append(kept.held if type(kept) is _Handle else kept)
        return ["handle", len(held) - 1]

    try:
        return values.encode(value, keep)
    except values.TooLarge:
        return json.dumps(keep(value)).encode()


def _raised(error: BaseException) -> bytes:
    return RAISED + type(error).__name__.encode("utf-8", "replace")


def _compiled(program: str) -> types.CodeType:
    """The code of the text, or of its longest part from the start, up to a line that begins a statement, that compiles.

    A model that isn't stopped writes on after its answer, and is cut off in the middle of a line.
    """
    lines = program.split("\n")
    first: SyntaxError | None = None
    end = len(lines)
    for _ in range(CUTS):
        try:
            return compile("\n".join(lines[:end]), "<program>", "exec", dont_inherit=True, optimize=0)
        except SyntaxError as error:
            first = first or error
            before = min(end, (error.lineno or end) + 1) - 1
            end = next((n for n in range(before, 0, -1) if n < end and lines[n][:1].strip(" \t)]}#") != ""), 0)
            if end == 0:
                break
    assert first is not None
    raise first
