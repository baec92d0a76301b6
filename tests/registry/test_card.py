"""The model card of a version and the lineage in it."""

from typing import Any

from ratchet.gate.verdict import Overridden
from ratchet.registry.card import description
from ratchet.registry.files import read_files
from ratchet.registry.lineage import lineage
from ratchet.storage import write_json


def chained(room: Any, names: list[str]) -> None:
    """Checkpoints of which each was trained from the one before it."""
    for before, name in zip([None, *names], names, strict=False):
        if before is not None:
            stamp = {"checkpoint": room.digest(before), "method": "sft", "examples": "sha256:examples"}
            write_json(room.checkpoint(name) / "step.json", stamp)
        room.log(name)


def test_a_lineage_goes_back_to_the_first_that_was_logged(room: Any) -> None:
    chained(room, ["m1", "m2", "m3", "m4", "m5"])
    experiment = room.client.get_experiment_by_name("loop").experiment_id
    found = lineage(room.client, experiment, room.digest("m5"))
    assert [ancestor.name for ancestor in found] == ["m5", "m4", "m3", "m2", "m1"]
    assert [ancestor.round for ancestor in found] == ["5", "4", "3", "2", "1"]
    assert lineage(room.client, experiment, "sha256:unknown") == ()
    # the same by MLflow's own search, as docs/tracking.md has it: the children of a checkpoint
    children = room.client.search_logged_models([experiment], f"tags.`ratchet.parent` = '{room.digest('m2')}'")
    assert [child.name for child in children] == ["m3"]


def test_a_lineage_that_bites_its_tail_ends(room: Any) -> None:
    for name, parent in (("m1", "m2"), ("m2", "m1")):
        room.log(name, parent=room.digest(parent))
    experiment = room.client.get_experiment_by_name("loop").experiment_id
    assert [one.name for one in lineage(room.client, experiment, room.digest("m1"))] == ["m1", "m2"]


def card_of(room: Any, version: str) -> str:
    source = room.client.get_model_version("solver", version).source
    content = read_files(room.registered, source, "", ("card.md",))["card.md"]
    assert content is not None
    return content.decode()


def test_a_version_has_a_card_with_all_that_is_known(room: Any) -> None:
    chained(room, ["m1", "m2"])
    room.promote("m2")
    card = card_of(room, "1")
    for expected in (
        "# solver version 1",
        "It is within every margin.",
        "| m2 | 2 | sft |",
        "| m1 | 1 | - |",
        "- digest: " + room.digest("m2"),
        "- examples\\_digest: sha256:examples",
        "- sampling.seed: 1",
        "Measured on arithmetic alone",
        "Compared with nothing, since it was the first",
    ):
        assert expected in card, expected
    assert room.client.get_model_version("solver", "1").description.startswith("# solver version 1")


def test_an_override_stands_at_the_top_and_text_of_others_is_no_markup(room: Any) -> None:
    override = Overridden(verdict="BLOCK", reason="<script>alert(1)</script> **now**", by="ada", expires="2999-01-01")
    room.promote("m1", verdict=room.verdict("m1", overridden=override, reasons=("[x](javascript:alert)",)))
    card = card_of(room, "1")
    first = card.splitlines()[2]
    assert first.startswith("**OVERRIDE: BLOCK was overridden by ada until 2999-01-01: &lt;script&gt;")
    assert "<script>" not in card and "\\*\\*now\\*\\*" in card and "[x](javascript" not in card


def test_a_long_card_is_cut_in_the_description_and_says_so() -> None:
    short = "# a\n"
    assert description(short) == short
    cut = description("a line of some length\n" * 1000)
    assert len(cut) <= 5000 and cut.endswith("the whole card is in card.md among the version's files)\n")
