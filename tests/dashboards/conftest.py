"""A real registry with champions, an incident and a version that waits, and the dashboard on it."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ratchet import gate
from ratchet.evaluate.build import evaluate
from ratchet.gate.keys import public_pem
from ratchet.identity import checkpoint_digest
from ratchet.records import Attempt
from ratchet.storage import write_records

pytest.importorskip("starlette", reason="needs the extra `dashboard`")

SCRIPT = "<script>alert('x')</script>"
PROBLEMS, ATTEMPTS = 100, 4
# of the attempts at problem i, how many are right: m2 solves what m1 does and more, m3 loses every tenth problem
RIGHT = {"m1": lambda i: 2, "m2": lambda i: 3, "m3": lambda i: 0 if i % 10 == 0 else 4}
POLICY = f"""version: 1
suites: {{main: sums}}
evidence: {{min_problems: {PROBLEMS}, min_attempts: {ATTEMPTS}}}
axes:
  pass@1: {{tier: critical, max_drop: 0.05}}
  pass@4: {{tier: advisory, max_drop: 0.05}}
against: [champion]
"""
ADA, EVE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))


def module_at(path: Path) -> ModuleType:
    """The module in a file of a folder that is no package."""
    name = f"dashboards_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Loop:
    """Where checkpoints m1, m2, m3 are made, gated, logged and promoted."""

    folder: Path
    tracking_uri: str
    name: str = "solver"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public_key(self) -> Path:
        """The file of the key that verdicts and the ledger are signed with."""
        path = self.folder / "signing.pem.pub"
        path.write_text(public_pem(self.key.public_key()))
        return path

    @property
    def reviewers(self) -> Path:
        """The file of reviewers: ada alone."""
        path = self.folder / "reviewers.txt"
        path.write_text(f"ada {public_pem(ADA.public_key()).splitlines()[1]}\n")
        return path

    @property
    def client(self) -> Any:
        """MLflow as anybody has it."""
        import mlflow

        return mlflow.MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def make(self, name: str) -> Path:
        """The checkpoint and, beside it, its profile."""
        path = self.folder / name
        path.mkdir()
        (path / "model.safetensors").write_bytes(name.encode() * 100)
        (path / "config.json").write_text("{}")
        rows = [
            Attempt(
                f"p{i}",
                "correct" if n < RIGHT[name](i) else "incorrect",
                suite="sums",
                attempt=n,
                text=f"{name} says {i + n}: {SCRIPT}",
            )
            for i in range(PROBLEMS)
            for n in range(ATTEMPTS)
        ]
        header = {"checkpoint": checkpoint_digest(path), "sampling": {"seed": 1, "temperature": 1.0}}
        write_records(self.folder / f"{name}.parquet", rows, Attempt, header)
        evaluate([self.folder / f"{name}.parquet"], self.folder / f"{name}-profile", name)
        return path

    def promote(self, name: str, champion: str | None = None, **changed: Any) -> Any:
        """Make, gate, log and promote a checkpoint, against the champion named."""
        from ratchet.registry.log import log_checkpoint
        from ratchet.registry.promote import promote
        from ratchet.registry.promotion import Request

        policy, verdict = self.folder / "policy.yaml", self.folder / f"{name}.json"
        policy.write_text(POLICY)
        checkpoint, profile = self.make(name), self.folder / f"{name}-profile"
        references = {} if champion is None else {"champion": self.folder / f"{champion}-profile"}
        gate.gate(profile, references, policy, champion is None, verdict, key=self.key)
        log_checkpoint(self.tracking_uri, "loop", "run", checkpoint, profile, int(name[1:]), started_by="grace")
        keys = [self.key.public_key()]
        request = Request(self.name, verdict, profile, checkpoint, policy, self.key, keys, **changed)
        return promote(self.tracking_uri, "loop", request)

    def play(self) -> None:
        """Two champions, an incident that was put right, and m3 that waits, with two words on it."""
        from ratchet.registry.reconcile import reconcile
        from ratchet.registry.registered import Registered
        from ratchet.registry.review import ReviewRule
        from ratchet.registry.reviewing import review

        self.promote("m1")
        self.promote("m2", "m1")
        self.client.set_registered_model_alias(self.name, "champion", "1")
        reconcile(Registered(self.client, self.tracking_uri, self.name), [self.key.public_key()], "test")
        waits = self.promote("m3", "m2", review=ReviewRule((("ada", ADA.public_key()),)))
        assert (waits.result, waits.version) == ("waiting", "3"), waits
        for key, reason in ((ADA, f"read 40 of them {SCRIPT}"), (EVE, "said in her name")):
            review(self.tracking_uri, self.name, "3", "approve", "ada", reason, key)


@pytest.fixture(scope="session")
def registry_module() -> ModuleType:
    """The fixtures of the registry's tests, of which the proxy and the servers are used here too."""
    return module_at(Path(__file__).parents[1] / "registry" / "proxy.py")


@pytest.fixture(scope="session")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """The registry on SQLite, read by most tests; one that changes something puts it back."""
    pytest.importorskip("mlflow", reason="needs the extra `registry`")
    folder = tmp_path_factory.mktemp("loop")
    found = Loop(folder, f"sqlite:///{folder / 'mlflow.db'}")
    found.play()
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Any:
    """An empty cache."""
    from ratchet_dashboard.cache import Cache

    return Cache(tmp_path / "cache", 100 * 2**20)


@pytest.fixture
def get(loop: Loop, cache: Any) -> Iterator[Any]:
    """Ask the dashboard, which trusts the key that signed and knows ada."""
    from starlette.testclient import TestClient

    from ratchet_dashboard.app import make_app
    from ratchet_dashboard.origin import Origin

    app = make_app(Origin(loop.tracking_uri, (loop.public_key,), loop.reviewers), cache)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client.get
    shutil.rmtree(cache.folder, ignore_errors=True)
