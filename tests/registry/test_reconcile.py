"""@champion is where a valid verdict backs it: what else was done to alias, ledger or evidence is put right."""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.errors import InputError
from ratchet.gate.verdict import Reference
from ratchet.registry.ledger import chain, champions, head_digest, signed_entry
from ratchet.registry.registered import append, evidence_folder, read_lines
from ratchet.registry.rollback import rollback
from ratchet.registry.watch import reconcile_models


@pytest.fixture
def two(room: Any) -> Any:
    """A room where version 2 (m2) followed version 1 (m1)."""
    assert room.promote("m1").result == "champion"
    assert room.promote("m2", "m1").result == "champion"
    return room


def kinds(room: Any) -> list[str]:
    return [line.entry.kind for line in chain(read_lines(room.registered)) if line.entry]


def put_back(room: Any, found: str | None, to: str | None) -> str:
    """Reconcile, which must put the alias back once and then find nothing; the reasons it gave."""
    done = room.reconcile()
    (action,) = done.actions
    assert (action.did, action.found, action.version) == ("restored", found, to)
    assert room.aliases.get("champion") == to == done.champion
    assert room.reconcile().actions == ()
    return "; ".join(action.reasons)


def evidence(room: Any, name: str, file: str) -> Path:
    """A file of the promotion of m1 or m2, as SQLite's artifacts have it on disk."""
    stated = {"verdict.json": "checkpoint_digest", "profile.json": "checkpoint"}[file]
    said = f'"{stated}": "{room.digest(name)}"'
    (path,) = [path for path in room.folder.rglob(f"evidence/*/{file}") if said in path.read_text()]
    return path


def test_a_champion_that_its_verdict_backs_stays(two: Any) -> None:
    assert two.reconcile().actions == ()
    assert two.aliases == {"champion": "2", "rollback": "1"} and kinds(two) == ["promote", "promote"]


def test_an_alias_moved_by_hand_is_put_back_and_recorded(two: Any) -> None:
    two.log("m3")
    source = two.client.get_model_version("solver", "1").source
    bad = two.client.create_model_version("solver", source + "/elsewhere", tags={"ratchet.verdict": "PROMOTE"})
    two.client.set_registered_model_alias("solver", "champion", bad.version)
    why = put_back(two, str(bad.version), "2")
    assert why == f"@champion was moved to version {bad.version}, which nothing in the ledger made champion"
    assert kinds(two) == ["promote", "promote", "incident"]
    assert two.client.get_registered_model("solver").tags["ratchet.incident"].endswith(why)
    (kept,) = two.folder.rglob("incidents/*.json")
    assert json.loads(kept.read_text())["found"] == str(bad.version)


def test_an_alias_moved_to_an_earlier_champion_is_put_back_too(two: Any) -> None:
    two.client.set_registered_model_alias("solver", "champion", "1")
    assert put_back(two, "1", "2") == "@champion was moved to version 1, which is champion no more"


def test_a_removed_alias_is_put_back(two: Any) -> None:
    two.client.delete_registered_model_alias("solver", "champion")
    assert put_back(two, None, "2") == "@champion was removed"


def test_the_same_tampering_again_is_another_incident(two: Any) -> None:
    for _ in range(2):
        two.client.set_registered_model_alias("solver", "champion", "1")
        two.reconcile()
    assert kinds(two) == ["promote", "promote", "incident", "incident"]


def test_a_deleted_verdict_backs_nothing(two: Any) -> None:
    evidence(two, "m2", "verdict.json").unlink()
    assert put_back(two, "2", "1") == "verdict.json was deleted"


def test_a_deleted_or_changed_profile_backs_nothing(two: Any) -> None:
    evidence(two, "m2", "profile.json").unlink()
    assert put_back(two, "2", "1") == "profile.json was deleted"
    path = evidence(two, "m1", "profile.json")
    path.write_text(path.read_text() + " ")
    assert put_back(two, "1", None) == "profile.json is not the one that the verdict is on"


def forge(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed, indent=2))


def test_a_forged_verdict_backs_nothing(two: Any) -> None:
    forge(evidence(two, "m2", "verdict.json"), reasons=["It is very good."])
    assert put_back(two, "2", "1") == "verdict.json is not the one that the entry rests on"


def forged(room: Any, key: Ed25519PrivateKey, **changed: Any) -> None:
    """An entry that makes version 3 (m3) champion, signed with `key`, with the champion's files or its own."""
    counted = chain(read_lines(room.registered))
    made = champions(counted)[0].entry
    entry = replace(made, before=made.version, after=head_digest(counted), claim="x", signature=None, **changed)
    append(room.registered, signed_entry(entry, key))
    if entry.version is not None:
        room.client.set_registered_model_alias("solver", "champion", entry.version)


def test_an_entry_that_no_trusted_key_signed_backs_nothing(two: Any) -> None:
    source = two.client.get_model_version("solver", "1").source
    two.client.create_model_version("solver", source + "/evil")
    forged(two, Ed25519PrivateKey.generate(), version="3", source=source + "/evil")
    assert "which is not trusted here" in put_back(two, "3", "2")
    # and the next promotion is not kept from its place by it
    assert two.promote("m4", "m2").result == "champion"


def test_a_verdict_of_another_model_backs_nothing(two: Any) -> None:
    # the key's holder signed this entry; the verdict speaks of m2 all the same
    source = two.client.get_model_version("solver", "1").source
    two.client.create_model_version("solver", source + "/evil")
    files = evidence(two, "m2", "verdict.json").parent
    there = Path(source.removeprefix("file://")) / "evil" / "evidence" / files.name
    shutil.copytree(files, there)
    forged(two, two.key, version="3", source=source + "/evil", checkpoint=two.digest("m1"))
    assert put_back(two, "3", "2") == "the verdict is on another checkpoint"
    forged(two, two.key, version="3", source=source + "/evil", model="other")
    assert put_back(two, "3", "2") == "the entry is of the model 'other'"


def test_a_blocked_verdict_backs_nothing_whoever_signed(two: Any) -> None:
    from ratchet.storage import file_digest

    blocked = two.verdict("m2", "m1", verdict="BLOCK", kind="reversal")
    digest = file_digest(blocked)
    source = two.client.get_model_version("solver", "2").source
    folder = Path(source.removeprefix("file://")) / evidence_folder(digest)
    folder.mkdir()
    shutil.copy(blocked, folder / "verdict.json")
    shutil.copy(two.profile("m2") / "profile.json", folder)
    forged(two, two.key, verdict_digest=digest)
    # version 2 stays champion, by the entry that a valid verdict backs
    assert two.reconcile().champion == "2" and two.aliases["champion"] == "2"
    assert [line.entry.verdict_digest for line in chain(read_lines(two.registered)) if line.entry][-1] == digest


def test_old_and_new_key_serve_a_rotation_and_a_revoked_key_backs_nothing(room: Any) -> None:
    old, new = room.key, Ed25519PrivateKey.generate()
    room.promote("m1")
    room.key = new
    both = [old.public_key(), new.public_key()]
    assert room.promote("m2", "m1", keys=both).result == "champion"
    assert room.reconcile(old, new).actions == ()
    # the new key is revoked: what it made champion falls back to what the old one made
    done = room.reconcile(old)
    assert (done.champion, done.actions[0].found) == ("1", "2") and "not trusted here" in done.actions[0].reasons[0]
    # the old one is revoked instead: the ledger's order does not depend on who is trusted
    assert room.reconcile(new).champion == "2"
    assert room.reconcile(Ed25519PrivateKey.generate()).champion is None and "champion" not in room.aliases


def test_an_entry_that_was_changed_backs_nothing(two: Any) -> None:
    (line,) = chain(read_lines(two.registered))[-1:]
    text = two.client.get_model_version("solver.ledger", str(line.number)).tags["ratchet.entry"]
    two.client.set_model_version_tag("solver.ledger", str(line.number), "ratchet.entry", text.replace('"2"', '"3"'))
    assert put_back(two, "2", "1") == "its ledger entry was changed after it was written"
    two.client.set_model_version_tag("solver.ledger", str(line.number), "ratchet.entry", text)
    assert put_back(two, "1", "2") == "@champion was moved to version 1, which is champion no more"


def test_a_deleted_version_backs_nothing(two: Any) -> None:
    two.client.delete_registered_model_alias("solver", "champion")
    two.client.delete_model_version("solver", "2")
    put_back(two, None, "1")


def test_what_was_rolled_back_from_does_not_come_back_when_the_evidence_of_the_champion_goes(two: Any) -> None:
    two.promote("m3", "m2")
    rollback(two.tracking_uri, "solver", None, "wrong units", two.key, [two.key.public_key()])
    evidence(two, "m2", "verdict.json").unlink()
    assert put_back(two, "2", "1") == "verdict.json was deleted"


def test_a_rollback_that_nobody_trusted_wrote_changes_no_succession(two: Any) -> None:
    forged(two, Ed25519PrivateKey.generate(), kind="rollback", version="1")
    put_back(two, "1", "2")
    evidence(two, "m2", "verdict.json").unlink()
    put_back(two, "2", "1")


def test_an_override_that_expired_backs_nothing(room: Any) -> None:
    from ratchet.gate.verdict import Overridden
    from ratchet.registry import standing

    room.promote("m1")
    overridden = Overridden(verdict="BLOCK", reason="the old base is gone", by="ada", expires="2999-01-01")
    path = room.verdict("m2", overridden=overridden)
    assert room.promote("m2", verdict=path).result == "champion"
    tags = room.client.get_model_version("solver", "2").tags
    assert tags["ratchet.override"] == "BLOCK overridden by ada until 2999-01-01: the old base is gone"
    assert room.reconcile().actions == ()

    class Later(standing.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2999, 1, 2, tzinfo=tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standing, "datetime", Later)
        assert put_back(room, "2", "1") == "the override by ada expired on 2999-01-01"


@pytest.mark.parametrize("after", ["append", "set_alias"])
def test_a_promotion_that_was_killed_is_finished_and_no_incident(
    two: Any, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    from ratchet.registry import promote, reconcile

    module: Any = promote if after == "append" else reconcile
    real: Callable[..., Any] = getattr(module, after)

    def killed(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, after, killed)
        with pytest.raises(KeyboardInterrupt):
            two.promote("m3", "m2")
    did = [action.did for action in two.reconcile().actions]
    assert did == (["finished"] if after == "append" else [])
    assert two.aliases["champion"] == "3" and kinds(two) == ["promote"] * 3
    assert two.promote("m3", "m2").reasons == ("it is the champion already",)
    assert kinds(two) == ["promote"] * 3


def test_a_missing_volume_is_an_error_and_changes_nothing(two: Any) -> None:
    two.client.set_registered_model_alias("solver", "champion", "1")
    (two.folder / "mlartifacts").rename(two.folder / "unmounted")
    with pytest.raises(InputError, match="mount the volume"):
        reconcile_models(two.tracking_uri, ["solver"], [two.key.public_key()])
    assert two.aliases["champion"] == "1" and kinds(two) == ["promote", "promote"]
    (two.folder / "unmounted").rename(two.folder / "mlartifacts")
    put_back(two, "1", "2")


def test_a_model_that_ratchet_never_promoted_loses_an_unbacked_champion(room: Any) -> None:
    room.log("m1")
    room.client.create_registered_model("solver")
    room.client.create_model_version("solver", (room.folder / "mlartifacts").as_uri())
    room.client.set_registered_model_alias("solver", "champion", "1")
    assert room.reconcile().champion is None and room.aliases == {}


def reconciled_when_all_are_ready(barrier: Any, queue: Any, room: Any) -> None:
    registered, keys = room.registered, [room.key.public_key()]
    from ratchet.registry.reconcile import reconcile

    barrier.wait(60)
    done = reconcile(registered, keys, "test")
    queue.put((done.champion, [action.did for action in done.actions]))


@pytest.mark.slow
def test_reconcilers_at_once_record_one_incident(served: Any) -> None:
    served.promote("m1")
    served.promote("m2", "m1")
    served.client.set_registered_model_alias(served.name, "champion", "1")
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(6), context.Queue()
    processes = [context.Process(target=reconciled_when_all_are_ready, args=(barrier, queue, served)) for _ in range(6)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(20)
    assert {champion for champion, _ in found} == {"2"} and served.aliases["champion"] == "2"
    assert kinds(served) == ["promote", "promote", "incident"]
    assert {did for _, dids in found for did in dids} <= {"restored"}


def test_a_reference_is_no_name(two: Any) -> None:
    """A verdict that calls its reference champion and compares with another checkpoint does not fit."""
    two.log("m3")
    path = two.verdict("m3", references={"champion": Reference(two.digest("m1"), "sha256:x")})
    outcome = two.promote("m3", verdict=path)
    assert outcome.exit_code == 3 and "does not compare with the champion, version 2" in outcome.reasons[0]
