"""Files in an object store (S3): put, get, list and remove, each tried again while the store is out of reach.

The endpoint, the keys and the region are what boto3 reads from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION).
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ratchet.errors import InputError
from ratchet.patience import patiently

T = TypeVar("T")

PATIENCE_S = 300.0
PIECE_BYTES = 16 * 2**20  # a larger file goes up in pieces of this size, several at a time
OUT_OF_REACH = {429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and what the names of its objects begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        """The place as it is written: `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}"

    def key(self, name: str) -> str:
        """The name of the object `name` of this place within the bucket."""
        return f"{self.prefix}/{name}"


def is_object_url(text: str) -> bool:
    """Whether a text names a place in an object store."""
    return text.startswith("s3://")


def read_place(url: str) -> Place:
    """The place that `s3://bucket/prefix` names."""
    parts = urlsplit(url)
    place = Place(parts.netloc, parts.path.strip("/"))
    if parts.scheme != "s3" or not place.bucket or not place.prefix:
        raise InputError(f"the address {url!r}", expected="s3://bucket/prefix")
    return place


def put_file(place: Place, name: str, path: Path, patience_s: float = PATIENCE_S) -> None:
    """Store the file as the object `name`, which is there whole or not at all."""
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(multipart_threshold=PIECE_BYTES, multipart_chunksize=PIECE_BYTES)
    _patiently(
        lambda client: client.upload_file(str(path), place.bucket, place.key(name), Config=config), place, patience_s
    )


def get_file(place: Place, name: str, path: Path, patience_s: float = PATIENCE_S) -> None:
    """Write the object `name` to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _patiently(lambda client: client.download_file(place.bucket, place.key(name), str(path)), place, patience_s)


def list_names(place: Place, patience_s: float = PATIENCE_S) -> list[str]:
    """The names of the objects of a place, in order."""

    def listed(client: Any) -> list[str]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key(""))
        return [entry["Key"].removeprefix(place.key("")) for page in pages for entry in page.get("Contents", [])]

    return sorted(_patiently(listed, place, patience_s))


def remove_object(place: Place, name: str, patience_s: float = PATIENCE_S) -> None:
    """Remove the object `name`; it may be gone already."""
    _patiently(lambda client: client.delete_object(Bucket=place.bucket, Key=place.key(name)), place, patience_s)


def _patiently(action: Callable[[Any], T], place: Place, patience_s: float) -> T:
    """What the action gives, tried again ever more slowly for as long as the store is out of reach."""
    client, begun = _client(), time.monotonic()
    try:
        return patiently(lambda: action(client), _is_passing, patience_s)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if not _is_passing(error):
            expected = "a bucket that the keys in the environment may read and write"
            raise InputError(reason, where=str(place), expected=expected) from None
        found = f"no answer for {time.monotonic() - begun:.0f} s ({reason})"
        next_step = "start it again; the same command then goes on"
        raise InputError(found, where=str(place), expected="an object store", next=next_step) from None


def _is_passing(error: Exception) -> bool:
    """Whether the store was out of reach, and not the request wrong. A transfer wraps what stopped it."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions

    if isinstance(error, Boto3Error) and isinstance(error.__context__, Exception):
        return _is_passing(error.__context__)
    if isinstance(error, exceptions.ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in OUT_OF_REACH
    broken = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
    return isinstance(error, (*broken, ConnectionError, TimeoutError))


def _client() -> Any:
    said = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    try:
        from botocore.config import Config

        session = _session(said)
    except ImportError:
        raise InputError("boto3 is not installed", expected="the extra `s3`, for s3:// addresses") from None
    # One attempt: trying again is done here, where it has a limit in seconds. The checksums are those of every store.
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=60,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", config=config)


@cache
def _session(environment: tuple[tuple[str, str], ...]) -> Any:
    """One session for what the environment says; it takes thirty times as long to make as a client.

    The session that boto3 shares keeps the keys that it saw first.
    """
    import boto3

    return boto3.session.Session()
