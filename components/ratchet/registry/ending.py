"""How a run of a pipeline ended, recorded in MLflow whatever it was: finished, blocked, refused, failed or terminated.

Kubeflow tells an exit handler little: a state, which may still say RUNNING, and no message. So the end is read from the
run's workspace, where steps leave their verdicts, their failures and their half-done work. It is written there first,
and once: recording it again changes nothing.
"""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ratchet.errors import InputError
from ratchet.failures import failures, now
from ratchet.gate.step import VERDICT_FILE
from ratchet.gate.verdict import Verdict, read_verdict
from ratchet.patience import patiently
from ratchet.registry.log import run_of
from ratchet.registry.store import Unavailable, opened, without_password
from ratchet.steps import PARTIAL, STAMP
from ratchet.storage import read_json, write_json

State = Literal["finished", "blocked", "refused", "failed", "terminated"]

WELL = ("SUCCEEDED", "COMPLETE", "CACHED")
BADLY = ("FAILED", "ERROR", "SYSTEM_ERROR", "SKIPPED")
CUT_OFF = ("CANCELED", "CANCELLED", "CANCELING")
BY_VERDICT: dict[str, State] = {"BLOCK": "blocked", "ERROR": "refused"}
MLFLOW_STATUS: dict[State, str] = {"failed": "FAILED", "terminated": "KILLED"}
MOST_CHARACTERS = 1000  # of a message: a tag of MLflow holds 5,000
PATIENCE_S = 600.0
NO_WORDS = "it said nothing: its pod was killed, or never started"


@dataclass(frozen=True, slots=True)
class Told:
    """What Kubeflow tells of a run: its state and message, its id, and where its page is."""

    state: str
    message: str | None = None
    run: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: the step that failed and what it said, or why the gate stopped it; the last verdict."""

    state: State
    at: str
    run: str
    link: str
    step: str | None = None
    message: str | None = None
    verdict: str | None = None


def told(state: str | None, message: str | None, run: str, url: str) -> Told:
    """What Kubeflow tells of the run of that id, whose page is found from the address of Kubeflow's UI, if given."""
    return Told(state or "", message, run, f"{url.rstrip('/')}/#/runs/details/{run}" if url else "")


def record_end(
    tracking_uri: str, experiment: str, run_name: str, folder: Path, said: Told, patience_s: float = PATIENCE_S
) -> State:
    """The state in which the run ended, after MLflow holds it: the status of the MLflow run and its `ratchet.end` tags.

    `folder` is the run's place in the workspace. An MLflow that is away is asked again, ever more slowly, for
    `patience_s`; then the record is in the folder alone, and an InputError says so.
    """
    kept = folder / f"end-{said.run}.json"
    if kept.is_file():
        end = End(**read_json(kept))
    else:
        end = end_of(folder, said)
        with contextlib.suppress(OSError):  # a full volume may be what ended the run, and MLflow must hear of it
            folder.mkdir(parents=True, exist_ok=True)
            write_json(kept, asdict(end))
    print(f"{end.state}: {end.step or end.verdict or 'no step'}: {end.message or 'it came to its end'}")
    try:
        patiently(
            lambda: _write(tracking_uri, experiment, run_name, end),
            lambda error: isinstance(error, Unavailable),
            patience_s,
            say=lambda error, wait: print(f"{error}; again in {wait:.0f} s"),
            first_wait_s=min(5.0, patience_s / 4),
            longest_wait_s=60.0,
        )
    except Unavailable as error:
        error.next = "the end of the run is in its workspace alone; run it again when MLflow is there"
        raise
    return end.state


def end_of(folder: Path, said: Told) -> End:
    """How the run ended, from what Kubeflow tells and what its steps left in the folder.

    A state that is not an end (Kubeflow 2.16 tells RUNNING of a group with a loop in it) is settled by the folder: a
    step that failed or is half done means that the run failed.
    """
    verdict, failed, at_work = _last_verdict(folder), failures(folder), _half_done(folder)
    told_state = said.state.upper()
    state: State = BY_VERDICT.get(verdict.verdict if verdict else "", "finished")
    if told_state in CUT_OFF:
        state = "terminated"
    elif told_state in BADLY or (told_state not in WELL and (failed or at_work)):
        state = "failed"
    step, message = None, "; ".join(verdict.reasons) if verdict and state in BY_VERDICT.values() else None
    if state in MLFLOW_STATUS:
        step = failed[0].step if failed else at_work
        message = failed[0].message if failed else said.message or NO_WORDS
    text = without_password(message)[:MOST_CHARACTERS] if message else None
    return End(state, now(), said.run, said.link, step, text, verdict.verdict if verdict else None)


def _write(tracking_uri: str, experiment: str, run_name: str, end: End) -> None:
    """Into MLflow's run of that name, which is made where nothing was logged; what an earlier end left is removed."""
    named = run_name.translate({ord(quote): None for quote in "'\""})
    tags = {"ratchet.kubeflow_run": end.run, "ratchet.kubeflow_link": end.link, "ratchet.end": end.state}
    tags |= {"ratchet.end_at": end.at, "ratchet.end_step": end.step or "", "ratchet.end_message": end.message or ""}
    tags |= {"ratchet.end_verdict": end.verdict or ""}
    with opened(tracking_uri, experiment) as (client, experiment_id):
        run = run_of(client, experiment_id, named)
        for key, value in tags.items():
            if value:
                client.set_tag(run.info.run_id, key, value)
            elif key in run.data.tags:
                client.delete_tag(run.info.run_id, key)
        client.set_terminated(run.info.run_id, MLFLOW_STATUS.get(end.state, "FINISHED"))


def _last_verdict(folder: Path) -> Verdict | None:
    """The verdict that was reached last, None where there is none that can be read."""
    found = []
    for path in (*folder.glob(f"gate/{VERDICT_FILE}"), *folder.glob(f"*/gate/{VERDICT_FILE}")):
        with contextlib.suppress(InputError):  # a damaged verdict is no reason to leave the end unrecorded
            found.append(read_verdict(path))
    return max(found, key=lambda verdict: verdict.created, default=None)


def _half_done(folder: Path) -> str | None:
    """The step that was begun last and has not come to its end, by its name in the folder."""
    stamps = [path for pattern in ("*", "*/*") for path in folder.glob(f"{pattern}{PARTIAL}/{STAMP}")]
    last = max(stamps, key=lambda path: path.stat().st_mtime, default=None)
    return str(last.parent.relative_to(folder)).removesuffix(PARTIAL) if last else None
