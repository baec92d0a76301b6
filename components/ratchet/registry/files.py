"""The files of a version in MLflow's store: put there, read back whole, or fetched as far as they are not too large."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from ratchet.errors import InputError

if TYPE_CHECKING:
    from ratchet.registry.registered import Registered


def put_files(model: "Registered", source: str, folder: str, files: Mapping[str, bytes]) -> None:
    """Store the files in a folder of the version's files."""
    store = repository(model, source)
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch, name)
            path.write_bytes(content)
            store.log_artifact(str(path), folder or None)


def read_files(model: "Registered", source: str, folder: str, names: tuple[str, ...]) -> dict[str, bytes | None]:
    """The contents of the named files of a folder; None for what a listing of the folder does not name."""
    with tempfile.TemporaryDirectory() as scratch:
        found = fetch_files(model, source, folder, dict.fromkeys(names), Path(scratch))
        return {name: path.read_bytes() if path else None for name, path in found.items()}


def fetch_files(
    model: "Registered", source: str, folder: str, largest: Mapping[str, int | None], out: Path
) -> dict[str, Path | None]:
    """Where each named file of a folder was downloaded to; None for what a listing of the folder does not name.

    A file of more bytes than `largest` gives it is refused: by its size in the listing, before it is downloaded, and
    again by what arrived.
    """
    store = repository(model, source)
    there = {Path(info.path).name: info.file_size or 0 for info in store.list_artifacts(folder or None)}
    found: dict[str, Path | None] = dict.fromkeys(largest)
    for name in (name for name in largest if name in there):
        _require_size(name, there[name], largest[name])
        found[name] = path = Path(store.download_artifacts(f"{folder}/{name}".lstrip("/"), str(out)))
        _require_size(name, path.stat().st_size, largest[name])
    return found


def _require_size(name: str, size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise InputError(f"{size:,} bytes", where=name, expected=f"{most:,} at most")


def repository(model: "Registered", source: str) -> Any:
    """The store of a version's files, as MLflow opens it."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    _require_mounted(source)
    store = get_artifact_repository(source, tracking_uri=model.tracking_uri)
    _require_own_host(store, model.tracking_uri)
    return store


def _require_own_host(store: Any, tracking_uri: str) -> None:
    """Refuse files that are asked of another host than MLflow's: its client would send that host our credentials.

    Whoever may register a version says where its files lie, outright or by naming a run (`runs:`) or a model.
    """
    while hasattr(store, "repo"):
        store = store.repo
    there, own = urlsplit(store.artifact_uri), urlsplit(tracking_uri)
    if there.scheme in ("http", "https") and _host(there) != _host(own):
        raise InputError(
            f"its files lie at {_host(there)}",
            where="a version in MLflow",
            expected="MLflow's own server, or a bucket",
            next="if that is MLflow too, reach MLflow by that name",
        )


def _host(url: SplitResult) -> str:
    return url.netloc.rpartition("@")[2].lower()


def _require_mounted(source: str) -> None:
    """A local folder of artifacts that is gone as a whole was not deleted file by file: a volume is missing."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    if is_local_uri(source):
        folder = Path(local_file_uri_to_path(source))
        if not folder.is_dir():
            raise InputError("no such folder", where=folder, expected="the files of a version", next="mount the volume")
