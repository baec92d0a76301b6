"""The verdict of a run of an endpoint, read from the artifacts of its gates in the object store.

Kubeflow's API shows the states of a run's steps but none of their outputs; artifacts lie under the pipeline root, in a
folder named by the run.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from ratchet.errors import InputError
from ratchet.gate.step import VERDICT_FILE
from ratchet.gate.verdict import Verdict
from ratchet.storage import as_record

LARGEST_VERDICT = 2**24


def last_verdict(root: str | None, run: str) -> Verdict | None:
    """The verdict that the run's gates wrote last, None where they wrote none.

    The store is the one of AWS_ENDPOINT_URL and the usual AWS variables. A store that can't be read is an error, not a
    run without a verdict.
    """
    place = urlsplit(root or "")
    if place.scheme not in ("s3", "minio"):
        raise InputError(
            f"pipeline root {root!r}",
            where=f"run {run}",
            expected="s3://bucket/prefix, to read the verdict from",
            next="give --pipeline-root when you submit",
        )
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        store = boto3.client("s3")
        found = [_read(store, place.netloc, key) for key in _verdicts(store, place.netloc, place.path.strip("/"), run)]
    except (BotoCoreError, ClientError) as error:
        raise InputError(
            f"can't be read ({' '.join(str(error).split())[:160]})",
            where=str(root),
            expected="the run's artifacts",
            next="set AWS_ENDPOINT_URL and the AWS credentials of the store",
        ) from error
    return max(found, key=lambda verdict: verdict.created, default=None)


def _verdicts(store: Any, bucket: str, prefix: str, run: str) -> list[str]:
    """The keys of the run's verdict files."""
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [str(entry["Key"]) for page in pages for entry in page.get("Contents", [])]
    return [key for key in keys if f"/{run}/" in f"/{key}" and key.endswith(f"/{VERDICT_FILE}")]


def _read(store: Any, bucket: str, key: str) -> Verdict:
    body = store.get_object(Bucket=bucket, Key=key)["Body"].read(LARGEST_VERDICT)
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    return as_record(value, Verdict, f"s3://{bucket}/{key}", "a verdict that `ratchet gate` wrote")
