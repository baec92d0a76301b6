"""MLflow's webhooks as a reason to look: a delivery is checked, and then only says that something has changed.

MLflow signs `DELIVERY_ID.TIMESTAMP.BODY` with HMAC-SHA256 under the webhook's secret. What a delivery says is not
used: the reconciler reads MLflow itself.
"""

import base64
import hashlib
import hmac
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ratchet.errors import InputError

SECRET_VARIABLE = "RATCHET_WEBHOOK_SECRET"  # the variable's name, not a secret
WINDOW_S = 300  # how old, or how far ahead of the clock here, a delivery may be
LARGEST = 2**20  # bytes of a body
SOCKET_TIMEOUT_S = 10


class Deliveries:
    """The deliveries that were taken, so that none is taken twice within the window."""

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}
        self._lock = threading.Lock()

    def fault(self, headers: Mapping[str, str], body: bytes, secret: bytes, now: float) -> str | None:
        """Why the delivery is not taken; None where it is, which is noted."""
        delivery = headers.get("X-MLflow-Delivery-Id", "")
        stamp = headers.get("X-MLflow-Timestamp", "")
        signed = f"{delivery}.{stamp}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        given = headers.get("X-MLflow-Signature", "")
        if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", errors="replace")):
            return "the signature does not hold"
        if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > WINDOW_S:
            return f"the delivery is not of the last {WINDOW_S} seconds"
        with self._lock:
            self._taken = {key: at for key, at in self._taken.items() if now - at <= 2 * WINDOW_S}
            if delivery in self._taken:
                return "the delivery was taken already"
            self._taken[delivery] = now
        return None


def webhook_secret(path: Path | None) -> bytes:
    """The secret in the file, else in `RATCHET_WEBHOOK_SECRET`; refused where there is none. It is never shown."""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InputError("the secret's file can't be read", where=path, expected="a file of text") from None
    else:
        text = os.environ.get(SECRET_VARIABLE, "")
    if not text.strip():
        raise InputError("no webhook secret", expected=f"--webhook-secret, or {SECRET_VARIABLE}")
    return text.strip().encode()


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"address {text!r}", expected="HOST:PORT")
    return host.strip("[]"), int(port)


@contextmanager
def listening(where: tuple[str, int], secret: bytes, changed: threading.Event) -> Iterator[int]:
    """The port of a server that sets `changed` at every delivery that is in order."""
    try:
        server = ThreadingHTTPServer(where, _handler(secret, changed))
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise InputError(found, where=f"{where[0]}:{where[1]}", expected="an address to listen on") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _handler(secret: bytes, changed: threading.Event) -> type[BaseHTTPRequestHandler]:
    deliveries = Deliveries()

    class Handler(BaseHTTPRequestHandler):
        timeout = SOCKET_TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LARGEST:
                self._answer(413)
                return
            body = self.rfile.read(int(length))
            fault = deliveries.fault(_named(self.headers), body, secret, datetime.now(UTC).timestamp())
            if fault is None:
                changed.set()
            self._answer(202 if fault is None else 401, fault or "")

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/healthz" else 404)

        def _answer(self, status: int, said: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: what a delivery says is not ours to log."""

    return Handler


def _named(headers: Message) -> dict[str, str]:
    """MLflow's headers under its own names; HTTP knows no difference between upper and lower case."""
    names = ("X-MLflow-Delivery-Id", "X-MLflow-Timestamp", "X-MLflow-Signature")
    return {name: headers.get(name, "") for name in names}
