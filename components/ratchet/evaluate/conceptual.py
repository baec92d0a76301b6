"""What a suite says of the concepts of a map: mastery of each, coverage, fringe accuracy, prerequisite consistency."""

from collections.abc import Iterator

from ratchet.evaluate.averages import metric
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite
from ratchet.metrics.concepts import (
    ConceptMap,
    coverage,
    fringe_accuracy,
    mastery,
    prerequisite_consistency,
    with_problems,
)


def conceptual(suite: Suite, concept_map: ConceptMap) -> Iterator[Metric]:
    """The concept metrics; problems need what the map says or, where it names no problem, what the attempts carry."""
    ids, solved, clusters = suite.counts.problem_ids, suite.share, suite.clusters
    found = concept_map
    if not found.problems:
        found = with_problems(found, dict(zip(ids, suite.concepts, strict=True)), f"suite {suite.name}")
    masteries = mastery(found, ids, solved, clusters)
    yield metric(suite, "concepts.coverage", coverage(masteries))
    yield metric(suite, "concepts.fringe", fringe_accuracy(found, ids, solved, clusters))
    yield metric(suite, "concepts.prerequisites", prerequisite_consistency(found, masteries))
    for one in masteries:
        yield metric(suite, f"concepts.mastery[concept={one.concept}]", one.share)
