"""What is read from MLflow for a page, as plain records; the number of requests does not grow with that of versions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ratchet.errors import InputError
from ratchet.evaluate.profile import Profile
from ratchet.registry.ledger import LedgerEntry, Line, chain, champions, succession
from ratchet.registry.lineage import Ancestor, lineage
from ratchet.registry.promotion import unfit_reason
from ratchet.registry.reconcile import INCIDENT_TAG
from ratchet.registry.registered import CHAMPION, Registered, Version, read_lines, registered_model, versions
from ratchet.registry.reviewing import Candidate, candidates_among, waiting
from ratchet.registry.standing import Standing, standing_by
from ratchet.registry.store import failures
from ratchet_dashboard.evidence import HOLDS, NOT_CHECKED, Evidence, read_version_evidence
from ratchet_dashboard.faults import Unknown
from ratchet_dashboard.judged import Judged, champion_entry, judged_lines
from ratchet_dashboard.origin import Origin, registered

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST_ANCESTORS = 8
MOST_BESIDE = 3  # a picture tells four lines apart


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model: what waits, every version, and its ledger, all latest first.

    `champion` is the one by the ledger, None where none is or it can't be told: then `faults` say why. Without keys
    (`checked` is False) it is the last that the ledger names, whoever wrote it, and there is no `standing`.
    """

    name: str
    aliases: dict[str, str]
    candidates: list[Candidate]
    queue: list[Candidate]
    ledger: tuple[Judged, ...]
    champion: str | None
    checked: bool
    faults: tuple[str, ...]
    incident: str | None
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Review:
    """One version with all that a reviewer wants to know; `unfit` says why it can't follow today's champion.

    `against` are the other versions that its profile can be laid beside, by what they are to it, and `beside` the
    profiles of the first of them, by number, as far as they can be shown.
    """

    model: Model
    candidate: Candidate
    evidence: Evidence
    unfit: str | None
    lineage: tuple[Ancestor, ...]
    started_by: str | None
    against: dict[str, str]
    beside: dict[str, Profile]


def read_model(origin: Origin, name: str) -> Model:
    """One registered model; `Unknown` where there is none of that name."""
    with registered(origin, name) as model:
        return _model(origin, model, versions(model.client, name), origin.keys())


def read_review(origin: Origin, name: str, number: str) -> Review:
    """One version of a model; `Unknown` where there is none."""
    with registered(origin, name) as model:
        there, keys = versions(model.client, name), origin.keys()
        version = version_among(there, name, number)
        whole = _model(origin, model, there, keys)
        read = _reading(model, there, whole.ledger, keys)
        evidence = _without_twins(read(number), version, there, champion_entry(whole.ledger, number, whole.checked))
        ancestors, started_by = _origins(model.client, version)
        against, beside = _laid_beside(whole, number, evidence, read)
    candidate = next(one for one in whole.candidates if one.version == number)
    judged = evidence.case is not None and whole.standing is not None
    unfit = unfit_reason(evidence.case, whole.standing) if judged else None  # type: ignore[arg-type]
    return Review(whole, candidate, evidence, unfit, ancestors, started_by, against, beside)


def read_versions(origin: Origin, name: str, *numbers: str) -> list[tuple[Version, Evidence]]:
    """Some versions with what they rest on, and nothing else of their model."""
    with registered(origin, name) as model:
        there, keys = versions(model.client, name), origin.keys()
        wanted = [version_among(there, name, number) for number in numbers]
        read = _reading(model, there, judged_lines(name, read_lines(model), keys), keys)
        return [(version, read(version.number)) for version in wanted]


def version_among(there: Sequence[Version], name: str, number: str) -> Version:
    """The version of that number."""
    found = next((version for version in there if version.number == number), None)
    if found is None:
        raise Unknown(f"no version {number[:20]} of {name}", expected="one that the model's page lists")
    return found


def _model(origin: Origin, model: Registered, there: list[Version], keys: Sequence[Ed25519PublicKey]) -> Model:
    found = registered_model(model.client, model.name)
    if found is None:
        raise Unknown(f"no model {model.name}", expected="one that the first page lists")
    pointed = {alias: str(number) for alias, number in found.aliases.items()}
    lines = read_lines(model)
    counted = chain(lines)
    standing, said = _standing(model, lines, keys) if keys else (None, ())
    made = champions(standing.trusted if standing else counted)
    once = {str(line.entry.version) for line in made if line.entry}
    candidates = candidates_among(model.name, there, pointed, origin.rule())
    return Model(
        name=model.name,
        aliases=pointed,
        candidates=candidates,
        queue=waiting(candidates, once),
        ledger=judged_lines(model.name, lines, keys),
        champion=_champion(standing, counted) if standing or not keys else None,
        checked=bool(keys),
        faults=(*said, *_moved(standing, pointed)),
        incident=found.tags.get(INCIDENT_TAG),
        standing=standing,
    )


def _standing(
    model: Registered, lines: Sequence[Line], keys: Sequence[Ed25519PublicKey]
) -> tuple[Standing | None, tuple[str, ...]]:
    """The standing, and what there is to say of it; None where the evidence of the champions can't be read."""
    unreadable: tuple[type[Exception], ...] = (InputError, *failures())
    try:
        standing = standing_by(model, lines, keys)
    except unreadable:
        return None, ("Who is champion can't be told: the evidence can't be read. Look whether the store is there.",)
    rejected = standing.rejected if standing.champion is None else standing.rejected[:5]
    return standing, tuple(f"Version {each.version} backs nothing: {'; '.join(each.faults)}." for each in rejected)


def _champion(standing: Standing | None, counted: Sequence[Line]) -> str | None:
    if standing is not None:
        return standing.version
    return next((line.entry.version for line in reversed(succession(counted)) if line.entry), None)


def _moved(standing: Standing | None, pointed: dict[str, str]) -> tuple[str, ...]:
    if standing is None or standing.version == pointed.get(CHAMPION):
        return ()
    return (
        f"In MLflow @champion points to {pointed.get(CHAMPION, 'nothing')}, by the ledger it is version "
        f"{standing.version or 'none'}. `ratchet reconcile` puts it back.",
    )


def _reading(
    model: Registered, there: Sequence[Version], ledger: Sequence[Judged], keys: Sequence[Ed25519PublicKey]
) -> Callable[[str], Evidence]:
    """From a number to the evidence of that version; `Unknown` where there is none."""

    def read(number: str) -> Evidence:
        entry = champion_entry(ledger, number, bool(keys))
        return read_version_evidence(model, version_among(there, model.name, number), keys, entry)

    return read


def _without_twins(
    evidence: Evidence, version: Version, there: Sequence[Version], entry: LedgerEntry | None
) -> Evidence:
    """The evidence, with a fault where another version names the same verdict and the ledger does not name this one."""
    digest = version.tags.get("ratchet.verdict_digest")
    twins = [v.number for v in there if v.number != version.number and v.tags.get("ratchet.verdict_digest") == digest]
    if entry is not None or digest is None or not twins:
        return evidence
    said = f"version {twins[0]} names the same verdict, which is on one checkpoint: the files of one of them are others"
    return replace(evidence, faults=(said, *evidence.faults))


def _origins(client: "MlflowClient", version: Version) -> tuple[tuple[Ancestor, ...], str | None]:
    """The lineage as far as it is shown and who started the run; nothing where MLflow does not know the run any more.

    What a tag says goes into a search only where it is a digest.
    """
    digest = version.tags.get("ratchet.digest", "")
    if version.run_id is None or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        return (), None
    try:
        run = client.get_run(version.run_id)
        started_by = run.data.tags.get("ratchet.started_by")
        return lineage(client, run.info.experiment_id, digest, MOST_ANCESTORS), started_by
    except failures():
        return (), None


def _laid_beside(
    model: Model, number: str, evidence: Evidence, read: Callable[[str], Evidence]
) -> tuple[dict[str, str], dict[str, Profile]]:
    """What the version can be laid beside: today's champion, then what it was gated against where that is a version.

    A tag says which version a reference may be; it is one where its evidence is on the profile that the verdict names.
    What no trusted key signed is left out where there are keys.
    """
    of_digest = {one.checkpoint: one.version for one in reversed(model.candidates)}
    stated = evidence.verdict.references if evidence.verdict else {}
    wanted: dict[str, tuple[str | None, str | None]] = {"today's champion": (model.champion, None)}
    for name, reference in stated.items():
        other = of_digest.get(reference.checkpoint or "")
        wanted[f"the {name} that it was gated against"] = (other, reference.profile_digest)
    others = list(dict.fromkeys(other for other, _ in wanted.values() if other is not None and other != number))
    found = {other: read(other) for other in others[:MOST_BESIDE]}
    against = {
        what: other
        for what, (other, digest) in wanted.items()
        if other in found and digest in (None, _profile_digest(found[other]))
    }
    shown = {
        other: each.profile
        for other, each in found.items()
        if other in against.values() and each.profile is not None and each.signature in (HOLDS, NOT_CHECKED)
    }
    return against, shown


def _profile_digest(evidence: Evidence) -> str:
    return evidence.verdict.profile_digests.get("candidate", "") if evidence.verdict else ""
