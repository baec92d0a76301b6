"""An MLflow tracking store, opened so that two steps may do it at once and nothing is reported to anyone."""

import fcntl
import importlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

SQLITE = "sqlite:///"
ARTIFACTS = "mlartifacts"  # folder of artifacts beside an SQLite database
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",  # about a minute; MLflow's own would be more than four
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}


class Unavailable(InputError):
    """MLflow does not answer, or not as it should: the same call may go through later."""


@contextmanager
def opened(tracking_uri: str, experiment: str) -> Iterator[tuple["MlflowClient", str]]:
    """A client and the id of the experiment, which is created where there is none; see `connected`."""
    with connected(tracking_uri) as client:
        found = client.get_experiment_by_name(experiment) or _created(client, experiment, _database(tracking_uri))
        if found.lifecycle_stage != "active":
            raise InputError(
                f"experiment {experiment!r} is deleted",
                where=without_password(tracking_uri),
                expected="an active experiment",
                next="restore it in MLflow or name another one",
            )
        yield client, str(found.experiment_id)


@contextmanager
def connected(tracking_uri: str) -> Iterator["MlflowClient"]:
    """A client; what MLflow or its store refuse, or do not answer, becomes an InputError.

    An SQLite database is locked meanwhile: MLflow creates and migrates its tables when it opens one, which two
    processes cannot do at once.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for logger in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(logger).setLevel(logging.ERROR)  # a new database reports every migration
    with _locked(_database(tracking_uri)):
        try:
            yield MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        except failures() as error:
            raise Unavailable(
                f"MLflow can't be used ({_said(error)})",
                where=without_password(tracking_uri),
                expected="an MLflow that answers",
                next="look at its log; the same command goes on where this one was",
            ) from error


def failures() -> tuple[type[Exception], ...]:
    """What MLflow, its database and its store of artifacts raise where they refuse or do not answer."""
    from mlflow.exceptions import MlflowException

    database = _errors("sqlalchemy.exc", "SQLAlchemyError")  # mlflow-skinny comes without it
    store = _errors("botocore.exceptions", "BotoCoreError", "ClientError")  # of artifacts that MLflow hands not through
    return (MlflowException, OSError, *database, *store)


def _errors(module: str, *names: str) -> tuple[type[Exception], ...]:
    """The errors of those names; none where there is no such module."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        return ()
    return tuple(getattr(found, name) for name in names)


def _said(error: Exception) -> str:
    return without_password(" ".join(str(error).split()))[:300]


def _created(client: "MlflowClient", name: str, database: Path | None) -> "Experiment":
    """The new experiment, or the one that another process has created in the meantime."""
    from mlflow.exceptions import MlflowException

    location = (database.parent / ARTIFACTS).as_uri() if database else None
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        found = client.get_experiment_by_name(name)
        if error.error_code == "RESOURCE_ALREADY_EXISTS" and found is not None:
            return found
        raise


def _database(tracking_uri: str) -> Path | None:
    """The file of an SQLite URI, None for a server."""
    if not tracking_uri.startswith(SQLITE):
        return None
    return Path(tracking_uri.removeprefix(SQLITE).partition("?")[0]).absolute()


@contextmanager
def _locked(database: Path | None) -> Iterator[None]:
    if database is None:
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def without_password(text: str) -> str:
    """The text without the user and password of the URLs in it."""
    return re.sub(r"//[^/@\s]*@", "//", text)
