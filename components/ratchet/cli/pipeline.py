"""`ratchet pipeline`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli.endpoint import account, endpoint, endpoint_options, experiment, package, parameter_file, parameters
from ratchet.cli.options import file, form
from ratchet.cli.schedule import schedule
from ratchet_pipelines.compile import NAMES

if TYPE_CHECKING:
    from ratchet_pipelines.endpoint import Endpoint

UNFINISHED_EXIT_CODE = 4


@click.group()
def pipeline() -> None:
    """Compile the pipelines, run them on a Kubeflow Pipelines endpoint, and schedule them.

    The endpoint is --host or KFP_HOST; without either the SDK looks for it in the cluster. One signs in with KFP_TOKEN
    or --token-file (read anew for every command), or with KFP_COOKIE.
    """


@pipeline.command(epilog="Example: ratchet pipeline compile self-improvement --rounds 4 --out self_improvement.yaml")
@click.argument("name", type=click.Choice(NAMES), default="self-improvement")
@click.option("--rounds", type=click.IntRange(1, 20), default=4, show_default=True, help="Rounds after M_1.")
@click.option("--registry", default="", help="Image registry that the cluster pulls the steps' images from.")
@click.option("--out", type=file, required=True, help="Pipeline YAML to write.")
def compile(name: str, rounds: int, registry: str, out: Path) -> None:
    """Write a pipeline as YAML for a Kubeflow Pipelines endpoint.

    self-improvement trains a model on its own correct answers, round after round; evaluate-and-gate decides about a
    checkpoint from anywhere; scheduled-retraining is one round from the registry's champion on. --rounds is of
    self-improvement alone.
    """
    from ratchet_pipelines.compile import compile_pipeline

    click.echo(compile_pipeline(name, out, rounds, registry))


@pipeline.command(epilog="Example: ratchet pipeline upload --pipeline self_improvement.yaml")
@package
@form
@endpoint_options
def upload(package: Path, form: str, **where: Any) -> None:
    """Upload a pipeline where it has changed, and run nothing: it is then in the Kubeflow UI to be run from its form.

    A changed one becomes a new version; those that schedules run stay as they are.
    """
    from ratchet_pipelines.submit import send

    done = send(endpoint(**where), package)
    state = "uploaded" if done.new else "is there already"
    click.echo(json.dumps(asdict(done)) if form == "json" else f"version {done.version_name} {state}")


@pipeline.command(
    epilog="Example: ratchet pipeline submit --pipeline self_improvement.yaml --params run.yaml"
    " --param gate_policy=@policy.yaml --name first --wait"
)
@package
@parameter_file
@parameters
@click.option("--name", required=True, help="Name of the run.")
@experiment
@click.option("--pipeline-root", help="Where the run's artifacts go, such as s3://bucket/prefix.")
@account
@click.option("--wait/--no-wait", default=False, help="Follow the run to its end; the exit code is its verdict's.")
@click.option("--timeout", type=float, default=86400.0, show_default=True, help="Seconds to wait at most.")
@form
@endpoint_options
def submit(
    package: Path,
    parameter_file: Path | None,
    given: tuple[str, ...],
    name: str,
    experiment: str,
    pipeline_root: str | None,
    service_account: str | None,
    wait: bool,
    timeout: float,
    form: str,
    **where: Any,
) -> int:
    """Upload a pipeline where it has changed, run it, and with --wait follow it.

    Exit code with --wait: 0 PROMOTE, 1 BLOCK, 2 INCONCLUSIVE, 3 ERROR of the last gate; 4 where the run has not come to
    its end, or its verdict can't be read.
    """
    from ratchet_pipelines.parameters import read_parameters
    from ratchet_pipelines.submit import submit as send

    at = endpoint(**where)
    values = read_parameters(parameter_file, given)
    run = send(at, package, values, experiment, name, pipeline_root, service_account)
    if form == "json" and not wait:
        click.echo(json.dumps(asdict(run)))
    else:
        click.echo(f"run {run.run} of version {run.version_name}\n{run.link}", err=wait)
    return _followed(at, run.run, timeout, form) if wait else 0


@pipeline.command(epilog="Example: ratchet pipeline follow 3a58d61e-5a2c-4ff1-8b2e-0d4d1b3f0c55")
@click.argument("run")
@click.option("--timeout", type=float, default=86400.0, show_default=True, help="Seconds to wait at most.")
@form
@endpoint_options
def follow(run: str, timeout: float, form: str, **where: Any) -> int:
    """Wait for a run that was started, as `submit --wait` does."""
    return _followed(endpoint(**where), run, timeout, form)


def _followed(at: "Endpoint", run: str, timeout: float, form: str) -> int:
    """Follow the run and print its verdict; the exit code says which."""
    from ratchet_pipelines.follow import follow
    from ratchet_pipelines.verdicts import last_verdict

    ended = follow(at, run, timeout, say=lambda line: click.echo(line, err=True))
    verdict = last_verdict(ended.pipeline_root, run) if ended.state == "SUCCEEDED" else None
    if form == "json":
        click.echo(json.dumps({"run": run, "verdict": verdict and verdict.verdict, **asdict(ended)}))
    elif verdict is not None:
        click.echo(f"{verdict.verdict} ({verdict.kind})" if verdict.kind != "none" else verdict.verdict)
    else:
        step = f" at {ended.failed}: {ended.words}" if ended.failed else f": {ended.words}" if ended.words else ""
        click.echo(f"{ended.state}{step}")
    return verdict.exit_code if verdict is not None else UNFINISHED_EXIT_CODE


pipeline.add_command(schedule)
