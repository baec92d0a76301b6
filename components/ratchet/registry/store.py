"""An MLflow tracking store, opened so that two steps may do it at once and nothing is reported to anyone."""

import fcntl
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


@contextmanager
def opened(tracking_uri: str, experiment: str) -> Iterator[tuple["MlflowClient", str]]:
    """A client and the id of the experiment, which is created where there is none.

    An SQLite database is locked meanwhile: MLflow creates and migrates its tables when it opens one, which two
    processes cannot do at once.
    """
    database = _database(tracking_uri)
    with _locked(database):
        client, found = _client_and_experiment(tracking_uri, experiment, database)
        yield client, str(found.experiment_id)


def _client_and_experiment(tracking_uri: str, name: str, database: Path | None) -> tuple["MlflowClient", "Experiment"]:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)  # a new database reports every migration
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        found = client.get_experiment_by_name(name) or _created(client, name, database)
    except (MlflowException, SQLAlchemyError) as error:
        message = " ".join(str(error).split())[:200]
        raise InputError(
            f"MLflow can't be used ({message})",
            where=_without_password(tracking_uri),
            expected="an MLflow tracking URI",
        ) from error
    if found.lifecycle_stage != "active":
        raise InputError(
            f"experiment {name!r} is deleted",
            where=_without_password(tracking_uri),
            expected="an active experiment",
            next="restore it in MLflow or name another one",
        )
    return client, found


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


def _without_password(tracking_uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//", tracking_uri)
