"""The pages of the dashboard and where each lies."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ratchet.errors import InputError
from ratchet.pages.render import rendered
from ratchet_dashboard import views
from ratchet_dashboard.cache import Cache
from ratchet_dashboard.drawn import Drawing
from ratchet_dashboard.evidence import HOLDS, Evidence
from ratchet_dashboard.faults import LOOK_AGAIN_S, Unknown, status_of, told
from ratchet_dashboard.guard import Guard
from ratchet_dashboard.listing import read_models
from ratchet_dashboard.origin import Origin, answers
from ratchet_dashboard.queries import read_model, read_review, read_versions
from ratchet_dashboard.review_view import review_view

STATIC = Path(__file__).parent / "static"


def make_app(origin: Origin, cache: Cache, root_path: str = "") -> ASGIApp:
    """The dashboard as an ASGI application; `root_path` is what a reverse proxy has before its paths."""
    drawing = Drawing(origin, cache)
    probes = anyio.CapacityLimiter(1)  # of its own: pages that wait for MLflow do not keep a probe waiting
    version = "/models/{name}/versions/{number}"
    pages: dict[str, Callable[[Request], Response]] = {
        "/": partial(_models, origin),
        "/models/{name}": partial(_model, origin),
        version: partial(_review, origin),
        f"{version}/profile": partial(_profile, origin, drawing),
        f"{version}/against/{{other}}": partial(_comparison, origin, drawing),
    }

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        there = await anyio.to_thread.run_sync(answers, origin, limiter=probes)
        return PlainTextResponse("ok\n") if there else PlainTextResponse("MLflow does not answer\n", 503)

    always = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/static/dashboard.css", _style)]
    app = Starlette(
        routes=[*always, *(Route(path, page) for path, page in pages.items())],
        exception_handlers={InputError: _fault, HTTPException: _unknown, Exception: _defect},
    )
    app.router.redirect_slashes = False  # a redirect names the host that the request says
    return Guard(app, root_path)


def _style(_: Request) -> Response:
    style = (STATIC / "dashboard.css").read_text(encoding="utf-8")
    return PlainTextResponse(style, media_type="text/css", headers={"cache-control": "max-age=3600"})


def _models(origin: Origin, request: Request) -> Response:
    rows, more = read_models(origin)
    return _page(request, "models.html.j2", **views.models_view(rows, more, _asked(request, "page")))


def _model(origin: Origin, request: Request) -> Response:
    model = read_model(origin, request.path_params["name"])
    shown = views.model_view(model, _asked(request, "versions"), _asked(request, "ledger"))
    return _page(request, "model.html.j2", **shown)


def _review(origin: Origin, request: Request) -> Response:
    review = read_review(origin, request.path_params["name"], _number(request))
    return _page(request, "review.html.j2", **review_view(review))


def _profile(origin: Origin, drawing: Drawing, request: Request) -> Response:
    name, number = request.path_params["name"], _number(request)
    ((version, evidence),) = read_versions(origin, name, number)
    html = drawing.profile(version, evidence)
    return _framed(request, html, views.path_of(name, number), f"profile of version {number}", evidence)


def _comparison(origin: Origin, drawing: Drawing, request: Request) -> Response:
    name, number, other = request.path_params["name"], _number(request), _number(request, "other")
    before, after = read_versions(origin, name, other, number)
    html = drawing.comparison(name, before, after)
    here = f"before: version {other}, after: version {number}"
    return _framed(request, html, views.path_of(name, number), here, before[1], after[1])


def _number(request: Request, of: str = "number") -> str:
    """The number of a version in the address, as MLflow writes it."""
    text = str(request.path_params[of])
    if re.fullmatch("[1-9][0-9]{0,8}", text) is None:
        raise Unknown("no version of that number", expected="one that the model's page lists")
    return text


def _asked(request: Request, name: str) -> int:
    """The page of a table that the address asks for."""
    text = request.query_params.get(name, "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1


def _page(request: Request, template: str, status: int = 200, **shown: object) -> Response:
    root = str(request.scope.get("root_path", ""))
    return HTMLResponse(rendered("ratchet_dashboard", f"templates/{template}", root=root, **shown), status)


def _framed(request: Request, html: str, crumbs: list[tuple[str, str]], here: str, *shown: Evidence) -> Response:
    """The library's page with the way back above it; everything in it that others wrote is escaped already."""
    root = str(request.scope.get("root_path", ""))
    above = rendered(
        "ratchet_dashboard",
        "templates/above.html.j2",
        root=root,
        crumbs=crumbs,
        here=here,
        checked=all(evidence.signature == HOLDS for evidence in shown),
    )
    return HTMLResponse(html.replace("<body>", f"<body>\n{above}", 1))


def _fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError), "the handler of that class alone"
    status = status_of(error)
    if status != 404:
        print(f"ratchet dashboard: {status}: {error}", file=sys.stderr, flush=True)
    answer = _page(request, "fault.html.j2", status, title=_TITLES[status], said=told(error))
    if status == 503:
        answer.headers["retry-after"] = str(LOOK_AGAIN_S)
    return answer


def _unknown(request: Request, error: Exception) -> Response:
    return _fault(request, Unknown("no such page", next="go to the list of models"))


def _defect(request: Request, error: Exception) -> Response:
    """After this the error goes on to the server, which writes it to its log."""
    said = ["This is a defect of Ratchet. The log of the dashboard says more; please report it."]
    return _page(request, "fault.html.j2", 500, title=_TITLES[500], said=said)


_TITLES = {404: "Not found", 409: "Can't be shown", 503: "Not now", 500: "A defect"}
