"""Promotion: only with a verdict that holds against the champion of the moment; of two at once one wins."""

import dataclasses
import multiprocessing
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.errors import InputError
from ratchet.gate.verdict import Overridden
from ratchet.registry.ledger import chain
from ratchet.registry.promote import promote
from ratchet.registry.registered import read_lines
from ratchet.registry.rollback import rollback


def test_the_first_promotion_makes_a_champion(room: Any) -> None:
    outcome = room.promote("m1")
    assert (outcome.result, outcome.version, outcome.exit_code) == ("champion", "1", 0)
    assert room.aliases == {"champion": "1"}
    tags = room.client.get_model_version("solver", "1").tags
    assert (tags["ratchet.verdict"], tags["ratchet.digest"]) == ("PROMOTE", room.digest("m1"))


def test_the_next_champion_leaves_the_old_one_for_rollback(room: Any) -> None:
    room.promote("m1")
    assert room.promote("m2", "m1").result == "champion"
    assert room.aliases == {"champion": "2", "rollback": "1"}


def test_a_version_is_made_once_and_the_same_call_again_changes_nothing(room: Any) -> None:
    for _ in range(2):
        assert room.promote("m1").result == "champion"
    assert len(room.client.search_model_versions("name = 'solver'")) == 1
    assert len(read_lines(room.registered)) == 1


def test_a_verdict_against_another_champion_is_to_be_gated_again(room: Any) -> None:
    room.promote("m1")
    room.promote("m2", "m1")
    outcome = room.promote("m3", "m1")
    assert (outcome.result, outcome.exit_code, outcome.version) == ("error", 3, None)
    said = f"the verdict does not compare with the champion, version 2 ({room.digest('m2')})"
    assert outcome.reasons == (said,) and "--champion" in outcome.next
    assert room.aliases["champion"] == "2"
    # what compares with the champion of this moment, and with the base besides, may follow it
    assert room.promote("m3", "m2", "m1").result == "champion"


def test_a_first_verdict_is_for_where_there_is_no_champion(room: Any) -> None:
    room.promote("m1")
    assert room.promote("m2").reasons[0].startswith("the verdict does not compare with the champion, version 1")


@pytest.mark.parametrize(
    ("verdict", "result", "code"), [("BLOCK", "refused", 1), ("INCONCLUSIVE", "waiting", 2), ("ERROR", "error", 3)]
)
def test_only_promote_promotes(room: Any, verdict: str, result: str, code: int) -> None:
    outcome = room.promote("m1", verdict=room.verdict("m1", verdict=verdict))
    assert (outcome.result, outcome.exit_code, outcome.version) == (result, code, None)
    assert outcome.reasons == (f"the verdict is {verdict}", "It is within every margin.")
    assert room.aliases == {}


def test_nothing_is_written_where_a_check_fails(room: Any) -> None:
    room.log("m1")
    other = Ed25519PrivateKey.generate()
    failed: dict[str, dict[str, Any]] = {
        "signature": {"key": other},
        "policy": {"policy_digest": "sha256:lax"},
        "profile of candidate": {"profile_digests": {"candidate": "sha256:x"}},
    }
    for check, given in failed.items():
        outcome = room.promote("m1", verdict=room.verdict("m1", **given))
        assert outcome.exit_code == 3 and outcome.reasons[0].startswith(f"{check}: "), check
    request = room.request("m1")
    (room.checkpoint("m1") / "model.safetensors").write_bytes(b"other weights")
    outcome = promote(room.tracking_uri, room.experiment, request)
    assert outcome.exit_code == 3 and outcome.reasons[0].startswith("checkpoint: ")
    assert room.client.search_registered_models() == []


def test_a_checkpoint_that_was_never_logged_is_an_input_error(room: Any) -> None:
    with pytest.raises(InputError, match="was never logged"):
        promote(room.tracking_uri, room.experiment, room.request("m1"))


def test_a_signing_key_that_is_not_trusted_promotes_nothing(room: Any) -> None:
    with pytest.raises(InputError, match="is not among the public keys given"):
        room.promote("m1", key=Ed25519PrivateKey.generate())
    room.promote("m1")
    with pytest.raises(InputError, match="is not among the public keys given"):
        rollback(room.tracking_uri, "solver", None, "r", Ed25519PrivateKey.generate(), [room.key.public_key()])


def test_a_model_name_that_mlflow_or_a_filter_cannot_take_is_refused(room: Any) -> None:
    for name in ("it's", "a/b", "", "x.ledger", " x"):
        with pytest.raises(InputError, match="model name"):
            promote(room.tracking_uri, room.experiment, dataclasses.replace(room.request("m1"), model=name))


def test_an_override_stands_in_for_the_champion_only_where_it_came_after_it(room: Any) -> None:
    room.promote("m1")
    override = Overridden(verdict="BLOCK", reason="r", by="ada", expires="2999-01-01")
    early = room.verdict("m2", overridden=override, created="2020-01-01T00:00:00+00:00")
    assert room.promote("m2", verdict=early).exit_code == 3
    over = dataclasses.replace(override, expires="2020-01-01")
    outcome = room.promote("m2", verdict=room.verdict("m2", overridden=over))
    assert (outcome.result, outcome.reasons) == ("refused", ("the override by ada expired on 2020-01-01",))
    assert room.promote("m2", verdict=room.verdict("m2", overridden=override)).result == "champion"


def test_what_was_rolled_back_needs_a_new_verdict(room: Any) -> None:
    room.promote("m1")
    verdict = room.verdict("m2", "m1")
    room.promote("m2", verdict=verdict)
    rolled(room)
    outcome = room.promote("m2", verdict=verdict)
    assert outcome.exit_code == 3 and outcome.reasons[0].startswith("this verdict made version 2 champion on 20")
    assert room.promote("m2", verdict=room.verdict("m2", "m1", advice=("look again",))).result == "champion"


def rolled(room: Any, to: str | None = None, reason: str = "wrong units") -> Any:
    return rollback(room.tracking_uri, room.name, to, reason, room.key, [room.key.public_key()])


def test_a_rollback_goes_to_the_champion_before_and_is_on_record(room: Any) -> None:
    room.promote("m1")
    room.promote("m2", "m1")
    outcome = rolled(room)
    assert (outcome.result, outcome.version) == ("champion", "1")
    assert room.aliases == {"champion": "1"}
    entry = chain(read_lines(room.registered))[-1].entry
    assert entry is not None and (entry.kind, entry.before, entry.reason) == ("rollback", "2", "wrong units")
    assert room.reconcile().actions == ()
    # the next candidate is to be compared with the champion that stands again
    assert room.promote("m3", "m2").exit_code == 3 and room.promote("m3", "m1").result == "champion"


def test_a_second_rollback_goes_on_back_and_not_to_what_was_rolled_back_from(room: Any) -> None:
    for name, before in (("m1", []), ("m2", ["m1"]), ("m3", ["m2"])):
        room.promote(name, *before)
    assert rolled(room).version == "2" and room.aliases == {"champion": "2", "rollback": "1"}
    assert room.promote("m4", "m2").version == "4" and room.aliases == {"champion": "4", "rollback": "2"}
    assert rolled(room).version == "2" and rolled(room).version == "1"
    assert rolled(room).reasons == ("there is no champion before this one",)
    assert rolled(room, to="3").version == "3"  # asked for by its number


def test_a_rollback_goes_only_to_what_a_verdict_still_backs(room: Any) -> None:
    room.promote("m1")
    room.promote("m2", "m1")
    room.promote("m3", "m2")
    for path in room.folder.rglob("evidence/*/verdict.json"):
        if f'"checkpoint_digest": "{room.digest("m2")}"' in path.read_text():
            path.unlink()
    outcome = rolled(room, to="2")
    assert (outcome.exit_code, outcome.reasons) == (3, ("version 2: verdict.json was deleted",))
    assert rolled(room, to="7").reasons == ("version 7 was never champion",)
    assert rolled(room, to="3").reasons == ("it is the champion already",)
    assert rolled(room).version == "1"
    with pytest.raises(InputError, match="no reason"):
        rolled(room, reason=" ")


def test_without_another_champion_there_is_nothing_to_roll_back_to(room: Any) -> None:
    with pytest.raises(InputError, match="nothing was ever promoted"):
        rolled(room)
    room.promote("m1")
    assert rolled(room).reasons == ("there is no champion before this one",)


def promoted_when_all_are_ready(barrier: Any, queue: Any, room: Any, name: str) -> None:
    request = room.request(name, "m1")
    barrier.wait(60)
    outcome = promote(room.tracking_uri, room.experiment, request)
    queue.put((name, outcome.result, outcome.version, outcome.reasons))


def raced(room: Any, names: list[str]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    import mlflow  # noqa: F401  # imported once, before the fork

    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(len(names)), context.Queue()
    arguments = [(barrier, queue, room, name) for name in names]
    processes = [context.Process(target=promoted_when_all_are_ready, args=each) for each in arguments]
    for process in processes:
        process.start()
    found = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(20)
    return sorted(found)


@pytest.mark.slow
def test_of_many_promotions_at_once_one_wins_and_the_others_are_to_be_gated_again(served: Any) -> None:
    served.promote("m1")
    names = [f"m{i}" for i in range(2, 12)]
    for name in names:
        served.log(name)
        served.verdict(name, "m1")
    found = raced(served, names)
    (winner,) = [each for each in found if each[1] == "champion"]
    assert {each[1] for each in found if each != winner} == {"error"}
    for _, _, _, reasons in [each for each in found if each != winner]:
        assert reasons[0].startswith(f"the verdict does not compare with the champion, version {winner[2]} (")
    assert served.aliases["champion"] == winner[2] and served.aliases["rollback"] == "1"
    entries = [line.entry for line in chain(read_lines(served.registered))]
    assert [entry.kind for entry in entries] == ["promote", "promote"]
    assert entries[-1].version == winner[2]
