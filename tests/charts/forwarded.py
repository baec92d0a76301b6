"""A service of the cluster on a port of this machine, as its users reach it: `kubectl port-forward`."""

import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """The URL at which the service's port is reached while the block runs."""
    found = shutil.which("kubectl") or pytest.skip("needs kubectl on the PATH")
    command = [found, "port-forward", "-n", namespace, f"service/{service}", f":{port}"]
    forwarding = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert forwarding.stdout is not None
        said = forwarding.stdout.readline()  # Forwarding from 127.0.0.1:40001 -> 8090
        local = re.search(r":(\d+) -> ", said)
        assert local is not None, said
        yield f"http://127.0.0.1:{local[1]}"
    finally:
        forwarding.terminate()
        forwarding.wait(30)


def answer(url: str) -> tuple[int, str]:
    """The status and the text that the URL answers with."""
    try:
        with urllib.request.urlopen(url, timeout=60) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
