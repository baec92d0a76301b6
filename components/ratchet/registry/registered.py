"""A registered model in MLflow as Ratchet uses it: versions, aliases, the ledger beside it, the files of a version.

What can't be read is an error here and never "not there": only MLflow's own word that something does not exist is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError
from ratchet.registry.backing import EvidenceFiles
from ratchet.registry.files import read_files
from ratchet.registry.ledger import LedgerEntry, Line, digest_of, entry_text, read_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER, ROLLBACK = "champion", "challenger", "rollback"
ENTRY_TAG, APPLIED_TAG = "ratchet.entry", "ratchet.applied"
EVIDENCE = "evidence"  # folder of a version's files that holds what its promotions rest on
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Registered:
    """One registered model of one MLflow."""

    client: "MlflowClient"
    tracking_uri: str
    name: str

    @property
    def ledger_name(self) -> str:
        """The registered model whose versions are the lines of the ledger."""
        return f"{self.name}.ledger"


@dataclass(frozen=True, slots=True)
class Version:
    """A version as MLflow has it: everything but `tags` stays what it was when the version was created."""

    number: str
    source: str
    run_id: str | None
    tags: dict[str, str]
    created_ms: int = 0  # since 1970


def require_name(name: str) -> str:
    """The name, refused where MLflow or a filter of MLflow's can't take it."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,199}", name) or name.endswith(".ledger"):
        raise InputError(f"model name {name!r}", expected="letters, digits, spaces, _ . - and no ending in .ledger")
    return name


def ensure_model(client: "MlflowClient", name: str, description: str) -> None:
    """Create the registered model where there is none."""
    from mlflow.exceptions import MlflowException

    if registered_model(client, name) is not None:
        return
    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def aliases(model: Registered) -> dict[str, str]:
    """The version of every alias; empty where there is no such model."""
    found = registered_model(model.client, model.name)
    return {} if found is None else {alias: str(version) for alias, version in found.aliases.items()}


def versions(client: "MlflowClient", name: str) -> list[Version]:
    """Every version, by number; empty where there is no such model."""
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return sorted((_version(version) for version in found), key=lambda version: int(version.number))


def _version(found: "ModelVersion") -> Version:
    """An SQLite database gives numbers where a server gives texts."""
    created_ms = int(found.creation_timestamp or 0)
    return Version(str(found.version), str(found.source), found.run_id or None, dict(found.tags), created_ms)


def set_alias(model: Registered, alias: str, version: str | None) -> None:
    """Point the alias at the version; None removes it."""

    def write() -> None:
        if version is None:
            model.client.delete_registered_model_alias(model.name, alias)
        else:
            model.client.set_registered_model_alias(model.name, alias, version)

    _written(write, lambda: aliases(model).get(alias) == version)


def set_tag(model: Registered, name: str, version: str, key: str, value: str) -> None:
    """Set a tag of a version of the registered model `name`."""

    def there() -> bool:
        return bool(model.client.get_model_version(name, version).tags.get(key) == value)

    _written(lambda: model.client.set_model_version_tag(name, version, key, value), there)


def set_model_tag(model: Registered, key: str, value: str) -> None:
    """Set a tag of the registered model itself."""

    def there() -> bool:
        return bool(model.client.get_registered_model(model.name).tags.get(key) == value)

    _written(lambda: model.client.set_registered_model_tag(model.name, key, value), there)


def _written(write: Callable[[], None], there: Callable[[], bool]) -> None:
    """Write what may be written by another process at the same time.

    MLflow looks before it inserts, so that of two who write the same thing one gets an error; what is `there` then is
    what was to be written, or the second try writes it.
    """
    from mlflow.exceptions import MlflowException

    try:
        write()
    except MlflowException:
        if not there():
            write()


def read_lines(model: Registered) -> list[Line]:
    """Every line of the ledger, those that count and those that came too late."""
    lines = [_line(version) for version in versions(model.client, model.ledger_name)]
    return [line for line in lines if line is not None]


def append(model: Registered, entry: LedgerEntry) -> str:
    """The digest that the entry was appended with, at the end; whether it counts, the chain says.

    MLflow writes the row and its tag in one transaction and gives every number once. Digest and predecessor are in
    the version's source, which MLflow lets nobody change.
    """
    ensure_model(model.client, model.ledger_name, f"The ledger of {model.name}; written by Ratchet alone.")
    text = entry_text(entry)
    digest = digest_of(text.encode())
    source = f"ratchet-ledger:/{digest}/after/{entry.after}"
    model.client.create_model_version(model.ledger_name, source, tags={ENTRY_TAG: text}, await_creation_for=0)
    return digest


def mark_applied(model: Registered, line: Line) -> None:
    """Note that the aliases are as the line says."""
    if not line.applied:
        set_tag(model, model.ledger_name, str(line.number), APPLIED_TAG, "true")


def _line(version: Version) -> Line | None:
    parts = re.fullmatch(r"ratchet-ledger:/(sha256:[0-9a-f]{64})/after/(sha256:[0-9a-f]{64}|start)", version.source)
    if parts is None:
        return None
    tags = version.tags
    return read_line(int(version.number), parts[1], parts[2], tags.get(ENTRY_TAG), APPLIED_TAG in tags)


def read_evidence(model: Registered, entry: LedgerEntry) -> EvidenceFiles:
    """What the entry rests on, read back; a file that the store says is not there is None."""
    if entry.source is None or entry.verdict_digest is None:
        return EvidenceFiles(None, None)
    folder = evidence_folder(entry.verdict_digest)
    found = read_files(model, entry.source, folder, ("verdict.json", "profile.json"))
    return EvidenceFiles(found["verdict.json"], found["profile.json"])


def evidence_folder(verdict_digest: str) -> str:
    """Where the files of a promotion by that verdict lie: a folder of their own, so that nothing is overwritten."""
    return f"{EVIDENCE}/{verdict_digest.removeprefix('sha256:')[:16]}"


def registered_model(client: "MlflowClient", name: str) -> Any:
    """The registered model as MLflow has it, None where it says that there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
