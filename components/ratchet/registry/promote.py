"""`promote`: the checkpoint becomes the challenger and, where its verdict holds against the champion, the champion."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ratchet.errors import InputError
from ratchet.registry.card import CARD_FILE, card, description
from ratchet.registry.files import put_files
from ratchet.registry.ledger import LedgerEntry, chain, head_digest, signed_entry
from ratchet.registry.lineage import Ancestor, lineage
from ratchet.registry.promotion import Case, Outcome, Request, checked_case, profile_of, unfit_reason
from ratchet.registry.reconcile import reconcile
from ratchet.registry.registered import (
    CHALLENGER,
    Registered,
    Version,
    append,
    ensure_model,
    evidence_folder,
    read_lines,
    require_name,
    set_alias,
    set_tag,
    versions,
)
from ratchet.registry.review import Decision, decision_on, read_reviews
from ratchet.registry.reviewing import EXPIRES_TAG, OVERRIDE_TAG
from ratchet.registry.signed import require_trusted
from ratchet.registry.standing import Standing, read_standing
from ratchet.registry.store import opened
from ratchet.registry.weights import stored_weights_fault

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

CARD_TAGS = {f"ratchet.{name}" for name in ("run", "round", "digest", "parent", "method", "policy_digest")} | {
    f"ratchet.{name}_digest" for name in ("profile", "attempts", "examples")
}
MADE_TAGS = {"ratchet.run", "ratchet.round", "ratchet.method"}  # of the checkpoint: they never change
TRIES = 20  # of claiming, before others are said to write to the ledger all the time


def promote(tracking_uri: str, experiment: str, request: Request) -> Outcome:
    """What came of it: `champion`, or what it waits for, or why not.

    The checkpoint must have been logged. Its files are verified first, then it is made a version and @challenger, and
    then, after the review where one is asked for, champion. Called again it goes on where it was.
    """
    require_name(request.model)
    require_trusted(request.key, request.keys)
    case = checked_case(request)
    if isinstance(case, Outcome):
        return case
    with opened(tracking_uri, experiment) as (client, experiment_id):
        model = Registered(client, tracking_uri, request.model)
        standing = _settled(model, request)
        if standing.checkpoint == case.checkpoint:
            return Outcome("champion", standing.version, ("it is the champion already",))
        unfit = unfit_reason(case, standing)
        if unfit is not None:
            return _gate_again(None, unfit)
        logged = _logged(client, experiment_id, case.checkpoint)
        changed = stored_weights_fault(model, logged.artifact_location, case.checkpoint)
        if changed is not None:
            return Outcome("error", None, (changed,), "log the checkpoint again, under another run name")
        version = _version(model, logged, case)
        _put_card(model, version, case, lineage(client, experiment_id, case.checkpoint), logged)
        set_alias(model, CHALLENGER, version.number)
        decision = _reviewed(model, version, case)
        if isinstance(decision, Outcome):
            return decision
        return _claim(model, version, request, case, decision)


def _settled(model: Registered, request: Request) -> Standing:
    """The ledger and the aliases, after what others left unfinished was finished."""
    if read_lines(model):
        reconcile(model, request.keys, request.by)
    return read_standing(model, request.keys)


def _gate_again(version: str | None, why: str) -> Outcome:
    return Outcome("error", version, (why,), "gate the candidate again, with the champion's profile as --champion")


def _logged(client: "MlflowClient", experiment_id: str, digest: str) -> "LoggedModel":
    """The oldest finished model that was logged for that checkpoint."""
    found = client.search_logged_models(
        [experiment_id],
        f"tags.`ratchet.digest` = '{digest}'",
        order_by=[{"field_name": "creation_timestamp"}],
    )
    ready = [logged for logged in found if str(logged.status) == "READY"]
    if not ready:
        raise InputError(
            f"checkpoint {digest} was never logged",
            where="MLflow",
            expected="a model that `ratchet log` finished, in this experiment",
            next="log it, or name its --experiment",
        )
    return ready[0]


def _version(model: Registered, logged: "LoggedModel", case: Case) -> Version:
    """The version whose files are the logged model's, created where there is none, with the evidence beside them."""
    ensure_model(model.client, model.name, "Promoted by Ratchet; see the tags and descriptions of its versions.")
    put_files(
        model,
        logged.artifact_location,
        evidence_folder(case.verdict_digest),
        {"verdict.json": case.verdict_text, "profile.json": case.profile_text, "policy.yaml": case.policy_text},
    )
    version = _of_source(model, logged.artifact_location)
    if version is None:
        created = model.client.create_model_version(
            model.name,
            logged.artifact_location,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
            tags={key: value for key, value in logged.tags.items() if key in MADE_TAGS},
            await_creation_for=0,
        )
        version = _of_source(model, logged.artifact_location)
        assert version is not None, "a version that was just created"
        if version.number != str(created.version):  # somebody else was first
            model.client.delete_model_version(model.name, created.version)
    for key, value in _tags(case).items():
        set_tag(model, model.name, version.number, key, value)
    return version


def _put_card(
    model: Registered, version: Version, case: Case, ancestors: tuple[Ancestor, ...], logged: "LoggedModel"
) -> None:
    """The model card: a file of the version, and its description."""
    profile = profile_of(case.profile_text)
    facts = {key.removeprefix("ratchet."): value for key, value in sorted(logged.tags.items()) if key in CARD_TAGS}
    text = card(f"{model.name} version {version.number}", profile, case.verdict, ancestors, {**facts, **logged.params})
    put_files(model, version.source, "", {CARD_FILE: text.encode()})
    model.client.update_model_version(model.name, version.number, description(text))


def _of_source(model: Registered, source: str) -> Version | None:
    return next((version for version in versions(model.client, model.name) if version.source == source), None)


def _tags(case: Case) -> dict[str, str]:
    verdict = case.verdict
    tags = {
        "ratchet.digest": case.checkpoint,
        "ratchet.verdict": verdict.verdict,
        "ratchet.kind": verdict.kind,
        "ratchet.verdict_digest": case.verdict_digest,
        "ratchet.policy_digest": verdict.policy_digest,
    }
    override = verdict.overridden
    if override is not None:
        said = f"{override.verdict} overridden by {override.by} until {override.expires}: {override.reason}"
        tags |= {OVERRIDE_TAG: said, EXPIRES_TAG: override.expires}
    return tags


def _reviewed(model: Registered, version: Version, case: Case) -> Decision | Outcome | None:
    """The approval, None where none is asked for, or the outcome where there is none."""
    if case.review is None:
        return None
    started_by = model.client.get_run(version.run_id).data.tags.get("ratchet.started_by") if version.run_id else None
    reviews = read_reviews(version)
    decision = decision_on(reviews, case.review, model.name, version, case.verdict_digest, started_by)
    set_tag(model, model.name, version.number, "ratchet.review", decision.state)
    if decision.state == "approved":
        return decision
    if decision.state == "rejected":
        return Outcome("refused", version.number, (f"rejected by {decision.by}: {decision.reason}",))
    given = f"--model '{model.name}' --version {version.number} --by ... --reason ... --key ..."
    command = f"ratchet review approve {given}"
    return Outcome("waiting", version.number, (decision.reason,), f"{command}, then this command again")


def _claim(model: Registered, version: Version, request: Request, case: Case, approval: Decision | None) -> Outcome:
    """Write to the ledger that the version follows the champion, as long as the verdict compares with the champion.

    Who came second finds another champion in the ledger, and the verdict does not speak of that one.
    """
    for _ in range(TRIES):
        standing = read_standing(model, request.keys)
        unfit = unfit_reason(case, standing)
        if unfit is not None:
            return _gate_again(version.number, unfit)
        digest = append(model, _entry(model, version, request, case, standing, approval))
        if digest in {line.digest for line in chain(read_lines(model))}:
            reconcile(model, request.keys, request.by)
            said = f"it follows version {standing.version}" if standing.version else "it is the first"
            return Outcome("champion", version.number, (said,))
    raise InputError(f"{TRIES} others were first", where=model.ledger_name, expected="a ledger that rests for a moment")


def _entry(
    model: Registered,
    version: Version,
    request: Request,
    case: Case,
    standing: Standing,
    approval: Decision | None,
) -> LedgerEntry:
    entry = LedgerEntry(
        kind="promote",
        model=model.name,
        version=version.number,
        source=version.source,
        checkpoint=case.checkpoint,
        verdict_digest=case.verdict_digest,
        before=standing.version,
        after=head_digest(standing.counted),
        by=request.by,
        reason="; ".join(case.verdict.reasons[:1]),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        claim=secrets.token_hex(8),
    )
    if approval is not None:
        entry = replace(entry, review_digest=approval.digest)
    return signed_entry(entry, request.key)
