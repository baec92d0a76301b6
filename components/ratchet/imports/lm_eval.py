"""lm-evaluation-harness: `samples_*.jsonl`, one record a document and filter, into attempts.

A record holds all responses to a document (`repeats`) but mostly one score. An attempt is made only of what has a score
of its own: of every response where the metric lists one score each, else of the one answer that the filter kept.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.errors import InputError
from ratchet.imports.imported import Imported, Place, Row, joined
from ratchet.imports.lm_eval_run import Run, read_run
from ratchet.imports.outcomes import check_threshold, chosen, outcome_of
from ratchet.imports.parsing import json_lines, shown
from ratchet.imports.responses import Responses, responses_of
from ratchet.imports.sampling import Sampled, header_of, one_model
from ratchet.records import Attempt

EXPECTED = "a record of lm-evaluation-harness (run it with --log_samples)"
ABOUT_A_RECORD = frozenset(
    ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics")
    + ("doc_hash", "prompt_hash", "target_hash")
)


@dataclass(frozen=True, slots=True)
class Log:
    """One samples file: its run, its suite, which metric and filter count, and what that leaves out."""

    path: Path
    run: Run
    suite: str
    metric: str
    filter: str
    others: tuple[str, ...]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Read:
    """What a file held: its rows, how they were sampled (empty: not known), and what the reader of it must know."""

    rows: list[Row]
    sampling: dict[str, Any]
    notes: tuple[str, ...]


def read_lm_eval(
    paths: Sequence[Path],
    suite: str | None = None,
    metric: str | None = None,
    filter: str | None = None,
    threshold: float | None = None,
) -> Imported:
    """The attempts in samples files; the task's name is the suite where none is given.

    Several files are several tasks, or several runs of one task, whose attempts count on. `metric` and `filter` say
    which score counts where there are several; a metric that isn't 0 or 1 needs a `threshold`.
    """
    check_threshold(threshold)
    logs = [_log(path, suite, metric, filter, threshold) for path in paths]
    found = [_read(log) for log in logs]
    sampled = [
        Sampled(log.path, log.suite, read.sampling, log.run.model) for log, read in zip(logs, found, strict=True)
    ]
    model = one_model(sampled)
    _refuse_the_same_again(sampled, found)
    rows = joined(read.rows for read in found)
    notes = tuple(dict.fromkeys(note for read in found for note in read.notes))
    return Imported(tuple(row.attempt for row in rows), header_of(sampled, rows), notes, model)


def _refuse_the_same_again(logs: Sequence[Sampled], found: Sequence[Read]) -> None:
    """Refuse a second run that draws nothing at random: its attempts are those of the first."""
    tried: set[tuple[str, str]] = set()
    for log, read in zip(logs, found, strict=True):
        problems = {(log.suite, row.attempt.problem_id) for row in read.rows}
        if problems & tried and _always_the_same(log.sampling):
            again = f"another run of {log.suite!r} that draws nothing at random"
            raise InputError(again, where=log.path, expected="one such run: every other is the same again")
        tried |= problems


def _always_the_same(sampling: dict[str, Any]) -> bool:
    greedy = sampling.get("do_sample") is False or sampling.get("temperature") == 0
    return greedy or sampling.get("output_type") in ("multiple_choice", "loglikelihood")


def _log(path: Path, suite: str | None, metric: str | None, filter: str | None, threshold: float | None) -> Log:
    run = read_run(path)
    name = suite or run.task
    if name is None:
        expected = "samples_TASK_DATE.jsonl"
        raise InputError("a file name without a task", where=path, expected=expected, next="name it with --suite")
    metrics: dict[str, dict[str, None]] = {}
    for number, record in json_lines(path, EXPECTED):
        place = Place(path, number)
        metrics.setdefault(_filter(record, place), {}).update(dict.fromkeys(_metrics(record, place)))
    if not metrics:
        raise InputError("no records", where=path, expected=EXPECTED)
    kept = chosen("filter", list(metrics), filter, "--filter", Place(path))
    scored = chosen("metric", list(metrics[kept]), metric, "--metric", Place(path))
    if scored in run.lower_is_better:
        raise InputError(f"metric {scored!r}", where=path, expected="a metric of which more is better")
    others = [f"filter {other!r}" for other in metrics if other != kept]
    others += [f"metric {other!r}" for other in metrics[kept] if other != scored]
    return Log(path, run, name, scored, kept, tuple(others), threshold)


def _filter(record: dict[str, Any], place: Place) -> str:
    value = record.get("filter", "none")
    if not isinstance(value, str):
        raise place.error(f"filter = {shown(value)}", "text")
    return value


def _metrics(record: dict[str, Any], place: Place) -> list[str]:
    """The record's metrics; versions of the harness that don't list them write nothing else beside known fields."""
    value = record.get("metrics", [name for name in record if name not in ABOUT_A_RECORD])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise place.error(f"metrics = {shown(value)}", "a list of names")
    return value


def _read(log: Log) -> Read:
    rows: list[Row] = []
    samplings: list[dict[str, Any]] = []
    unscored = documents = 0
    for number, record in json_lines(log.path, EXPECTED):
        place = Place(log.path, number, f"doc_id {shown(record.get('doc_id'))}")
        if _filter(record, place) != log.filter:
            continue
        responses = responses_of(record, place)
        graded = list(_rows(log, record, responses, place))
        rows += graded
        documents += 1
        unscored += len(responses.texts or "1") - len(graded)
        sampling = _sampling(log, responses, len(graded))
        if sampling not in samplings:
            samplings.append(sampling)
    if log.run.documents not in (None, documents):
        expected = f"{log.run.documents}, as the results file beside it says"
        raise InputError(f"{documents} documents", where=log.path, expected=expected, next="get the whole file")
    return Read(rows, samplings[0] if len(samplings) == 1 else {}, tuple(_notes(log, unscored, samplings)))


def _notes(log: Log, unscored: int, samplings: list[dict[str, Any]]) -> Iterator[str]:
    if log.others:
        yield f"{log.suite}: left out: {', '.join(log.others)}"
    if unscored:
        kept = {"first": "the first response", "vote": "the most frequent answer"}
        how = kept.get(log.run.kept(log.filter) or "", "one answer")
        yield f"{log.suite}: filter {log.filter!r} scores {how} of each document: {unscored} responses are left out"
    if len(samplings) > 1:
        yield f"{log.suite}: generation parameters differ between documents: sampling is left unknown"


def _rows(log: Log, record: dict[str, Any], responses: Responses, place: Place) -> Iterator[Row]:
    doc_id = record.get("doc_id")
    if not isinstance(doc_id, int | str) or isinstance(doc_id, bool):
        raise place.error("no document's number", "doc_id", "is this a samples file of lm-evaluation-harness?")
    if log.metric not in record:
        raise place.error(f"no metric {log.metric!r}", "the same metrics in every record")
    value = record[log.metric]
    if isinstance(value, list):
        graded = responses.of_each(value, log.metric, place)
    else:
        graded = [responses.of_one_score(value, log.run.kept(log.filter), log.metric, place)]
    for attempt, (score, text, answer) in enumerate(graded):
        outcome = outcome_of(score, log.metric, place, log.threshold)
        yield Row(
            Attempt(str(doc_id), outcome, log.suite, attempt, text, answer),
            place,
            item=_digest(record, ("doc_hash", "target_hash")),
            prompt=_digest(record, ("prompt_hash",)),
        )


def _digest(record: dict[str, Any], names: tuple[str, ...]) -> str | None:
    if any(not isinstance(record.get(name), str) for name in names):
        return None
    return hashlib.sha256("\0".join(record[name] for name in names).encode("utf-8", "replace")).hexdigest()


def _sampling(log: Log, responses: Responses, graded: int) -> dict[str, Any]:
    """What the log states of how responses came about; empty where a task generates and states no parameters."""
    if responses.texts is not None and not responses.parameters:
        return {}
    tried = len(responses.texts or "1")
    chosen_from_many = graded < tried and log.run.kept(log.filter) != "first"
    known = {
        "harness": "lm-eval",
        "backend": log.run.backend,
        "num_fewshot": log.run.num_fewshot,
        "task_version": log.run.task_version,
        "output_type": log.run.output_type,
        "graded": f"filter {log.filter!r} of {tried} responses" if chosen_from_many else None,
    }
    return {name: value for name, value in known.items() if value is not None} | responses.parameters
