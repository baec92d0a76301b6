"""inspect's logs, `.eval` and `.json`, as one header and light samples; inspect itself is not needed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.imports.archive import open_archive
from ratchet.imports.imported import Place
from ratchet.imports.parsing import parse_json, shown
from ratchet.storage import read_bytes, unreadable

EXPECTED = "a log of inspect"
LARGEST_DOCUMENT = 2**30  # bytes: a JSON log is read whole
ATTACHMENT = "attachment://"
# How requests were sent, not what was drawn; extra_headers may hold credentials.
NOT_SAMPLING = frozenset(
    ("max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections", "adaptive_connections")
    + ("extra_headers", "batch", "cache_prompt")
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is kept of one sample and epoch; `item` is a digest of its input, choices and target."""

    id: str
    epoch: int
    item: str
    text: str | None
    scores: dict[str, Any]
    failed: bool
    invalidated: bool
    limit: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class InspectLog:
    """One evaluation: what its header says, and its samples."""

    path: Path
    task: str
    model: str | None
    status: str
    stated_samples: int | None
    sampling: dict[str, Any]
    samples: list[Sample]


def read_log(path: Path) -> InspectLog:
    """The log at `path`: a ZIP file or a JSON document, whatever it is called."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise unreadable(path, error) from None
    if start == b"PK\x03\x04":
        return _read_archive(path)
    if path.stat().st_size > LARGEST_DOCUMENT:
        next_step = "write it as .eval with `inspect log convert`, which is read a sample at a time"
        raise InputError("a larger log", where=path, expected=f"at most {LARGEST_DOCUMENT} bytes", next=next_step)
    document = parse_json(read_bytes(path), path, EXPECTED)
    samples = document.get("samples")
    if not isinstance(samples, list | None):
        raise InputError("'samples' is no list", where=path, expected=EXPECTED)
    read = [_sample(value, Place(path, None, f"sample {i}")) for i, value in enumerate(samples or (), start=1)]
    return _log(path, document, read)


def _read_archive(path: Path) -> InspectLog:
    with open_archive(path) as archive:
        names = archive.names()
        # a run that was stopped has no header.json, only what was written when it started
        header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
        if header is None:
            raise InputError("neither header.json nor _journal/start.json", where=path, expected=EXPECTED)
        about = parse_json(archive.read(header), path, f"{EXPECTED} with a readable {header}")
        members = (name for name in names if name.startswith("samples/") and name.endswith(".json"))
        samples = [
            _sample(parse_json(archive.read(name), path, f"{EXPECTED} with a readable {name}"), Place(path, None, name))
            for name in members
        ]
    return _log(path, about, samples)


def _log(path: Path, about: dict[str, Any], samples: list[Sample]) -> InspectLog:
    evaluation = about.get("eval")
    if not isinstance(evaluation, dict) or not isinstance(evaluation.get("task"), str):
        raise InputError("no evaluation with a task", where=path, expected=EXPECTED)
    model = evaluation.get("model")
    stated = _mapping(about, "results").get("total_samples")
    parameters = _mapping(evaluation, "model_generate_config") | _mapping(_mapping(about, "plan"), "config")
    sampling = {k: v for k, v in parameters.items() if v is not None and k not in NOT_SAMPLING}
    backend = {"backend": model.partition("/")[0]} if isinstance(model, str) else {}
    return InspectLog(
        path=path,
        task=evaluation["task"],
        model=model if isinstance(model, str) else None,
        status=str(about.get("status", "started")),
        stated_samples=stated if isinstance(stated, int) else None,
        sampling={"harness": "inspect"} | backend | sampling if sampling else {},
        samples=sorted(samples, key=lambda sample: (sample.epoch, sample.id)),
    )


def _sample(value: Any, place: Place) -> Sample:
    if not isinstance(value, dict):
        raise place.error(f"a JSON {type(value).__name__}", "a sample")
    name, epoch, scores = value.get("id"), value.get("epoch"), value.get("scores") or {}
    if not isinstance(name, int | str) or isinstance(name, bool):
        raise place.error(f"id = {shown(name)}", "text or a number")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
        raise place.error(f"epoch = {shown(epoch)}", "a number from 1 on")
    if not isinstance(scores, dict) or not all(isinstance(score, dict) for score in scores.values()):
        raise place.error(f"scores = {shown(scores)}", "a score by each scorer's name")
    attachments = _mapping(value, "attachments")
    limit = value.get("limit")
    return Sample(
        id=str(name),
        epoch=epoch,
        item=_digest([_plain(value.get(key), attachments) for key in ("input", "choices", "target")]),
        text=_completion(value.get("output"), attachments),
        scores=scores,
        failed=value.get("error") is not None,
        invalidated=value.get("invalidation") is not None,
        limit=str(limit.get("type")) if isinstance(limit, dict) else None,
        place=Place(place.path, None, f"sample {name!r}, epoch {epoch}"),
    )


def _completion(output: Any, attachments: dict[str, Any]) -> str | None:
    """The model's text: of a message in parts, its text parts; None where there is none."""
    if not isinstance(output, dict):
        return None
    text = output.get("completion")
    choices = output.get("choices")
    if text is None and isinstance(choices, list) and choices and isinstance(choices[0], dict):
        text = _mapping(choices[0], "message").get("content")
    parts = text if isinstance(text, list) else [{"text": text}]
    texts = [_resolved(part.get("text"), attachments) for part in parts if isinstance(part, dict)]
    found = [part for part in texts if isinstance(part, str)]
    return "\n".join(found) if found else None


def _plain(value: Any, attachments: dict[str, Any]) -> Any:
    """Text, or of messages their role and content: message ids are drawn anew in every run."""
    if not isinstance(value, list):
        return _resolved(value, attachments)
    return [
        {key: _resolved(entry.get(key), attachments) for key in ("role", "content")}
        if isinstance(entry, dict)
        else _resolved(entry, attachments)
        for entry in value
    ]


def _resolved(value: Any, attachments: dict[str, Any]) -> Any:
    """What an `attachment://` reference stands for; anything else as it is."""
    if isinstance(value, str) and value.startswith(ATTACHMENT):
        return attachments.get(value.removeprefix(ATTACHMENT), value)
    return value


def _mapping(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def scorers(samples: list[Sample]) -> Iterator[str]:
    """The names of all scorers, in the order in which the samples have them."""
    yield from dict.fromkeys(name for sample in samples for name in sample.scores)
