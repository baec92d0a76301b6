"""Work that is done again while what it needs is out of reach."""

from collections.abc import Callable

import pytest

from ratchet import patience
from ratchet.patience import patiently


class Clock:
    """A clock that nobody waits for."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """What it shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Shows a later time at once."""
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(patience, "time", made)
    return made


def _failing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    return work


def _away(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def test_work_is_done_again_ever_more_slowly(clock: Clock) -> None:
    waits: list[float] = []
    work = _failing(6, ConnectionError("away"))
    assert patiently(work, _away, 100, lambda _, wait: waits.append(wait), 1.0, 10.0) == "done"
    assert waits == [1, 2, 4, 8, 10, 10]
    assert clock.now == 100 + sum(waits)


def test_no_try_comes_after_the_patience(clock: Clock) -> None:
    with pytest.raises(ConnectionError, match="away"):
        patiently(_failing(9, ConnectionError("away")), _away, 7.0, first_wait_s=1.0)
    assert clock.now == 100 + 1 + 2 + 4  # the next wait would have been of 8 s


def test_what_waiting_does_not_mend_is_not_waited_for(clock: Clock) -> None:
    with pytest.raises(ValueError, match="wrong"):
        patiently(_failing(1, ValueError("wrong")), _away, 100)
    assert clock.now == 100
