"""Tables of shares with their intervals, for `benchmarks/gate_guarantees.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy import stats

ALPHA, SIZES = 0.05, (50, 200, 500, 2000)
THREE = ("base", "champion", "best")


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
            f"{len(self.cells)} cells; the largest is **{share:.3f}** of {repeats}.\n"
            f"Were every true rate exactly alpha, so large a cell would have a chance of {least:.3f} alone\n"
            f"and of {1 - (1 - least) ** len(self.cells):.2f} somewhere among so many."
        )


def cell(hits: int, repeats: int) -> str:
    """A share with its Wilson interval."""
    interval = stats.binomtest(hits, repeats).proportion_ci(method="wilson")
    return f"{hits / repeats:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)
