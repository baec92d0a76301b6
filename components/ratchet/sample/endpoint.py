"""Requests to an OpenAI-compatible server: repeated while it is out of reach, its refusals given in its own words."""

import http.client
import json
import os
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from ratchet.errors import InputError
from ratchet.sample.engine import Endpoint

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
ANSWER_TIMEOUT_S = 900.0  # a request may wait in the server's queue for all those before it
OUT_OF_REACH = {429, 500, 502, 503, 504}


KEY = "OPENAI_API_KEY"


def endpoint_at(backend: str, base_url: str, model: str = "", at_once: int = 64) -> Endpoint | None:
    """The server of the back end `openai`, with the key in the environment (OPENAI_API_KEY); None for the others."""
    if (backend == "openai") != bool(base_url):
        found = f"an address, {base_url!r}, with the back end {backend}" if base_url else "no address"
        raise InputError(found, where="--base-url", expected="the server's for the back end openai, and for no other")
    return Endpoint(base_url, model or None, os.environ.get(KEY), at_once) if base_url else None


class Unreachable(Exception):
    """The server gave no answer this time; `lost` tells whether another server may answer next."""

    def __init__(self, reason: str, lost: bool) -> None:
        self.lost = lost
        super().__init__(reason)


class Client:
    """A server that many threads ask, each over a connection of its own that it keeps."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._address = urlsplit(endpoint.url.rstrip("/"))
        if self._address.scheme not in ("http", "https") or not self._address.hostname:
            raise InputError(f"the address {endpoint.url!r}", where="--base-url", expected="http(s)://host[:port]/v1")
        self._own = threading.local()
        self._lost = threading.Event()
        self._closed = threading.Event()

    def suspect(self) -> bool:
        """Whether a connection was lost since the last call."""
        lost = self._lost.is_set()
        self._lost.clear()
        return lost

    def close(self) -> None:
        """End the waiting of all threads."""
        self._closed.set()

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to a GET, or to a POST of `body`; asked again, ever more slowly, while there is none."""
        begun, wait = time.monotonic(), FIRST_WAIT_S
        while True:
            try:
                return self._once(path, body)
            except Unreachable as error:
                if error.lost:
                    self._lost.set()
                if time.monotonic() - begun + wait > self.endpoint.patience_s or self._closed.is_set():
                    raise InputError(
                        f"no answer for {time.monotonic() - begun:.0f} s ({error})",
                        where=self.endpoint.url,
                        expected="an OpenAI-compatible server",
                        next="start it again; the same command then draws what is missing",
                    ) from None
            self._closed.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    def _once(self, path: str, body: dict[str, Any] | None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.endpoint.key:
            headers["Authorization"] = f"Bearer {self.endpoint.key}"
        connection = self._connection()
        try:
            content = json.dumps(body).encode() if body is not None else None
            connection.request("GET" if body is None else "POST", self._address.path + path, content, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{type(error).__name__}: {error}", lost=True) from None
        return self._understood(response.status, text)

    def _understood(self, status: int, text: bytes) -> Any:
        said = " ".join(text.decode("utf-8", "replace").split())[:300]
        if status in OUT_OF_REACH:
            raise Unreachable(f"HTTP {status}: {said}", lost=status != 429)
        if status != 200:
            expected = "HTTP 200" if status not in (401, 403) else "a key that it accepts, in OPENAI_API_KEY"
            raise InputError(f"HTTP {status}: {said}", where=self.endpoint.url, expected=expected)
        try:
            return json.loads(text)
        except ValueError:
            raise InputError(
                f"not JSON: {said}", where=self.endpoint.url, expected="an OpenAI-compatible server"
            ) from None

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
            found = kind(self._address.hostname or "", self._address.port, timeout=ANSWER_TIMEOUT_S)
            self._own.connection = found
        return found
