"""Shards of a file of problems: what each of n machines samples or grades."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ratchet.errors import InputError

T = TypeVar("T")

MOST_SHARDS = 100_000
MOST_PODS = 1000  # of one fan-out: each has drivers of its own in the cluster


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` (from 0) of `count`."""

    index: int = 0
    count: int = 1

    def __str__(self) -> str:
        """The shard as it is written on the command line: `0/4`."""
        return f"{self.index}/{self.count}"


WHOLE = Shard()


def sharded(problems: Sequence[T], index: int, count: int) -> list[T]:
    """The problems whose place in the file, from 0, is `index` modulo `count`, in the file's order.

    The shards 0 to count - 1 hold each problem exactly once, and their sizes differ by at most one. Neighbours go to
    different shards, so a file sorted by difficulty gives shards that take about the same time. A shard is empty where
    there are fewer problems than shards.

    Raises:
        ValueError: `index` isn't one of 0 to `count` - 1.
    """
    if not 0 <= index < count:
        raise ValueError(f"there is no shard {index} of {count}")
    return list(problems[index::count])


def shards_for(pods: int, problems: int) -> list[str]:
    """The shards that `pods` pods work on, as they are written, after each was seen to have a problem at least."""
    if not 1 <= pods <= min(MOST_PODS, problems):
        expected = f"at least 1 and at most {min(MOST_PODS, problems)}: no pod without a problem"
        raise InputError(f"{pods} pods for {problems} problems", where="sample_pods", expected=expected)
    return [str(Shard(index, pods)) for index in range(pods)]


def placed_at(step: str, shard: str) -> str:
    """The place of a shard's result: the step's own where there is one shard, `step-0-of-4` where there are several."""
    found = read_shard(shard)
    return step if found == WHOLE else f"{step}-{found.index}-of-{found.count}"


def read_shard(text: str) -> Shard:
    """The shard that `i/n` names, with i from 0.

    Raises:
        InputError: The text isn't of this form, or i isn't below n.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or not shard.index < shard.count <= MOST_SHARDS:
        expected = "i/n with i from 0 to n - 1, as in 0/4, 1/4, 2/4 and 3/4"
        raise InputError(f"there is no shard {text!r}", expected=expected)
    return shard
