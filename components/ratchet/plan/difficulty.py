"""How hard problems are: the distribution of the rates at which a model solves them."""

import math
import re
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, expit, logit

from ratchet.errors import InputError
from ratchet.metrics.bounds import Floats
from ratchet.metrics.counts import Integers

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_NAME = re.compile(rf"beta:(?P<a>{_NUMBER}),(?P<b>{_NUMBER})(?:,never:(?P<never>{_NUMBER}))?")
_WIDEST = 1e4  # a or b: beyond it all problems are as hard as each other
_NARROWEST = 1e-3
_STARTS = ((0.5, 0.5, 0.02), (0.5, 0.5, 0.3), (2.0, 2.0, 0.02))


@dataclass(frozen=True, slots=True)
class Difficulty:
    """A share `never` of the problems is never solved; the rates of the others follow Beta(a, b)."""

    a: float
    b: float
    never: float = 0.0

    @property
    def mean(self) -> float:
        """The mean rate: the true pass@1."""
        return (1.0 - self.never) * self.a / (self.a + self.b)

    def rates(self, ranks: Floats) -> Floats:
        """The rates of the problems at these ranks, which lie between 0 (the hardest) and 1."""
        among = np.clip((ranks - self.never) / (1.0 - self.never), 0.0, 1.0)
        found: Floats = np.where(ranks < self.never, 0.0, betaincinv(self.a, self.b, among))
        return found

    def posterior(self, correct: Integers, graded: Integers, draws: int, rng: np.random.Generator) -> Floats:
        """Rates that problems with these counts may have, `draws` for each: a row a problem.

        A problem without a right attempt is one that is never solved with the chance S / (S + (1 - S) P(0)), P(0) being
        what Beta(a, b) gives to no right one among its attempts. The rate of any other follows Beta(a + c, b + n - c).
        """
        right, tries = correct[:, None], graded[:, None]
        rates = rng.beta(self.a + right, self.b + tries - right, size=(len(correct), draws))
        none = np.exp(betaln(self.a, self.b + graded) - betaln(self.a, self.b))
        chance = np.where(correct == 0, self.never / (self.never + (1.0 - self.never) * none), 0.0)
        drawn: Floats = np.where(rng.random(rates.shape) < chance[:, None], 0.0, rates)
        return drawn

    def __str__(self) -> str:
        """The difficulty as `read_difficulty` reads it."""
        never = f",never:{self.never:.3g}" if self.never >= 0.0005 else ""
        return f"beta:{self.a:.3g},{self.b:.3g}{never}"


def read_difficulty(text: str) -> Difficulty:
    """The difficulty that `beta:A,B` or `beta:A,B,never:S` names."""
    match = _NAME.fullmatch(text.replace(" ", ""))
    expected = "beta:A,B with A and B above 0, or beta:A,B,never:S with S from 0 to below 1"
    if match is None:
        raise InputError(f"difficulty {text!r}", expected=expected)
    found = Difficulty(float(match["a"]), float(match["b"]), float(match["never"] or 0.0))
    if not (min(found.a, found.b) >= _NARROWEST and max(found.a, found.b) <= _WIDEST and found.never < 1.0):
        raise InputError(f"difficulty {text!r}", expected=f"{expected}, A and B from {_NARROWEST:g} to {_WIDEST:g}")
    return found


def fitted(correct: Integers, graded: Integers) -> Difficulty:
    """The difficulty that makes these counts of right and graded attempts likeliest (a beta-binomial).

    A share c / n of a few attempts is spread wider than the rates are; what the model solves is what is fitted.
    """
    pairs, number = np.unique(np.column_stack([correct, graded]), axis=0, return_counts=True)
    c, n = pairs.T

    def unlikely(parameters: Floats) -> float:
        a, b, never = _unpacked(parameters)
        log = betaln(a + c, b + n - c) - betaln(a, b)
        log = np.where(c == 0, np.logaddexp(math.log1p(-never) + log, math.log(never)), math.log1p(-never) + log)
        return -float(number @ log)

    starts = [np.array([math.log(a), math.log(b), float(logit(never))]) for a, b, never in _STARTS]
    options = {"maxiter": 2000, "xatol": 1e-4, "fatol": 1e-6}
    found = [minimize(unlikely, start, method="Nelder-Mead", options=options) for start in starts]
    return Difficulty(*_unpacked(min(found, key=lambda one: float(one.fun)).x))


def _unpacked(parameters: Floats) -> tuple[float, float, float]:
    a, b = np.exp(np.clip(parameters[:2], math.log(_NARROWEST), math.log(_WIDEST)))
    return float(a), float(b), float(expit(np.clip(parameters[2], -15.0, 15.0)))
