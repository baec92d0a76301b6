"""Mastery, coverage, fringe and prerequisites: their formulas, what they refuse, and what their intervals cover."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ratchet.errors import InputError
from ratchet.metrics.concepts import (
    ConceptMap,
    Mastery,
    coverage,
    fringe_accuracy,
    fringe_reversal,
    mastery,
    prerequisite_consistency,
    read_concept_map,
    with_problems,
)
from ratchet.metrics.intervals import TAIL, Estimate

TEXT = """\
concepts: [add, carry, multiply]
prerequisites:
  - [add, carry]
  - [carry, multiply]
fringe: [multiply]
problems:
  p1: [add]
  p2: [add, carry]
"""


def state(concept: str, mastered: bool | None, surely: bool = False, possibly: bool = True) -> Mastery:
    return Mastery(concept, Estimate(None), 1, mastered, surely, possibly)


def test_a_map_is_read_from_yaml_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(TEXT)
    (tmp_path / "map.json").write_text(
        '{"concepts": ["add", "carry", "multiply"], "prerequisites": [["add", "carry"], ["carry", "multiply"]],'
        ' "fringe": ["multiply"], "problems": {"p1": ["add"], "p2": ["add", "carry"]}}'
    )
    expected = ConceptMap(
        concepts=("add", "carry", "multiply"),
        problems={"p1": ("add",), "p2": ("add", "carry")},
        prerequisites=(("add", "carry"), ("carry", "multiply")),
        fringe=("multiply",),
    )
    assert read_concept_map(tmp_path / "map.yaml") == expected
    assert read_concept_map(tmp_path / "map.json") == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[add, carry]\n  -", "[ad, carry]\n  -", ":3: unknown concept 'ad'; .*did you mean 'add'"),
        ("[carry, multiply]", "[carry, carry]", ":4: a prerequisite from 'carry' to itself"),
        ("[carry, multiply]", "[carry, add]", ":4: a cycle of prerequisites: .*; expected an order without cycles"),
        ("fringe: [multiply]", "fringe: [divide]", ":5: unknown concept 'divide'"),
        ("p2: [add, carry]", "p2: [add, cary]", ":8: unknown concept 'cary'; .*did you mean 'carry'"),
        ("concepts: [add, carry", "concepts: [add, add, carry", ":1: concept 'add' again"),
        ("fringe:", "frnge:", ":5: unknown key 'frnge'; .*did you mean 'fringe'"),
    ],
)
def test_what_is_wrong_with_a_map_is_said_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "map.yaml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}{message}"):
        read_concept_map(path)


def test_concepts_of_the_attempts_replace_those_of_the_map_and_unknown_ones_are_refused() -> None:
    bare = ConceptMap(("add", "carry"), {})
    assert with_problems(bare, {"p": ["add"]}, "attempts").problems == {"p": ("add",)}
    with pytest.raises(InputError, match="concept 'ad' of problem 'p'.*did you mean 'add'"):
        with_problems(bare, {"p": ["ad"]}, "attempts")


def test_mastery_is_smoothed_and_its_lower_bound_decides() -> None:
    concept_map = ConceptMap(("add", "carry", "multiply"), {f"p{i}": ("add", "carry")[: 1 + i % 2] for i in range(10)})
    ids, solved = [f"p{i}" for i in range(10)], np.array([1.0, 1, 1, 0, 1, 1, 1, 1, 1, np.nan])
    add, carry, multiply = mastery(concept_map, ids, solved)
    # add: 9 known problems, 8 right: (1 + 8) / (2 + 9). carry: p1 p3 p5 p7 (p9 unknown), 3 right: (1 + 3) / (2 + 4)
    assert add.share.value == pytest.approx(9 / 11)
    assert carry.share.value == pytest.approx(4 / 6)
    # of zeros and ones the bound is Clopper-Pearson's
    assert add.share.low == pytest.approx(stats.beta.ppf(TAIL, 8, 2))
    assert carry.share.low == pytest.approx(stats.beta.ppf(TAIL, 3, 2))
    assert (add.mastered, carry.mastered) == (True, False)  # .518 and .194 against .5
    assert add.problems == 9
    # for all three concepts at once the bound is that of .025 / 3: .443, so that add is not surely mastered
    assert stats.beta.ppf(TAIL / 3, 8, 2) < 0.5 and not add.surely and add.possibly
    assert multiply.share.value is None and multiply.mastered is None and multiply.share.reason


def test_coverage_is_mastered_over_known_with_what_surely_and_possibly_is() -> None:
    states = [
        state("a", True, surely=True),
        state("b", True),
        state("c", False),
        state("d", False, possibly=False),
        state("e", None),
    ]
    assert coverage(states) == Estimate(2 / 4, 1 / 4, 3 / 4, 2.0, 4.0, left_out=1)
    assert coverage([state("e", None)]).value is None
    assert coverage([]).reason is not None


def test_the_interval_of_coverage_uses_bounds_that_hold_for_all_concepts_at_once() -> None:
    # four concepts of 40 problems with so many right; Clopper-Pearson at .025 alone and at .025 / 4 together, tau .5:
    # 27 clears it alone only (.509 and .466), 30 both ways (.545), 13 is possibly above it together only (.534)
    right, n, tau = (30, 27, 13, 5), 40, 0.5
    concepts = ("a", "b", "c", "d")
    ids = [f"{concept}{i}" for concept in concepts for i in range(n)]
    solved = np.concatenate([np.repeat([1.0, 0.0], [k, n - k]) for k in right])
    found = coverage(mastery(ConceptMap(concepts, {p: (p[0],) for p in ids}), ids, solved, tau=tau))
    mastered = sum(stats.beta.ppf(TAIL, k, n - k + 1) >= tau for k in right)
    surely = sum(stats.beta.ppf(TAIL / 4, k, n - k + 1) >= tau for k in right)
    possibly = sum(stats.beta.ppf(1 - TAIL / 4, k + 1, n - k) >= tau for k in right)
    assert (surely, mastered, possibly) == (1, 2, 3)
    assert (found.low, found.value, found.high) == (1 / 4, 2 / 4, 3 / 4)


def test_consistency_is_the_share_of_edges_to_the_mastered_whose_start_is_mastered() -> None:
    names = ("a", "b", "c", "d", "e")
    concept_map = ConceptMap(names, {}, (("a", "b"), ("b", "c"), ("d", "c"), ("c", "d"), ("e", "a")))
    states = [
        state("a", True, surely=True),
        state("b", True, surely=True),
        state("c", True),
        state("d", False, possibly=False),
        state("e", None),
    ]
    # mastered ends: a->b kept, b->c kept, d->c broken; c->d ends in d, e->a is unknown: 2 of 3.
    # Surely kept a->b; possibly kept a->b, b->c; surely broken none (c is open); possibly broken d->c.
    assert prerequisite_consistency(concept_map, states) == Estimate(2 / 3, 1 / 2, 1.0, 2.0, 3.0, left_out=1)
    surely_broken = [*states[:2], state("c", True, surely=True), *states[3:]]
    # now d->c is surely broken, and b->c surely kept: 2 kept, 1 broken, nothing open
    assert prerequisite_consistency(concept_map, surely_broken) == Estimate(2 / 3, 2 / 3, 2 / 3, 2.0, 3.0, left_out=1)


def test_without_a_mastered_end_or_an_edge_consistency_is_null_with_a_reason() -> None:
    concept_map = ConceptMap(("a", "b"), {}, (("a", "b"),))
    nothing = prerequisite_consistency(concept_map, [state("a", True, surely=True), state("b", False)])
    assert (nothing.value, nothing.reason) == (None, "no edge leads to a mastered concept")
    assert prerequisite_consistency(ConceptMap(("a",), {}), [state("a", True)]).reason == "the map has no prerequisites"


def test_fringe_accuracy_is_the_mean_over_problems_that_touch_the_fringe() -> None:
    concept_map = ConceptMap(("a", "f", "g"), {"p": ("a",), "q": ("a", "f"), "r": ("g",), "s": ("f",)}, (), ("f", "g"))
    found = fringe_accuracy(concept_map, ["p", "q", "r", "s", "t"], np.array([1.0, 0.25, 0.75, np.nan, 1.0]))
    assert (found.value, found.denominator, found.left_out) == (0.5, 2, 1)  # q and r; s is unknown, t not on the map
    no_fringe = ConceptMap(("a",), {"p": ("a",)})
    assert fringe_accuracy(no_fringe, ["p"], np.array([1.0])).value is None


def test_a_reversal_needs_both_changes_established() -> None:
    ids = [f"p{i}" for i in range(200)]
    concept_map = ConceptMap(("a", "f"), {p: ("f",) if i < 100 else ("a",) for i, p in enumerate(ids)}, (), ("f",))
    before = np.full(200, 0.5)
    up, down = np.repeat([0.5, 0.75], 100), np.repeat([0.25, 0.75], 100)
    # all 100 problems of a side change by .25: the mean is established to differ from 0
    found = fringe_reversal(concept_map, ids, down, before)
    assert found.reversal is True
    assert (found.core.value, found.fringe.value) == (0.25, -0.25)
    # 0 of 100 changed: -1 + .025^(1/100) = -.036 .. .036 remains possible
    unchanged = fringe_reversal(concept_map, ids, up, before)
    assert unchanged.reversal is False
    assert unchanged.fringe.low == pytest.approx(-(1 - 0.025 ** (1 / 100)))
    assert fringe_reversal(ConceptMap(("a",), {"p0": ("a",)}), ids, down, before).reversal is None


def test_one_fallen_cluster_is_no_established_fall() -> None:
    # the fringe's 30 problems are one source: however far they fall together, it is one observation
    ids = [f"p{i}" for i in range(60)]
    concept_map = ConceptMap(("a", "f"), {p: ("f",) if i < 30 else ("a",) for i, p in enumerate(ids)}, (), ("f",))
    before, after = np.full(60, 0.5), np.repeat([0.0, 1.0], 30)
    clusters = np.append(np.zeros(30, dtype=np.int64), np.arange(1, 31))
    assert fringe_reversal(concept_map, ids, after, before).reversal is True
    assert fringe_reversal(concept_map, ids, after, before, clusters).reversal is False
