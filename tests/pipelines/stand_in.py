"""A stand-in for the API server of Kubeflow Pipelines, which can't be installed here: its v2beta1 REST API on loopback.

It keeps pipelines, versions, experiments, runs and recurring runs, and answers as the server's own converter does (both
`mode` and `status` on a recurring run). `fail_after` cuts a client off in the middle.
"""

import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml


@dataclass
class Kubeflow:
    """What the stand-in holds, and what it is told to do wrong."""

    url: str = ""
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring: dict[str, dict[str, Any]] = field(default_factory=dict)
    live_at_once: int = 0
    """The most recurring runs of one name that were ever live at the same moment."""
    changes: int = 0
    fail_after: int | None = None
    """Answer 503 to every change after so many."""
    away: int = 0
    """Answer 503 to everything while this is not 0."""
    misread: bool = False
    """Keep another time than a new recurring run asks for."""
    token: str | None = None
    states: list[dict[str, Any]] = field(default_factory=list)
    """What a run says of itself at each look; the last one stays."""
    asked: list[str] = field(default_factory=list)
    """The places that were asked for, in order."""
    ids: Iterator[int] = field(default_factory=itertools.count)

    def new(self, kind: str) -> str:
        """A new identity."""
        return f"{kind}-{next(self.ids)}"

    def named(self, name: str) -> list[dict[str, Any]]:
        """The recurring runs of a name."""
        return [one for one in self.recurring.values() if one["display_name"] == name]

    def switch(self, id: str, live: bool) -> None:
        """Enable or disable a recurring run."""
        self.recurring[id] |= (
            {"mode": "ENABLE", "status": "ENABLED"} if live else {"mode": "DISABLE", "status": "DISABLED"}
        )
        name = self.recurring[id]["display_name"]
        self.live_at_once = max(self.live_at_once, sum(one["mode"] == "ENABLE" for one in self.named(name)))


@contextmanager
def serving(address: str = "127.0.0.1") -> Iterator[Kubeflow]:
    """The stand-in, listening on loopback unless pods must reach it."""
    state = Kubeflow()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer((address, 0), handler)
    state.url = f"http://{address}:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: Kubeflow

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state, url = self.state, urlsplit(self.path)
        if state.away:
            return self._send(503, {"error_message": "upstream is away"})
        if state.token is not None and self.headers.get("Authorization") != f"Bearer {state.token}":
            return self._send(401, {"error_message": "Unauthenticated"})
        if method != "GET":
            if state.fail_after is not None and state.changes >= state.fail_after:
                return self._send(503, {"error_message": "upstream is away"})
            state.changes += 1
        state.asked.append(f"{method} {url.path.removeprefix('/apis/v2beta1')}")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        place = url.path.removeprefix("/apis/v2beta1")
        for verb, pattern, do in _ROUTES:
            found = re.fullmatch(pattern, place)
            if verb == method and found:
                return self._send(*do(state, body, query, self.headers, *found.groups()))
        return self._send(404, {"error_message": f"no {method} {place}"})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _listing(items: list[dict[str, Any]], key: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """A page of a listing; pages hold two items, so that every client must turn them."""
    wanted = json.loads(query["filter"])["predicates"][0] if "filter" in query else None
    if wanted:
        text = wanted.get("string_value", wanted.get("stringValue"))
        items = [item for item in items if item["display_name"] == text]
    start = int(query.get("page_token") or 0)
    more = {"next_page_token": str(start + 2)} if start + 2 < len(items) else {}
    return 200, {key: items[start : start + 2], "total_size": len(items)} | more


def _upload(state: Kubeflow, body: bytes, query: dict[str, str], headers: Any, version: bool) -> tuple[int, Any]:
    message = message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    spec = next(yaml.safe_load_all(message.get_payload()[0].get_payload(decode=True)))
    pipeline = query.get("pipelineid") if version else state.new("pipeline")
    if not version:
        state.pipelines[pipeline] = {"pipeline_id": pipeline, "display_name": query["name"]}
    made = {"pipeline_id": pipeline, "pipeline_version_id": state.new("version"), "display_name": query["name"]}
    state.versions[made["pipeline_version_id"]] = made | {"pipeline_spec": spec}
    return 200, made if version else state.pipelines[pipeline]


def _experiment(state: Kubeflow, body: bytes, *_: Any) -> tuple[int, Any]:
    made = {"experiment_id": state.new("experiment"), **json.loads(body)}
    state.experiments[made["experiment_id"]] = made
    return 200, made


def _run(state: Kubeflow, body: bytes, *_: Any) -> tuple[int, Any]:
    made = {"run_id": state.new("run"), "state": "PENDING", **json.loads(body)}
    state.runs[made["run_id"]] = made
    return 200, made


def _look(state: Kubeflow, body: bytes, query: Any, headers: Any, run: str) -> tuple[int, Any]:
    if run not in state.runs:
        return 404, {"error_message": f"Run {run} not found"}
    if state.states:
        state.runs[run] |= state.states[0]
        del state.states[: len(state.states) > 1]
    return 200, state.runs[run]


def _recur(state: Kubeflow, body: bytes, *_: Any) -> tuple[int, Any]:
    asked = json.loads(body)
    if not 1 <= int(asked["max_concurrency"]) <= 10:
        return 400, {"error_message": "Max concurrency of a recurring run must be at least 1 and at most 10"}
    made = asked | {"recurring_run_id": state.new("recurring")}
    made |= {"trigger": {"cron_schedule": {"cron": "0 0 0 1 1 *"}}} if state.misread else {}
    state.recurring[made["recurring_run_id"]] = made
    state.switch(made["recurring_run_id"], asked["mode"] == "ENABLE")
    return 200, made


def _switch(state: Kubeflow, body: bytes, query: Any, headers: Any, id: str, verb: str) -> tuple[int, Any]:
    state.switch(id, verb == "enable")
    return 200, {}


def _one(things: dict[str, dict[str, Any]], id: str) -> tuple[int, Any]:
    return (200, things[id]) if id in things else (404, {"error_message": f"{id} not found"})


_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/healthz", lambda s, b, q, h: (200, {"multi_user": False})),
    ("GET", "/pipelines", lambda s, b, q, h: _listing(list(s.pipelines.values()), "pipelines", q)),
    ("POST", "/pipelines/upload", lambda s, b, q, h: _upload(s, b, q, h, version=False)),
    ("POST", "/pipelines/upload_version", lambda s, b, q, h: _upload(s, b, q, h, version=True)),
    (
        "GET",
        "/pipelines/([^/]+)/versions",
        lambda s, b, q, h, p: _listing(
            [v for v in s.versions.values() if v["pipeline_id"] == p], "pipeline_versions", q
        ),
    ),
    ("GET", "/pipelines/([^/]+)/versions/([^/]+)", lambda s, b, q, h, p, v: _one(s.versions, v)),
    ("GET", "/experiments", lambda s, b, q, h: _listing(list(s.experiments.values()), "experiments", q)),
    ("POST", "/experiments", _experiment),
    ("POST", "/runs", _run),
    ("GET", "/runs/([^/]+)", _look),
    ("GET", "/recurringruns", lambda s, b, q, h: _listing(list(s.recurring.values()), "recurringRuns", q)),
    ("POST", "/recurringruns", _recur),
    ("GET", "/recurringruns/([^/:]+)", lambda s, b, q, h, r: _one(s.recurring, r)),
    ("POST", "/recurringruns/([^/:]+):(enable|disable)", _switch),
    ("DELETE", "/recurringruns/([^/:]+)", lambda s, b, q, h, r: (200, s.recurring.pop(r) and {})),
]
