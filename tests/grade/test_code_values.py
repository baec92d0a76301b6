"""What crosses between a program and its tests is exactly what it was, or nothing."""

import json
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.grade.sandbox.values import DEPTH, TooLarge, Unreadable, decode, encode

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary()
keys = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.frozensets(st.integers())
plain = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner) | st.sets(keys),
    max_leaves=20,
)


def refuse(*_: Any) -> NoReturn:
    raise ValueError


def there_and_back(value: Any) -> Any:
    return decode(encode(value, refuse), refuse)


@given(plain)
def test_a_value_comes_back_equal_and_of_the_same_types(value: Any) -> None:
    # repr shows types, order, signs of zero and NaN; the order of a set may change.
    back = there_and_back(value)
    assert type(back) is type(value)
    assert sorted(repr(back)) == sorted(repr(value))


@pytest.mark.parametrize(
    "value",
    [
        *(10**4000, -(2**53), 1j, Fraction(1, 3), Decimal("1.10"), range(1, 9, 2), bytearray(b"x"), int),
        *(Counter("aab"), OrderedDict(b=1, a=2), deque([1, 2], 3)),
    ],
)
def test_a_value_of_a_rarer_type_comes_back_too(value: Any) -> None:
    back = there_and_back(value)
    assert (type(back), back) == (type(value), value)


class Int(int):
    """An int that isn't exactly one."""


@pytest.mark.parametrize("value", [Int(1), [Int(1)], {Int(1): 1}, object(), Int, print, type("str", (str,), {})("x")])
def test_anything_else_is_handed_to_whoever_keeps_it(value: Any) -> None:
    kept = []
    encode(value, lambda other: kept.append(other) or ["handle", 0])  # type: ignore[func-returns-value]
    assert len(kept) == 1


def test_what_is_too_deep_or_too_large_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(DEPTH + 1):
        deep = [deep]
    endless: list[Any] = []
    endless.append(endless)
    wide: list[Any] = [1]
    for _ in range(40):
        wide = [wide, wide]
    for value in (deep, endless, wide):
        with pytest.raises(TooLarge):
            encode(value, refuse)


@given(
    st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x)).map(lambda v: json.dumps(v).encode())
)
def test_whatever_is_sent_is_a_value_or_unreadable(data: bytes) -> None:
    try:
        decode(data, refuse)
    except Unreadable:
        return


@pytest.mark.parametrize(
    "said", [b"[" * 10**6, b'["set", ["list"]]', b'{"a": 1}', b'["list"', b'["int", 5]', b"\xff", b"1" * 5000]
)
def test_what_is_no_value_is_unreadable(said: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(said, refuse)
