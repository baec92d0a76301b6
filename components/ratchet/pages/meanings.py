"""What each family of metrics means, in words for readers who don't know its name."""

import re
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "neither"]
_WHOLE = ("crossover", "dynamics.peak_step", "dynamics.onset", "dynamics.collapse")  # numbers of attempts, steps, times


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that one sentence explains; `names` matches all of theirs."""

    title: str
    meaning: str
    names: re.Pattern[str]


def _family(title: str, names: str, meaning: str) -> Family:
    return Family(title, meaning, re.compile(names, re.DOTALL))


OTHERS = _family("Others", r".*", "")
FAMILIES = (
    _family("Solved at least once: pass@k", r"pass@\d+", "The share of problems that k attempts solve at least once."),
    _family("Solved every time: pass^k", r"pass\^\d+", "The share of problems that k attempts solve every time."),
    _family(
        "Solved several times: pass@k-s",
        r"pass@\d+-\d+",
        "The share of problems that k attempts solve s times or more.",
    ),
    _family(
        "Solved by vote: majority@k", r"majority@\d+", "The share of problems whose most frequent answer of k is right."
    ),
    _family(
        "Right answers to learn from",
        r"coverage\..+|balance",
        "coverage: how many of a problem's attempts are right, on average. balance: the same, counted in full only "
        "where a problem has 8 right ones.",
    ),
    _family(
        "Diversity",
        r"diversity\..+",
        "How different a problem's answers are, right and wrong ones apart: 0 where all say the same, 1 where no two "
        "have anything in common. distinct_n looks at runs of n words, equations at the calculations, vendi and "
        "embedding at how alike whole answers are.",
    ),
    _family(
        "Calibration",
        r"calibration\..+",
        "How far the model's confidence is from how often it is right; lower is better. ece: the distance on average. "
        "brier: the squared error of single answers.",
    ),
    _family(
        "Beside the base",
        r"improvement\..+|regression\..+|control\..+|null\..+|attribution\..+|crossover",
        "improvement and regression: problems that one of the two solves and the other does not, each asked once. "
        "crossover: with how many attempts the base catches up. null and control: what chance alone would show.",
    ),
    _family(
        "By group",
        r".+\[group=.*\]|disparity",
        "The same numbers over the problems of one group. disparity: by which share pass@1 falls from the first group "
        "to the last; lower is better.",
    ),
    _family(
        "Over the rounds",
        r"dynamics\..+",
        "pass@1 from the oldest checkpoint, step 0, to this one. peak: its highest. gap and ratio: how far this one is "
        "below that. collapse: 1 where that is far. onset: the step at which the fall began. jump_share: how much of "
        "it came at once.",
    ),
    _family(
        "Concepts",
        r"concepts\..+",
        "mastery: the share of right answers where a concept is needed. coverage: the share of concepts that are "
        "mastered. fringe: the rare concepts that build on many others. prerequisites: how often what a mastered "
        "concept builds on is mastered as well.",
    ),
    OTHERS,
)


def family(name: str) -> Family:
    """The family of a metric."""
    return next(found for found in FAMILIES if found.names.fullmatch(name))


def better(name: str) -> Direction:
    """Whether a metric is better higher or lower; more different wrong answers are neither."""
    measure = name.split("[group=", 1)[0]
    if measure.startswith("calibration.") or measure == "disparity":
        return "lower"
    return "neither" if measure.startswith("diversity.") and measure.endswith(".incorrect") else "higher"


def decimals(name: str) -> int:
    """How many decimals a metric is shown with."""
    return 0 if name in _WHOLE else 3
