"""What a model masters of a map of concepts: mastery, coverage, fringe accuracy and prerequisite consistency.

The map is a YAML (or JSON) file for the problems of one suite:

    concepts: [add, carry, multiply, long_multiply]      # every concept, once
    prerequisites: [[add, carry], [multiply, long_multiply]]   # [a, b]: a comes before b; no cycles
    fringe: [long_multiply]                              # rare and deep concepts, frozen before training
    problems: {p1: [add], p2: [add, carry]}              # left out where the attempts carry `concepts` themselves

All numbers are functions of `solved`, the share of right attempts of each problem, NaN where unknown. The formulas are
Ratchet's own: the post on fringe-theorem training that names these measures defines none of them.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from ratchet.config import FieldError, Strict, load_yaml
from ratchet.errors import InputError
from ratchet.metrics.bounds import Floats, lower_bound, upper_bound
from ratchet.metrics.counts import Integers
from ratchet.metrics.intervals import TAIL, Estimate, mean_estimate

TAU = 0.5


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """Concepts, which of them a problem needs, edges (a, b) of "a before b", and the fringe."""

    concepts: tuple[str, ...]
    problems: Mapping[str, tuple[str, ...]]
    prerequisites: tuple[tuple[str, str], ...] = ()
    fringe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mastery:
    """One concept: `share` is its smoothed mastery with the interval of the plain mean, over `problems` known problems.

    `mastered` is whether the lower end is at least tau, None without a problem. `surely` and `possibly` ask the same of
    bounds that hold for all concepts of the map at once.
    """

    concept: str
    share: Estimate
    problems: int
    mastered: bool | None
    surely: bool
    possibly: bool


@dataclass(frozen=True, slots=True)
class FringeReversal:
    """Mean changes of the problems that touch the fringe and of the others; None where one of them has no problem."""

    core: Estimate
    fringe: Estimate
    reversal: bool | None


class _MapFile(Strict):
    """The file as it is written."""

    concepts: tuple[str, ...]
    prerequisites: tuple[tuple[str, str], ...] = ()
    fringe: tuple[str, ...] = ()
    problems: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _coherent(self) -> "_MapFile":
        if not self.concepts:
            raise FieldError("concepts = []", expected="at least one concept", location=("concepts",))
        for key, names in (("concepts", self.concepts), ("fringe", self.fringe)):
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise FieldError(f"concept {name!r} again", expected="each concept once", location=(key, i))
        for location, name in self._named():
            _require_known(name, self.concepts, location)
        _refuse_cycles(self.prerequisites)
        return self

    def _named(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Every mention of a concept, with its place in the file."""
        for i, edge in enumerate(self.prerequisites):
            yield from ((("prerequisites", i, j), name) for j, name in enumerate(edge))
        yield from ((("fringe", i), name) for i, name in enumerate(self.fringe))
        for problem, names in self.problems.items():
            yield from ((("problems", problem, i), name) for i, name in enumerate(names))


def read_concept_map(path: Path) -> ConceptMap:
    """The map in a file; an unknown concept, a cycle or an edge from a concept to itself is an InputError."""
    found = load_yaml(path, _MapFile)
    return ConceptMap(found.concepts, found.problems, found.prerequisites, found.fringe)


def with_problems(concept_map: ConceptMap, problems: Mapping[str, Sequence[str]], where: str | Path) -> ConceptMap:
    """The map with the concepts that the attempts of `where` carry; one that the map lacks is an InputError."""
    for problem, names in problems.items():
        for name in names:
            if name not in concept_map.concepts:
                raise InputError(
                    f"concept {name!r} of problem {problem!r}",
                    where=where,
                    expected="a concept of the map",
                    next=_nearest(name, concept_map.concepts),
                )
    return replace(concept_map, problems={problem: tuple(names) for problem, names in problems.items()})


def mastery(
    concept_map: ConceptMap,
    problem_ids: Sequence[str],
    solved: Floats,
    clusters: Integers | None = None,
    tau: float = TAU,
) -> tuple[Mastery, ...]:
    """Each concept's (1 + sum s_p) / (2 + n) over its n problems with a known s_p, in the order of the map.

    It is mastered where Gaffke's lower bound of the mean of s_p, wrong with a chance of 2.5 %, is at least tau. Without
    a known problem the share is null, not the 1/2 that the formula would give.
    """
    known = ~np.isnan(solved)
    together = TAIL / len(concept_map.concepts)  # Bonferroni: all bounds hold at once
    found = []
    for concept in concept_map.concepts:
        chosen = known & _needs(concept_map, problem_ids, {concept})
        units = None if clusters is None else clusters[chosen]
        found.append(_mastery(concept, solved[chosen], units, tau, together))
    return tuple(found)


def coverage(masteries: Sequence[Mastery]) -> Estimate:
    """The share of concepts that are mastered; those without a known problem are left out and counted.

    The concepts are fixed and the interval speaks of them alone: with 95 % confidence the share whose true mean is at
    least tau lies between those that surely and possibly are, by bounds that hold for all concepts at once.
    """
    known = [m for m in masteries if m.mastered is not None]
    left_out = len(masteries) - len(known)
    if not known:
        return Estimate(None, left_out=left_out, reason="no concept has a problem with a graded attempt")
    n, mastered = len(known), sum(bool(m.mastered) for m in known)
    low, high = sum(m.surely for m in known) / n, sum(m.possibly for m in known) / n
    return Estimate(mastered / n, low, high, float(mastered), float(n), left_out)


def fringe_accuracy(
    concept_map: ConceptMap, problem_ids: Sequence[str], solved: Floats, clusters: Integers | None = None
) -> Estimate:
    """The mean of `solved` over the problems that need a concept of the fringe, with Gaffke's interval."""
    touching = _needs(concept_map, problem_ids, concept_map.fringe)
    units = None if clusters is None else clusters[touching]
    return mean_estimate(solved[touching], "no graded problem touches the fringe", units)


def prerequisite_consistency(concept_map: ConceptMap, masteries: Sequence[Mastery]) -> Estimate:
    """Of the prerequisite edges a -> b with b mastered, the share on which a is mastered; the denominator counts them.

    Edges with a concept of unknown mastery are left out and counted. The interval covers the share under true mastery:
    its lower end sets the edges surely kept against all possibly broken, the upper end the reverse.
    """
    by_name = {m.concept: m for m in masteries}
    edges = [(by_name[a], by_name[b]) for a, b in concept_map.prerequisites]
    known = [(a, b) for a, b in edges if a.mastered is not None and b.mastered is not None]
    left_out = len(edges) - len(known)
    kept, of = sum(bool(a.mastered and b.mastered) for a, b in known), sum(bool(b.mastered) for _, b in known)
    if not of:
        reason = "no edge leads to a mastered concept" if edges else "the map has no prerequisites"
        return Estimate(None, left_out=left_out, reason=reason)
    surely_kept = sum(a.surely and b.surely for a, b in known)
    maybe_kept = sum(a.possibly and b.possibly for a, b in known)
    surely_broken = sum(b.surely and not a.possibly for a, b in known)
    maybe_broken = sum(b.possibly and not a.surely for a, b in known)
    low = surely_kept / (surely_kept + maybe_broken) if maybe_broken else 1.0
    high = maybe_kept / (maybe_kept + surely_broken) if surely_broken else 1.0
    return Estimate(kept / of, low, high, float(kept), float(of), left_out)


def fringe_reversal(
    concept_map: ConceptMap,
    problem_ids: Sequence[str],
    candidate: Floats,
    reference: Floats,
    clusters: Integers | None = None,
) -> FringeReversal:
    """Whether the problems that touch the fringe fell while the others rose, both established by paired intervals.

    Each statement is wrong with a chance of 2.5 % at most, and so is their conjunction. A problem without concepts is
    on neither side.
    """
    change, touching = candidate - reference, _needs(concept_map, problem_ids, concept_map.fringe)
    others = _needs(concept_map, problem_ids, concept_map.concepts) & ~touching
    changes = []
    for chosen, name in ((others, "outside the fringe"), (touching, "at the fringe")):
        units = None if clusters is None else clusters[chosen]
        changes.append(mean_estimate(change[chosen], f"no problem {name} is graded on both sides", units, lowest=-1.0))
    core, fringe = changes
    if core.low is None or fringe.high is None:
        return FringeReversal(core, fringe, None)
    return FringeReversal(core, fringe, core.low > 0.0 and fringe.high < 0.0)


def _needs(concept_map: ConceptMap, problem_ids: Sequence[str], concepts: Iterable[str]) -> NDArray[np.bool_]:
    """For each problem whether it needs one of the concepts; one that the map lacks needs none."""
    wanted = set(concepts)
    return np.array([not wanted.isdisjoint(concept_map.problems.get(p, ())) for p in problem_ids], dtype=np.bool_)


def _mastery(concept: str, values: Floats, units: Integers | None, tau: float, together: float) -> Mastery:
    low, high = lower_bound(values, 0.0, TAIL, units), upper_bound(values, 1.0, TAIL, units)
    lowest, highest = lower_bound(values, 0.0, together, units), upper_bound(values, 1.0, together, units)
    if low is None or lowest is None or highest is None:
        share = Estimate(None, reason=f"no problem of {concept!r} has a graded attempt")
        return Mastery(concept, share, 0, mastered=None, surely=False, possibly=True)
    above, below = 1.0 + float(values.sum()), 2.0 + len(values)
    share = Estimate(above / below, low, high, above, below)
    return Mastery(concept, share, len(values), low >= tau, lowest >= tau, highest >= tau)


def _require_known(name: str, concepts: Sequence[str], location: tuple[str | int, ...]) -> None:
    if name not in concepts:
        known = "a name of the list 'concepts'"
        raise FieldError(f"unknown concept {name!r}", expected=known, location=location, next=_nearest(name, concepts))


def _nearest(name: str, concepts: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, concepts, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _refuse_cycles(edges: Sequence[tuple[str, str]]) -> None:
    before: dict[str, set[str]] = {}
    for i, (a, b) in enumerate(edges):
        if a == b:
            found = f"a prerequisite from {a!r} to itself"
            raise FieldError(found, expected="two concepts", location=("prerequisites", i))
        before.setdefault(b, set()).add(a)
        try:
            TopologicalSorter(before).prepare()
        except CycleError as error:
            found = "a cycle of prerequisites: " + " before ".join(error.args[1])
            raise FieldError(found, expected="an order without cycles", location=("prerequisites", i)) from None
