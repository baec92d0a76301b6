"""A whole run on this machine: the same pipeline, its steps as processes (kfp.local), MLflow in an SQLite file.

Every step keeps its result in the run's workspace under a name of its own, so a run that was killed goes on where it
was when it is started again.
"""

import builtins
import contextlib
import io
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ratchet.config import load_yaml
from ratchet.errors import InputError
from ratchet.gate.policy import read_policy
from ratchet.gate.verdict import Verdict, read_verdict
from ratchet.identity import require_checkpoint
from ratchet.progress import PROGRESS_FILE
from ratchet.quickstart.problems import generate
from ratchet.records import Problem
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_bytes, read_records, write_records, write_text
from ratchet_pipelines.run_config import BaseCheckpoint, GeneratedProblems, RunConfig, UntrainedModel

LOG_FILE = "run.log"
PROBLEMS_FILE = "problems.parquet"
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class RoundResult:
    """What came of one round."""

    number: int
    folder: Path
    verdict: Verdict

    @property
    def profile(self) -> Path:
        """The round's profile folder."""
        return self.folder / "evaluate"


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run and what is where in it."""

    root: Path

    @property
    def workspace(self) -> Path:
        """Results of steps, by round and step."""
        return self.root / "workspace"

    @property
    def tracking_uri(self) -> str:
        """The MLflow database of a run that names no server."""
        return f"sqlite:///{(self.root / 'mlflow.db').absolute()}"

    def rounds(self) -> list[RoundResult]:
        """The rounds that have a verdict, in order."""
        found = [(int(path.parent.parent.name.partition("-")[2]), path) for path in self._verdicts()]
        return [RoundResult(number, path.parent.parent, read_verdict(path)) for number, path in sorted(found)]

    def _verdicts(self) -> Iterator[Path]:
        return self.workspace.glob("round-*/gate/verdict.json")


def run_locally(config_path: Path, root: Path, seed: int | None = None) -> list[RoundResult]:
    """The rounds of the run that the configuration describes, started or gone on with in the folder `root`."""
    config = load_yaml(config_path, RunConfig)
    config = config if seed is None else config.model_copy(update={"seed": seed})
    policy_path = config_path.parent / config.policy
    read_policy(policy_path)
    policy = read_bytes(policy_path).decode()
    folder = RunFolder(root.absolute())
    beside = config_path.parent
    problems, made_from = _problems(config, beside)
    if isinstance(config.model, BaseCheckpoint):
        require_checkpoint(beside / config.model.path)
    # All that a user may have to mend has been read; from here on the run's folder is written.
    _keep_config(config, policy, folder)
    kept = folder.workspace / "problems"
    run_step(kept, made_from, lambda partial: write_records(partial / PROBLEMS_FILE, problems, Problem))
    model = _base_model(config, beside, kept / PROBLEMS_FILE, folder)
    _run_pipeline(config, folder, _arguments(config, policy, folder, kept / PROBLEMS_FILE, model))
    rounds = folder.rounds()
    write_text(folder.root / REPORT_FILE, (rounds[-1].folder / "gate" / REPORT_FILE).read_text(encoding="utf-8"))
    return rounds


def _keep_config(config: RunConfig, policy: str, folder: RunFolder) -> None:
    """Write the resolved configuration beside the results; a folder of a run with another one is refused."""
    text = yaml.safe_dump({**config.model_dump(mode="json"), "policy": policy}, sort_keys=False)
    kept = folder.root / "config.yaml"
    if kept.exists() and kept.read_text() != text:
        raise InputError(
            "a run with another configuration",
            where=folder.root,
            expected="a new folder, or the one of this very configuration",
            next="choose another --out or remove the folder",
        )
    write_text(kept, text)


def _problems(config: RunConfig, beside: Path) -> tuple[list[Problem], dict[str, Any]]:
    """The problems of the run, generated or read, and what they were made from."""
    wanted = config.problems
    if isinstance(wanted, GeneratedProblems):
        made_from = wanted.model_dump() | {"seed": config.seed}
        return list(generate(config.seed, wanted.train, wanted.eval, wanted.ood)), made_from
    path = beside / wanted.path
    problems = read_records(path, Problem)
    if not problems:
        raise InputError("no problem", where=path, expected="problems of splits train and eval")
    return problems, {"digest": file_digest(path)}


def _base_model(config: RunConfig, beside: Path, problems: Path, folder: RunFolder) -> Path:
    """The base checkpoint: the one that the configuration names, or the quickstart's, made here."""
    from ratchet.quickstart.model import make_model

    if isinstance(config.model, UntrainedModel):
        return make_model(problems, folder.workspace / "base-model", config.seed)
    return (beside / config.model.path).absolute()


def _arguments(config: RunConfig, policy: str, folder: RunFolder, problems: Path, model: Path) -> dict[str, Any]:
    """The pipeline's parameters."""
    return {
        "data_problems": str(problems),
        "model_base": str(model),
        "gate_policy": policy,
        "run_workspace": str(folder.workspace),
        "run_name": config.name,
        "run_seed": config.seed,
        "mlflow_tracking_uri": config.mlflow.tracking_uri or folder.tracking_uri,
        "mlflow_experiment": config.mlflow.experiment,
        "first_epochs": config.first.epochs,
        "first_learning_rate": config.first.learning_rate,
        "train_epochs": config.train.epochs,
        "train_learning_rate": config.train.learning_rate,
        "train_batch_size": config.train.batch_size,
        "train_max_length": config.train.max_length,
        "sample_problems": config.sample.problems,
        "sample_attempts": config.sample.attempts,
        "sample_temperature": config.sample.temperature,
        "sample_top_p": config.sample.top_p,
        "sample_max_new_tokens": config.sample.max_new_tokens,
        "sample_backend": "transformers",
        "sample_pods": config.sample.pods,
        "select_per_problem": config.sample.keep_per_problem,
        "evaluate_attempts": config.evaluate.attempts,
        "evaluate_temperature": config.evaluate.temperature,
    }


def _run_pipeline(config: RunConfig, folder: RunFolder, arguments: Mapping[str, Any]) -> None:
    """Run the pipeline with kfp.local, its output in run.log; a step's user error is raised as such."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import local
        from rich.console import Console

        from ratchet_pipelines.display import shown
        from ratchet_pipelines.self_improvement import self_improvement

        shutil.rmtree(folder.root / "kfp", ignore_errors=True)  # hard links into the workspace, made anew in each start
        local.init(
            runner=local.SubprocessRunner(use_venv=False),
            pipeline_root=str(folder.root / "kfp"),
            raise_on_error=True,
        )
        log = folder.root / LOG_FILE
        start = log.stat().st_size if log.exists() else 0
        try:
            console = Console(file=sys.stderr)  # the terminal itself, not what sys.stderr is while steps run
            watched = shown(folder.workspace, folder.root / "progress.json", config.rounds, console)
            with watched, log.open("a") as stream, _quiet_steps(stream, folder):
                without_retries(self_improvement(config.rounds))(**arguments)
        except RuntimeError as error:
            raise _explained(log, start, error) from error


def without_retries(pipeline: Any) -> Any:
    """The pipeline, changed so that a step that fails ends the run at once.

    Retries are for what a cluster does to pods. kfp.local would retry a step that failed by itself, minutes later.
    """
    spec = pipeline.pipeline_spec
    for component in (spec.root, *spec.components.values()):
        for task in component.dag.tasks.values():
            task.ClearField("retry_policy")
    return pipeline


@contextlib.contextmanager
def _quiet_steps(stream: io.TextIOBase, folder: RunFolder) -> Iterator[None]:
    """Send what kfp and the steps print to `stream`, and tell the steps where to write how far they are."""
    import logging

    os.environ[PROGRESS_FILE] = str(folder.root / "progress.json")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # threads that spin for long make a machine with other work crawl
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    printing = builtins.print  # kfp exchanges it while a step runs; steps that run at once give it back in any order
    try:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            yield
    finally:
        builtins.print = printing
        root.handlers = before
        del os.environ[PROGRESS_FILE]


def _explained(log: Path, start: int, error: RuntimeError) -> Exception:
    """The user error that ended the failing step, read from its traceback; otherwise one that points to the log.

    The step that records the end runs after the one that failed: its own errors count where there are no others.
    """
    with log.open(errors="replace") as stream:
        stream.seek(start)
        steps, _, end = stream.read().partition("'record-end'")
    found = re.compile(r"^[ \t]*ratchet\.(?:errors\.InputError|registry\.store\.Unavailable): (.+)$", re.MULTILINE)
    lines = found.findall(steps) or found.findall(end)
    if lines:
        return InputError(lines[-1], next=f"the log is {log}")
    return RuntimeError(f"{error} Its log is {log}.")
