"""A Kubeflow Pipelines endpoint: how it is reached, and one clear line for each way in which it can fail."""

import contextlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ratchet.errors import InputError

if TYPE_CHECKING:
    from kfp import Client

REQUEST_TIMEOUT_S = (10, 60)  # to connect, to answer: the SDK's own requests wait for ever
HEALTH = "apis/v2beta1/healthz"


class Unanswered(InputError):
    """The endpoint can't be reached or has failed: the same request may be answered later."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the endpoint is and how one signs in.

    Without `host` the SDK finds it: in a pod the service of the cluster, elsewhere through the Kubernetes API of
    `context`. Token and cookie stay out of `repr`, and so out of logs.
    """

    host: str | None = None
    namespace: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    cookie: str | None = field(default=None, repr=False)
    ca_cert: Path | None = None
    context: str | None = None

    @property
    def name(self) -> str:
        """What messages call the endpoint: without a password in it."""
        return re.sub(r"//[^/@]*@", "//", self.host) if self.host else "the cluster's Kubeflow Pipelines"

    @property
    def signed_in_with(self) -> str:
        """What the endpoint was shown, in words."""
        shown = {"a token": self.token, f"the token in {self.token_file}": self.token_file, "a cookie": self.cookie}
        return " and ".join(what for what, value in shown.items() if value) or "no credentials"


@contextlib.contextmanager
def connected(endpoint: Endpoint) -> Iterator["Client"]:
    """The SDK's client; what goes wrong with the endpoint in the block becomes an InputError that says what to do."""
    if endpoint.host is not None:
        endpoint = _with_scheme(endpoint)
        _require_pipelines_api(endpoint)
    with explained(endpoint):
        yield _client(endpoint)


@contextlib.contextmanager
def explained(endpoint: Endpoint) -> Iterator[None]:
    """Turn what the SDK and the network raise into one line."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _refused(endpoint, error.status or 0, _message(error.body) or str(error.reason)) from error
    except (HTTPError, TimeoutError, ConnectionError) as error:
        raise _unreachable(endpoint, error) from error


def quietly(call: Callable[[], Any]) -> Any:
    """What `call` returns; the SDK prints links to standard output, which belongs to our own results."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def _with_scheme(endpoint: Endpoint) -> Endpoint:
    if endpoint.host is not None and not re.match(r"https?://", endpoint.host):
        raise InputError(
            f"host {endpoint.host!r}", where="--host", expected="a URL that begins with http:// or https://"
        )
    return endpoint


def _client(endpoint: Endpoint) -> "Client":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import Client
        from kfp.client import ServiceAccountTokenVolumeCredentials

        credentials = ServiceAccountTokenVolumeCredentials(str(endpoint.token_file)) if endpoint.token_file else None
        client = Client(
            host=endpoint.host,
            # The SDK asks a silent endpoint five times for its own namespace unless it is told one.
            namespace=endpoint.namespace or "kubeflow",
            existing_token=endpoint.token,
            credentials=credentials,
            cookies=endpoint.cookie,
            ssl_ca_cert=str(endpoint.ca_cert) if endpoint.ca_cert else None,
            kube_context=endpoint.context,
        )
    _limit_waits(client)
    return client


def _limit_waits(client: "Client") -> None:
    """Give each request of the client a time limit: the SDK has no setting for it."""
    rest = client._run_api.api_client.rest_client
    request = rest.request

    def limited(*arguments: Any, **named: Any) -> Any:
        return request(*arguments, **{**named, "_request_timeout": REQUEST_TIMEOUT_S})

    rest.request = limited


def _require_pipelines_api(endpoint: Endpoint) -> None:
    """Ask the endpoint whether it is one, so that a wrong address or a login page is found before anything is sent."""
    import urllib3

    options: dict[str, Any] = {"ca_certs": str(endpoint.ca_cert)} if endpoint.ca_cert else {}
    pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(*REQUEST_TIMEOUT_S), **options)
    url = f"{str(endpoint.host).rstrip('/')}/{HEALTH}"
    try:
        answer = pool.request("GET", url, headers=_headers(endpoint), redirect=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _unreachable(endpoint, error) from error
    body = answer.data.decode("utf-8", "replace")
    if 300 <= answer.status < 400 or (answer.status == 200 and not _is_json(body)):
        raise InputError(
            f"answers with a page for people ({answer.status})",
            where=endpoint.name,
            expected=f"the Kubeflow Pipelines API at {HEALTH}",
            next=f"sign in: it was shown {endpoint.signed_in_with}; give KFP_TOKEN, --token-file or KFP_COOKIE",
        )
    if answer.status >= 400:
        raise _refused(endpoint, answer.status, _message(body))


def _headers(endpoint: Endpoint) -> dict[str, str]:
    token = endpoint.token_file.read_text().strip() if endpoint.token_file else endpoint.token
    signed = {"Authorization": f"Bearer {token}"} if token else {}
    return signed | ({"Cookie": endpoint.cookie} if endpoint.cookie else {})


def _refused(endpoint: Endpoint, status: int, message: str) -> InputError:
    """What the endpoint answered, and what that asks of the user."""
    expected, what_next = {
        400: ("a request that it takes", "mend what it names"),
        401: ("to be let in", f"it was shown {endpoint.signed_in_with}; give KFP_TOKEN, --token-file or KFP_COOKIE"),
        403: ("to be allowed", f"ask for the right in namespace {endpoint.namespace or 'of the endpoint'!r}"),
        404: ("what was asked for, at a Kubeflow Pipelines endpoint", "check --host and the name"),
        409: ("no such thing yet", "choose another name"),
        429: ("fewer requests", "try again in a minute"),
    }.get(status, ("an answer", "look at the log of the API server (ml-pipeline), then give the same command again"))
    said = f" ({message})" if message else ""
    kind = Unanswered if status == 429 or status >= 500 else InputError
    return kind(f"the endpoint answered {status}{said}", where=endpoint.name, expected=expected, next=what_next)


def _unreachable(endpoint: Endpoint, error: Exception) -> Unanswered:
    said = " ".join(str(error).split())
    causes = {
        "CERTIFICATE_VERIFY_FAILED": ("its certificate is not trusted", "give its authority with --ca-cert"),
        "WRONG_VERSION_NUMBER": ("it does not speak TLS", "begin --host with http://"),
        "NameResolutionError": ("no such host", "check --host"),
        "Name or service not known": ("no such host", "check --host"),
        "Connection refused": ("nothing listens there", "check --host and port, or forward the port of ml-pipeline-ui"),
        "timed out": ("it does not answer in time", "check --host, a proxy or a network policy may be in the way"),
    }
    known = next((value for key, value in causes.items() if key in said), (said[:160], "give the same command again"))
    return Unanswered(known[0], where=endpoint.name, expected="a Kubeflow Pipelines endpoint", next=known[1])


def _message(body: Any) -> str:
    """The message in an error of the API, shortened; empty where it has none."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    with contextlib.suppress(ValueError):
        found: Mapping[str, Any] | Any = json.loads(text)
        if isinstance(found, Mapping):
            text = str(found.get("error_message") or found.get("message") or found.get("error") or "")
    return "" if text.lstrip().startswith("<") else " ".join(text.split())[:200]


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
