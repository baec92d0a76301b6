"""The capability profile as one HTML page that needs nothing beside it: pictures first, then every number."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ratchet.evaluate.known import Missing, by_suite, missing
from ratchet.evaluate.pictures import Draw, Drawn, Picture, attempts, certainty, groups
from ratchet.evaluate.profile import Metric, Profile
from ratchet.evaluate.serving import told
from ratchet.evaluate.summary import Headline, diversity_of, headlines
from ratchet.evaluate.training_pictures import improvement, rounds
from ratchet.metrics.suggestion import THRESHOLD, Suggestion
from ratchet.pages.meanings import FAMILIES, Family, decimals, family
from ratchet.pages.numbers import count, interval, known, listed, number, percent
from ratchet.pages.render import rendered
from ratchet.pages.text import excerpt, short
from ratchet.storage import write_text

# A page is read, not searched: what is left out is in profile.json.
MOST_SUITES = 40
MOST_PICTURED = 10
MOST_OPEN = 3
MOST_NUMBERS = 200  # rows of a suite's table
MOST_RELATIVES = 50
MOST_NAMES = 6  # that share a reason
LONGEST_CELL = 160
_PICTURES: tuple[Draw, ...] = (attempts, rounds, improvement, groups, certainty)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The rows of a suite's table that belong to one family."""

    of: Family
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says of one suite; without pictures where the page has enough of them."""

    suite: str
    told: list[str]
    pictures: list[Picture]
    not_drawn: list[str]
    missing: list[str]
    numbers: list[Numbers]
    shown: int
    metrics: int


def write_page(path: Path, profile: Profile) -> None:
    """Write the page."""
    write_text(path, page(profile))


def page(profile: Profile) -> str:
    """The page's HTML."""
    found, suites = headlines(profile), by_suite(profile)
    named = [*([("base", profile.base)] if profile.base else []), *(("earlier", other) for other in profile.history)]
    return rendered(
        "ratchet.evaluate",
        "page.html.j2",
        name=short(profile.name, LONGEST_CELL),
        checkpoint=short(profile.checkpoint or "unknown", LONGEST_CELL),
        level=f"{100 * profile.confidence_level:g}",
        headlines=[[short(h.suite, 60), f"{h.problems:,}", str(h.k or "-"), *h.numbers] for h in found[:MOST_SUITES]],
        diversity=diversity_of(profile),
        sections=[_section(profile, h, suites[h.suite], at) for at, h in enumerate(found[:MOST_SUITES])],
        suites=len(found),
        most_open=MOST_OPEN,
        most_pictured=MOST_PICTURED,
        evidence=list(_evidence(profile)),
        sampling=_sampling(profile),
        served=short(told(profile.served), LONGEST_CELL),
        relatives=[[kind, *_identity(o.name, o.checkpoint, o.profile_digest)] for kind, o in named[:MOST_RELATIVES]],
        more_relatives=max(0, len(named) - MOST_RELATIVES),
        attempts_digest=short(profile.attempts_digest, LONGEST_CELL),
        version=profile.version,
    )


def _section(profile: Profile, headline: Headline, metrics: Mapping[str, Metric], at: int) -> Section:
    drawn = Drawn(profile, headline.suite, metrics)
    found = [draw(drawn) for draw in _PICTURES] if at < MOST_PICTURED else []
    shown = list(metrics.values())[:MOST_NUMBERS]
    return Section(
        suite=short(headline.suite, LONGEST_CELL),
        told=[*_told(headline), *_suggested(profile.suggestions.get(headline.suite))],
        pictures=[picture for picture in found if isinstance(picture, Picture)],
        not_drawn=[why for why in found if isinstance(why, str)],
        missing=[_reason(reason) for reason in missing(metrics.values())],
        numbers=list(_numbers(shown)),
        shown=len(shown),
        metrics=len(metrics),
    )


def _told(headline: Headline) -> Iterator[str]:
    if headline.at_1 is None:
        yield "Nothing was graded here, so nothing is known."
        return
    more = ""
    if headline.at_k and headline.k > 1:
        more = f"; in {headline.k} attempts it solves {percent(headline.at_k.value)} of the problems"
    yield f"Asked once, the model is right {percent(headline.at_1.value)} of the time{more}."


def _suggested(suggestion: Suggestion | None) -> Iterator[str]:
    if suggestion is None:
        return
    method = "SFT" if suggestion.method == "sft" else "DPO, or SFT and DPO in turn,"
    side = "more than half" if suggestion.coverage > THRESHOLD else "half or fewer"
    doubt = "" if suggestion.sure else " Its interval holds one half, so the rule may as well say the other."
    yield (
        f"{percent(suggestion.coverage)} of the sampled answers are right, {side}: the literature would train on with "
        f"{method} next. This is advice from the literature, not a rule.{doubt}"
    )


def _reason(found: Missing) -> str:
    return f"{listed([short(name) for name in found.names], MOST_NAMES)}: {short(found.reason, LONGEST_CELL)}"


def _numbers(metrics: Iterable[Metric]) -> Iterator[Numbers]:
    rows: dict[str, list[list[str]]] = {}
    for metric in metrics:
        rows.setdefault(family(metric.name).title, []).append(_row(metric))
    for of in FAMILIES:
        if of.title in rows:
            yield Numbers(of, rows[of.title])


def _row(metric: Metric) -> list[str]:
    of = "-" if known(metric.numerator) is None else f"{count(metric.numerator)} / {count(metric.denominator)}"
    return [
        short(metric.name, 80),
        number(metric.estimate, decimals=decimals(metric.name)),
        interval(metric.low, metric.high, decimals=decimals(metric.name)),
        of,
        *(count(number_of) for number_of in (metric.left_out, metric.ungradable, metric.errors)),
        short(metric.reason or "", LONGEST_CELL),
    ]


def _evidence(profile: Profile) -> Iterator[list[str]]:
    for suite, c in list(profile.suites.items())[:MOST_SUITES]:
        counted = (c.problems, c.attempts, c.fewest_attempts, c.correct, c.incorrect, c.ungradable, c.errors)
        yield [short(suite, 60), *(f"{value:,}" for value in counted)]


def _sampling(profile: Profile) -> str:
    if profile.sampling is None:
        return ""
    return excerpt(json.dumps(profile.sampling, indent=1, ensure_ascii=False, sort_keys=True, default=str), 4_000)


def _identity(name: str, checkpoint: str | None, digest: str) -> list[str]:
    return [short(text, LONGEST_CELL) for text in (name, checkpoint or "unknown", digest)]
