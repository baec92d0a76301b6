"""What a plan is asked and what it says."""

from dataclasses import dataclass

from ratchet.plan.cost import Cost, Prices
from ratchet.plan.decisions import Truth
from ratchet.plan.shares import Share


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the power, the candidate to promote, and a budget (the policy's minimum where None)."""

    power: float = 0.9
    truth: Truth = Truth()
    problems: int | None = None
    attempts: int | None = None
    prices: Prices = Prices()
    curve: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """The least problems with so many attempts at each; None, for a `reason`, where no number does.

    `power` is measured on comparisons that the search has not seen. `open` holds the critical pairs that keep
    candidates from being promoted, with how often each does, the most frequent first.
    """

    attempts: int
    below_minimum: bool
    problems: int | None
    power: Share | None
    cost: Cost | None
    open: tuple[tuple[str, str, Share], ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """How often a candidate whose pass@1 truly changed by so much is promoted and blocked."""

    change: float
    promote: Share
    block: Share


@dataclass(frozen=True, slots=True)
class Budget:
    """What so many problems and attempts can decide; `least_blocked` is the least loss blocked with the power asked."""

    problems: int
    attempts: int
    below_minimum: bool
    cost: Cost
    decided: tuple[Decided, ...]
    least_blocked: float | None


@dataclass(frozen=True, slots=True)
class Powered:
    """The power at a number of problems."""

    attempts: int
    problems: int
    power: Share


@dataclass(frozen=True, slots=True)
class Plan:
    """What `ratchet plan` prints; `difficulties` and `pass_at_1` are what is reckoned with, by suite."""

    alpha: float
    power: float
    change: float
    churn: float
    references: tuple[str, ...]
    difficulties: dict[str, str]
    pass_at_1: dict[str, float]
    planned: tuple[str, ...]
    unplanned: dict[str, str]
    true_changes: dict[str, float]
    needs: tuple[Need, ...]
    budget: Budget
    curve: tuple[Powered, ...]
    seed: int

    @property
    def cheapest(self) -> Need | None:
        """The need with the fewest attempts in all, among those the policy allows where there are any."""
        found = [one for one in self.needs if one.cost is not None]
        return min(found, key=lambda one: (one.below_minimum, one.cost.attempts if one.cost else 0), default=None)
