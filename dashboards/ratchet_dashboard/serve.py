"""The dashboard as a server: started on an address, ended by SIGTERM or Ctrl-C."""

import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn

from ratchet.errors import InputError
from ratchet_dashboard.app import make_app
from ratchet_dashboard.cache import Cache
from ratchet_dashboard.evidence import MIB
from ratchet_dashboard.origin import Origin, answers

CACHE_BYTES = 512 * MIB
ENDING_S = 10  # for the requests under way
# a reader waits: MLflow that is away is said within seconds, and not after the minute that a promotion waits for it
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}


def serve(origin: Origin, host: str, port: int, root_path: str = "") -> None:
    """Serve until SIGTERM or SIGINT; keys and reviewers are read first, so that a wrong file is said at once."""
    root = require_root_path(root_path)
    origin.keys(), origin.rule()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    listening = _listening(host, port)
    folder = Path(tempfile.mkdtemp(prefix="ratchet-dashboard-"))
    try:
        # uvicorn raises the signal that ended it once more, which is not to kill what ended well
        signal.signal(signal.SIGTERM, lambda *_: None)
        # MLflow takes seconds to import: begun now, so that the first reader does not wait for all of it
        threading.Thread(target=answers, args=(origin,), daemon=True).start()
        print(f"listening on http://{_shown(listening)}{root}/", file=sys.stderr, flush=True)
        _server(origin, Cache(folder, CACHE_BYTES), root).run(sockets=[listening])
    finally:
        listening.close()
        shutil.rmtree(folder, ignore_errors=True)


def require_root_path(text: str) -> str:
    """The root path without a slash at its end; refused where it could be taken for a page's."""
    root = text.rstrip("/")
    pages = ("models", "static", "healthz", "readyz")
    if root and (not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", root) or root.split("/")[1] in pages):
        raise InputError(f"root path {text!r}", expected=f"such as /ratchet, and not /{', /'.join(pages)}")
    return root


def _server(origin: Origin, cache: Cache, root: str) -> uvicorn.Server:
    config = uvicorn.Config(
        make_app(origin, cache, root),
        lifespan="off",
        ws="none",
        http="h11",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=ENDING_S,
    )
    return uvicorn.Server(config)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise InputError(found, where=f"{host}:{port}", expected="an address to listen on") from None


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
