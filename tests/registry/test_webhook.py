"""MLflow's webhooks: taken where MLflow signed them lately and once; an alias moved by hand is put back in seconds."""

import base64
import hashlib
import hmac
import http.client
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import InputError
from ratchet.registry.watch import reconcile_models, watch
from ratchet.registry.webhook import LARGEST, Deliveries, address, listening, webhook_secret

SECRET, BODY = b"a secret", b'{"entity": "model_version_alias"}'


def headers(body: bytes = BODY, stamp: str = "1000", delivery: str = "d1", secret: bytes = SECRET) -> dict[str, str]:
    """What MLflow sends: HMAC-SHA256 over DELIVERY.TIMESTAMP.BODY in base64, after `v1,`."""
    digest = hmac.new(secret, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": stamp, "X-MLflow-Signature": signature}


def test_it_is_mlflows_own_scheme() -> None:
    delivery = pytest.importorskip("mlflow.webhooks.delivery", reason="needs the extra `registry`")
    theirs = delivery._generate_hmac_signature("a secret", "d1", "1000", BODY.decode())
    assert headers()["X-MLflow-Signature"] == theirs


def test_a_delivery_is_taken_once() -> None:
    deliveries = Deliveries()
    assert deliveries.fault(headers(), BODY, SECRET, 1000) is None
    assert deliveries.fault(headers(), BODY, SECRET, 1001) == "the delivery was taken already"
    assert deliveries.fault(headers(delivery="d2"), BODY, SECRET, 1001) is None


@pytest.mark.parametrize("now", [1000 - 301, 1000 + 301])
def test_an_old_delivery_is_not_taken(now: float) -> None:
    assert Deliveries().fault(headers(), BODY, SECRET, now) == "the delivery is not of the last 300 seconds"
    assert Deliveries().fault(headers(stamp="now"), BODY, SECRET, now) == "the delivery is not of the last 300 seconds"


@pytest.mark.parametrize("name", headers())
def test_a_delivery_that_was_changed_is_not_taken(name: str) -> None:
    deliveries = Deliveries()
    for other in ("", "1001", "v1," + "A" * 44, "é"):
        assert deliveries.fault(headers() | {name: other}, BODY, SECRET, 1000) == "the signature does not hold"
    assert deliveries.fault(headers(), BODY + b" ", SECRET, 1000) == "the signature does not hold"
    assert deliveries.fault(headers(secret=b"other"), BODY, SECRET, 1000) == "the signature does not hold"
    assert deliveries.fault({}, BODY, SECRET, 1000) == "the signature does not hold"
    assert deliveries.fault(headers(), BODY, SECRET, 1000) is None  # what was refused was not noted as taken


@given(st.dictionaries(st.sampled_from(list(headers())), st.text()), st.binary())
def test_nothing_that_was_not_signed_is_taken(given: dict[str, str], body: bytes) -> None:
    assert Deliveries().fault(given, body, SECRET, 1000) is not None


def post(port: int, body: bytes, given: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", body, given)
    return connection.getresponse().status


def test_the_listener_sets_off_a_look_only_for_what_is_signed() -> None:
    changed = threading.Event()
    now = str(int(time.time()))
    with listening(("127.0.0.1", 0), SECRET, changed) as port:
        assert post(port, BODY, headers(stamp=now, secret=b"other")) == 401 and not changed.is_set()
        assert post(port, BODY, {k.lower(): v for k, v in headers(stamp=now).items()}) == 202 and changed.is_set()
        assert post(port, BODY, headers(stamp=now)) == 401  # once
        assert post(port, b"", {"Content-Length": str(LARGEST + 1)}) == 413
        with pytest.raises(InputError, match="in use"), listening(("127.0.0.1", port), SECRET, changed):
            pass


def test_the_secret_and_the_address_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATCHET_WEBHOOK_SECRET", raising=False)
    with pytest.raises(InputError, match="no webhook secret"):
        webhook_secret(None)
    monkeypatch.setenv("RATCHET_WEBHOOK_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    assert webhook_secret(None) == b"from the environment" and webhook_secret(tmp_path / "secret") == b"from a file"
    assert address("[::1]:80") == ("::1", 80) and address("0.0.0.0:8080") == ("0.0.0.0", 8080)
    for wrong in ("8080", "host:", ":8080", "host:99999", "host:x"):
        with pytest.raises(InputError, match="address"):
            address(wrong)


def test_watching_goes_on_after_an_error_and_looks_again_at_what_changed_meanwhile() -> None:
    changed, stop = threading.Event(), threading.Event()
    answers: list[Any] = [InputError("MLflow is down"), [], []]

    def look() -> list[Any]:
        if len(answers) > 1:
            changed.set()  # something changes while this look is going on
        answer = answers.pop(0)
        if isinstance(answer, InputError):
            raise answer
        if not answers:
            stop.set()
            changed.set()
        return list(answer)

    found = list(watch(look, 3600, changed, stop))  # without the event this would wait for an hour
    assert isinstance(found[0], InputError) and found[1:] == [[], []]


@pytest.mark.slow
def test_an_alias_moved_by_hand_is_put_back_within_seconds_of_mlflows_webhook(served: Any) -> None:
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent

    served.promote("m1")
    served.promote("m2", "m1")
    changed, stop, looks = threading.Event(), threading.Event(), []
    look = partial(reconcile_models, served.tracking_uri, [served.name], [served.key.public_key()])
    with listening(("127.0.0.1", 0), SECRET, changed) as port:
        event = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
        hook = served.client.create_webhook("moved", f"http://127.0.0.1:{port}/", [event], secret=SECRET.decode())
        try:
            time.sleep(2)  # MLflow keeps the list of its webhooks for a second here, for a minute where not told else
            thread = threading.Thread(target=lambda: looks.extend(watch(look, 3600, changed, stop)))
            thread.start()
            time.sleep(1)
            served.client.set_registered_model_alias(served.name, "champion", "1")
            moved = time.monotonic()
            while served.aliases["champion"] != "2" and time.monotonic() - moved < 60:
                time.sleep(0.2)
            took = time.monotonic() - moved
        finally:
            stop.set()
            changed.set()
            thread.join(60)
            served.client.delete_webhook(hook.webhook_id)
    print(f"put back after {took:.1f} s")
    assert served.aliases["champion"] == "2" and took < 60
    assert [action.did for found in looks for one in found for action in one.actions] == ["restored"]
