"""Carries the objects of s3:// addresses into /s3, or what a step made from there to the store; runs inside a pod."""

import sys
from pathlib import Path
from typing import Any

import boto3


def fetch(s3: Any, uri: str) -> None:
    """The object, or all objects of the folder, into /s3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    for one in keys:
        if one == key or one.startswith(f"{key}/"):
            path = Path("/s3", bucket, one)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, one, str(path))


def store(s3: Any, uri: str) -> None:
    """What is at the address's place under /s3, a file or a folder, to the store."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    root = Path("/s3", bucket, key)
    for path in [root] if root.is_file() else sorted(one for one in root.rglob("*") if one.is_file()):
        s3.upload_file(str(path), bucket, str(path.relative_to(Path("/s3", bucket))))


if __name__ == "__main__":
    client = boto3.client("s3")
    verb, *uris = sys.argv[1:]
    if verb == "store":
        place, *uris = uris
        bucket, _, key = place.removeprefix("s3://").partition("/")
        client.upload_file("/tmp/kfp/output_metadata.json", bucket, f"{key}/output_metadata.json")
    for uri in uris:
        {"fetch": fetch, "store": store}[verb](client, uri)
