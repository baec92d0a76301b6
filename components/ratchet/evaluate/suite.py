"""One suite of a profile as arrays: what every measure is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ratchet.errors import InputError
from ratchet.evaluate.attempts import read_light
from ratchet.evaluate.diversity import SAMPLES_COMPARED, text_values
from ratchet.evaluate.profile import ATTEMPTS_FILE
from ratchet.evaluate.texts import Texts, chosen_texts
from ratchet.metrics.bounds import Floats
from ratchet.metrics.calibration import Confidences
from ratchet.metrics.counts import Integers, ProblemCounts, cluster_indices, count_problems

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Attempts:
    """One entry an attempt, in the order of problem and attempt number.

    `problems` are positions in the suite's counts, `correct` is 1, 0 or, where it was not graded, NaN; `answers` has
    one number for each different answer, -1 where there is none; `confidence` is NaN where there is none.
    """

    problems: Integers
    correct: Floats
    answers: Integers
    confidence: Floats


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite: counts and concepts of each problem, its attempts, and the measures of their texts by name."""

    name: str
    counts: ProblemCounts
    attempts: Attempts
    concepts: tuple[tuple[str, ...], ...]
    texts: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def clusters(self) -> Integers | None:
        """A number for each problem's cluster; None where no problem names one."""
        return cluster_indices(self.counts.clusters) if any(self.counts.clusters) else None

    @property
    def share(self) -> Floats:
        """The share of right ones among each problem's graded attempts; NaN where nothing is graded."""
        graded = self.counts.graded.astype(np.float64)
        share: Floats = np.divide(self.counts.correct, graded, out=np.full(len(graded), np.nan), where=graded > 0)
        return share

    @property
    def confidences(self) -> Confidences | None:
        """The graded attempts that state a confidence; None where none does."""
        stated = ~np.isnan(self.attempts.correct) & ~np.isnan(self.attempts.confidence)
        if not stated.any():
            return None
        correct = self.attempts.correct[stated].astype(np.int64)
        count = len(self.counts.problem_ids)
        return Confidences(
            self.attempts.problems[stated], self.attempts.confidence[stated], correct, count, self.clusters
        )


def require_same_problems(suite: Suite, other: Suite, whose: str, where: str | Path = "") -> None:
    """Refuse two suites that do not hold the same problems: a change is taken problem by problem."""
    if suite.counts.problem_ids != other.counts.problem_ids:
        lone = min(set(suite.counts.problem_ids) ^ set(other.counts.problem_ids))
        raise InputError(
            f"{whose} has other problems of suite {suite.name!r} ({lone!r} is on one side only)",
            where=where,
            expected="the same problems in all profiles that are looked at together",
            next="evaluate the checkpoints on the same problem file, or leave that profile out",
        )


def load_suites(light: "pa.Table", texts: Texts | None = None, embeddings: Path | None = None) -> dict[str, Suite]:
    """Every suite of the attempts, by name and sorted; with the measures of texts where these are given.

    `light` holds the attempts without their texts, `embeddings` is a folder with a sentence-embedding model.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = sorted(pc.unique(light["suite"].cast(pa.string())).to_pylist())
    suites = {name: load_suite(name, light.filter(pc.equal(light["suite"], name))) for name in names}
    if texts is None:
        return suites
    return {
        name: replace(suite, texts=text_values(texts, name, suite.counts.problem_ids, embeddings))
        for name, suite in suites.items()
    }


def read_suites(profile: Path, texts: bool = False, embeddings: Path | None = None) -> dict[str, Suite]:
    """The suites of a profile folder; with `texts` their measures of texts, which take reading all of them."""
    attempts = profile / ATTEMPTS_FILE
    return load_suites(read_light(attempts), chosen_texts(attempts, SAMPLES_COMPARED) if texts else None, embeddings)


def load_suite(name: str, rows: "pa.Table") -> Suite:
    """The suite that these rows are all of, without measures of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = count_problems(rows)
    known = pa.array(counts.problem_ids, pa.string())
    problems = pc.index_in(rows["problem_id"].cast(pa.string()), value_set=known).to_numpy().astype(np.int64)
    first = np.unique(problems, return_index=True)[1]
    concepts = tuple(tuple(names or ()) for names in rows["concepts"].take(first).to_pylist())
    return Suite(name, counts, _attempts(rows, problems), concepts)


def _attempts(rows: "pa.Table", problems: Integers) -> Attempts:
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.lexsort((rows["attempt"].to_numpy(), problems))
    outcome = rows["outcome"].cast(pa.string())
    right, wrong = (pc.equal(outcome, name).to_numpy() for name in ("correct", "incorrect"))
    answers = rows["answer"].cast(pa.string()).combine_chunks().dictionary_encode()
    return Attempts(
        problems=problems[order],
        correct=np.where(right, 1.0, np.where(wrong, 0.0, np.nan))[order],
        answers=np.asarray(answers.indices.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)[order],
        confidence=rows["confidence"].to_numpy().astype(np.float64)[order],
    )
