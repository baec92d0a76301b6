"""Schedules on an endpoint: edited in place, never two live, and whole again after an edit that was cut off."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.pipelines.stand_in import Kubeflow, serving
from tests.pipelines.test_submit import ARGUMENTS, GIVEN, GOLDEN

from ratchet.cli import invoke as ratchet
from ratchet.errors import InputError
from ratchet_pipelines.endpoint import Endpoint
from ratchet_pipelines.recurring import Timing, timing
from ratchet_pipelines.schedule import apply, create, edit, pause, schedules

NIGHTLY, WEEKLY = Timing("0 0 3 * * *"), Timing("0 0 3 * * 0")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline without its steps: a schedule looks at its name and its parameters, and reads it quickly."""
    whole = next(yaml.safe_load_all(GOLDEN.read_text()))
    path = tmp_path_factory.mktemp("pipeline") / "small.yaml"
    root = {"inputDefinitions": whole["root"]["inputDefinitions"]}
    path.write_text(yaml.safe_dump({"pipelineInfo": whole["pipelineInfo"], "root": root}))
    return path


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    with serving() as state:
        yield state


def test_a_schedule_is_created_listed_edited_paused_resumed_and_deleted_by_name(
    kubeflow: Kubeflow, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = f"--host={kubeflow.url}"
    assert (
        ratchet(["pipeline", "schedule", "create", "weekly", f"--pipeline={package}", "--every=3600", host, *ARGUMENTS])
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
    kubeflow: Kubeflow, package: Path, cut: int, was_live: bool
) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", package, GIVEN, NIGHTLY, "e")
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


def test_a_taken_name_an_unknown_name_and_two_of_one_name_are_refused(kubeflow: Kubeflow, package: Path) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", package, GIVEN, NIGHTLY, "e")
    with pytest.raises(InputError, match="schedule 's' is there"):
        create(at, "s", package, GIVEN, NIGHTLY, "e")
    with pytest.raises(InputError, match="no schedule 't'; expected one of those there: s"):
        pause(at, "t")
    kubeflow.recurring["by-hand"] = kubeflow.named("s")[0] | {"recurring_run_id": "by-hand"}
    with pytest.raises(InputError, match="2 schedules named 's'"):
        edit(at, "s", WEEKLY)


def test_applying_creates_then_changes_nothing_then_edits_what_differs(
    kubeflow: Kubeflow, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["pipeline", "schedule", "apply", "weekly", f"--pipeline={package}", f"--host={kubeflow.url}", *ARGUMENTS]
    assert ratchet([*command, "--every=3600", "--param=train_epochs=3"]) == 0
    assert capsys.readouterr().out.startswith("created: weekly  live  every 3600 s")
    changes, held = kubeflow.changes, kubeflow.named("weekly")
    assert ratchet([*command, "--every=3600", "--param=train_epochs=3", "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["did"] == "unchanged"
    assert (kubeflow.changes, kubeflow.named("weekly")) == (changes, held)
    assert ratchet([*command, "--cron=0 0 4 * * 0"]) == 0
    assert capsys.readouterr().out.startswith("edited: weekly  live  cron 0 0 4 * * 0")
    (edited,) = kubeflow.named("weekly")
    assert edited["runtime_config"]["parameters"] == GIVEN  # train_epochs was not given: the pipeline's default again
    assert kubeflow.live_at_once == 1


def test_applying_keeps_a_pause_unless_told_otherwise_and_starts_or_pauses_in_place(
    kubeflow: Kubeflow, package: Path
) -> None:
    at = Endpoint(kubeflow.url)
    first = apply(at, "s", package, GIVEN, NIGHTLY, "e").schedule
    pause(at, "s")
    assert apply(at, "s", package, GIVEN, NIGHTLY, "e").did == "unchanged"
    edited = apply(at, "s", package, GIVEN, WEEKLY, "e")
    assert (edited.did, edited.schedule.live) == ("edited", False)
    for live in (True, False):
        switched = apply(at, "s", package, GIVEN, WEEKLY, "e", live=live)
        assert (switched.did, switched.schedule.live, switched.schedule.id) == ("edited", live, edited.schedule.id)
    assert first.id != edited.schedule.id
    assert not apply(at, "new", package, GIVEN, WEEKLY, "e", live=False).schedule.live


@pytest.mark.parametrize("change", ["pipeline", "parameters", "timing", "experiment", "at_once", "service_account"])
def test_applying_edits_whatever_differs_and_takes_the_endpoints_own_account_for_its_choice(
    kubeflow: Kubeflow, package: Path, tmp_path: Path, change: str
) -> None:
    at, other = Endpoint(kubeflow.url), tmp_path / "other.yaml"
    other.write_text(package.read_text() + "# another\n")
    asked = {"package": package, "parameters": GIVEN, "timing": NIGHTLY, "experiment": "e"}
    different = {
        "pipeline": {"package": other},
        "parameters": {"parameters": GIVEN | {"run_seed": 1}},
        "timing": {"timing": WEEKLY},
        "experiment": {"experiment": "f"},
        "at_once": {"at_once": 2},
        "service_account": {"service_account": "mine"},
    }[change]
    apply(at, "s", **asked)
    kubeflow.named("s")[0]["service_account"] = "pipeline-runner"  # filled in by the endpoint
    assert apply(at, "s", **asked).did == "unchanged"
    assert apply(at, "s", **asked | different).did == "edited"
    assert apply(at, "s", **asked | different).did == "unchanged"
    assert len(kubeflow.named("s")) == 1


@pytest.mark.parametrize("cut", range(5))
def test_applying_again_mends_what_was_cut_off(kubeflow: Kubeflow, package: Path, cut: int) -> None:
    at = Endpoint(kubeflow.url)
    apply(at, "s", package, GIVEN, NIGHTLY, "e")
    kubeflow.fail_after = kubeflow.changes + cut
    if cut < 4:  # the changes of an edit: create, disable, enable, delete
        with pytest.raises(InputError, match="503"):
            apply(at, "s", package, GIVEN, WEEKLY, "e")
    else:
        apply(at, "s", package, GIVEN, WEEKLY, "e")
    kubeflow.fail_after = None
    mended = apply(at, "s", package, GIVEN, WEEKLY, "e").schedule
    (only,) = kubeflow.named("s")
    assert (only["recurring_run_id"], mended.timing, mended.live) == (mended.id, WEEKLY, True)
    assert kubeflow.live_at_once == 1


def test_schedules_that_others_made_are_listed_whatever_their_time(kubeflow: Kubeflow, package: Path) -> None:
    at = Endpoint(kubeflow.url)
    for number in range(5):
        create(at, f"s{number}", package, GIVEN, NIGHTLY, "e")
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


def test_what_the_endpoint_holds_must_be_what_was_asked_for(kubeflow: Kubeflow, package: Path, tmp_path: Path) -> None:
    at = Endpoint(kubeflow.url)
    create(at, "s", package, GIVEN, NIGHTLY, "e")
    kubeflow.misread = True
    with pytest.raises(InputError, match="it was removed"):
        edit(at, "s", WEEKLY)
    (only,) = kubeflow.named("s")
    assert only["trigger"]["cron_schedule"]["cron"] == NIGHTLY.cron
    assert only["status"] == "ENABLED"
