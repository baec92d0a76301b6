"""The part of the Kubernetes API that follows a TrainJob, answered from memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from ratchet.train.follow import Api

NAMESPACE = "team"
JOBS = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{NAMESPACE}/trainjobs"
CORE = f"/api/v1/namespaces/{NAMESPACE}"


@dataclass
class Kube:
    """What the API holds, what it was asked, and what is still to come."""

    url: str = ""
    jobs: dict[str, Any] = field(default_factory=dict)
    pods: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    log: str = ""
    asked: list[str] = field(default_factory=list)
    statuses: list[str | None] = field(default_factory=list)
    """The condition that each further reading of a job finds true, the last one for good."""
    away: int = 0
    """So many requests are answered with 503."""

    def answer(self, verb: str, path: str, body: Any) -> tuple[int, Any]:
        """The code and the content of the answer."""
        if self.away:
            self.away -= 1
            return 503, {}
        url = urlsplit(path)
        name = url.path.removeprefix(JOBS).strip("/")
        if url.path.startswith(JOBS):
            return self._about_jobs(verb, name, body)
        if url.path == f"{CORE}/pods":
            (selector,) = parse_qs(url.query)["labelSelector"]
            return 200, {"items": self.pods if selector.startswith("jobset.sigs.k8s.io/jobset-name=") else []}
        if url.path == f"{CORE}/events":
            return 200, {"items": self.events}
        return (200, self.log) if url.path.endswith("/log") else (404, {})

    def _about_jobs(self, verb: str, name: str, body: Any) -> tuple[int, Any]:
        self.asked.append(verb)
        if verb == "POST":
            name = body["metadata"]["name"]
            if name in self.jobs:
                return 409, {"message": "already exists"}
            self.jobs[name] = body
            return 201, body
        if name not in self.jobs:
            return 404, {"message": "not found"}
        if verb == "DELETE":
            return 200, self.jobs.pop(name)
        found = self.statuses.pop(0) if len(self.statuses) > 1 else next(iter(self.statuses), None)
        conditions = [{"type": found, "status": "True", "message": "so it ended"}] if found else []
        return 200, {**self.jobs[name], "status": {"conditions": conditions}}


@contextmanager
def serving() -> Iterator[tuple[Kube, Api]]:
    """The stand-in, and a client of it."""
    kube = Kube()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            code, content = kube.answer(self.command, self.path, body)
            data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815  the names that the server looks for

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        kube.url = f"http://127.0.0.1:{server.server_port}"
        configuration = client.Configuration(host=kube.url)
        configuration.retries = False
        yield kube, Api(client.ApiClient(configuration), NAMESPACE)
    finally:
        server.shutdown()
        server.server_close()
