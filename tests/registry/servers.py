"""Real servers on loopback: PostgreSQL, an S3 server and `mlflow server` on both; each is ended by its own process id.

Needs Debian's `postgresql` and the S3 server that the test cluster builds (`versitygw`). Where one is missing the tests
are skipped with the line that installs it; with RATCHET_TEST_SERVERS=required, as CI has it, they fail instead.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

ACCESS, SECRET, PASSWORD = "test-access", "test-secret-7f3a", "postgres-secret-91c2"
WEBHOOK_KEY = "M2JmYTA3YjFkMDQ0NGI2N2E4YjQ5NDQ0MjY1YjI0Njc="  # Fernet key that MLflow keeps webhook secrets with
BUCKET = "mlflow"
PATIENCE_S = 240.0  # a busy machine takes minutes to import MLflow


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing(said: str) -> NoReturn:
    """Skip the test or, where the servers are required, fail it."""
    if os.environ.get("RATCHET_TEST_SERVERS") == "required":
        pytest.fail(said)
    pytest.skip(said)


def needed() -> None:
    """Skip or fail where a Python package is missing."""
    for package, name in (("mlflow", "mlflow"), ("psycopg2", "psycopg2-binary"), ("boto3", "boto3")):
        if importlib.util.find_spec(package) is None:
            missing(f"{name} is needed: pip install {name}")


def program(name: str, line: str, *folders: Path) -> str:
    """The path of a program; where there is none the test is skipped or fails, with the line that installs it."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    if found is None:
        missing(f"{name} is needed: {line}")
    return found


@dataclass
class Server:
    """A program that can be stopped and started again on the same port with the same data."""

    command: list[str]
    port: int
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until its port answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                user=self.user,
                extra_groups=[] if self.user else None,
                cwd="/",
                start_new_session=True,
            )
        wait_for(self.port, self)

    def stop(self, kill: bool = False) -> None:
        """End it: asked for, or at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if kill:
                os.killpg(self.process.pid, 9)
            else:
                os.kill(self.process.pid, 2 if "postgres" in self.command[0] else 15)  # 2: fast shutdown
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait(20)
        self.process = None


def wait_for(port: int, server: Server) -> None:
    """Wait until something listens on the port."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.process is not None and server.process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{server.command[0]} does not answer:\n{server.log.read_text(errors='replace')[-3000:]}")


@dataclass
class Servers:
    """The three servers and how to reach MLflow."""

    postgres: Server
    s3: Server
    mlflow: Server
    folder: Path

    @property
    def tracking_uri(self) -> str:
        """The URL of MLflow."""
        return f"http://127.0.0.1:{self.mlflow.port}"


@contextlib.contextmanager
def running(folder: Path, before: Callable[[Servers], None] = lambda servers: None) -> Iterator[Servers]:
    """The servers, with their data in `folder`; `before` may change them before they are started."""
    postgres, s3 = _postgres(folder), _s3(folder)
    servers = Servers(postgres, s3, _mlflow(folder, postgres, s3), folder)
    before(servers)
    try:
        for server in (postgres, s3):
            server.start()
        _wait_for_postgres(postgres)
        _make_bucket(s3)
        servers.mlflow.start()
        yield servers
    finally:
        for server in (servers.mlflow, s3, postgres):
            server.stop()


def _postgres(folder: Path) -> Server:
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    line = "apt-get install -y postgresql"
    initdb, postgres = program("initdb", line, *newest), program("postgres", line, *newest)
    user = _other_user()
    home = folder / "postgres"
    home.mkdir()
    (home / "password").write_text(PASSWORD)
    if user is not None:
        shutil.chown(home, user)
        shutil.chown(home / "password", user)
    subprocess.run(
        [initdb, "-D", home / "data", "-U", "ratchet", "-A", "scram-sha-256", "--pwfile", home / "password", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        extra_groups=[] if user else None,
        cwd="/",
    )
    port = free_port()
    command = [postgres, "-D", f"{home}/data", "-p", str(port), "-k", str(home), "-c", "listen_addresses=127.0.0.1"]
    return Server([*command, "-c", "fsync=off"], port, folder / "postgres.log", user=user)


def _other_user() -> str | None:
    """Whom PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _wait_for_postgres(server: Server) -> None:
    import psycopg2

    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg2.connect(
                host="127.0.0.1", port=server.port, user="ratchet", password=PASSWORD, dbname="postgres"
            ).close()
            return
        except psycopg2.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _s3(folder: Path) -> Server:
    cache = Path(os.environ.get("TESTCLUSTER_CACHE", Path.home() / ".cache" / "testcluster"))
    versitygw = program("versitygw", "testcluster build", cache / "bin")
    (folder / "s3").mkdir()
    port = free_port()
    environment = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    return Server(
        [versitygw, "--port", f"127.0.0.1:{port}", "posix", f"{folder}/s3"], port, folder / "s3.log", environment
    )


def _make_bucket(server: Server) -> None:
    import boto3

    boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    ).create_bucket(Bucket=BUCKET)


def _mlflow(folder: Path, postgres: Server, s3: Server) -> Server:
    port = free_port()
    environment = {
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://ratchet:{PASSWORD}@127.0.0.1:{postgres.port}/postgres",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}",
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": WEBHOOK_KEY,
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_CACHE_TTL": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "OMP_NUM_THREADS": "1",
    }
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    words += ["--artifacts-destination", f"s3://{BUCKET}", "--serve-artifacts"]
    return Server([sys.executable, "-m", "mlflow", *words], port, folder / "mlflow.log", environment)
