"""Majority vote: is the answer that most attempts agree on the right one?"""

import numpy as np

from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers


def majority_by_problem(problems: Integers, answers: Integers, correct: Floats, votes: int, count: int) -> Floats:
    """For each problem the share of right ones among the answers that most of its first `votes` attempts gave.

    One entry an attempt, in the order of the attempts: the number of its problem, of its answer (negative where it gave
    none: it has no vote) and whether it is right. Attempts beyond the first `votes` are passed over, and a problem with
    fewer is NaN. Answers that tie share the vote, and where nobody gave an answer the vote is lost: 0. An answer that
    was graded right in some attempts only (it was read from other texts) counts with the share in which it was.
    """
    order = np.argsort(problems, kind="stable")
    problems, answers, correct = problems[order], answers[order], correct[order]
    counted = np.bincount(problems, minlength=count)
    rank = np.arange(len(problems)) - np.repeat(np.cumsum(counted) - counted, counted)
    voting = (rank < votes) & (answers >= 0)
    ballots, inverse = np.unique(np.column_stack([problems, answers])[voting], axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    size = np.bincount(inverse, minlength=len(ballots))
    right = np.bincount(inverse, weights=correct[voting], minlength=len(ballots)) / np.maximum(size, 1)
    most = np.zeros(count, dtype=np.int64)
    np.maximum.at(most, ballots[:, 0], size)
    winning = size == most[ballots[:, 0]]
    tied = np.bincount(ballots[winning, 0], minlength=count)
    won = np.bincount(ballots[winning, 0], weights=right[winning], minlength=count)
    return np.where(counted >= votes, won / np.maximum(tied, 1), np.nan)
