"""inspect: `.eval` and `.json` logs into attempts, one for each sample and epoch."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ratchet.errors import InputError
from ratchet.imports.imported import Imported, Place, Row, joined
from ratchet.imports.inspect_log import InspectLog, Sample, read_log, scorers
from ratchet.imports.outcomes import check_threshold, chosen, outcome_of
from ratchet.imports.parsing import shown
from ratchet.imports.sampling import Sampled, header_of, one_model
from ratchet.records import Attempt, Outcome

Partial = Literal["correct", "incorrect"]
# The letters that inspect's scorers give, and the words that its own conversion to a number knows.
WORDS: dict[str, float] = {"C": 1, "P": 0.5, "I": 0, "N": 0, "yes": 1, "true": 1, "no": 0, "false": 0}
MACHINERY_FAILED = ("grader_failed", "scoring_failed")  # inspect's reasons that blame the measuring instrument
PARTIAL_NEXT = (
    "say with --partial what a partly right answer counts as, or with --threshold from where on it is correct"
)


@dataclass(frozen=True, slots=True)
class Choices:
    """Which score counts, which entry of it where it is a mapping, and what a partly right answer counts as."""

    scorer: str
    value: str | None
    partial: Partial | None
    threshold: float | None


def read_inspect(
    paths: Sequence[Path],
    suite: str | None = None,
    scorer: str | None = None,
    value: str | None = None,
    partial: Partial | None = None,
    threshold: float | None = None,
    incomplete: bool = False,
) -> Imported:
    """The attempts in logs; the task's name is the suite where none is given, an epoch is an attempt.

    Several logs are several tasks, or several runs of one task, whose attempts count on. `scorer` says which score
    counts where there are several, `value` which entry of a score that is a mapping. A log of a run that did not end
    well is refused unless `incomplete`.
    """
    check_threshold(threshold)
    logs = [read_log(path) for path in paths]
    sampled = [Sampled(log.path, suite or log.task, log.sampling, log.model) for log in logs]
    model = one_model(sampled)
    files = []
    for log in logs:
        _check_whole(log, incomplete)
        name = _scorer(log, scorer)
        choices = Choices(name, _entry(log, name, value), partial, threshold)
        files.append([_row(sample, suite or log.task, choices) for sample in log.samples])
    rows = joined(files)
    notes = tuple(note for log in logs for note in _notes(log, scorer))
    return Imported(tuple(row.attempt for row in rows), header_of(sampled, rows), notes, model)


def _row(sample: Sample, suite: str, choices: Choices) -> Row:
    answer = sample.scores.get(choices.scorer, {}).get("answer")
    attempt = Attempt(
        problem_id=sample.id,
        outcome=_outcome(sample, choices),
        suite=suite,
        attempt=sample.epoch - 1,
        text=sample.text,
        answer=answer if isinstance(answer, str) else None,
    )
    return Row(attempt, sample.place, item=sample.item)


def _scorer(log: InspectLog, scorer: str | None) -> str:
    names = list(scorers(log.samples))
    if not names:
        next_step = "score it with `inspect score`"
        raise InputError("no sample has a score", where=log.path, expected="a scored log", next=next_step)
    return chosen("scorer", names, scorer, "--scorer", Place(log.path))


def _check_whole(log: InspectLog, incomplete: bool) -> None:
    """Refuse a log without all its samples: those that are missing may be the hard ones."""
    if not log.samples:
        raise InputError("no samples", where=log.path, expected="a log with samples (not run with --no-log-samples)")
    if incomplete:
        return
    next_step = "finish the run with `inspect eval-retry`, or take what is there with --incomplete"
    if log.status != "success":
        found = f"a run with status {log.status!r}"
        raise InputError(found, where=log.path, expected="status 'success'", next=next_step)
    if log.stated_samples not in (None, len(log.samples)):
        expected = f"{log.stated_samples}, as its header says"
        raise InputError(f"{len(log.samples)} samples", where=log.path, expected=expected, next=next_step)


def _entry(log: InspectLog, scorer: str, value: str | None) -> str | None:
    """Which entry of the scorer's mappings counts; None where its scores are no mappings."""
    given = [sample.scores[scorer].get("value") for sample in log.samples if scorer in sample.scores]
    names = list(dict.fromkeys(name for score in given if isinstance(score, dict) for name in score))
    if not names and value is None:
        return None
    if not names:
        raise InputError(f"no value {value!r}", where=log.path, expected=f"no --value: {scorer!r} gives a single score")
    return chosen("value", names, value, "--value", Place(log.path, None, f"scorer {scorer!r}"))


def _outcome(sample: Sample, choices: Choices) -> Outcome:
    """`error` where the sample failed or the scorer did, `ungradable` where a score is missing or has no value."""
    if sample.failed or sample.invalidated:
        return "error"
    score = sample.scores.get(choices.scorer)
    if score is None:
        return "ungradable"
    value = score.get("value")
    if choices.value is not None and isinstance(value, dict):
        value = value.get(choices.value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "error" if _reason(score) in MACHINERY_FAILED else "ungradable"
    number = _number(value, choices, sample.place)
    if number == 0.5 and choices.partial is not None:
        return choices.partial
    return outcome_of(number, f"score {choices.scorer!r}", sample.place, choices.threshold, PARTIAL_NEXT)


def _reason(score: dict[str, Any]) -> Any:
    metadata = score.get("metadata")
    return score.get("reason") or (metadata.get("unscored_reason") if isinstance(metadata, dict) else None)


def _number(value: Any, choices: Choices, place: Place) -> float:
    """The score as a number: inspect's letters and words, and text that is a number, count as they do there."""
    if isinstance(value, int | float):
        return value
    known = WORDS.get(value, WORDS.get(value.lower())) if isinstance(value, str) else None
    if known is not None:
        return known
    try:
        return float(value)
    except (TypeError, ValueError):
        found = f"score {choices.scorer!r} = {shown(value)}"
        next_step = "a scorer with other values can't be imported"
        raise place.error(found, "C, I, N, P or a number", next_step) from None


def _notes(log: InspectLog, scorer: str | None) -> Iterator[str]:
    others = [repr(name) for name in scorers(log.samples) if scorer is not None and name != scorer]
    if others:
        yield f"{log.task}: scorers left out: {', '.join(others)}"
    if log.status != "success":
        yield f"{log.task}: the run's status is {log.status!r}, samples may be missing"
    scored = sum((sample.failed or sample.invalidated) and bool(sample.scores) for sample in log.samples)
    if scored:
        yield f"{log.task}: {scored} failed samples have a score, which is not used"
    limits = Counter(sample.limit for sample in log.samples if sample.limit is not None and not sample.failed)
    for limit, count in limits.items():
        yield f"{log.task}: {count} samples ended at a limit ({limit}) and are graded as the log grades them"
