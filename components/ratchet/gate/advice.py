"""What to do after a verdict that is not PROMOTE: what to keep, what fell first, the next budget and method."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ratchet.evaluate.suite import Suite
from ratchet.gate.axes import reached
from ratchet.gate.case import Case
from ratchet.gate.verdict import AxisResult, Decision, HarmKind
from ratchet.gate.wording import rounded
from ratchet.metrics.suggestion import THRESHOLD

BEYOND_PEAK = 3  # rounds: the budget that evolution strategies over campaigns give the next one (P2)
_HINTS: dict[str, str] = {
    "regression": "The candidate answers worse than before: train again with fewer steps or a smaller learning rate.",
    "collapse": "The run rose and fell: stop at its peak, and train on from there with fewer steps.",
    "reversal": (
        "Training narrowed what the model can do: take fewer steps, keep several different right answers a problem "
        "instead of one, and mix in problems that only some attempts solve."
    ),
}


def advice(case: Case, decision: Decision, kind: HarmKind, axes: Sequence[AxisResult]) -> tuple[str, ...]:
    """What to do next, where the verdict is BLOCK or INCONCLUSIVE."""
    if decision == "INCONCLUSIVE":
        return tuple(_more_evidence(axes))
    return tuple(_after_block(case, kind, axes)) if decision == "BLOCK" else ()


def _more_evidence(axes: Sequence[AxisResult]) -> Iterator[str]:
    needed = [r.problems_needed for r in axes if r.outcome == "undecided" and r.tier == "critical"]
    if not needed or None in needed:
        yield "Keep what is in place; train another candidate rather than measuring this one again."
        return
    most = max(n for n in needed if n is not None)
    yield f"Keep what is in place and evaluate on about {rounded(most)} problems, then ask again."
    yield "What a budget can decide, before it is spent, says: ratchet plan --policy POLICY --base BASE"


def _after_block(case: Case, kind: HarmKind, axes: Sequence[AxisResult]) -> Iterator[str]:
    peak = _peak(case)
    if peak is None:
        keep = next((name for name in case.references if "champion" in name), next(iter(case.references)))
        yield f"Keep {keep} in place and train on from it."
    else:
        number, score = peak
        past = case.history[number]
        yield (
            f"Roll forward {past.profile.name} (round {number + 1} of this lineage): it is the peak of pass@1, "
            f"chosen on one half of the attempts and at {score:.3f} on the other. What the gate said of it still holds."
        )
        yield f"Give the next run a budget of {number + 1 + BEYOND_PEAK} rounds: the peak's and {BEYOND_PEAK} more."
    fell = [f"{r.axis} against {r.reference}" for r in axes if r.outcome == "harm" and r.tier == "critical"]
    yield "Fell beyond the margin: " + ", ".join(fell) + "."
    yield from _fell_first(case, axes)
    yield _HINTS[kind]
    yield _method(case)


def _peak(case: Case) -> tuple[int, float] | None:
    """The round with the highest pass@1 by even attempts, and its score by odd ones; None without halves to look at."""
    halves = [(_score(past.even, case), _score(past.odd, case)) for past in case.history if past.even]
    if not halves or len(halves) != len(case.history):
        return None
    number = int(np.argmax([even for even, _ in halves]))
    return number, halves[number][1]


def _score(half: Mapping[str, Suite], case: Case) -> float:
    return float(np.nanmean(half[case.policy.suites.main].share))


def _fell_first(case: Case, axes: Sequence[AxisResult]) -> Iterator[str]:
    """For the axes that fell, the earliest round at which they were below the first round by more than the margin."""
    for axis in dict.fromkeys(r.axis for r in axes if r.outcome == "harm" and r.margin_kind == "drop"):
        margin = case.policy.axes[axis].margin
        seen = [reached(axis, past, case.policy)[0] for past in case.history]
        if not seen or seen[0] is None:
            continue
        start = seen[0]
        early = next((i for i, value in enumerate(seen) if value is not None and value < start - margin), None)
        if early is not None:
            yield f"{axis} was already below round 1 by more than the margin in round {early + 1}."


def _method(case: Case) -> str:
    covered = _score(case.candidate.suites, case)
    suggested = "DPO or SFT-DPO" if covered > THRESHOLD else "SFT"
    return (
        f"Method: {covered:.0%} of the sampled answers are correct, for which the literature suggests {suggested} "
        "(advice, not a rule: its own table breaks it once)."
    )
