"""The profile in a few lines of Markdown, and the headline numbers that its page begins with."""

from collections.abc import Mapping
from dataclasses import dataclass

from ratchet.evaluate.known import Known, Missing, by_suite, merged, missing, usable, widest
from ratchet.evaluate.profile import Metric, Profile
from ratchet.pages.numbers import UNKNOWN, listed
from ratchet.pages.text import markdown, short

MOST_SUITES = 20  # rows of the Markdown table
MOST_REASONS = 5
MOST_NAMES = 4  # that share a reason
DIVERSITY = ("diversity.vendi.correct", "diversity.distinct_2.correct", "diversity.equations.correct")


@dataclass(frozen=True, slots=True)
class Headline:
    """The numbers of a suite to read first; None where the profile has none or could not compute it."""

    suite: str
    problems: int
    k: int
    at_1: Known | None
    at_k: Known | None
    diversity: Known | None
    ece: Known | None

    @property
    def numbers(self) -> list[str]:
        """Its cells in a table: pass@1, pass@K, diversity, ECE."""
        return [UNKNOWN if known is None else known.text for known in (self.at_1, self.at_k, self.diversity, self.ece)]


def as_markdown(profile: Profile) -> str:
    """Headline numbers of each suite and the first reasons why a number is missing; all text from files is escaped."""
    found, (diversity, reasons) = headlines(profile), (diversity_of(profile), _reasons(profile))
    header = ["suite", "problems", "K", "pass@1", "pass@K", diversity, "calibration.ece"]
    rows = [[short(h.suite), f"{h.problems:,}", str(h.k or UNKNOWN), *h.numbers] for h in found[:MOST_SUITES]]
    more = len(found) - MOST_SUITES
    parts = [
        [f"## Profile of {markdown(short(profile.name))}"],
        [_row(header), _row(["---"] * len(header)), *(_row([markdown(cell) for cell in row]) for row in rows)],
        [f"{more:,} more suites are on the profile's page."] if more > 0 else [],
        [f"Intervals: {100 * profile.confidence_level:g} %. pass@K: solved at least once in K attempts."],
        ["Not computed:"] if reasons else [],
        [
            f"- {markdown(listed(m.names, MOST_NAMES))}: {markdown(short(m.reason, 200))}"
            for m in reasons[:MOST_REASONS]
        ],
        [f"{len(reasons) - MOST_REASONS:,} more reasons are on the profile's page."] if reasons[MOST_REASONS:] else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def headlines(profile: Profile) -> list[Headline]:
    """The headline numbers of every suite."""
    suites, diversity = by_suite(profile), diversity_of(profile)
    return [_headline(name, counts.problems, suites[name], diversity) for name, counts in profile.suites.items()]


def diversity_of(profile: Profile) -> str:
    """The measure of diversity that stands for all: the first of `DIVERSITY` that some suite has a number of."""
    suites = by_suite(profile).values()
    return next((name for name in DIVERSITY if any(usable(metrics, name) for metrics in suites)), DIVERSITY[0])


def _headline(suite: str, problems: int, metrics: Mapping[str, Metric], diversity: str) -> Headline:
    k = widest(metrics)
    found = [usable(metrics, name) for name in ("pass@1", f"pass@{k}", diversity, "calibration.ece")]
    return Headline(suite, problems, k, *found)


def _reasons(profile: Profile) -> list[Missing]:
    """Each reason with the metrics of all suites; a suite is named where there are several."""
    several = len(profile.suites) > 1
    return merged(
        Missing(found.reason, [f"{short(suite)}: {short(name)}" if several else short(name) for name in found.names])
        for suite, metrics in by_suite(profile).items()
        for found in missing(metrics.values())
    )


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
