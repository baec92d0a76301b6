"""What a policy's evidence minimum could never decide, before anything is measured."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from ratchet.gate.naming import Measured
from ratchet.gate.policy import Axis, Policy, Tier
from ratchet.gate.verdict import MarginKind
from ratchet.metrics.harm import p_of_harm
from ratchet.metrics.melded import DRAWS
from ratchet.metrics.paired import PairedMean

SOON_DAYS = 14  # before an override expires
_SUBSETS = {
    "retained": "problems that the reference solves reliably",
    "concepts.fringe": "problems that touch the fringe",
    "disparity": "problems of the last group",
}
_HALF = 0.5  # the value of a reference that a relative margin is shown at


@dataclass(frozen=True, slots=True)
class Checked:
    """One axis against one reference.

    `to_promote` is the least number of problems with which harm beyond the margin could be excluded, nothing at all
    having changed; `to_block` the least with which it could be established, everything being lost; None where no number
    does. `counted` says which problems count, where it isn't all of the suite's, and `asked` how many the policy asks
    for. `blocks_from` is the least share of problems whose outright loss would establish harm, the others being as they
    were; None where that is not known or no loss would. `enough` is whether what the tier needs could be had.
    """

    axis: str
    tier: Tier
    margin: float
    margin_kind: MarginKind
    against: str
    to_promote: int | None
    to_block: int | None
    asked: int
    counted: str | None
    blocks_from: float | None
    enough: bool


@dataclass(frozen=True, slots=True)
class PolicyCheck:
    """A row for each axis and reference, what is to be warned of, and what is merely worth knowing."""

    alpha: float
    problems: int
    attempts: int
    rows: tuple[Checked, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def check_policy(policy: Policy, today: date, problems: int | None = None, attempts: int | None = None) -> PolicyCheck:
    """What the policy could decide with its own evidence minimum, or with these numbers in its place."""
    asked = problems or policy.evidence.min_problems
    tries = attempts or policy.evidence.min_attempts
    alpha = alpha_of_gate(policy)
    rows = tuple(
        _checked(name, axis, against, policy, asked, alpha)
        for name, axis in policy.axes.items()
        for against in policy.against
    )
    warnings = [*_too_few(rows), *_attempts(policy, tries), *_override(policy, today)]
    return PolicyCheck(alpha, asked, tries, rows, tuple(warnings), tuple(_notes(policy, rows)))


def alpha_of_gate(policy: Policy, number: int = 1) -> float:
    """What gate number `number` of a lineage may err with: alpha, or the part of it that the lineage spends there."""
    if policy.lineage is None:
        return policy.alpha
    if policy.lineage.rounds is not None:
        return policy.alpha / policy.lineage.rounds
    return 6.0 * policy.alpha / (math.pi * number) ** 2


def least_to_exclude(axis: Axis, alpha: float, reference: float = 1.0, widest: float = 1.0) -> int | None:
    """The least number of problems that excludes harm beyond the margin where nothing changed; None where none does.

    n unchanged problems leave 1 - alpha^(1/n) open, about 3/n, so n >= ln(alpha) / ln(1 - margin). With a relative
    margin m and a reference whose value is x on each problem the test's values are m x and the unseen one is -(1 - m):
    n >= ln(alpha) / ln((1 - m) / (1 - m + m x)). `widest` is the largest change that is possible.
    """
    margin = axis.margin / widest
    if margin <= 0.0:
        return None
    left = 1.0 - margin
    if axis.max_relative_drop is not None:
        left = (1.0 - margin) / (1.0 - margin + margin * reference)
    return _least(alpha, left)


def least_to_establish(axis: Axis, level: float, widest: float = 1.0) -> int | None:
    """The least number of problems that establishes harm beyond the margin where everything is lost.

    n values of -1 and an unseen one of `widest` have the p-value ((widest + m) / (widest + 1))^n. For a relative margin
    and a reference of 1 the values are -(1 - m) and the unseen one is 1: (1 / (2 - m))^n.
    """
    if axis.max_relative_drop is not None:
        return _least(level, 1.0 / (2.0 - axis.margin))
    return _least(level, (widest + axis.margin) / (widest + 1.0))


def _least(level: float, base: float) -> int | None:
    if base >= 1.0:
        return None
    return max(1, math.ceil(math.log(level) / math.log(base) - 1e-9))


def _checked(name: str, axis: Axis, against: str, policy: Policy, asked: int, alpha: float) -> Checked:
    what = policy.measured(name)
    critical = len(policy.against) * sum(other.tier == "critical" for other in policy.axes.values())
    level = alpha / critical if axis.tier == "critical" else alpha
    widest = 2.0 if what.measure == "calibration.ece" else 1.0  # the range of the gate's test there
    to_promote, to_block = least_to_exclude(axis, alpha, widest=widest), least_to_establish(axis, level, widest)
    if what.measure == "disparity" and level < 1.0 / (1 + DRAWS):
        to_promote = to_block = None  # a melded p-value is never smaller
    needed = (to_promote, to_block) if axis.tier == "critical" else (to_block,)
    possible = all(number is not None and number <= asked for number in needed)
    return Checked(
        axis=name,
        tier=axis.tier,
        margin=axis.margin,
        margin_kind=margin_kind(axis),
        against=against,
        to_promote=to_promote,
        to_block=to_block,
        asked=asked,
        counted=_counted(what),
        blocks_from=_blocks_from(axis, what, asked, level),
        enough=possible,
    )


def margin_kind(axis: Axis) -> MarginKind:
    """Which of the three margins an axis has."""
    if axis.max_relative_drop is not None:
        return "relative drop"
    return "rise" if axis.max_rise is not None else "drop"


def _counted(what: Measured) -> str | None:
    if what.measure.startswith("diversity."):
        outcome = "right" if what.measure.endswith(".correct") else "wrong"
        return f"problems with 4 {outcome} texts on both sides"
    return _SUBSETS.get(what.measure)


def _blocks_from(axis: Axis, what: Measured, problems: int, level: float) -> float | None:
    """The least share of the problems that, lost outright, establishes harm; for averages with an absolute margin."""
    if what.measure in ("disparity", "calibration.ece") or axis.max_relative_drop is not None:
        return None
    low, high = 0, problems + 1
    while high - low > 1:
        middle = (low + high) // 2
        lost = PairedMean(np.repeat([-1.0, 0.0], [middle, problems - middle]))
        low, high = (low, middle) if p_of_harm(lost, -axis.margin, rising=False) <= level else (middle, high)
    return high / problems if high <= problems else None


def _too_few(rows: tuple[Checked, ...]) -> Iterator[str]:
    for row in rows:
        if row.enough:
            continue
        critical = row.tier == "critical"
        if critical and row.margin == 0.0:
            yield f"{row.axis} against {row.against}: with a margin of 0 nothing is promoted but an established gain"
            continue
        unable = critical and (row.to_promote is None or row.to_promote > row.asked)
        number, what = (row.to_promote, "exclude") if unable else (row.to_block, "establish")
        of_whom = f" {row.counted}" if row.counted else " problems"
        needs = "no number of problems could" if number is None else f"{number:,}{of_whom} are the least that could"
        pair = f"{row.axis} against {row.against}"
        yield f"{pair}: {needs} {what} harm beyond {row.margin:g}; the policy asks for {row.asked:,}"


def _attempts(policy: Policy, attempts: int) -> Iterator[str]:
    usable = attempts // (2 if "best" in policy.against else 1)
    for name in policy.axes:
        needed = policy.measured(name).attempts_needed
        if needed > usable:
            half = " (the best of a history is compared by half of them)" if "best" in policy.against else ""
            yield f"{name} needs {needed} attempts a problem; {attempts} leave {usable}{half}"


def _override(policy: Policy, today: date) -> Iterator[str]:
    override = policy.override
    if override is None:
        return
    days = (override.expires - today).days
    if days < 0:
        yield f"the override by {override.by} expired on {override.expires}: the gate refuses this policy"
        return
    soon = f", in {days} days" if 0 < days <= SOON_DAYS else ", today" if days == 0 else ""
    yield (
        f"the override by {override.by} ({override.reason}) promotes whatever the statistics say, until "
        f"{override.expires}{soon}"
    )


def _notes(policy: Policy, rows: tuple[Checked, ...]) -> Iterator[str]:
    if policy.lineage is not None and policy.lineage.spend == "open":
        spent = alpha_of_gate(policy), alpha_of_gate(policy, 10)
        yield f"alpha is that of the first gate, {spent[0]:.4f}; later ones have less, the tenth {spent[1]:.5f}"
    for row in {row.axis: row for row in rows}.values():
        axis = policy.axes[row.axis]
        half = least_to_exclude(axis, alpha_of_gate(policy), _HALF)
        if row.margin_kind == "relative drop" and row.tier == "critical" and half is not None:
            yield f"{row.axis}: its margin is a share of the reference; where that is {_HALF:g}, {half:,} problems"
        if row.counted and row.to_promote and row.tier == "critical":
            part = row.to_promote / row.asked
            yield f"{row.axis}: only {row.counted} count, so {part:.0%} of the {row.asked:,} must be such"
    if any(row.axis.startswith("calibration.") for row in rows):
        yield "calibration needs attempts that state a confidence; without it the axis stays undecided"
