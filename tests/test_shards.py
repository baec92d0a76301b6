"""Shards of a file of problems."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.shards import WHOLE, Shard, placed_at, read_shard, sharded, shards_for


def test_the_shards_of_seven_problems_take_every_third_one() -> None:
    # Places 0 to 6 modulo 3: 0 3 6, 1 4, 2 5.
    assert [sharded("abcdefg", index, 3) for index in range(3)] == [["a", "d", "g"], ["b", "e"], ["c", "f"]]


@given(st.lists(st.integers()), st.integers(1, 20))
def test_the_shards_together_hold_each_problem_once_and_are_of_equal_size(problems: list[int], count: int) -> None:
    places = list(range(len(problems)))
    shards = [sharded(places, index, count) for index in range(count)]
    assert sorted(place for shard in shards for place in shard) == places
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert all(shard == sorted(shard) for shard in shards)


def test_the_whole_is_one_shard() -> None:
    assert sharded("abc", WHOLE.index, WHOLE.count) == ["a", "b", "c"]


def test_a_shard_beyond_the_problems_is_empty() -> None:
    assert sharded("ab", 2, 3) == []


@pytest.mark.parametrize(("index", "count"), [(3, 3), (-1, 3), (0, 0)])
def test_a_shard_that_is_not_there_is_refused(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="there is no shard"):
        sharded("abc", index, count)


@pytest.mark.parametrize("text", ["0/1", "3/4", "11/12"])
def test_a_shard_is_read_as_it_is_written(text: str) -> None:
    assert str(read_shard(text)) == text


def test_the_first_number_is_the_place_from_0_and_the_second_the_count() -> None:
    assert read_shard("1/4") == Shard(index=1, count=4)


@pytest.mark.parametrize(
    "text", ["", "1", "4/4", "-1/4", "0/0", "1/4/2", " 1/4", "1/4\n", "a/b", "1.0/4", "٣/٤", "0/999999"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"there is no shard .*as in 0/4"):
        read_shard(text)


def test_so_many_pods_have_so_many_shards_each_with_a_place_of_its_own() -> None:
    shards = shards_for(3, problems=3)
    assert shards == ["0/3", "1/3", "2/3"]
    assert [placed_at("round-1/sample", shard) for shard in shards] == [
        "round-1/sample-0-of-3",
        "round-1/sample-1-of-3",
        "round-1/sample-2-of-3",
    ]
    # One pod works where it did before there were several.
    assert [placed_at("round-1/sample", shard) for shard in shards_for(1, problems=3)] == ["round-1/sample"]


@pytest.mark.parametrize("pods", [0, -1, 4])
def test_pods_without_a_problem_are_refused(pods: int) -> None:
    with pytest.raises(InputError, match=f"sample_pods: {pods} pods for 3 problems; expected at least 1 and at most 3"):
        shards_for(pods, problems=3)
