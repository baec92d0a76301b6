"""The header of attempts from several logs: how each suite was sampled, and which problems stand behind its ids."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.imports.imported import Row
from ratchet.storage import Header


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one log says of itself: the suite, how it was sampled (empty: it doesn't say) and the model."""

    path: Path
    suite: str
    sampling: dict[str, Any]
    model: str | None


def header_of(logs: Sequence[Sampled], rows: Sequence[Row]) -> Header:
    """The header: no checkpoint, since logs don't carry its digest, and the sampling parameters that are stated.

    What all suites share stands under its name, what differs under `name[suite]`. `items` is a digest of what stands
    behind the problem ids: attempts at other problems under the same ids don't compare. Runs of one suite may differ
    in their seed alone, which is then left out.
    """
    by_suite: dict[str, dict[str, Any]] = {}
    for log in logs:
        known = by_suite.setdefault(log.suite, log.sampling)
        shared = {name: value for name, value in known.items() if name != "seed" or value == log.sampling.get(name)}
        if shared != {name: log.sampling[name] for name in log.sampling if name != "seed" or name in shared}:
            expected = f"the same in every run of {log.suite!r}: {known}"
            raise InputError(f"sampling = {log.sampling}", where=log.path, expected=expected)
        by_suite[log.suite] = shared
    for suite, sampling in by_suite.items():
        digest = _items_digest(row for row in rows if row.attempt.suite == suite)
        by_suite[suite] = sampling | ({"items": digest} if sampling and digest else {})
    names = {name: None for sampling in by_suite.values() for name in sampling}
    return {"checkpoint": None, "sampling": dict(pair for name in names for pair in _entries(name, by_suite)) or None}


def one_model(logs: Sequence[Sampled]) -> str | None:
    """The model that all logs name; None where none names one."""
    models = {log.model: log.path for log in logs if log.model}
    if len(models) > 1:
        (first, _), (second, path) = list(models.items())[:2]
        raise InputError(f"a log of {second}", where=path, expected=f"one of {first}, as the logs before it")
    return next(iter(models), None)


def _items_digest(rows: Iterable[Row]) -> str | None:
    """SHA-256 over which problem stands behind each id, whatever the order; None where a log doesn't say."""
    items = {row.attempt.problem_id: row.item for row in rows}
    if not items or None in items.values():
        return None
    text = "".join(f"{problem}\0{item}\n" for problem, item in sorted(items.items()))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _entries(name: str, by_suite: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    values = [sampling.get(name) for sampling in by_suite.values()]
    if all(value == values[0] for value in values):
        yield name, values[0]
    else:
        yield from ((f"{name}[{suite}]", value) for suite, value in zip(by_suite, values, strict=True))
