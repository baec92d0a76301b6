"""A room for promotions: checkpoints, profiles and signed verdicts, on SQLite and on real servers."""

import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet.evaluate.build import evaluate
from ratchet.evaluate.profile import PROFILE_FILE
from ratchet.gate.policy import policy_digest, read_policy
from ratchet.gate.signing import sign
from ratchet.gate.verdict import Reference, Verdict, write_verdict
from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt
from ratchet.storage import file_digest, write_records

POLICY = """version: 1
suites: {main: arithmetic}
evidence: {min_problems: 1, min_attempts: 1}
axes:
  pass@1: {tier: critical, max_drop: 0.05}
against: [champion]
"""


def beside(name: str) -> ModuleType:
    """The module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"registry_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Room:
    """Where a test makes checkpoints m1, m2, ... and what speaks for them."""

    folder: Path
    tracking_uri: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    name: str = "solver"
    experiment: str = "loop"

    def checkpoint(self, name: str) -> Path:
        """A checkpoint folder of that name, made at the first call, with a profile beside it."""
        path = self.folder / name
        if not path.exists():
            path.mkdir()
            (path / "model.safetensors").write_bytes(name.encode() * 100)
            (path / "config.json").write_text("{}")
            rows = [Attempt(p, "correct", suite="arithmetic", attempt=0) for p in ("a", "b")]
            attempts = self.folder / f"{name}.parquet"
            write_records(attempts, rows, Attempt, {"checkpoint": checkpoint_digest(path), "sampling": {"seed": 1}})
            evaluate([attempts], self.profile(name), name)
        return path

    def profile(self, name: str) -> Path:
        """The folder of the checkpoint's profile."""
        return self.folder / f"{name}-profile"

    def digest(self, name: str) -> str:
        """The checkpoint's digest."""
        return checkpoint_digest(self.checkpoint(name))

    @property
    def policy(self) -> Path:
        """The policy's file."""
        path = self.folder / "policy.yaml"
        if not path.exists():
            path.write_text(POLICY)
        return path

    def verdict(self, name: str, *against: str, key: Ed25519PrivateKey | None = None, **changed: Any) -> Path:
        """A signed verdict on the checkpoint, PROMOTE unless changed, compared with those named."""
        digest = self.digest(name)
        found = {f"r{i}" if i else "champion": other for i, other in enumerate(against)}
        profiles = {side: file_digest(self._profile_of(other)) for side, other in found.items()}
        stated: dict[str, Any] = {
            "verdict": "PROMOTE",
            "kind": "none",
            "reasons": ("It is within every margin.",),
            "axes": (),
            "references": {side: Reference(self.digest(other), profiles[side]) for side, other in found.items()},
            "policy_digest": policy_digest(read_policy(self.policy)),
            "profile_digests": {"candidate": file_digest(self._profile_of(name)), **profiles},
            "checkpoint_digest": digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        path = self.folder / f"{name}-verdict.json"
        write_verdict(path, sign(Verdict(**{**stated, **changed}), key or self.key))
        return path

    def _profile_of(self, name: str) -> Path:
        self.checkpoint(name)
        return self.profile(name) / PROFILE_FILE

    def log(self, name: str, **more: Any) -> str:
        """Log the checkpoint, once."""
        from ratchet.registry.log import log_checkpoint

        round_ = int(name.strip("m") or 0)
        where = (self.tracking_uri, self.experiment, "run")
        return log_checkpoint(*where, self.checkpoint(name), self.profile(name), round_, **more)

    def request(self, name: str, *against: str, **changed: Any) -> Any:
        """The promotion of a logged checkpoint under a verdict that compares it with those named."""
        from ratchet.registry.promotion import Request

        verdict = changed.pop("verdict", None) or self.verdict(name, *against)
        given = {"key": self.key, "keys": [self.key.public_key()]} | changed
        return Request(self.name, verdict, self.profile(name), self.checkpoint(name), self.policy, **given)

    def promote(self, name: str, *against: str, **changed: Any) -> Any:
        """Log and promote."""
        from ratchet.registry.promote import promote

        self.log(name)
        return promote(self.tracking_uri, self.experiment, self.request(name, *against, **changed))

    @property
    def client(self) -> Any:
        """MLflow as anybody has it."""
        import mlflow

        return mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    @property
    def registered(self) -> Any:
        """The registered model as the library has it."""
        from ratchet.registry.registered import Registered

        return Registered(self.client, self.tracking_uri, self.name)

    @property
    def aliases(self) -> dict[str, str]:
        """Where the aliases point to."""
        from ratchet.registry.registered import aliases

        return aliases(self.registered)

    def reconcile(self, *keys: Ed25519PrivateKey) -> Any:
        """Reconcile with the public halves of these keys, the room's own if none is given."""
        from ratchet.registry.reconcile import reconcile

        return reconcile(self.registered, [key.public_key() for key in keys or (self.key,)], "test")


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with MLflow's tables, which take seconds to create."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra `registry`")
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def room(tmp_path: Path, empty_sqlite: Path) -> Room:
    """A room on the embedded SQLite."""
    shutil.copyfile(empty_sqlite, tmp_path / "mlflow.db")
    return Room(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture(scope="session")
def servers() -> Iterator[Any]:
    """PostgreSQL, S3 and MLflow on both."""
    module = beside("servers")
    module.needed()
    folder = Path(tempfile.mkdtemp(prefix="ratchet-servers-"))
    folder.chmod(0o711)  # PostgreSQL runs as somebody else
    try:
        with module.running(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def proxies() -> ModuleType:
    """The proxy that makes bad days."""
    return beside("proxy")


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Room:
    """A room on the real servers (or on the one that RATCHET_TEST_MLFLOW names), with models of its own."""
    uri = os.environ.get("RATCHET_TEST_MLFLOW") or request.getfixturevalue("servers").tracking_uri
    name = f"{request.node.name[:80]}-{secrets.token_hex(4)}".replace("[", "-").replace("]", "")
    return Room(tmp_path, uri, name=name, experiment=name)
