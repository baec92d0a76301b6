"""A profile's metrics as its page and its summary read them: by suite, and what is known apart from what is not."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ratchet.evaluate.profile import Metric, Profile
from ratchet.pages.charts import Point
from ratchet.pages.numbers import interval, known, number

_PASS_AT_K = re.compile(r"pass@(\d+)")


@dataclass(frozen=True, slots=True)
class Known:
    """A number that could be computed; an end of its interval is None where it is out of sight."""

    name: str
    value: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> str:
        """The interval in brackets."""
        return interval(self.low, self.high)

    @property
    def text(self) -> str:
        """The number with its interval."""
        return f"{number(self.value)} {self.ends}"

    def at(self, line: str, x: float) -> Point:
        """The number as the point of a line."""
        return Point(line, x, self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Missing:
    """Metrics that could not be computed for one reason."""

    reason: str
    names: list[str]


def by_suite(profile: Profile) -> dict[str, dict[str, Metric]]:
    """The metrics of each suite by name, in the profile's order."""
    found: dict[str, dict[str, Metric]] = {name: {} for name in profile.suites}
    for metric in profile.metrics:
        found.setdefault(metric.suite, {})[metric.name] = metric
    return found


def usable(metrics: Mapping[str, Metric], name: str) -> Known | None:
    """The metric of that name where it has an estimate."""
    metric = metrics.get(name)
    value = None if metric is None else known(metric.estimate)
    return None if metric is None or value is None else Known(name, value, known(metric.low), known(metric.high))


def widest(metrics: Mapping[str, Metric]) -> int:
    """The largest K for which pass@K is known; 0 without any."""
    found = [(int(match[1]), name) for name in metrics if (match := _PASS_AT_K.fullmatch(name))]
    return max((k for k, name in found if usable(metrics, name)), default=0)


def numbers_after(prefix: str, names: Iterable[str]) -> list[int]:
    """The k of every name that is `prefix` and k, in order."""
    return sorted({int(n[len(prefix) :]) for n in names if n.startswith(prefix) and n[len(prefix) :].isdecimal()})


def missing(metrics: Iterable[Metric]) -> list[Missing]:
    """What could not be computed, by reason, the reason of most metrics first."""
    undefined = [m for m in metrics if known(m.estimate) is None]
    return merged([Missing(m.reason or "no reason was recorded", [m.name]) for m in undefined])


def merged(every: Iterable[Missing]) -> list[Missing]:
    """One entry a reason, the reason of most metrics first."""
    names: dict[str, list[str]] = {}
    for found in every:
        names.setdefault(found.reason, []).extend(found.names)
    return [Missing(reason, names[reason]) for reason in sorted(names, key=lambda reason: -len(names[reason]))]
