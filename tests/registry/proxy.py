"""A proxy on loopback between a client and a real server that answers some requests as a bad day would."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# what happens to a request: "500"; "429" with Retry-After; "refuse": the connection is dropped before the server hears
# of it; "lose": the server does it and its answer is lost; "hang": there is no answer; None
Fault = str | None


@dataclass
class Proxy:
    """A running proxy; `fault` says what happens to a request by its method, path and number (from 0)."""

    port: int
    fault: Callable[[str, str, int], Fault]
    seen: list[tuple[str, str, Fault]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def uri(self) -> str:
        """What a client takes for MLflow."""
        return f"http://127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    """What the handlers of all requests share."""

    daemon_threads = True

    def __init__(self, target_port: int, fault: Callable[[str, str, int], Fault]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target_port = target_port
        self.proxy = Proxy(self.server_address[1], fault)
        self.ended = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = self._fault()
        if what in ("500", "429"):
            self._fail(what)
        elif what in ("refuse", "hang"):
            if what == "hang":
                self.server.ended.wait()
            self.close_connection = True
        else:
            self._forward(body, lost=what == "lose")

    def _fault(self) -> Fault:
        proxy = self.server.proxy
        with proxy.lock:
            what = proxy.fault(self.command, self.path, len(proxy.seen))
            proxy.seen.append((self.command, self.path, what))
        return what

    def _fail(self, status: str) -> None:
        self.send_response(int(status))
        if status == "429":
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _forward(self, body: bytes, lost: bool) -> None:
        answered = self._asked(body)
        if answered is None or lost:
            self.close_connection = True
            return
        answer, content = answered
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _asked(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes] | None:
        """The real server's answer, or None where it gives none."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.target_port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            return answer, answer.read()
        except OSError:
            return None
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def proxying(target_port: int, fault: Callable[[str, str, int], Fault] = lambda *_: None) -> Iterator[Proxy]:
    """A proxy to the port on loopback, until the block ends."""
    server = _Server(target_port, fault)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.proxy
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
