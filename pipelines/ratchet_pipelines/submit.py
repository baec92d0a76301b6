"""Send a pipeline to an endpoint: uploaded as a new version where it changed, run by name, followed to its end."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet import __version__
from ratchet.storage import read_bytes
from ratchet_pipelines.endpoint import Endpoint, connected, quietly
from ratchet_pipelines.parameters import checked, pipeline_spec

if TYPE_CHECKING:
    from kfp import Client


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A version of a pipeline on the endpoint."""

    pipeline: str
    version: str
    version_name: str
    new: bool


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that was started."""

    run: str
    name: str
    link: str
    version_name: str


def submit(
    endpoint: Endpoint,
    package: Path,
    parameters: Mapping[str, Any],
    experiment: str,
    run_name: str,
    pipeline_root: str | None = None,
    service_account: str | None = None,
) -> Submitted:
    """The run of the compiled pipeline `package`, after its parameters were checked and its version was uploaded."""
    spec = pipeline_spec(package)
    typed = checked(spec, parameters, where=spec["pipelineInfo"]["name"])
    with connected(endpoint) as client:
        uploaded = upload(client, package, endpoint.namespace)
        run = quietly(
            lambda: client.run_pipeline(
                experiment_id=experiment_id(client, experiment, endpoint.namespace),
                job_name=run_name,
                params=typed,
                pipeline_id=uploaded.pipeline,
                version_id=uploaded.version,
                pipeline_root=pipeline_root,
                service_account=service_account,
            )
        )
        return Submitted(
            run.run_id, run_name, f"{endpoint.host or ''}/#/runs/details/{run.run_id}", uploaded.version_name
        )


def send(endpoint: Endpoint, package: Path) -> Uploaded:
    """The version of the compiled pipeline on the endpoint, uploaded where it is not there; nothing is run."""
    pipeline_spec(package)
    with connected(endpoint) as client:
        return upload(client, package, endpoint.namespace)


def upload(client: "Client", package: Path, namespace: str | None) -> Uploaded:
    """The version with this very content: the one that is there, or a new one of the pipeline of that name.

    Its name is the version of the package with the start of the content's digest, so that uploading the same pipeline
    twice changes nothing and a changed one never replaces what a schedule runs.
    """
    name = pipeline_spec(package)["pipelineInfo"]["name"]
    version_name = f"{__version__}-{hashlib.sha256(read_bytes(package)).hexdigest()[:12]}"
    pipeline = client.get_pipeline_id(name)
    if pipeline is None:
        pipeline = quietly(
            lambda: client.upload_pipeline(str(package), pipeline_name=name, namespace=namespace)
        ).pipeline_id
    for version in pages(lambda token: client.list_pipeline_versions(pipeline, page_token=token), "pipeline_versions"):
        if version.display_name == version_name:
            return Uploaded(pipeline, version.pipeline_version_id, version_name, new=False)
    made = quietly(lambda: client.upload_pipeline_version(str(package), version_name, pipeline_id=pipeline))
    return Uploaded(pipeline, made.pipeline_version_id, version_name, new=True)


def experiment_id(client: "Client", name: str, namespace: str | None) -> str:
    """The id of the experiment of that name, which is created where there is none."""
    return str(quietly(lambda: client.create_experiment(name, namespace=namespace)).experiment_id)


def pages(fetch: Callable[[str], Any], items: str) -> Iterator[Any]:
    """The items of all pages of a listing."""
    token = ""
    while True:
        page = fetch(token)
        yield from getattr(page, items) or []
        token = page.next_page_token or ""
        if not token:
            return
