"""False blocks, for `benchmarks/gate_guarantees.py`: candidates within every margin, and lineages that stand still."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gate_worlds as worlds
import numpy as np
from gate_deciding import GATES, alpha_of, decided, decision, judged, policy_of, standing
from gate_tables import SIZES, THREE, Worst, cell, table
from gate_worlds import MARGINS, Population, at_margins, draw, measured, side

from ratchet.gate.policy import Policy

GATES_OF_A_LINEAGE = 10


def _equals() -> Iterator[tuple[str, Callable[[int], Population], str]]:
    """Candidates within every margin."""
    for difficulty in (worlds.FLAT, worlds.BETA, worlds.NEVER, worlds.STEADY):
        nothing = worlds.falling(difficulty, np.zeros_like(difficulty.rates))
        yield f"the same model twice, {difficulty.name}", lambda _, world=nothing: world, "alone"
    for clusters in ("alone", "fives", "skewed"):
        moved = worlds.churned(worlds.FLAT, 0.03)
        told = {
            "alone": "3 % of the problems",
            "fives": "3 % of clusters of five",
            "skewed": "3 % of clusters of 1 or 20",
        }
        yield f"equal strength, {told[clusters]} swap rates", lambda _, world=moved: world, clusters
    at_all: tuple[tuple[str, Any, worlds.Difficulty, str], ...] = (
        ("all fall a little, uniform", worlds.falling, worlds.FLAT, "alone"),
        ("all fall a little, Beta(.5, .5), 30 % never solved", worlds.falling, worlds.NEVER, "alone"),
        ("rare outright losses", worlds.lost, worlds.STEADY, "alone"),
        ("lost clusters of five", worlds.lost, worlds.STEADY, "fives"),
        ("lost clusters of 1 or 20", worlds.lost, worlds.STEADY, "skewed"),
    )
    for name, style, difficulty, clusters in at_all:

        def world(attempts: int, style: Any = style, difficulty: worlds.Difficulty = difficulty) -> Population:
            return at_margins(style, difficulty, measured(attempts), attempts)

        yield f"at the margin on all axes: {name}", world, clusters


def block(repeats: int, seed: int) -> str:
    """False blocks: candidates within every margin."""
    rows, worst = [], Worst()
    for index, (name, world, clusters) in enumerate(_equals()):
        for attempts, against in ((1, ("base",)), (16, ("base",)), (64, ("base",)), (32, THREE)):
            cells = []
            for n in SIZES:
                rng = np.random.default_rng([seed, 4, index, attempts, n])
                rules = policy_of({axis: MARGINS[axis] for axis in measured(attempts)}, attempts, against)
                (count,) = decided(world(attempts), n, attempts, repeats, rng, clusters, rules)
                worst.cells.append((count["BLOCK"] / repeats, repeats))
                cells.append(cell(count["BLOCK"], repeats))
            rows.append([name, attempts, ", ".join(against), *cells])
    return f"""## False blocks

The candidate is within every margin, so every BLOCK is a false one. {worst.told()}

{table(["candidate", "attempts", "against", *(f"{n} problems" for n in SIZES)], rows)}"""


def block_peers(repeats: int, seed: int) -> str:
    """False blocks of the other tests where changes are shared within clusters."""
    rows = []
    for name, world, clusters in [one for one in _equals() if one[2] != "alone"]:
        for n in (200, 500):
            rng = np.random.default_rng([seed, 5, n])
            counts = decided(world(32), n, 32, repeats, rng, clusters, gates=tuple(GATES))
            rows.append([name, n, *(cell(count["BLOCK"], repeats) for count in counts)])
    return f"""## False blocks with other tests

Base alone, 32 attempts, changes shared within clusters, on the same draws.

{table(["candidate", "problems", *GATES], rows)}"""


ALONE = {"pass@1": 0.0}
SETTINGS: tuple[tuple[str, Mapping[str, float], tuple[str, ...], int, float], ...] = (
    ("three axes, three references, margins .02/.03/.03", MARGINS, THREE, 32, 0.0),
    ("the same, 0.5 % of the rates swap each round", MARGINS, THREE, 32, 0.005),
    ("three axes, three references, margins 0", dict.fromkeys(MARGINS, 0.0), THREE, 32, 0.0),
    ("pass@1 against the best alone, margin 0, 16 attempts", ALONE, ("best",), 16, 0.0),
    ("the same, 1 % of the rates swap each round", ALONE, ("best",), 16, 0.01),
    ("the same, 5 % of the rates swap each round", ALONE, ("best",), 16, 0.05),
)
SPENDING: dict[str, dict[str, Any]] = {
    "equal": {"spend": "equal", "rounds": GATES_OF_A_LINEAGE},
    "open": {"spend": "open"},
}


def lineage(repeats: int, seed: int) -> str:
    """Ten gates of a lineage in which nothing gets better or worse."""
    rows = []
    for name, margins, against, attempts, swap in SETTINGS:
        for n in (200, 2000):
            rng = np.random.default_rng([seed, 6, n])
            plain = policy_of(margins, attempts, against)
            spent = {kind: policy_of(margins, attempts, against, given) for kind, given in SPENDING.items()}
            blocks = np.array([one_lineage(rng, n, attempts, plain, spent, swap) for _ in range(repeats)])
            for i, kind in enumerate(("halves", "naive best", *(f"halves, {kind} spending" for kind in spent))):
                single = cell(int(blocks[:, i].sum()), repeats * GATES_OF_A_LINEAGE)
                last, some = blocks[:, i, -1].sum(), blocks[:, i].any(axis=1).sum()
                rows.append([name, n, kind, single, cell(int(last), repeats), cell(int(some), repeats)])
    return f"""## Ten gates of a lineage that stands still

Each round is the same model drawn anew, or one of whose rates p some become 1 - p, mean change 0; uniform difficulty.
The base is the first round, the champion the last before the candidate, the best the one with the highest pass@1.
`halves` is what the gate does: the best is chosen by even attempts and compared by odd ones. `naive best` chooses and
compares by the same attempts. Gates of one lineage depend on each other, so the intervals of single gates are too
narrow. Spending: `equal` gives each gate alpha / 10, `open` gate t 6 alpha / (pi t)^2.

Halves of the attempts take away the luck of attempts, not that of problems: where problems truly move both ways the
best round is one that has moved up on these problems. The gate multiplies the p-value of harm against the best of h
rounds by h, which holds whichever round was chosen.

{table(["policy", "problems", "best", "a gate blocks", "the tenth blocks", "any of the ten"], rows)}"""


def one_lineage(
    rng: np.random.Generator, n: int, attempts: int, policy: Policy, spent: Mapping[str, Policy], swap: float
) -> list[list[bool]]:
    """Which of the gates block: by halves, with a naive best, and by halves with each way of spending alpha."""
    drawn = draw(rng, worlds.falling(worlds.FLAT, np.zeros_like(worlds.FLAT.rates)), n)
    rates, rounds = drawn.before, [side(rng, "round 0", drawn.before, attempts, drawn)]
    blocks: list[list[bool]] = [[] for _ in range(2 + len(spent))]
    for t in range(1, GATES_OF_A_LINEAGE + 1):
        rates = np.where(rng.random(n) < swap, 1.0 - rates, rates)
        new = side(rng, f"round {t}", rates, attempts, drawn)
        (halves,) = judged(new, standing(rounds, policy), policy, ["Ratchet"])
        (naive,) = judged(new, standing(rounds, policy, naive=True), policy, ["Ratchet"])
        found = [decision(halves), decision(naive)]
        found += [decision(halves, alpha_of(rules, rounds)) for rules in spent.values()]
        for listed, verdict in zip(blocks, found, strict=True):
            listed.append(verdict == "BLOCK")
        rounds.append(new)
    return blocks
