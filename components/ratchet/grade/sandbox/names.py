"""What a problem's tests say before they are run: whose the names are that they use, and what they may leave behind."""

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

# Of the standard library what has no state that outlives a call, but for the random numbers that a tester seeds.
_STATELESS = """
bisect cmath collections copy datetime fractions functools heapq itertools math numbers operator random re statistics
string typing
"""
STATELESS = frozenset(_STATELESS.split())
_BY_THE_BACK_DOOR = {"__builtins__", "__import__", "compile", "delattr", "eval", "exec", "open", "setattr"}


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests, compiled."""

    code: CodeType
    entry_point: str | None
    modules: tuple[str, ...]
    """Modules of the standard library that they use without an import."""
    prompt: CodeType | None
    """The prompt, where they use what it defines."""
    programs: tuple[str, ...]
    """The names that are the program's."""
    leave_nothing: bool
    """Whether a process that has run them is as it was, once what they defined is dropped."""


def read(tests: str, prompt: str, entry_point: str | None) -> Tests:
    """The tests, compiled; a SyntaxError where they are no Python."""
    try:
        tree = ast.parse(tests)
        code = compile(tree, "<tests>", "exec", dont_inherit=True, optimize=0)
    except (ValueError, RecursionError, MemoryError) as error:  # a null character, or nested too deep
        raise SyntaxError(str(error) or type(error).__name__) from None
    free = _free_names(tree)
    own = _own_modules(tree, free)
    defining, defined = _prompt(prompt)
    from_prompt = defined & free - own - {entry_point}
    called = {entry_point} if entry_point else set()
    programs = (free - own - from_prompt) | called or _first_called(tree)
    trees = [tree, ast.parse(prompt)] if from_prompt else [tree]
    nothing = own <= STATELESS and all(_leaves_nothing(each, own) for each in trees)
    used = defining if from_prompt else None
    return Tests(code, entry_point, tuple(sorted(own)), used, tuple(sorted(programs)), nothing)


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


def _prompt(prompt: str) -> tuple[CodeType | None, set[str]]:
    """A prompt that is Python, compiled, and what it defines or imports at its top level."""
    try:
        body = ast.parse(prompt).body
        code = compile(prompt, "<prompt>", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, set()
    named = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    bound = (_bound(n) for n in body if isinstance(n, ast.Import | ast.ImportFrom | ast.Assign))
    return code, named.union(*bound)


def _first_called(tree: ast.Module) -> set[str]:
    """The first function that the tests call: the program's, where it has the name of one of Python's own."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {call.func.id for call in calls[:1] if isinstance(call.func, ast.Name)}


def _leaves_nothing(tree: ast.Module, modules: set[str]) -> bool:
    """Whether all that the code can change goes with its names: it imports nothing that keeps a state, nor sets parts.

    Tests are trusted: this finds what they may do by design, not what they could hide.
    """
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = dict(_imported(tree))
    changed = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)
    }
    stateless = set(imported.values()) <= STATELESS and not names & _BY_THE_BACK_DOOR
    return stateless and not changed & (modules | set(imported))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that the code imports, and the module that it is of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((a.asname or a.name.split(".")[0], a.name) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((a.asname or a.name, node.module or "") for a in node.names)
