"""What holds for every request before a page is asked: reading alone, the root path, the headers of an answer."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # styles stand in the library's pages and pictures; nothing else is loaded, and no script is ever run
    "content-security-policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
PRIVATE = "no-store"  # what a reviewer saw stays in no proxy


class Guard:
    """The app behind it is asked with GET and HEAD alone, and under the root path whoever strips it."""

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # the server's own start and end
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(_with_headers(send))
            return
        await self.app(_rooted(scope, self.root_path), receive, _with_headers(send))


def _rooted(scope: Scope, root_path: str) -> Scope:
    """The scope with the root path before its path, where the proxy that has it took it away."""
    path = scope["path"] if scope["path"] != root_path else f"{root_path}/"
    there = path.startswith(f"{root_path}/")
    return {**scope, "root_path": root_path, "path": path if there else root_path + path}


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            wanted = {**HEADERS, "cache-control": PRIVATE}
            given += [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in names]
            message = {**message, "headers": given}
        await send(message)

    return sending


async def _refuse(send: Send) -> None:
    body = b"The dashboard only shows. Reviews are written with `ratchet review`.\n"
    headers: list[Any] = [
        (b"allow", b"GET, HEAD"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 405, "headers": headers})
    await send({"type": "http.response.body", "body": body})
