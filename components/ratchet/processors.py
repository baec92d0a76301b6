"""How many processors there are for this process, which is not how many the machine has."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def processors(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Those that it may run on, and no more than the quota of its control group: a pod's limit, on a node with more."""
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(groups, own))]))


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """In processors, of each control group that this process is in and of those around it that can be seen."""
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            group = (groups / "cpu" if controllers else groups) / path.lstrip("/")
            # A container's own group may be mounted at the top, whatever path it has outside.
            for each in [group, *group.parents][: len(group.relative_to(groups).parts) + 1]:
                yield from _quota(each)


def _quota(group: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):  # no such group, or one that says `max`
        said, period = (group / "cpu.max").read_text().split()
        yield int(said) / int(period)
    with suppress(OSError, ValueError):
        quota, over = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if quota > 0:
            yield quota / over
