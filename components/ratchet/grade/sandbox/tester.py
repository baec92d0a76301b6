"""The process that runs the tests: it has the expected values, and of the program only a channel to its child."""

import ast
import builtins
import json
import random
import socket
import sys
from typing import Any

from ratchet.grade.sandbox import values
from ratchet.grade.sandbox.child import LOADED, RAISED, VALUE
from ratchet.grade.sandbox.handles import Handle, Named, Opaque
from ratchet.grade.sandbox.lifeline import Failed, Lifeline, Lost
from ratchet.grade.sandbox.limits import Limits

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
        self.end: Lost | Failed | Unsendable | None = None

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
            self.lifeline.send(values.encode(request, _tag_of))
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


def run(channel: socket.socket, job: dict[str, Any], limits: Limits) -> Verdict:
    """The verdict of the job's tests on the program that the child at the other end of the channel runs."""
    try:
        tree = ast.parse(job["tests"])
    except SyntaxError as error:
        return _verdict("ungradable", f"the tests are no Python: {error.msg}")
    lifeline = Lifeline(channel, limits)
    conversation = Conversation(lifeline)
    try:
        lifeline.send(json.dumps({"program": job["program"]}).encode())
        lifeline.meet()
        loaded = lifeline.receive()
        if loaded != LOADED:
            return _verdict("incorrect", f"the program raises {_printable(loaded[1:])} when loaded")
        _run_tests(tree, job, conversation)
    except BaseException as ended:
        return _judged(conversation.end or ended, conversation)
    return _judged(conversation.end, conversation)


def _run_tests(tree: ast.Module, job: dict[str, Any], conversation: Conversation) -> None:
    random.seed(0)  # the same attempt gets the same verdict
    entry_point = job["entry_point"]
    scope: dict[str, Any] = {"__name__": "tests"}
    free = _free_names(tree)
    own = _own_modules(tree, free)
    scope.update({name: __import__(name) for name in own})
    from_prompt = _defined_by(job["prompt"]) & free - own - {entry_point}
    if from_prompt:
        exec(compile(job["prompt"], "<prompt>", "exec", optimize=0), scope)
    called = {entry_point} if entry_point else set()
    for name in (free - own - from_prompt) | called or _first_called(tree):
        scope[name] = Named(conversation, ["name", name])
    candidate = scope.get(entry_point)
    exec(compile(tree, "<tests>", "exec", dont_inherit=True, optimize=0), scope)
    if entry_point and callable(scope.get("check")) and type(scope["check"]) is not Named:
        scope["check"](candidate)


def _free_names(tree: ast.Module) -> set[str]:
    """The names that the tests use and don't define, without Python's own."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return {n.id for n in names if isinstance(n.ctx, ast.Load)} - _bound(tree) - set(dir(builtins))


def _bound(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _own_modules(tree: ast.Module, free: set[str]) -> set[str]:
    """Of the free names those that are only ever used as `module.attribute` of a module of the standard library."""
    nodes = list(ast.walk(tree))
    bases = {id(n.value) for n in nodes if isinstance(n, ast.Attribute)}
    alone = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in bases}
    return free & sys.stdlib_module_names - alone


def _defined_by(prompt: str) -> set[str]:
    """What a prompt that is Python defines or imports at its top level."""
    try:
        body = ast.parse(prompt).body
    except (SyntaxError, ValueError):
        return set()
    named = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return named.union(*(_bound(n) for n in body if isinstance(n, ast.Import | ast.ImportFrom | ast.Assign)))


def _first_called(tree: ast.Module) -> set[str]:
    """The first function that the tests call: the program's, where it has the name of one of Python's own."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {call.func.id for call in calls[:1] if isinstance(call.func, ast.Name)}


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
