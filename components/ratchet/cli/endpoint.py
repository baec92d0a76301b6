"""The options with which commands reach a Kubeflow Pipelines endpoint and name what they send to it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ratchet.cli.options import file

if TYPE_CHECKING:
    from ratchet_pipelines.endpoint import Endpoint

package = click.option("--pipeline", "package", type=file, required=True, help="Compiled pipeline (YAML).")
experiment = click.option("--experiment", default="ratchet", show_default=True, help="Experiment, made if need be.")
parameters = click.option("--param", "given", multiple=True, metavar="NAME=VALUE", help="NAME=@FILE: a file's text.")
parameter_file = click.option("--params", "parameter_file", type=file, help="YAML file of parameters.")
account = click.option("--service-account", help="Kubernetes service account of the pods.")


def endpoint_options(command: Any) -> Any:
    """Where the endpoint is and how one signs in."""
    options = (
        click.option(
            "--host", envvar="KFP_HOST", help="URL of the endpoint, such as https://kubeflow.example/pipeline."
        ),
        click.option("--namespace", envvar="KFP_NAMESPACE", help="Namespace, where the endpoint has several users."),
        click.option("--token-file", type=file, envvar="KFP_TOKEN_FILE", help="File with a bearer token."),
        click.option("--ca-cert", type=file, envvar="KFP_CA_CERT", help="Authority that signed its certificate."),
        click.option("--context", envvar="KFP_CONTEXT", help="Context of the kubeconfig, where there is no --host."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def endpoint(host: str | None, namespace: str | None, token_file: Path | None, **other: Any) -> "Endpoint":
    """The endpoint that the options and the environment name."""
    from ratchet_pipelines.endpoint import Endpoint

    token, cookie = os.environ.get("KFP_TOKEN"), os.environ.get("KFP_COOKIE")
    return Endpoint(host, namespace, token, token_file, cookie, **other)
