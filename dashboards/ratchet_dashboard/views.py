"""Records as the templates show them: every text cut to a length, times in words, long lists in parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ratchet.pages.text import short
from ratchet.registry.ledger import LedgerEntry
from ratchet.registry.reviewing import UNKNOWN, Candidate
from ratchet_dashboard.judged import Judged
from ratchet_dashboard.listing import ModelRow
from ratchet_dashboard.queries import Model

ROWS = 50  # of a table at once
LONG, LONGEST = 160, 1_000
ASKED = {
    "pending": "waits for a review",
    "approved": "approved by a reviewer; the same promotion, called again, goes on",
    "rejected": "rejected",
    "not asked for": "no review was asked for; the same promotion, called again, says what is missing",
}


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one page of a long table; `earlier` and `later` are the pages beside it, None where there is none."""

    rows: list[Any]
    first: int
    total: int
    earlier: int | None
    later: int | None

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return self.first + len(self.rows) - 1


def part(rows: Sequence[Any], page: int) -> Part:
    """The rows of that page, counted from 1; the last page where there are not so many."""
    pages = max(1, -(-len(rows) // ROWS))
    at = min(max(page, 1), pages)
    shown = list(rows[(at - 1) * ROWS : at * ROWS])
    return Part(shown, (at - 1) * ROWS + 1, len(rows), at - 1 if at > 1 else None, at + 1 if at < pages else None)


def models_view(rows: Sequence[ModelRow], more: bool, page: int) -> dict[str, Any]:
    """What the list of models shows."""
    shown = [
        {
            "name": row.name,
            "path": quote(row.name),
            "champion": row.champion,
            "challenger": row.challenger,
            "pending": row.pending,
            "incident": short(row.incident or "", LONG),
        }
        for row in rows
    ]
    return {"models": part(shown, page), "more": more}


def model_view(model: Model, versions_page: int, ledger_page: int) -> dict[str, Any]:
    """What the page of one model shows."""
    ledger = part(model.ledger, ledger_page)
    overrides = {one.version: one.override for one in model.candidates if one.override}
    return {
        **named(model),
        "queue": part([candidate_view(one) for one in model.queue], 1),
        "versions": part([candidate_view(one) for one in model.candidates], versions_page),
        "ledger": ledger,
        "lines": [line_view(judged, model, overrides) for judged in ledger.rows],
        "versions_page": versions_page,
        "ledger_page": ledger_page,
    }


def path_of(name: str, number: str) -> list[tuple[str, str]]:
    """The way to a version: each page's path below the root, and its name."""
    model = f"/models/{quote(name)}"
    return [("/", "models"), (model, name), (f"{model}/versions/{number}", f"version {number}")]


def named(model: Model) -> dict[str, Any]:
    """What every page of a model shows of it."""
    return {
        "name": model.name,
        "path": quote(model.name),
        "champion": model.champion,
        "alias": model.aliases.get("champion"),
        "checked": model.checked,
        "told_champion": not model.checked or model.standing is not None,
        "faults": [short(fault, LONGEST) for fault in model.faults],
        "incident": short(model.incident or "", LONGEST),
    }


def candidate_view(one: Candidate) -> dict[str, Any]:
    """One version in a line."""
    made = " of ".join(part for part in (f"round {one.round}" if one.round else "", one.run or "") if part)
    return {
        "version": one.version,
        "aliases": [short(alias) for alias in one.aliases],
        "verdict": short(one.verdict),
        "review": short(one.review),
        "waits": ASKED.get(one.review, short(one.review)),
        "put_forward": one.verdict != UNKNOWN,
        "since": time_told(one.created),
        "made": short(made, 80) or "unknown",
        "override": short(one.override or "", LONG),
        "checkpoint": short(one.checkpoint, 80),
    }


def line_view(judged: Judged, model: Model, overrides: dict[str, str]) -> dict[str, Any]:
    """One line of the ledger; `overrides` are those of the versions."""
    entry = judged.line.entry
    trust = _trust(judged, model.checked)
    fault = judged.fault if trust == "bad" else None
    return {
        "number": judged.line.number,
        "time": time_told(entry.created) if entry else "",
        "what": _happened(entry) if entry else "can't be read",
        "version": short(entry.version or "") if entry else "",
        "before": short(entry.before or "") if entry and entry.kind != "incident" else "",
        "by": short(entry.by) if entry else "",
        "reason": short(entry.reason, LONGEST) if entry else "",
        "override": short(overrides.get(str(entry.version), ""), LONG) if entry else "",
        "trust": trust,
        "fault": short(fault or "", LONG),
        "counts": judged.counts,
    }


def _trust(judged: Judged, checked: bool) -> str:
    """A reconciler has no key, so that incidents are not signed: they are told, and nothing follows from them."""
    entry = judged.line.entry
    if entry is None:
        return "bad"
    if judged.fault is None:
        return "checked"
    if entry.kind == "incident" and entry.signature is None:
        return "unsigned"
    return "bad" if checked else "unchecked"


def _happened(entry: LedgerEntry) -> str:
    found = f"version {short(entry.found)}" if entry.found else "nothing"
    return {
        "promote": "became champion",
        "rollback": "rolled back to",
        "incident": f"incident: @champion stood at {found}",
    }[entry.kind]


def time_told(text: str) -> str:
    """2026-11-21 15:54 UTC."""
    return f"{short(text[:16].replace('T', ' '))} UTC" if text else ""
