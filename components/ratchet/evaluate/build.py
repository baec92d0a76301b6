"""Attempts in, capability profile out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import InputError
from ratchet.evaluate.attempts import AttemptsHeader, gather, read_light
from ratchet.evaluate.averages import suite_counts, suite_metrics
from ratchet.evaluate.conceptual import conceptual
from ratchet.evaluate.diversity import SAMPLES_COMPARED
from ratchet.evaluate.measures import COVERAGE
from ratchet.evaluate.page import write_page
from ratchet.evaluate.profile import (
    ATTEMPTS_FILE,
    PAGE_FILE,
    PROFILE_FILE,
    PROFILE_VERSION,
    Metric,
    Profile,
    relative,
    write_profile,
)
from ratchet.evaluate.rounds import over_rounds
from ratchet.evaluate.suite import Suite, load_suites, read_suites
from ratchet.evaluate.texts import chosen_texts
from ratchet.evaluate.versus import compared_with_base
from ratchet.identity import checkpoint_digest
from ratchet.metrics.calibration import reliability_bins
from ratchet.metrics.concepts import ConceptMap, read_concept_map
from ratchet.metrics.intervals import LEVEL
from ratchet.metrics.suggestion import Suggestion, suggested_method
from ratchet.steps import run_step
from ratchet.storage import file_digest


@dataclass(frozen=True, slots=True)
class Beside:
    """What a profile is looked at beside: its base, its history (oldest first), a concept map, an embedding model."""

    base: Path | None = None
    history: tuple[Path, ...] = ()
    concepts: Path | None = None
    embeddings: Path | None = None


def evaluate(
    attempts: Sequence[Path],
    out: Path,
    name: str,
    ks: Sequence[int] | None = None,
    beside: Beside = Beside(),  # noqa: B008 (frozen)
) -> Path:
    """The profile folder `out`: `profile.json`, `attempts.parquet` of all attempts in the files, and `profile.html`.

    Without `ks`, pass@k is computed for every power of two that some problem has graded attempts for.
    """
    if not attempts:
        raise InputError("no attempts file", expected="at least one")
    if ks is not None and min(ks, default=0) < 1:
        raise InputError(f"k = {min(ks, default=None)}", expected="every k at least 1")
    others = [folder / PROFILE_FILE for folder in (beside.base, *beside.history) if folder is not None]
    made_from = {
        "profile_version": PROFILE_VERSION,
        "attempts": [file_digest(path) for path in attempts],
        "name": name,
        "ks": None if ks is None else sorted(set(ks)),
        "beside": [file_digest(path) for path in (*others, *([beside.concepts] if beside.concepts else []))],
        "embeddings": _digest(beside.embeddings),
    }

    def work(partial: Path) -> None:
        header = gather(attempts, partial / ATTEMPTS_FILE)
        profile = build_profile(partial / ATTEMPTS_FILE, header, name, ks, beside)
        write_profile(partial, profile)
        write_page(partial / PAGE_FILE, profile)

    return run_step(out, made_from, work)


def build_profile(
    attempts: Path,
    header: AttemptsHeader,
    name: str,
    ks: Sequence[int] | None = None,
    beside: Beside = Beside(),  # noqa: B008
) -> Profile:
    """The profile of a file that `gather` wrote."""
    suites = load_suites(read_light(attempts), chosen_texts(attempts, SAMPLES_COMPARED), beside.embeddings)
    others = _read(beside)
    metrics = [metric for suite in suites.values() for metric in _metrics(suite, ks, others)]
    return Profile(
        name=name,
        checkpoint=header.checkpoint,
        sampling=header.sampling,
        suites={name: suite_counts(suite) for name, suite in suites.items()},
        metrics=tuple(metrics),
        attempts_digest=file_digest(attempts),
        confidence_level=LEVEL,
        confidence=header.confidence,
        isolation=header.isolation,
        served=header.served,
        embedding_model=_digest(beside.embeddings),
        reliability={n: reliability_bins(stated) for n, suite in suites.items() if (stated := suite.confidences)},
        suggestions={metric.suite: found for metric in metrics if (found := _suggestion(metric))},
        base=None if beside.base is None else relative(beside.base),
        history=tuple(relative(folder) for folder in beside.history),
    )


@dataclass(frozen=True, slots=True)
class _Others:
    """The suites of the base and of the history, and the concept map."""

    base: Mapping[str, Suite] | None
    history: tuple[Mapping[str, Suite], ...]
    concepts: ConceptMap | None


def _digest(model: Path | None) -> str | None:
    return None if model is None else checkpoint_digest(model)


def _read(beside: Beside) -> _Others:
    return _Others(
        base=None if beside.base is None else read_suites(beside.base),
        history=tuple(read_suites(folder) for folder in beside.history),
        concepts=None if beside.concepts is None else read_concept_map(beside.concepts),
    )


def _metrics(suite: Suite, ks: Sequence[int] | None, others: _Others) -> Iterator[Metric]:
    yield from suite_metrics(suite, ks)
    if others.base is not None and suite.name in others.base:
        yield from compared_with_base(suite, others.base[suite.name])
    past = [suites[suite.name] for suites in others.history if suite.name in suites]
    if past:
        yield from over_rounds([*past, suite])
    if others.concepts is not None:
        yield from conceptual(suite, others.concepts)


def _suggestion(metric: Metric) -> Suggestion | None:
    ends = (metric.estimate, metric.low, metric.high)
    if metric.name != COVERAGE or None in ends:
        return None
    return suggested_method(*(end for end in ends if end is not None))
