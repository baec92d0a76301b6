"""Where a version's files are read from: never from a host that only the version names."""

from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.registry.files import read_files, repository
from ratchet.registry.registered import Registered

MLFLOW = "http://mlflow.example:5000"


@pytest.mark.parametrize(
    ("source", "host"),
    [
        ("mlflow-artifacts://evil.example/x", "evil.example"),
        ("mlflow-artifacts://mlflow.example:5001/x", "mlflow.example:5001"),
        ("mlflow-artifacts://mlflow.example:5000@evil.example/x", "evil.example"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
        ("https://user:secret@evil.example/x", "evil.example"),
    ],
)
def test_another_host_than_mlflows_is_sent_nothing(source: str, host: str) -> None:
    with pytest.raises(InputError) as refused:
        repository(Registered(None, MLFLOW, "solver"), source)
    assert str(refused.value) == (
        f"a version in MLflow: its files lie at {host}; expected MLflow's own server, or a bucket; "
        "if that is MLflow too, reach MLflow by that name"
    )


@pytest.mark.parametrize("tracking_uri", [MLFLOW, "http://user:secret@MLflow.example:5000"])
@pytest.mark.parametrize(
    "source", ["mlflow-artifacts:/1/models/m-1/artifacts", "mlflow-artifacts://mlflow.example:5000/x", "s3://bucket/x"]
)
def test_mlflows_own_server_and_buckets_are_asked(tracking_uri: str, source: str) -> None:
    assert repository(Registered(None, tracking_uri, "solver"), source).artifact_uri.endswith(source[-2:])


def test_a_run_that_keeps_its_files_elsewhere_leads_nowhere(room: Any) -> None:
    experiment = room.client.create_experiment("elsewhere", artifact_location="https://evil.example/files")
    run = room.client.create_run(experiment).info.run_id
    with pytest.raises(InputError, match=r"its files lie at evil\.example;"):
        read_files(room.registered, f"runs:/{run}/model", "evidence", ("verdict.json",))
