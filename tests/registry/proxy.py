"""A proxy on loopback between a client and a real server that answers some requests as a bad day would."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# what happens to a request: "500"; "429" with Retry-After; "refuse": the connection is dropped before the server hears
# of it; "lose": the server does it and its answer is lost; "hang": no answer for longer than the client waits; None
Fault = str | None
HANG_S = 3.0


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


@contextlib.contextmanager
def proxying(target_port: int, fault: Callable[[str, str, int], Fault] = lambda *_: None) -> Iterator[Proxy]:
    """A proxy to the port on loopback, until the block ends."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with proxy.lock:
                what = proxy.fault(self.command, self.path, len(proxy.seen))
                proxy.seen.append((self.command, self.path, what))
            if what in ("500", "429"):
                self.send_response(int(what))
                if what == "429":
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if what == "hang":
                ended.wait(HANG_S)
            if what in ("refuse", "hang"):
                self.close_connection = True
                return
            self._forward(body, lost=what == "lose")

        def _forward(self, body: bytes, lost: bool) -> None:
            upstream = http.client.HTTPConnection("127.0.0.1", target_port, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            try:
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
                content = answer.read()
            except OSError:
                self.close_connection = True
                return
            finally:
                upstream.close()
            if lost:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(server.server_address[1], fault)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
