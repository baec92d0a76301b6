"""What metrics mean: every one of the profile's is explained, and its better direction is known."""

import pytest

from ratchet.pages.meanings import OTHERS, better, family


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pass@16", "Solved at least once: pass@k"),
        ("pass^16", "Solved every time: pass^k"),
        ("pass@8-2", "Solved several times: pass@k-s"),
        ("pass@1[group=a\nb]", "By group"),
        ("disparity", "By group"),
        ("null.base_pass@4", "Beside the base"),
        ("concepts.mastery[concept=add]", "Concepts"),
        ("something new", OTHERS.title),
    ],
)
def test_a_metric_is_explained_by_its_family(name: str, title: str) -> None:
    assert family(name).title == title


def test_only_calibration_and_disparity_are_better_when_lower() -> None:
    lower = {"calibration.ece", "calibration.brier", "disparity"}
    higher = {"pass@1", "pass^4", "majority@8", "diversity.vendi.correct", "pass@1[group=calibration.]", "balance"}
    assert {name for name in lower | higher if better(name) == "lower"} == lower


def test_more_different_wrong_answers_are_neither_better_nor_worse() -> None:
    assert better("diversity.vendi.incorrect") == "neither"
    assert better("diversity.vendi.correct") == "higher"
