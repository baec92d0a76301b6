"""Shares of simulated comparisons with what simulation leaves open, and the search for the problems that are needed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import ndtri

LEVEL = 0.95
REPEATS = 200  # of a share that is close to the power that is asked for
_BATCH = 25  # comparisons after which a share may be clear
_CLEAR = 0.999  # level of the interval that makes it so
_CLOSE_ENOUGH = 0.04  # of the number of problems: closer than that so few comparisons do not tell
MOST_PROBLEMS = 100_000


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened in how many simulated comparisons."""

    times: int
    repeats: int

    @property
    def value(self) -> float:
        """The share."""
        return self.times / self.repeats

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval: what the simulation leaves open."""
        return self.within(LEVEL)

    def within(self, level: float) -> tuple[float, float]:
        """Wilson's interval at this level (Wilson 1927)."""
        z, n = float(ndtri(0.5 + level / 2.0)), self.repeats
        middle = (self.value + z * z / (2.0 * n)) / (1.0 + z * z / n)
        half = z / (1.0 + z * z / n) * math.sqrt(self.value * (1.0 - self.value) / n + z * z / (4.0 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


Happens = Callable[[int], bool]


def share(happens: Happens, repeats: int, first: int = 0) -> Share:
    """How often it happens in comparisons number `first` and on."""
    return Share(sum(happens(first + i) for i in range(repeats)), repeats)


def clear_share(happens: Happens, power: float, most: int = REPEATS) -> Share:
    """The share, from as many comparisons as tell it from `power`; from `most` where nothing does."""
    times = repeats = 0
    while repeats < most:
        times += sum(happens(repeats + i) for i in range(_BATCH))
        repeats += _BATCH
        low, high = Share(times, repeats).within(_CLEAR)
        if not low <= power <= high:
            break
    return Share(times, repeats)


def least_problems(at: Callable[[int], Share], power: float, start: int, most: int = MOST_PROBLEMS) -> int | None:
    """The least number of problems at which the share reaches `power`; None where `most` do not reach it.

    `at` gives the share at a number of problems. The same random numbers at each number make it rise steadily, so that
    halving the range finds it: to the problem where shares jump from 0 to 1, else to four percent.
    """
    low, high = start, start
    while at(high).value < power:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while low > 1 and at(low).value >= power:
        low, high = low // 2, low
    while high - low > 1:
        noisy = at(low).value > 0.0 and at(high).value < 1.0
        if noisy and high - low <= _CLOSE_ENOUGH * high:
            break
        middle = (low + high) // 2
        low, high = (low, middle) if at(middle).value >= power else (middle, high)
    return high


def least_harm(at: Callable[[float], Share], power: float, most: float, precision: float) -> float | None:
    """The least loss at which the share reaches `power`, to `precision`; None where a loss of `most` does not."""
    if at(most).value < power:
        return None
    low, high = 0.0, most
    while high - low > precision:
        middle = (low + high) / 2.0
        low, high = (low, middle) if at(middle).value >= power else (middle, high)
    return high
