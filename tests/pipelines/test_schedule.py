"""Schedules on an endpoint: edited in place, never two live, and whole again after an edit that was cut off."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pipelines.stand_in import Kubeflow, serving
from tests.pipelines.test_submit import ARGUMENTS, GIVEN, GOLDEN

from ratchet.cli import invoke as ratchet
from ratchet.errors import InputError
from ratchet_pipelines.endpoint import Endpoint
from ratchet_pipelines.schedule import Timing, create, edit, pause, schedules, timing

NIGHTLY, WEEKLY = Timing("0 0 3 * * *"), Timing("0 0 3 * * 0")


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    with serving() as state:
        yield state


def test_a_schedule_is_created_listed_edited_paused_resumed_and_deleted_by_name(
    kubeflow: Kubeflow, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"--host={kubeflow.url}"
    assert (
        ratchet(["pipeline", "schedule", "create", "weekly", f"--pipeline={GOLDEN}", "--every=3600", host, *ARGUMENTS])
        == 0
    )
    assert "weekly  live  every 3600 s" in capsys.readouterr().out
    before = kubeflow.named("weekly")[0]
    assert (
        ratchet(["pipeline", "schedule", "edit", "weekly", "--cron=0 0 4 * * 0", "--param=train_epochs=3", host]) == 0
    )
    assert "weekly  live  cron 0 0 4 * * 0" in capsys.readouterr().out
    (after,) = kubeflow.named("weekly")
    assert after["recurring_run_id"] != before["recurring_run_id"]
    assert after["runtime_config"]["parameters"] == GIVEN | {"train_epochs": 3}
    assert after["no_catchup"] is True
    for verb, state in (("pause", "DISABLED"), ("resume", "ENABLED")):
        assert ratchet(["pipeline", "schedule", verb, "weekly", host]) == 0
        assert kubeflow.named("weekly")[0]["status"] == state
    capsys.readouterr()
    assert ratchet(["pipeline", "schedule", "list", "--format=json", host]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["weekly"]
    assert ratchet(["pipeline", "schedule", "delete", "weekly", host]) == 0
    assert kubeflow.recurring == {}
    assert kubeflow.live_at_once == 1


@pytest.mark.parametrize("was_live", [True, False])
@pytest.mark.parametrize("cut", range(6))
def test_an_edit_cut_off_at_any_change_leaves_at_most_one_live_and_the_next_one_mends_it(
    kubeflow: Kubeflow, cut: int, was_live: bool
) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", GOLDEN, GIVEN, NIGHTLY, "e")
    if not was_live:
        pause(at, "s")
    kubeflow.fail_after = kubeflow.changes + cut
    if cut < (4 if was_live else 3):  # the changes of an edit: create, disable, enable where it was live, delete
        with pytest.raises(InputError, match="503"):
            edit(at, "s", WEEKLY)
    else:
        edit(at, "s", WEEKLY)
    kubeflow.fail_after = None
    assert kubeflow.live_at_once == 1
    mended = edit(at, "s", at_once=2)
    (only,) = kubeflow.named("s")
    assert only["recurring_run_id"] == mended.id
    assert mended.live is was_live
    assert mended.at_once == 2
    assert mended.timing == (WEEKLY if cut >= (2 if was_live else 1) else NIGHTLY)
    assert kubeflow.live_at_once == 1


def test_a_taken_name_an_unknown_name_and_two_of_one_name_are_refused(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", GOLDEN, GIVEN, NIGHTLY, "e")
    with pytest.raises(InputError, match="schedule 's' is there"):
        create(at, "s", GOLDEN, GIVEN, NIGHTLY, "e")
    with pytest.raises(InputError, match="no schedule 't'; expected one of those there: s"):
        pause(at, "t")
    kubeflow.recurring["by-hand"] = kubeflow.named("s")[0] | {"recurring_run_id": "by-hand"}
    with pytest.raises(InputError, match="2 schedules named 's'"):
        edit(at, "s", WEEKLY)


def test_schedules_that_others_made_are_listed_whatever_their_time(kubeflow: Kubeflow) -> None:
    at = Endpoint(kubeflow.url)
    for number in range(5):
        create(at, f"s{number}", GOLDEN, GIVEN, NIGHTLY, "e")
    kubeflow.named("s3")[0]["trigger"] = {"periodic_schedule": {"interval_second": "5"}}
    assert [str(one.timing) for one in schedules(at)] == ["cron 0 0 3 * * *"] * 3 + ["every 5 s", "cron 0 0 3 * * *"]


@pytest.mark.parametrize(
    ("cron", "every", "complaint"),
    [
        (None, None, "either --cron or --every"),
        ("@daily", 60, "either --cron or --every"),
        ("0 3 * * 0", None, "did you mean '0 0 3 \\* \\* 0'"),
        (None, 5, "at least 60 seconds"),
    ],
)
def test_a_time_that_kubeflow_would_misread_is_refused(cron: str | None, every: int | None, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        timing(cron, every)


def test_what_the_endpoint_holds_must_be_what_was_asked_for(kubeflow: Kubeflow, tmp_path: Path) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", GOLDEN, GIVEN, NIGHTLY, "e")
    kubeflow.misread = True
    with pytest.raises(InputError, match="it was removed"):
        edit(at, "s", WEEKLY)
    (only,) = kubeflow.named("s")
    assert only["trigger"]["cron_schedule"]["cron"] == NIGHTLY.cron
    assert only["status"] == "ENABLED"
