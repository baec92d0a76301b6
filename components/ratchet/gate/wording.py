"""The verdict in plain words: headlines, reasons, advice, and the whole of it as text or Markdown."""

from collections.abc import Mapping, Sequence

from ratchet.gate.policy import Override
from ratchet.gate.verdict import AxisResult, Decision, JointReversal, Overridden, Verdict

NO_HISTORY = (
    "the policy spends its alpha over a lineage, and no history was given; give each earlier round with --history"
)
FIRST = "first checkpoint: its evidence holds, and there is nothing to compare with yet"
SYMBOLS: dict[Decision, str] = {"PROMOTE": "✓", "BLOCK": "✕", "INCONCLUSIVE": "?", "ERROR": "!"}
HEADLINES: dict[Decision, str] = {
    "PROMOTE": "This checkpoint may be promoted: it is within every margin.",
    "BLOCK": "Do not promote this checkpoint: harm beyond a margin is established.",
    "INCONCLUSIVE": "The evidence does not decide: it neither excludes nor establishes harm beyond a margin.",
    "ERROR": "The evidence was refused, so nothing was decided.",
}
_COLUMNS = ("axis", "tier", "against", "candidate", "reference", "difference", "bounds", "margin", "outcome")


def title(verdict: Verdict) -> str:
    """The verdict in a few words; where a person decided, what the gate had said as well."""
    kind = f" ({verdict.kind})" if verdict.kind != "none" else ""
    if verdict.overridden is None:
        return f"{verdict.verdict}{kind}"
    return f"{verdict.verdict} by override, the gate said {verdict.overridden.verdict}{kind}"


def headline(verdict: Verdict) -> str:
    """One sentence that says what the verdict is."""
    if verdict.overridden is not None:
        return f"Promoted by {verdict.overridden.by}, against the gate's verdict of {verdict.overridden.verdict}."
    if verdict.verdict == "PROMOTE" and not verdict.references:
        return "This checkpoint may be promoted: it is the first, and its evidence holds."
    if verdict.verdict == "BLOCK" and verdict.kind == "reversal" and _pass_at_1_held(verdict.axes):
        return "Do not promote this checkpoint: pass@1 held, but the model became able to do less."
    if verdict.verdict == "INCONCLUSIVE" and verdict.kind != "none":
        return "Nothing critical is established, but a supporting axis went beyond its margin."
    return HEADLINES[verdict.verdict]


def reasons(
    decision: Decision,
    axes: Sequence[AxisResult],
    alpha: float,
    pass_at_1: Mapping[str, float],
    reversal: JointReversal | None,
) -> list[str]:
    """Why this decision, the decisive first."""
    harmed = [r for r in axes if r.outcome == "harm"]
    decisive = [_harm(r, pass_at_1) for tier in ("critical", "supporting") for r in harmed if r.tier == tier]
    shown = [_harm(r, pass_at_1) + " (advisory)" for r in harmed if r.tier == "advisory"]
    undecided = [_undecided(r, alpha) for r in axes if r.outcome == "undecided" and r.tier == "critical"]
    if decision == "PROMOTE":
        against = " and ".join(dict.fromkeys(str(r.reference) for r in axes))
        kept = f"harm beyond the margin is excluded on every critical axis against {against} (alpha {alpha:.3g})"
        return [kept, *shown]
    both = [joint(reversal)] if reversal is not None else []
    return [*decisive, *both, *undecided, *shown]


def absent(name: str) -> str:
    """A reference that the policy names and nobody gave."""
    option = "--history" if name == "best" else f"--{name}"
    return f"the policy compares with {name}, which nobody gave; give {option}, or --first where there is none yet"


def expired(override: Override) -> str:
    """An override whose last day has passed."""
    return (
        f"the policy's override by {override.by} ({override.reason}) expired on {override.expires}; remove it, or have "
        "it renewed"
    )


def overridden(made: Overridden) -> str:
    """That a person decided, and what the gate had said."""
    said = f"Without the override the verdict is {made.verdict}."
    return f"OVERRIDDEN by {made.by} until {made.expires}: {made.reason}. {said}"


def spent(rounds: int, looks: int) -> str:
    """A lineage that has had all the gates that its policy planned."""
    return (
        f"the policy spends its alpha over {rounds} gates of one lineage, and this is number {looks}; "
        "begin a new lineage from its champion"
    )


def as_text(verdict: Verdict) -> str:
    """The verdict for a terminal: decision, reasons, table of axes, advice."""
    rows = [list(_COLUMNS), *axis_rows(verdict.axes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    parts = [
        [f"{title(verdict)}: {headline(verdict)}"],
        [f"- {reason}" for reason in verdict.reasons],
        table if verdict.axes else [],
        [f"Not measured: {line}" for line in unmeasured(verdict.axes)],
        [f"Next: {line}" for line in verdict.advice],
    ]
    return "\n\n".join("\n".join(_printable(line) for line in part) for part in parts if part)


def as_markdown(verdict: Verdict) -> str:
    """The same in Markdown, with everything that came from a file escaped."""
    rows = [list(_COLUMNS), ["---"] * len(_COLUMNS), *axis_rows(verdict.axes)]
    parts = [
        [f"## {SYMBOLS[verdict.verdict]} {title(verdict)}"],
        [f"**{_escaped(headline(verdict))}**" if verdict.overridden else _escaped(headline(verdict))],
        [f"- {_escaped(reason)}" for reason in verdict.reasons],
        ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows] if verdict.axes else [],
        [f"- Not measured: {_escaped(line)}" for line in unmeasured(verdict.axes)],
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
            *("-" if value is None else f"{value:.3f}" for value in (r.candidate_estimate, r.reference_estimate)),
            "-" if r.difference is None else _amount(r, r.difference),
            "-" if r.low is None or r.high is None else _interval(r),
            f"rise {_margin(r)}" if r.margin_kind == "rise" else _margin(r),
            outcome(r),
        ]
        for r in axes
    ]


def outcome(result: AxisResult) -> str:
    """What came of an axis, in a word or two."""
    if result.reason is not None:
        return "not measured"
    return "nothing to compare" if result.outcome == "first" else result.outcome


def unmeasured(axes: Sequence[AxisResult]) -> list[str]:
    """Each axis that could not be measured, and why, the reason of several once."""
    named: dict[tuple[str, str], list[str]] = {}
    for r in axes:
        if r.reason is not None:
            named.setdefault((r.axis, r.reason), []).append(r.reference or "")
    against = {key: f" against {' and '.join(names)}" if any(names) else "" for key, names in named.items()}
    return [f"{axis}{against[axis, reason]}: {reason}" for axis, reason in named]


def _harm(result: AxisResult, pass_at_1: Mapping[str, float]) -> str:
    rising = result.margin_kind == "rise"
    size = (result.difference or 0.0) * (1.0 if rising else -1.0)
    amount = f"{size:.1%}" if result.margin_kind == "relative drop" else f"{size:.3f}"
    text = (
        f"{result.axis} {'rose' if rising else 'fell'} by {amount} {_interval(result)} against {result.reference}: "
        f"beyond the margin of {_margin(result)}"
    )
    change = pass_at_1.get(result.reference or "", -1.0)
    return f"{text}; pass@1 did not fall ({change:+.3f})" if change >= 0.0 else text


def joint(reversal: JointReversal) -> str:
    """Both halves of a reversal with their figures."""
    style = "+.1%" if reversal.margin_kind == "relative drop" else "+.3f"
    return (
        f"reversal: pass@1 rose by {reversal.rise:.3f} (at least {reversal.rise_low:.3f}) while {reversal.axis} "
        f"changed by {reversal.harm:{style}} (to {reversal.harm_bound:{style}} at best) against {reversal.reference}; "
        f"both at once, p = {reversal.p:.2g}"
    )


def _undecided(result: AxisResult, alpha: float) -> str:
    if result.reason is not None:
        return f"{result.axis} against {result.reference} can't be measured: {result.reason}"
    must_gain = result.p_gain is not None and result.p_gain > alpha
    change = "rise" if result.margin_kind == "rise" else "fall"
    wanted = "a gain" if must_gain else f"a {change} of less than {_margin(result)}"
    said = _amount(result, result.difference or 0.0)
    text = f"{result.axis} against {result.reference} is undecided: {said} {_interval(result)}"
    if result.problems_needed is None:
        return f"{text} does not show {wanted}; more problems would not, if the difference stays what it is"
    number = f"about {rounded(result.problems_needed)} problems like these {result.problems}"
    return f"{text} does not yet show {wanted}; {number} would, if the difference stays what it is (an estimate)"


def _amount(result: AxisResult, value: float) -> str:
    return f"{value:+.1%}" if result.margin_kind == "relative drop" else f"{value:+.3f}"


def _interval(result: AxisResult) -> str:
    return f"[{_amount(result, result.low or 0.0)}, {_amount(result, result.high or 0.0)}]"


def _margin(result: AxisResult) -> str:
    return f"{result.margin:.1%}" if result.margin_kind == "relative drop" else f"{result.margin:.3f}"


def rounded(number: int) -> str:
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
