"""Concept metrics of a suite: from the map's problems, or from what the attempts carry."""

import pytest

from ratchet.errors import InputError
from ratchet.evaluate.conceptual import conceptual
from ratchet.evaluate.profile import Metric
from ratchet.evaluate.suite import Suite, load_suites
from ratchet.metrics.concepts import ConceptMap
from ratchet.records import Attempt
from ratchet.storage import table_of

# twenty easy problems always solved, four hard ones solved half the time
EASY, HARD = [f"e{i:02}" for i in range(20)], [f"h{i}" for i in range(4)]


def suite_of(hard: tuple[str, ...] = ("add", "carry")) -> Suite:
    rows = [Attempt(p, "correct", attempt=j, concepts=("add",)) for p in EASY for j in range(4)]
    rows += [Attempt(p, "correct" if j < 2 else "incorrect", attempt=j, concepts=hard) for p in HARD for j in range(4)]
    return load_suites(table_of(rows, Attempt))["default"]


MAP = ConceptMap(("add", "carry"), {}, prerequisites=(("add", "carry"),), fringe=("carry",))


def of(suite: Suite, concept_map: ConceptMap) -> dict[str, Metric]:
    return {metric.name.removeprefix("concepts."): metric for metric in conceptual(suite, concept_map)}


def test_what_the_attempts_carry_by_hand() -> None:
    found = of(suite_of(), MAP)
    # add: 24 problems, 20 + 4/2 = 22 right: (1 + 22) / (2 + 24); carry: 4 problems, 2 right: (1 + 2) / (2 + 4)
    assert found["mastery[concept=add]"].estimate == pytest.approx(23 / 26)
    assert found["mastery[concept=carry]"].estimate == pytest.approx(1 / 2)
    # Of add the lower end is above one half; four problems can't put it there for carry: one of two is mastered.
    assert found["coverage"].estimate == pytest.approx(1 / 2)
    assert found["fringe"].estimate == pytest.approx(1 / 2)
    assert found["fringe"].denominator == 4
    # no prerequisite leads to a mastered concept
    assert found["prerequisites"].estimate is None
    assert found["prerequisites"].reason


def test_the_problems_of_a_map_come_before_what_the_attempts_carry() -> None:
    # with carry at the easy problems and nothing at the others both are mastered: the edge's start too
    stated = ConceptMap(MAP.concepts, {p: ("add", "carry") for p in EASY}, MAP.prerequisites, MAP.fringe)
    found = of(suite_of(), stated)
    assert found["fringe"].estimate == 1.0
    assert found["coverage"].estimate == found["prerequisites"].estimate == 1.0


def test_a_concept_that_the_map_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="carri"):
        of(suite_of(hard=("carri",)), MAP)
