"""What a decision rests on: the policy, the candidate, what it is compared with, and the rounds before it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from ratchet.errors import InputError
from ratchet.gate.evidence import Evidence, read_evidence
from ratchet.gate.policy import Policy, ReferenceName, read_policy


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on.

    `references` are those that the policy names, by name; two that are one checkpoint are one, named `base = champion`.
    `history` holds the rounds before the candidate, oldest first. `absent` are references that the policy names and
    nobody gave, `unasked` those given that it does not name.
    """

    policy: Policy
    candidate: Evidence
    references: dict[str, Evidence]
    history: tuple[Evidence, ...] = ()
    absent: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    first: bool = False

    @property
    def alpha(self) -> float:
        """What this gate may err with: the policy's alpha, or the part of it that its lineage spends here."""
        lineage, looks = self.policy.lineage, max(1, len(self.history))
        if lineage is None:
            return self.policy.alpha
        if lineage.rounds is not None:
            return self.policy.alpha / lineage.rounds
        return 6.0 * self.policy.alpha / (math.pi * looks) ** 2  # sum over all looks: alpha


def load_case(
    candidate: Path,
    references: Mapping[str, Path],
    policy: Path,
    first: bool = False,
    history: Sequence[Path] = (),
) -> Case:
    """What `decide` needs, read from a policy file and profile folders; an InputError for what can't be read."""
    rules = read_policy(policy)
    _require_sensible(references, first, history)
    given = {name: read_evidence(name, path, rules) for name, path in references.items() if name in rules.against}
    past = tuple(read_evidence(f"history {i}", path, rules) for i, path in enumerate(history, start=1))
    best = choose_best(past, rules) if "best" in rules.against else None
    if best is not None:
        given["best"] = best
    return Case(
        policy=rules,
        candidate=read_evidence("candidate", candidate, rules),
        references=_merged({name: given[name] for name in rules.against if name in given}),
        history=past,
        absent=() if first else tuple(name for name in rules.against if name not in given),
        unasked=tuple(name for name in references if name not in rules.against),
        first=first,
    )


def choose_best(history: Sequence[Evidence], policy: Policy) -> Evidence | None:
    """The round with the highest pass@1 on the main suite, chosen by its even attempts and compared by its odd ones.

    Chosen and compared on the same attempts, the best of many would look better than it is, and equal candidates worse.
    What is lucky in it beside its attempts (problems that moved its way) is paid for in the p-values of harm, which are
    multiplied by the number of rounds that it was chosen from: whichever it is, its own p-value holds.
    """
    main = policy.suites.main
    scores = [float(np.nanmean(past.even[main].share)) if main in past.even else -math.inf for past in history]
    if not scores:
        return None
    chosen = history[int(np.argmax(scores))]
    return dataclasses.replace(chosen, name="best", suites=chosen.odd, chosen_from=len(history))


def _require_sensible(references: Mapping[str, Path], first: bool, history: Sequence[Path]) -> None:
    names = [name for name in get_args(ReferenceName) if name != "best"]
    unknown = sorted(set(references) - set(names))
    if unknown:
        raise InputError(f"a reference named {unknown[0]!r}", expected="one of " + ", ".join(names))
    if first and (references or history):
        given = min(references) if references else "history"
        raise InputError(
            f"--first together with --{given}",
            expected="no reference beside a first checkpoint, there is nothing to compare it with",
            next="leave out --first",
        )


def _merged(given: dict[str, Evidence]) -> dict[str, Evidence]:
    """References that are one checkpoint made one; the evidence of the first is used."""
    kept: list[Evidence] = []
    # the best of a history is compared by half of its attempts: where it is another reference too, by all of them
    for evidence in sorted(given.values(), key=lambda side: side.name == "best"):
        twin = next((i for i, other in enumerate(kept) if other.same_as(evidence)), None)
        if twin is None:
            kept.append(evidence)
        else:
            kept[twin] = dataclasses.replace(kept[twin], name=f"{kept[twin].name} = {evidence.name}")
    return {evidence.name: evidence for evidence in kept}
