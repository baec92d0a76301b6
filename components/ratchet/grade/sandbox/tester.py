"""The process that runs a problem's tests: it has the expected values, and of a program a channel to its child."""

import builtins
import random
from typing import Any

from ratchet.grade.sandbox import values
from ratchet.grade.sandbox.child import CALL, LOADED, RAISED, VALUE
from ratchet.grade.sandbox.handles import Handle, Named, Opaque
from ratchet.grade.sandbox.lifeline import Failed, Lifeline, Lost
from ratchet.grade.sandbox.names import Tests

Verdict = dict[str, str | None]  # outcome, or "lost" where the child's end must tell; and the reason
_UNLIKE = (StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)  # end an iterator; or take more to make
_EXCEPTIONS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, _UNLIKE)
}


class CandidateError(Exception):
    """What a program's call raised, where that was no exception of Python's own."""


class Unsendable(BaseException):
    """The tests call the program with something that can't cross."""


class Conversation:
    """The calls of one attempt."""

    def __init__(self, lifeline: Lifeline):
        self.lifeline = lifeline
        self.calls = 0
        self.doomed: str | None = None
        self.end: BaseException | None = None  # what ended it for good

    def doom(self, reason: str) -> None:
        """Notes that the attempt has failed, whatever the tests make of it."""
        self.doomed = self.doomed or reason

    def ask(self, verb: str, *parts: Any) -> Any:
        """The value that the child answers with; a call's exception is raised here, as one of Python's own."""
        self.calls += 1
        try:
            return self._read(self._exchanged([verb, *parts]))
        except (Lost, Failed, Unsendable) as end:
            self.end = end  # tests that catch everything don't undo it
            raise

    def _exchanged(self, request: list[Any]) -> bytes:
        try:
            self.lifeline.send(_packed(request) or values.encode(request, _tag_of))
            return self.lifeline.receive()
        except (values.TooLarge, MemoryError):
            raise Lost("what the tests hand to the program grew too large") from None
        except Exception as error:
            raise Failed(f"the tester failed: {type(error).__name__}: {error}") from error

    def _read(self, reply: bytes) -> Any:
        if reply[:1] == RAISED:
            raise _EXCEPTIONS.get(_printable(reply[1:]), CandidateError)("raised by the program")
        if reply[:1] != VALUE:
            raise Lost("the program sent no reply")
        try:
            return values.decode(reply[1:], self._handle)
        except values.Unreadable:
            raise Lost("the program sent what is no value") from None

    def _handle(self, tag: str, number: Any) -> Handle:
        if tag != "handle" or type(number) is not int:
            raise ValueError(tag)
        return Handle(self, [tag, number])


def run(tests: Tests, conversation: Conversation) -> Verdict:
    """The verdict of the tests on the program that the child at the other end of the conversation runs."""
    scope: dict[str, Any] = {"__name__": "tests"}
    try:
        conversation.lifeline.meet()
        loaded = conversation.lifeline.receive()
        if loaded != LOADED:
            return _verdict("incorrect", f"the program raises {_printable(loaded[1:])} when loaded")
        _run_tests(tests, scope, conversation)
    except (Lost, Failed, MemoryError, RecursionError) as ended:
        conversation.end = conversation.end or ended
    except BaseException as ended:
        return _judged(conversation.end or ended, conversation)
    finally:
        scope.clear()  # functions and the names that they use refer to each other
    return _judged(conversation.end, conversation)


def _run_tests(tests: Tests, scope: dict[str, Any], conversation: Conversation) -> None:
    random.seed(0)  # the same attempt gets the same verdict
    scope.update({name: __import__(name) for name in tests.modules})
    if tests.prompt is not None:
        exec(tests.prompt, scope)
    for name in tests.programs:
        scope[name] = Named(conversation, ["name", name])
    candidate = scope.get(tests.entry_point)  # type: ignore[arg-type]
    exec(tests.code, scope)
    if tests.entry_point and callable(scope.get("check")) and type(scope["check"]) is not Named:
        scope["check"](candidate)


def _packed(request: list[Any]) -> bytes | None:
    """A call of one of the program's names with plain values, as a child reads it fastest; None for another request."""
    verb, target, *rest = request
    packed = values.pack([object.__getattribute__(target, "_tag")[1], *rest]) if type(target) is Named else None
    return packed and CALL + packed if verb == "call" else None


def _tag_of(sent: Any) -> list[Any]:
    if isinstance(sent, Handle):
        return list(object.__getattribute__(sent, "_tag"))
    raise Unsendable(f"the tests call the program with a {type(sent).__name__}, which can't cross")


def _judged(error: BaseException | None, conversation: Conversation) -> Verdict:
    """The verdict on tests that ended in the error, or in none."""
    name = type(error).__name__
    if isinstance(error, Failed):
        return _verdict("error", str(error)[:300])
    if isinstance(error, Lost):
        return _verdict("lost" if error.reason is None else "incorrect", error.reason)
    if isinstance(error, Unsendable):
        return _verdict("ungradable", str(error))
    if conversation.doomed is not None or isinstance(error, Opaque):
        return _verdict("incorrect", conversation.doomed or str(error))
    if conversation.calls == 0:
        said = "the tests never call the program" if error is None else f"the tests fail before they call it: {name}"
        return _verdict("ungradable", said)
    if error is None:
        return _verdict("correct", None)
    return _verdict("incorrect", "a test failed" if isinstance(error, AssertionError) else f"the tests end in {name}")


def _printable(name: bytes) -> str:
    """The name of an exception, where it is short and one."""
    text = name[:60].decode("utf-8", "replace")
    return text if text.isidentifier() else "an exception"


def _verdict(outcome: str, reason: str | None) -> Verdict:
    return {"outcome": outcome, "reason": reason}
