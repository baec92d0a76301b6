"""Work that is done again for a while, where what it needs is out of reach."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 15.0


def patiently(
    work: Callable[[], T],
    passing: Callable[[Exception], bool],
    patience_s: float,
    say: Callable[[Exception, float], None] | None = None,
    first_wait_s: float = FIRST_WAIT_S,
    longest_wait_s: float = LONGEST_WAIT_S,
) -> T:
    """What the work gives. While it fails with what may pass, it is done again, each time after twice the wait.

    The failure is raised where it does not pass, and where the next try would come after the patience. `say` is told of
    each one that is not, and of the wait that follows.
    """
    begun, wait = time.monotonic(), first_wait_s
    while True:
        try:
            return work()
        except Exception as error:
            if not passing(error) or time.monotonic() - begun + wait > patience_s:
                raise
            if say is not None:
                say(error, wait)
        time.sleep(wait)
        wait = min(2 * wait, longest_wait_s)
