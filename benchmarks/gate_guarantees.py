"""How often the gate promotes what is beyond a margin, and blocks what is within all of them: tables by simulation.

Run `python benchmarks/gate_guarantees.py --out docs/guarantees.md` (about 20 minutes on one core), or some parts with
`--part`; a part replaces its own section of the page. Whole decisions are taken by the gate's own functions
(`benchmarks/gate_deciding.py`) on attempts drawn from worlds whose true change is known (`benchmarks/gate_worlds.py`).
Shares come with their 95 % Wilson intervals.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gate_worlds as worlds
import numpy as np
from gate_deciding import GATES, alpha_of, decision, judged, policy_of, references, standing
from gate_worlds import MARGINS, Population, at_margins, draw, measured, side
from scipy import stats

from ratchet.gate.policy import Policy

ALPHA, SIZES, GATES_OF_A_LINEAGE = 0.05, (50, 200, 500, 2000), 10
THREE = ("base", "champion", "best")
MARKERS = "<!-- {name} -->", "<!-- end of {name} -->"


@dataclass
class Worst:
    """The cells of a table that are to stay at or below alpha."""

    cells: list[tuple[float, int]] = field(default_factory=list)

    def told(self) -> str:
        """The largest cell and how surely it, and all together, lie above alpha."""
        share, repeats = max(self.cells)
        chances = [float(stats.binom.sf(round(s * n) - 1, n, ALPHA)) for s, n in self.cells]
        least = min(chances)
        return (
            f"{len(self.cells)} cells; the largest is **{share:.3f}** of {repeats}.\nWere every true rate exactly alpha, "
            f"so large a cell would have a chance of {least:.3f} alone\nand of "
            f"{1 - (1 - least) ** len(self.cells):.2f} somewhere among so many."
        )


def cell(hits: int, repeats: int) -> str:
    """A share with its Wilson interval."""
    interval = stats.binomtest(hits, repeats).proportion_ci(method="wilson")
    return f"{hits / repeats:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


def decided(
    world: Population,
    n: int,
    attempts: int,
    repeats: int,
    rng: np.random.Generator,
    clusters: str = "alone",
    policy: Policy | None = None,
    gates: Sequence[str] = ("Ratchet",),
) -> list[Counter[str]]:
    """How often each gate decides what, on the same draws."""
    rules = policy or policy_of({axis: MARGINS[axis] for axis in measured(attempts)}, attempts)
    counts: list[Counter[str]] = [Counter() for _ in gates]
    for repeat in range(repeats):
        drawn = draw(rng, world, n, clusters)
        given = references(rng, drawn, attempts, rules)
        new = side(rng, "candidate", drawn.after, attempts, drawn)
        for count, results in zip(counts, judged(new, given, rules, gates, seed=repeat), strict=True):
            count[decision(results)] += 1
    return counts


LOSSES: tuple[tuple[str, Any, worlds.Difficulty, str], ...] = (
    ("rare outright losses", worlds.lost, worlds.STEADY, "alone"),
    ("rare losses among small gains", worlds.lost_among_gains, worlds.NEARLY, "alone"),
    ("lost clusters of five", worlds.lost, worlds.STEADY, "fives"),
    ("lost clusters of 1 or 20", worlds.lost, worlds.STEADY, "skewed"),
)
WORLDS = (
    ("noise: all fall a little", worlds.falling, worlds.NOISE, "alone"),
    *LOSSES,
    ("U-shaped, 30 % never solved", worlds.falling, worlds.NEVER, "alone"),
    ("flat", worlds.falling, worlds.FLAT, "alone"),
)


def promote(repeats: int, seed: int) -> str:
    """False promotions: one critical axis exactly at its margin, the others within."""
    rows, worst = [], Worst()
    for index, (name, style, difficulty, clusters) in enumerate(WORLDS):
        for attempts in (1, 16, 32, 64):
            for axis in measured(attempts):
                world, cells = at_margins(style, difficulty, (axis,), attempts), []
                for n in SIZES:
                    rng = np.random.default_rng([seed, 1, index, attempts, n])
                    (count,) = decided(world, n, attempts, repeats, rng, clusters)
                    worst.cells.append((count["PROMOTE"] / repeats, repeats))
                    cells.append(cell(count["PROMOTE"], repeats))
                rows.append([name, axis, attempts, *cells])
    return f"""## False promotions

The true change of one critical axis is exactly minus its margin, that of the others is within theirs; the base is the
only reference. Every promotion is a false one: at most alpha of them may be. {worst.told()}

{table(["world", "axis at its margin", "attempts", *(f"{n} problems" for n in SIZES)], rows)}"""


def three(repeats: int, seed: int) -> str:
    """False promotions against three references."""
    rows, worst = [], Worst()
    for index, (name, style, difficulty, clusters) in enumerate(WORLDS):
        for axis in MARGINS:
            world, cells = at_margins(style, difficulty, (axis,), 32), []
            for n in SIZES:
                rng = np.random.default_rng([seed, 2, index, n])
                (count,) = decided(world, n, 32, repeats, rng, clusters, policy_of(MARGINS, 32, THREE))
                worst.cells.append((count["PROMOTE"] / repeats, repeats))
                cells.append(cell(count["PROMOTE"], repeats))
            rows.append([name, axis, *cells])
    return f"""## False promotions against base, champion and best

The same with 32 attempts against three references, each as good as the base: four rounds that stood still, the best
of them chosen by its even attempts and compared by its odd ones. {worst.told()}

{table(["world", "axis at its margin", *(f"{n} problems" for n in SIZES)], rows)}"""


def peers(repeats: int, seed: int) -> str:
    """The gate beside a t gate and a bootstrap gate on the same draws."""
    rows = []
    for index, (name, style, difficulty, clusters) in enumerate(LOSSES):
        for axis in MARGINS:
            world = at_margins(style, difficulty, (axis,), 32)
            for n in (100, 500):
                rng = np.random.default_rng([seed, 3, index, n])
                counts = decided(world, n, 32, repeats, rng, clusters, gates=tuple(GATES))
                rows.append([name, axis, n, *(cell(count["PROMOTE"], repeats) for count in counts)])
    return f"""## The same rule with other tests

False promotions as above, base alone, 32 attempts, with the gate's own rule and other p-values on the same draws: the
paired t test over problems, the same over clusters (a cluster's sum against its size), and the percentile bootstrap
over problems (400 resamples). Where these are above alpha they promote what lost problems outright.

{table(["world", "axis at its margin", "problems", *GATES], rows)}"""


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

Each round is the same model drawn anew, or one of whose rates p some become 1 - p, mean change 0; uniform difficulty. The base is the first round, the champion the last before the candidate, the best the one with the
highest pass@1. `halves` is what the gate does: the best is chosen by even attempts and compared by odd ones. `naive
best` chooses and compares by the same attempts. Gates of one lineage depend on each other, so the intervals of
single gates are too narrow. Spending: `equal` gives each gate alpha / 10, `open` gate t 6 alpha / (pi t)^2.

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


def power(repeats: int, seed: int) -> str:
    """What is decided about true changes of pass@1."""
    rows = []
    for n in (200, 500, 1000, 2000):
        for attempts in (16, 32, 64):
            cells = []
            for change in (0.02, 0.0, -0.01, -0.02, -0.04):
                rng = np.random.default_rng([seed, 7, n, attempts])
                (count,) = decided(worlds.shifted(worlds.BETA, change), n, attempts, repeats, rng)
                cells.append(
                    "/".join(f"{100 * count[kind] / repeats:.0f}" for kind in ("PROMOTE", "INCONCLUSIVE", "BLOCK"))
                )
            rows.append([n, attempts, *cells])
    error = 100 * 0.5 / np.sqrt(repeats)
    header = ["problems", "attempts", *(f"pass@1 {change:+.2f}" for change in (0.02, 0.0, -0.01, -0.02, -0.04))]
    return f"""## Power

Percent PROMOTE / INCONCLUSIVE / BLOCK (each with a standard error of at most {error:.1f}): margins .02 on pass@1, .03
on pass@16 and retained, base alone, difficulty Beta(.5, .5). Every rate p moves by c p (1 - p), with the c that makes
the change of pass@1 what the column says.

{table(header, rows)}"""


def targets(repeats: int, seed: int) -> str:
    """What 500 problems x 32 attempts decide at margins .02/.03."""
    rows = []
    for difficulty in (worlds.BETA, worlds.FLAT, worlds.NEVER):
        for change in (0.0, 0.02, -0.04):
            rng = np.random.default_rng([seed, 8])
            rules = policy_of({"pass@1": 0.02, "pass@16": 0.03}, 32)
            (count,) = decided(worlds.shifted(difficulty, change), 500, 32, repeats, rng, policy=rules)
            rows.append(
                [difficulty.name, f"{change:+.2f}", *(cell(count[kind], repeats) for kind in ("PROMOTE", "BLOCK"))]
            )
    return f"""## 500 problems x 32 attempts

Margins .02 on pass@1 and .03 on pass@16, base alone. To reach: an equal model promoted at least 95 % of the time and
blocked at most 0.5 %, one 2 points better promoted at least 98 %, one 4 points worse blocked at least 98 % and never
promoted. Changes are made as for the power table.

{table(["difficulty", "true change of pass@1", "PROMOTE", "BLOCK"], rows)}"""


PARTS: dict[str, tuple[Callable[[int, int], str], float]] = {
    "targets": (targets, 4.0),
    "promote": (promote, 1.0),
    "peers": (peers, 1.0),
    "lineage": (lineage, 0.5),
    "block": (block, 0.75),
    "block_peers": (block_peers, 1.0),
    "power": (power, 0.5),
    "three": (three, 0.5),
}
"""What makes a part, and how many times the repeats it is given."""
HEAD = """# What the gate guarantees, measured

Written by `python benchmarks/gate_guarantees.py --out docs/guarantees.md`. Alpha is 0.05. The margins are .02 for
pass@1, .03 for pass@16 and .03 for retained unless a section says otherwise; all axes are critical; with one attempt
only pass@1 is an axis. Intervals are 95 % Wilson.
"""


def placed(page: str, name: str, section: str) -> str:
    """The page with the section in its place, or at the end where it has none yet."""
    first, last = (marker.format(name=name) for marker in MARKERS)
    if first not in page:
        return f"{page}\n{first}\n{section}\n{last}\n"
    before, rest = page.split(first, 1)
    return f"{before}{first}\n{section}\n{last}{rest.split(last, 1)[1]}"


def main() -> None:
    """Make the parts that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400, help="of a cell; some parts take a multiple of it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--out", type=Path, help="the page; a part replaces its section")
    arguments = parser.parse_args()
    for name in arguments.part:
        make, times = PARTS[name]
        repeats, started = max(1, round(times * arguments.repeats)), time.process_time()
        section = make(repeats, arguments.seed)
        section += (
            f"\n\n{repeats} repeats a cell, seed {arguments.seed}, {time.process_time() - started:.0f} s on one core."
        )
        if arguments.out is None:
            print(section, flush=True)
        else:
            page = arguments.out.read_text(encoding="utf-8") if arguments.out.exists() else HEAD
            arguments.out.write_text(placed(page, name, section), encoding="utf-8")
            print(section.rsplit("\n", 1)[1], name, flush=True)


if __name__ == "__main__":
    main()
