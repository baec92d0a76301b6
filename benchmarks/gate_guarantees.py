"""How often the gate promotes what is beyond a margin, and blocks what is within all of them: tables by simulation.

Run `python benchmarks/gate_guarantees.py --out docs/guarantees.md` (about 20 minutes on one core), or some parts with
`--part`; a part replaces its own section of the page. Whole decisions are taken by the gate's own functions
(`benchmarks/gate_deciding.py`) on attempts drawn from worlds whose true change is known (`benchmarks/gate_worlds.py`).
Shares come with their 95 % Wilson intervals.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gate_worlds as worlds
import numpy as np
from gate_adversary import adversary
from gate_deciding import GATES, decided, policy_of
from gate_nulls import block, block_peers, lineage
from gate_tables import SIZES, THREE, Worst, cell, table
from gate_worlds import MARGINS, at_margins, measured

MARKERS = "<!-- {name} -->", "<!-- end of {name} -->"


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


CLOSER = (
    (0, "pass@1", 1, 2000, "PROMOTE"),
    (2, "pass@16", 16, 2000, "PROMOTE"),
    (2, "pass@16", 32, 2000, "PROMOTE"),
    (6, "pass@16", 16, 2000, "PROMOTE"),
    (6, "pass@1", 1, 500, "BLOCK"),
    (6, "pass@1", 1, 2000, "BLOCK"),
)
"""World, axis, attempts, problems and error of the cells that came out above alpha at seed 0, base alone."""


def closer(repeats: int, seed: int) -> str:
    """The cells above alpha, drawn again and more often."""
    rows, worst = [], Worst()
    for index, axis, attempts, n, error in CLOSER:
        name, style, difficulty, clusters = WORLDS[index]
        rng = np.random.default_rng([seed, 9, index, attempts, n])
        world = at_margins(style, difficulty, (axis,), attempts)
        (count,) = decided(world, n, attempts, repeats, rng, clusters)
        worst.cells.append((count[error] / repeats, repeats))
        rows.append([name, axis, attempts, n, f"false {error}", cell(count[error], repeats)])
    return f"""## The cells above alpha again

Those cells of the tables of false promotions and false blocks that came out above alpha with 400 and 300 repeats at
seed 0, drawn anew. {worst.told()}

{table(["world", "axis at its margin", "attempts", "problems", "error", "share"], rows)}"""


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
            counts = decided(
                worlds.shifted(difficulty, change), 500, 32, repeats, rng, policy=rules, gates=("Ratchet", "t")
            )
            shares = [cell(count[kind], repeats) for count in counts for kind in ("PROMOTE", "BLOCK")]
            rows.append([difficulty.name, f"{change:+.2f}", *shares])
    return f"""## 500 problems x 32 attempts

Margins .02 on pass@1 and .03 on pass@16, base alone. To reach: an equal model promoted at least 95 % of the time and
blocked at most 0.5 %, one 2 points better promoted at least 98 %, one 4 points worse blocked at least 98 % and never
promoted. Changes are made as for the power table. The t gate on the same draws shows what the bounds cost: to promote,
the problem that was not seen counts for about 1/n, here half a standard error, to block for less (`docs/gate.md`). The
tables below are what they buy.

{table(["difficulty", "true change of pass@1", "PROMOTE", "BLOCK", "PROMOTE by t", "BLOCK by t"], rows)}"""


PARTS: dict[str, tuple[Callable[[int, int], str], float]] = {
    "targets": (targets, 4.0),
    "promote": (promote, 1.0),
    "closer": (closer, 10.0),
    "peers": (peers, 1.0),
    "lineage": (lineage, 0.5),
    "block": (block, 0.75),
    "block_peers": (block_peers, 1.0),
    "adversary": (adversary, 0.06),
    "power": (power, 0.5),
    "three": (three, 0.5),
}
"""What makes a part, and how many times the repeats it is given."""
HEAD = """# What the gate guarantees, measured

Written by `python benchmarks/gate_guarantees.py --out docs/guarantees.md`. Alpha is 0.05. The margins are .02 for
pass@1, .03 for pass@16 and .03 for retained unless a section says otherwise; all axes are critical; with one attempt
only pass@1 is an axis. Intervals are 95 % Wilson.

Attempts are drawn from worlds whose true change is known, and whole decisions are taken by the gate's own functions.
A candidate exactly at a margin is the hardest to keep out, one at every margin the hardest not to block: further away
the shares of errors are smaller. That PROMOTE errs at most alpha is proved for problems that are drawn one by one, that
BLOCK does is proved up to a factor of 2 (`docs/gate.md`); for the rest these tables are what speaks.
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
