"""How tests reach a cluster and the cluster reaches this machine, and how they wait for it."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubernetes import client


@dataclass(frozen=True)
class Cluster:
    """Clients of the cluster's API."""

    core: client.CoreV1Api
    batch: client.BatchV1Api
    networking: client.NetworkingV1Api


def address(cluster: Cluster) -> str:
    """The address of this machine that the cluster's API server is reached from, and so that pods reach."""
    host = cluster.core.api_client.configuration.host.partition("//")[2].partition(":")[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 1))
        return str(probe.getsockname()[0])


def until(met: Callable[[], Any], limit_s: float, what: str) -> None:
    """Waits for it, with a limit."""
    deadline = time.monotonic() + limit_s
    while not met():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s:g} s for {what}")
        time.sleep(0.3)


def names(listed: Any) -> list[str]:
    """The names of what the API listed."""
    return [item.metadata.name for item in listed.items]
