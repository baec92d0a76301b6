"""The verdict in plain words: headlines, reasons, advice, and the whole of it as text or Markdown."""

from collections.abc import Sequence

from ratchet.gate.policy import Policy
from ratchet.gate.verdict import AxisResult, Decision, HarmKind, Verdict

FIRST = "first checkpoint: its evidence holds, and there is nothing to compare with yet"
SYMBOLS: dict[Decision, str] = {"PROMOTE": "✓", "BLOCK": "✕", "INCONCLUSIVE": "?", "ERROR": "!"}
HEADLINES: dict[Decision, str] = {
    "PROMOTE": "This checkpoint may be promoted: it is within every margin.",
    "BLOCK": "Do not promote this checkpoint: harm beyond a margin is established.",
    "INCONCLUSIVE": "The evidence does not decide: it neither excludes nor establishes harm beyond a margin.",
    "ERROR": "The evidence was refused, so nothing was decided.",
}
_COLUMNS = ("axis", "tier", "against", "candidate", "reference", "difference", "bounds", "margin", "outcome")


def headline(verdict: Verdict) -> str:
    """One sentence that says what the verdict is."""
    if verdict.verdict == "PROMOTE" and not verdict.references:
        return "This checkpoint may be promoted: it is the first, and its evidence holds."
    if verdict.verdict == "BLOCK" and verdict.kind == "reversal" and _pass_at_1_held(verdict.axes):
        return "Do not promote this checkpoint: pass@1 held, but the model became able to do less."
    if verdict.verdict == "INCONCLUSIVE" and verdict.kind != "none":
        return "Nothing critical is established, but a supporting axis fell beyond its margin."
    return HEADLINES[verdict.verdict]


def reasons(decision: Decision, axes: Sequence[AxisResult], policy: Policy, pass_at_1: dict[str, float]) -> list[str]:
    """Why this decision, the decisive first."""
    harmed = [r for r in axes if r.outcome == "harm"]
    decisive = [_harm(r, pass_at_1) for tier in ("critical", "supporting") for r in harmed if r.tier == tier]
    shown = [_harm(r, pass_at_1) + " (advisory)" for r in harmed if r.tier == "advisory"]
    undecided = [_undecided(r, policy) for r in axes if r.outcome == "undecided" and r.tier == "critical"]
    if decision == "PROMOTE":
        against = " and ".join(dict.fromkeys(str(r.reference) for r in axes))
        kept = f"harm beyond the margin is excluded on every critical axis against {against} (alpha {policy.alpha:g})"
        return [kept, *shown]
    return [*decisive, *undecided, *shown]


def advice(
    decision: Decision, kind: HarmKind, axes: Sequence[AxisResult], references: Sequence[str]
) -> tuple[str, ...]:
    """What to do next, where the verdict is BLOCK or INCONCLUSIVE."""
    if decision == "INCONCLUSIVE":
        needed = [r.problems_needed for r in axes if r.outcome == "undecided" and r.tier == "critical"]
        if not needed or None in needed:
            return ("Keep what is in place; train another candidate rather than measuring this one again.",)
        most = max(n for n in needed if n is not None)
        return (f"Keep what is in place and evaluate on about {_rounded(most)} problems, then ask again.",)
    if decision != "BLOCK":
        return ()
    keep = next((name for name in references if "champion" in name), references[0])
    fell = [f"{r.axis} against {r.reference}" for r in axes if r.outcome == "harm" and r.tier == "critical"]
    fallen = "Fell beyond the margin: " + ", ".join(fell) + "."
    return (f"Keep {keep} in place and train on from it.", fallen, _HINTS[kind])


_HINTS: dict[str, str] = {
    "regression": "The candidate answers worse than before: train again with fewer steps or a smaller learning rate.",
    "reversal": (
        "Training narrowed what the model can do: take fewer steps, keep several different right answers a problem "
        "instead of one, and mix in problems that only some attempts solve."
    ),
}


def as_text(verdict: Verdict) -> str:
    """The verdict for a terminal: decision, reasons, table of axes, advice."""
    rows = [list(_COLUMNS), *axis_rows(verdict.axes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    kind = f" ({verdict.kind})" if verdict.kind != "none" else ""
    parts = [
        [f"{verdict.verdict}{kind}: {headline(verdict)}"],
        [f"- {reason}" for reason in verdict.reasons],
        table if verdict.axes else [],
        [f"Next: {line}" for line in verdict.advice],
    ]
    return "\n\n".join("\n".join(_printable(line) for line in part) for part in parts if part)


def as_markdown(verdict: Verdict) -> str:
    """The same in Markdown, with everything that came from a file escaped."""
    rows = [list(_COLUMNS), ["---"] * len(_COLUMNS), *axis_rows(verdict.axes)]
    kind = f" ({verdict.kind})" if verdict.kind != "none" else ""
    parts = [
        [f"## {SYMBOLS[verdict.verdict]} {verdict.verdict}{kind}"],
        [headline(verdict)],
        [f"- {_escaped(reason)}" for reason in verdict.reasons],
        ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows] if verdict.axes else [],
        [f"- Next: {_escaped(line)}" for line in verdict.advice],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def axis_rows(axes: Sequence[AxisResult]) -> list[list[str]]:
    """The cells of the table of axes."""
    return [
        [
            r.axis,
            r.tier,
            r.reference or "-",
            f"{r.candidate_estimate:.3f}",
            "-" if r.reference_estimate is None else f"{r.reference_estimate:.3f}",
            "-" if r.difference is None else f"{r.difference:+.3f}",
            "-" if r.low is None or r.high is None else f"[{r.low:+.3f}, {r.high:+.3f}]",
            f"{r.margin:.3f}",
            "nothing to compare" if r.outcome == "first" else r.outcome,
        ]
        for r in axes
    ]


def _harm(result: AxisResult, pass_at_1: dict[str, float]) -> str:
    text = (
        f"{result.axis} fell by {-(result.difference or 0.0):.3f} {_interval(result)} against {result.reference}: "
        f"beyond the margin of {result.margin:.3f}"
    )
    change = pass_at_1[result.reference or ""]
    return f"{text}; pass@1 did not fall ({change:+.3f})" if change >= 0.0 else text


def _undecided(result: AxisResult, policy: Policy) -> str:
    must_gain = result.p_gain is not None and result.p_gain > policy.alpha
    wanted = "a gain" if must_gain else f"a fall of less than {result.margin:.3f}"
    text = f"{result.axis} against {result.reference} is undecided: {result.difference:+.3f} {_interval(result)}"
    if result.problems_needed is None:
        return f"{text} does not show {wanted}; more problems would not, if the difference stays what it is"
    number = f"about {_rounded(result.problems_needed)} problems like these {result.problems}"
    return f"{text} does not yet show {wanted}; {number} would, if the difference stays what it is (an estimate)"


def _interval(result: AxisResult) -> str:
    return f"[{result.low:+.3f}, {result.high:+.3f}]"


def _rounded(number: int) -> str:
    """Rounded up to two significant figures: an estimate should not look exact."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return f"{-(-number // unit) * unit:,}"


def _pass_at_1_held(axes: Sequence[AxisResult]) -> bool:
    main = [result for result in axes if result.axis == "pass@1"]
    return bool(main) and all((result.difference or 0.0) >= 0.0 for result in main)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)


def _escaped(text: str) -> str:
    plain = _printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\`*_[]|#!" else c for c in plain)
