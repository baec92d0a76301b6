"""The model card of a version, in Markdown: lineage, data, method, profile, verdict, limits; all text is escaped."""

from collections.abc import Mapping, Sequence

from ratchet.evaluate.profile import Profile
from ratchet.evaluate.summary import as_markdown as profile_markdown
from ratchet.gate.verdict import Verdict
from ratchet.gate.wording import as_markdown as verdict_markdown
from ratchet.pages.text import markdown, short
from ratchet.registry.lineage import Ancestor

CARD_FILE = "card.md"
LONGEST = 5_000  # characters of a version's description, which MLflow's databases cut or refuse beyond
LONGEST_VALUE = 200


def card(title: str, profile: Profile, verdict: Verdict, lineage: Sequence[Ancestor], facts: Mapping[str, str]) -> str:
    """The card; `facts` are what was logged of the checkpoint, shown as they are."""
    parts = [
        f"# {markdown(short(title))}",
        _override(verdict),
        verdict_markdown(verdict).strip(),
        profile_markdown(profile).strip(),
        "## Where it comes from",
        _lineage(lineage),
        "## How it was made and measured",
        "\n".join(f"- {markdown(key)}: {_value(value)}" for key, value in facts.items()) or "Nothing was logged.",
        "## Limits",
        _limits(profile, verdict),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def description(text: str) -> str:
    """The card as a version's description: whole, or cut with a word on where the rest is."""
    if len(text) <= LONGEST:
        return text
    rest = f"\n\n(cut; the whole card is in {CARD_FILE} among the version's files)\n"
    return text[: LONGEST - len(rest)].rsplit("\n", 1)[0] + rest


def _override(verdict: Verdict) -> str:
    override = verdict.overridden
    if override is None:
        return ""
    said = f"{override.verdict} was overridden by {override.by} until {override.expires}: {override.reason}"
    return f"**OVERRIDE: {_value(said)}**"


def _lineage(lineage: Sequence[Ancestor]) -> str:
    rows = [
        [a.name, a.round or "-", a.method or "-", a.verdict or "-", a.digest.removeprefix("sha256:")[:12]]
        for a in lineage
    ]
    if not rows:
        return "Unknown: no ancestor was logged."
    header = ["checkpoint", "round", "method", "verdict", "digest"]
    table = [header, ["---"] * len(header), *([_value(cell) for cell in row] for row in rows)]
    oldest = lineage[-1].parent
    before = f"\n\nBefore that: {_value(oldest)}, which was not logged." if oldest else ""
    return "\n".join("| " + " | ".join(row) + " |" for row in table) + before


def _limits(profile: Profile, verdict: Verdict) -> str:
    suites = ", ".join(_value(name) for name in profile.suites)
    compared = ", ".join(_value(name) for name in verdict.references) or "nothing, since it was the first"
    lines = [
        f"Measured on {suites} alone; nothing is known of other tasks, languages or uses.",
        f"Compared with {compared}, within the policy's margins; a smaller loss than a margin can be there.",
        "The verdict speaks of the weights with the digest above. Who loads other files has another model.",
    ]
    if profile.sampling is None:
        lines.append("How the attempts were sampled is unknown.")
    return "\n".join(f"- {line}" for line in lines)


def _value(text: str) -> str:
    return markdown(short(text, LONGEST_VALUE))
