"""Numbers as a reader sees them; what is unknown is a dash, never a 0."""

from math import isfinite

UNKNOWN = "-"


def known(value: float | None) -> float | None:
    """The number, or None where there is none that could be drawn."""
    return value if value is not None and isfinite(value) else None


def number(value: float | None, signed: bool = False, decimals: int = 3) -> str:
    """Three decimals: 0.432, with a sign +0.432."""
    if known(value) is None:
        return UNKNOWN
    return f"{value:{'+' if signed else ''}.{decimals}f}"


def interval(low: float | None, high: float | None, signed: bool = False, decimals: int = 3) -> str:
    """Both ends, [0.410, 0.456], or the one that is known."""
    ends = [None if known(end) is None else number(end, signed, decimals) for end in (low, high)]
    if ends[0] is None:
        return UNKNOWN if ends[1] is None else f"up to {ends[1]}"
    return f"from {ends[0]}" if ends[1] is None else f"[{ends[0]}, {ends[1]}]"


def count(value: float | None) -> str:
    """A number of things, 12,000; with decimals where it is a sum of shares."""
    if value is None or known(value) is None:
        return UNKNOWN
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10.0 else f"{value:.3f}"


def percent(share: float) -> str:
    """A share in whole percent; 0 and 100 % only where it is exactly that."""
    if 0.0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1.0:
        return "over 99 %"
    return f"{100.0 * share:.0f} %"


def listed(names: list[str], most: int) -> str:
    """The first names with commas between them, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def one_in(chance: float) -> str:
    """A chance in words: about 1 of 1,200, rounded to two figures."""
    if not isfinite(chance) or chance > 0.5:
        return "often"
    if chance < 1e-9:
        return "practically never"
    cases = round(1.0 / chance)
    unit = 10 ** max(0, len(str(cases)) - 2)
    return f"about 1 time in {round(cases / unit) * unit:,}"
