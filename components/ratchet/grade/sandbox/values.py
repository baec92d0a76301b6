"""The values that may cross between tester and child: exact builtin types, of bounded size and depth, as JSON.

A value is null, true, false, a number or a string as in JSON, or an array whose first item says what the rest is. Never
pickle, and never a class by name: what is decoded is made here, from the types below alone, so whatever the other side
writes, no class of its own gets across. Anything else stays where it is and crosses as a handle, a number.

A child trusts its tester: for it plain values are packed by marshal, which is many times as fast. Nothing that a child
sends is ever read so.
"""

import importlib
import json
import marshal
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

DEPTH = 100
ITEMS = 200_000
PLAIN_INT = 2**53
# Made once, for the sake of short values. What is encoded is made here too, and never holds itself.
_TO_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_FROM_JSON = json.JSONDecoder()
_PLAIN = frozenset([type(None), bool, float, str])
_SCALARS = _PLAIN | {int}
PACKED = 1 << 16  # bytes; what is longer is counted, by `encode`
_SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_MAPPINGS: dict[type, str] = {dict: "dict", OrderedDict: "ordered", Counter: "counter", defaultdict: "dict"}
# Of modules that a zygote does without: where one isn't imported there is no value of its types.
_ELSEWHERE = {
    "decimal": ("decimal", "Decimal"),
    "date": ("datetime", "date"),
    "time": ("datetime", "time"),
    "datetime": ("datetime", "datetime"),
    "fraction": ("fractions", "Fraction"),
    "array": ("array", "array"),
}
_BUILTIN: tuple[type, ...] = (int, float, complex, bool, str, bytes, bytearray, list, tuple, dict, set, frozenset)
_TYPES: dict[str, type] = {kind.__name__: kind for kind in _BUILTIN}


class Unreadable(Exception):
    """The other side sent what is no value."""


class TooLarge(Exception):
    """The value is deeper or larger than what may cross."""


def encode(value: Any, other: Callable[[Any], list[Any]]) -> bytes:
    """The value as it travels; `other` says how an object of any other type does. TooLarge beyond the bounds."""
    kind = type(value)
    if kind in _PLAIN:
        return _TO_JSON.encode(value).encode("ascii")
    if kind is list and len(value) < ITEMS and _as_in_json(value):
        return _TO_JSON.encode(["list", *value]).encode("ascii")
    return _TO_JSON.encode(_Encoder(other).encoded(value, 0)).encode("ascii")


def pack(value: Any) -> bytes | None:
    """The value for `unpack`, or None where it is not made of plain ones or may be too large to cross."""
    packed = marshal.dumps(value) if _is_plain(value, 0) else None
    return packed if packed is not None and len(packed) <= PACKED else None


def unpack(packed: bytes) -> Any:
    """What `pack` was given. Only for one who trusts the other side: marshal can be made to crash, or worse."""
    return marshal.loads(packed)


def _as_in_json(values: list[Any]) -> bool:
    kinds = set(map(type, values))
    return kinds <= _SCALARS and all(-PLAIN_INT < each < PLAIN_INT for each in values if type(each) is int)


def _is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if depth > DEPTH or kind not in (list, tuple, dict):
        return False
    if value and kind is dict and not _is_plain(list(value.values()), depth):
        return False
    if set(map(type, value)) <= _SCALARS:
        return True
    for part in value:  # noqa: SIM110  every call of a program's passes here, and `all` takes twice as long
        if not _is_plain(part, depth + 1):
            return False
    return True


def decode(data: bytes, other: Callable[[str, Any], Any]) -> Any:
    """The value that `data` says; `other` makes what a tag unknown here stands for. Unreadable where it says none."""
    try:
        text = data.decode("ascii")
        said, end = _FROM_JSON.raw_decode(text)
        if end != len(text):
            raise ValueError(text[end : end + 1])
        return _decoded(said, other, 0)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, RecursionError, MemoryError) as error:
        raise Unreadable(type(error).__name__) from None


class _Encoder:
    """Counts the items of one value, so that a small object that refers to itself often can't unfold to a large one."""

    def __init__(self, other: Callable[[Any], list[Any]]):
        self.other = other
        self.left = ITEMS

    def encoded(self, value: Any, depth: int) -> Any:
        """The value in JSON's types."""
        kind = type(value)
        self.left -= 1
        if depth > DEPTH or self.left < 0:
            raise TooLarge
        if kind in _PLAIN:
            return value
        if kind is int:
            return value if -PLAIN_INT < value < PLAIN_INT else ["int", hex(value)]
        if kind in _SEQUENCES:
            return [_SEQUENCES[kind], *[self.encoded(item, depth + 1) for item in value]]
        if kind in _MAPPINGS:
            return [_MAPPINGS[kind], *[self.encoded(part, depth + 1) for pair in value.items() for part in pair]]
        return self._rare(value, kind, depth)

    def _rare(self, value: Any, kind: type, depth: int) -> Any:
        if kind is bytes or kind is bytearray:
            return [kind.__name__, value.hex()]
        if kind is complex:
            return ["complex", value.real, value.imag]
        if kind is range:
            return ["range", *(self.encoded(n, depth + 1) for n in (value.start, value.stop, value.step))]
        if kind is deque:
            return ["deque", value.maxlen, *(self.encoded(item, depth + 1) for item in value)]
        if kind is type and value in _BUILTIN:
            return ["type", value.__name__]
        tag = _tag_elsewhere(kind)
        if tag == "fraction":
            return [tag, self.encoded(value.numerator, depth + 1), self.encoded(value.denominator, depth + 1)]
        if tag == "array":
            return [tag, value.typecode, *(self.encoded(item, depth + 1) for item in value)]
        if tag is not None and getattr(value, "tzinfo", None) is None:
            return [tag, str(value)]  # which their own constructors read
        return self.other(value)


def _tag_elsewhere(kind: type) -> str | None:
    for tag, (module, name) in _ELSEWHERE.items():
        if getattr(sys.modules.get(module), name, None) is kind:
            return tag
    return None


def _elsewhere(tag: str) -> Any:
    """The type that the tag stands for."""
    module, name = _ELSEWHERE[tag]
    return getattr(importlib.import_module(module), name)


def _decoded(said: Any, other: Callable[[str, Any], Any], depth: int) -> Any:
    kind = type(said)
    if kind in _PLAIN or kind is int:
        return said
    if kind is not list or depth > DEPTH:
        raise ValueError
    tag, rest = said[0], said[1:]
    if tag in _LEAVES:
        return _LEAVES[tag](*rest)
    if tag not in _BRANCHES:
        return other(tag, *rest)
    if set(map(type, rest)) <= _SCALARS:
        return _BRANCHES[tag](rest)
    return _BRANCHES[tag]([_decoded(item, other, depth + 1) for item in rest])


def _hex_int(text: str) -> int:
    return int(text, 16)


def _fraction(parts: list[Any]) -> Any:
    numerator, denominator = parts
    if type(numerator) is not int or type(denominator) is not int:
        raise ValueError
    return _elsewhere("fraction")(numerator, denominator)


def _pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


_LEAVES: dict[str, Callable[..., Any]] = {
    "int": _hex_int,
    "type": _TYPES.__getitem__,
    "complex": complex,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "decimal": lambda text: _elsewhere("decimal")(text),
    "date": lambda text: _elsewhere("date").fromisoformat(text),
    "time": lambda text: _elsewhere("time").fromisoformat(text),
    "datetime": lambda text: _elsewhere("datetime").fromisoformat(text),
}
_BRANCHES: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": lambda flat: dict(_pairs(flat)),
    "ordered": lambda flat: OrderedDict(_pairs(flat)),
    "counter": lambda flat: Counter(dict(_pairs(flat))),
    "range": lambda parts: range(*parts),
    "fraction": _fraction,
    "deque": lambda parts: deque(parts[1:], parts[0]),
    "array": lambda parts: _elsewhere("array")(parts[0], parts[1:]),
}
