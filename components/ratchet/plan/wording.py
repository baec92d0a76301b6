"""The plan in plain words: a headline, remarks, and the cells of its tables."""

from ratchet.pages.numbers import count, listed
from ratchet.plan.result import Budget, Need, Plan
from ratchet.plan.shares import Share

NEED_COLUMNS = ("attempts", "problems", "attempts in all", "tokens", "GPU hours", "power", "kept open by")
BUDGET_COLUMNS = ("true change of pass@1", "PROMOTE", "BLOCK", "INCONCLUSIVE")
_MOST_OPEN = 2


def headline(plan: Plan) -> str:
    """What is needed, in one sentence."""
    who = "an equal candidate" if plan.change == 0.0 else f"a candidate whose pass@1 changed by {plan.change:+g}"
    best = plan.cheapest
    if best is None:
        return f"No number of problems has {who} promoted {plan.power:.0%} of the time."
    where = " a suite" if len(plan.pass_at_1) > 1 else ""
    return (
        f"To promote {who} {plan.power:.0%} of the time, take about {count(best.problems)} problems{where} "
        f"x {best.attempts} attempts."
    )


def remarks(plan: Plan) -> list[str]:
    """What the numbers rest on."""
    against = f"Compared with {', '.join(plan.references)}, each as good as the base; alpha {plan.alpha:.3g}."
    suites = ", ".join(f"{name} {plan.difficulties[name]} (pass@1 {mean:.3f})" for name, mean in plan.pass_at_1.items())
    said = [against, f"Difficulty: {suites}."]
    changes = [f"{name} {value:+.3f}" for name, value in plan.true_changes.items()]
    if any(abs(value) >= 0.0005 for value in plan.true_changes.values()):
        churn = f" with a churn of {plan.churn:g}" if plan.churn else ""
        said.append(f"What is true of the candidate{churn}: {listed(changes, 20)}.")
    said += [f"Not planned for: {name}: {reason}." for name, reason in plan.unplanned.items()]
    said += [f"{need.attempts} attempts: {need.reason}." for need in plan.needs if need.reason]
    if any(need.below_minimum for need in plan.needs) or plan.budget.below_minimum:
        said.append("(*) less than the policy's evidence minimum, which the gate refuses.")
    return [*said, "Brackets hold what the simulation leaves open (95 %)."]


def need_rows(plan: Plan) -> list[list[str]]:
    """The cells of the table of what is needed."""
    return [_need_row(need) for need in plan.needs]


def budget_rows(budget: Budget) -> list[list[str]]:
    """The cells of the table of what a budget decides."""
    rows = []
    for row in budget.decided:
        left = Share(row.promote.repeats - row.promote.times - row.block.times, row.promote.repeats)
        rows.append([f"{row.change:+.3f}", *(shown(part) for part in (row.promote, row.block, left))])
    return rows


def budget_title(budget: Budget) -> str:
    """What the table of a budget is about."""
    mark = " (*)" if budget.below_minimum else ""
    size = f"{count(budget.problems)} problems x {budget.attempts} attempts{mark}"
    return f"What {size} decide, {_costs(budget.cost.attempts, budget.cost.tokens, budget.cost.gpu_hours)}:"


def least_blocked(plan: Plan) -> str:
    """The least loss that the budget blocks."""
    loss = plan.budget.least_blocked
    if loss is None:
        return f"No loss of pass@1 that was tried is blocked {plan.power:.0%} of the time."
    return f"The least loss of pass@1, on all problems alike, that is blocked {plan.power:.0%} of the time: {loss:.3f}."


def shown(share: Share) -> str:
    """A share in percent with its interval."""
    low, high = share.interval
    return f"{100 * share.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _need_row(need: Need) -> list[str]:
    attempts = f"{need.attempts}{' (*)' if need.below_minimum else ''}"
    if need.cost is None or need.power is None:
        return [attempts, "none", "-", "-", "-", "-", "-"]
    kept = [f"{axis} against {name} {100 * part.value:.0f} %" for axis, name, part in need.open]
    tokens, hours = need.cost.tokens, need.cost.gpu_hours
    return [
        attempts,
        count(need.problems),
        count(need.cost.attempts),
        "-" if tokens is None else count(round(tokens)),
        "-" if hours is None else f"{hours:,.1f}",
        shown(need.power),
        listed(kept, _MOST_OPEN) if kept else "-",
    ]


def _costs(attempts: int, tokens: float | None, hours: float | None) -> str:
    parts = [f"{count(attempts)} attempts a checkpoint"]
    parts += [] if tokens is None else [f"{count(round(tokens))} tokens"]
    parts += [] if hours is None else [f"{hours:,.1f} GPU hours"]
    return ", ".join(parts)
