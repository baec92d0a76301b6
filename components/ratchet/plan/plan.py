"""The plan: the problems that a policy needs at a stated power, what a budget decides, and what both cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

from scipy.special import ndtri

from ratchet.errors import InputError
from ratchet.gate.checking import alpha_of_gate, least_to_exclude
from ratchet.gate.policy import Policy
from ratchet.plan.cost import cost, require_sensible
from ratchet.plan.decisions import (
    Simulator,
    Truth,
    blocked,
    decision,
    never_promoted,
    open_pairs,
    promoted,
    true_changes,
)
from ratchet.plan.difficulty import Difficulty
from ratchet.plan.result import Budget, Decided, Need, Plan, Powered, Request
from ratchet.plan.setting import Setting, setting
from ratchet.plan.shares import MOST_PROBLEMS, Share, clear_share, least_harm, least_problems, share

ATTEMPTS = (8, 16, 32, 64)
CHANGES = (0.02, 0.01, 0.0, -0.01, -0.02, -0.04)
CHECKS = 400  # comparisons, others than the search's, that the power of the number found is taken from
ROWS = 200  # comparisons for each true change of a budget
CURVE = 100  # comparisons for each point of the curve
_CURVE_AT = (0.4, 0.6, 0.8, 1.0, 1.25, 1.6)  # of the problems needed
_TRIES = 4  # of a number whose check finds too little power
_ENOUGH = 0.01  # below the power asked for: closer than that a check does not tell
_FRESH = 1_000_000  # the number of the first comparison of a check
_WORST_HARM, _HARM_STEP = 0.3, 0.001


def plan(
    policy: Policy, source: Difficulty | Path, request: Request, references: Sequence[str] | None = None, seed: int = 0
) -> Plan:
    """The plan for a policy, with problems like those of a base's profile (its folder) or of a difficulty."""
    require_sensible(request.prices)
    if not (isfinite(request.truth.change) and isfinite(request.truth.churn)):
        raise InputError("a change or churn that is not finite", expected="a number")
    if seed < 0:
        raise InputError(f"seed {seed}", expected="0 or more")
    chosen = _references(policy, references)
    made = setting(policy, alpha_of_gate(policy), chosen, source, seed)
    simulator, grid = Simulator(made), _grid(made, request.attempts)
    needs: list[Need] = []
    for attempts in reversed(grid):  # each search starts where the one before it ended
        needs.insert(0, need(simulator, request, attempts, needs[0].problems if needs else None))
    most = request.attempts or max(policy.evidence.min_attempts, made.fewest_attempts)
    truth = request.truth
    return Plan(
        alpha=made.alpha,
        power=request.power,
        change=truth.change,
        churn=truth.churn,
        references=made.references,
        difficulties={name: str(found.difficulty) for name, found in made.populations.items()},
        pass_at_1={name: found.mean for name, found in made.populations.items()},
        planned=tuple(made.axes),
        unplanned=made.unplanned,
        true_changes=true_changes(simulator, truth, most),
        needs=tuple(needs),
        budget=budget(simulator, request, most),
        curve=_curve(simulator, request, needs) if request.curve else (),
        seed=seed,
    )


def _references(policy: Policy, references: Sequence[str] | None) -> tuple[str, ...]:
    """The references to plan for, in the policy's order; those of the policy where none are named."""
    if references is None:
        return tuple(policy.against)
    unknown = [name for name in references if name not in policy.against]
    if unknown or not references:
        found = f"reference {unknown[0]!r}" if unknown else "no reference"
        raise InputError(found, expected="some of those that the policy compares with: " + ", ".join(policy.against))
    return tuple(name for name in policy.against if name in references)


def _grid(made: Setting, attempts: int | None) -> list[int]:
    """The numbers of attempts to plan for: the one asked for, or those of `ATTEMPTS` that define every axis."""
    fewest = made.fewest_attempts
    if attempts is not None:
        if attempts < fewest:
            raise InputError(
                f"{attempts} attempts a problem", expected=f"{fewest} at least: the policy's axes need them"
            )
        return [attempts]
    return [number for number in ATTEMPTS if number >= fewest] or [1 << (fewest - 1).bit_length()]


def need(simulator: Simulator, request: Request, attempts: int, start: int | None = None) -> Need:
    """The least problems with so many attempts at each; the search begins at `start`."""
    made, truth = simulator.setting, request.truth
    blank = Need(attempts, attempts < made.policy.evidence.min_attempts, None, None, None)
    never = never_promoted(simulator, truth, attempts)
    if never is not None:
        return replace(blank, reason=never)
    seen: dict[int, Share] = {}

    def at(problems: int) -> Share:
        if problems not in seen:
            seen[problems] = clear_share(
                lambda repeat: promoted(simulator.comparison(truth, problems, attempts, repeat)), request.power
            )
        return seen[problems]

    found = least_problems(at, request.power, start or _start(made))
    if found is None:
        return replace(blank, reason=f"not with {MOST_PROBLEMS:,} problems either")
    power, pairs = _checked(simulator, truth, found, attempts)
    for _ in range(_TRIES - 1):
        if power.value >= request.power - _ENOUGH:
            break
        found = _more(found, power.value, request.power, made.alpha)
        power, pairs = _checked(simulator, truth, found, attempts)
    price = cost(found, attempts, len(made.populations), request.prices)
    return replace(blank, problems=found, power=power, cost=price, open=pairs)


def _start(made: Setting) -> int:
    """The problems without which nothing critical is decided even where nothing changed."""
    least = [least_to_exclude(a, made.alpha) for a in made.axes.values() if a.tier == "critical"]
    return max((number for number in least if number is not None), default=1)


def _more(problems: int, found: float, wanted: float, alpha: float) -> int:
    """How many problems have the wanted power, if so many have the one found and a normal test decides.

    Its power is Phi(d sqrt(n) - z), with z the normal quantile of 1 - alpha.
    """
    z = float(ndtri(1.0 - alpha))
    distance = max(z + float(ndtri(min(max(found, 0.5), 0.999))), 0.1)
    return max(problems + 1, round(problems * ((z + float(ndtri(wanted))) / distance) ** 2))


def _checked(
    simulator: Simulator, truth: Truth, problems: int, attempts: int
) -> tuple[Share, tuple[tuple[str, str, Share], ...]]:
    """The power on fresh comparisons, and how often each critical pair stays open."""
    times, left = 0, Counter[tuple[str, str]]()
    for repeat in range(_FRESH, _FRESH + CHECKS):
        comparison = simulator.comparison(truth, problems, attempts, repeat)
        if promoted(comparison):
            times += 1
        else:
            left.update(open_pairs(comparison))
    pairs = tuple((axis, name, Share(number, CHECKS)) for (axis, name), number in left.most_common())
    return Share(times, CHECKS), pairs


def budget(simulator: Simulator, request: Request, attempts: int) -> Budget:
    """What the problems asked about (else the policy's minimum) and so many attempts at each decide."""
    made, rule = simulator.setting, simulator.setting.policy.evidence
    problems = request.problems or rule.min_problems
    lowest = min(found.mean for found in made.populations.values())
    highest = max(float((found.pool > 0.0).mean()) for found in made.populations.values())
    every = sorted({*CHANGES, request.truth.change}, reverse=True)
    room = [c for c in every if c in (0.0, request.truth.change) or -0.9 * lowest < c < highest - lowest]
    decided = []
    for change in room:
        truth = Truth(change, request.truth.churn)
        said = Counter(decision(simulator.comparison(truth, problems, attempts, i)) for i in range(ROWS))
        decided.append(Decided(change, Share(said["PROMOTE"], ROWS), Share(said["BLOCK"], ROWS)))

    def at(loss: float) -> Share:
        truth = Truth(-loss, request.truth.churn)
        return clear_share(lambda i: blocked(simulator.comparison(truth, problems, attempts, i)), request.power)

    return Budget(
        problems=problems,
        attempts=attempts,
        below_minimum=problems < rule.min_problems or attempts < rule.min_attempts,
        cost=cost(problems, attempts, len(made.populations), request.prices),
        decided=tuple(decided),
        least_blocked=least_harm(at, request.power, min(_WORST_HARM, 0.9 * lowest), _HARM_STEP),
    )


def _curve(simulator: Simulator, request: Request, needs: Sequence[Need]) -> tuple[Powered, ...]:
    points = []
    for found in needs:
        for part in _CURVE_AT if found.problems is not None else ():
            problems, attempts = max(1, round(part * (found.problems or 0))), found.attempts
            power = share(
                lambda i, n=problems, k=attempts: promoted(simulator.comparison(request.truth, n, k, i)),  # type: ignore[misc]
                CURVE,
                first=2 * _FRESH,
            )
            points.append(Powered(attempts, problems, power))
    return tuple(points)
