"""What the sender sends, and what it makes of an ordinary answer; `test_rude_receivers.py` has the others."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from tests.raw_server import Serve, answering, header, make_tls
from ttsprompt.callbacks import exchange
from ttsprompt.callbacks.sender import CurlCallbackSender
from ttsprompt.callbacks.signing import parse_signing_key
from ttsprompt.domain.model import CallbackFormat, CallbackMethod
from ttsprompt.ports import BUSY, CallbackRequest, CallbackResponse, CallbackSender

NOW = datetime(2026, 1, 1, 12, 0, 0, 900_000, tzinfo=UTC)
PAYLOAD = "to=15550100&tid=t-1&status=ok&reference=a%20b%2Fc"
HMAC_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ED25519_KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


def send(
    url: str,
    method: CallbackMethod = CallbackMethod.POST,
    *,
    form: CallbackFormat = CallbackFormat.FORM,
    payload: str = PAYLOAD,
    keys: tuple[str, ...] = (),
    allow_private: bool = True,
    timeout_s: float = 5,
) -> CallbackResponse:
    sender: CallbackSender = CurlCallbackSender(
        [parse_signing_key(key) for key in keys], allow_private=allow_private, user_agent="ttsprompt/test"
    )
    return sender.send(CallbackRequest("t-1", url, method, form, payload), now=NOW, timeout_s=timeout_s)


def target_of(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode("ascii")


# What is sent


@pytest.mark.parametrize(
    ("form", "content_type"),
    [(CallbackFormat.FORM, "application/x-www-form-urlencoded"), (CallbackFormat.JSON, "application/json")],
)
def test_post_carries_the_exact_payload(serve: Serve, form: CallbackFormat, content_type: str) -> None:
    server = serve()
    payload = '{"to":"15550100","reference":"ünï"}'

    assert send(f"http://127.0.0.1:{server.port}/p", form=form, payload=payload) == CallbackResponse(http_status=200)
    assert server.received[0].partition(b"\r\n\r\n")[2] == payload.encode()
    assert header(server.received[0], "content-type") == content_type
    assert header(server.received[0], "host") == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("tail", "target"),
    [
        ("", f"/?{PAYLOAD}"),
        ("/p", f"/p?{PAYLOAD}"),
        ("/p?", f"/p?{PAYLOAD}"),
        ("?a=1", f"/?a=1&{PAYLOAD}"),
        ("/p?a", f"/p?a&{PAYLOAD}"),
        ("/p?a=&b=", f"/p?a=&b=&{PAYLOAD}"),
        ("/p?u=%2f/%41%7e", f"/p?u=%2f/%41%7e&{PAYLOAD}"),
        ("/p?u=a%20b+c", f"/p?u=a%20b+c&{PAYLOAD}"),
        ("/p?u=ü", f"/p?u=%C3%BC&{PAYLOAD}"),
        ("/p?u=100%", f"/p?u=100%&{PAYLOAD}"),
        ("/a/../b;c?x[]=1|2", f"/a/../b;c?x[]=1%7C2&{PAYLOAD}"),
        ("/p?x=http://h/?y", f"/p?x=http://h/?y&{PAYLOAD}"),
        ("//h/p?a", f"//h/p?a&{PAYLOAD}"),
    ],
)
def test_get_keeps_the_url_and_signs_the_query_that_arrives(serve: Serve, tail: str, target: str) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}{tail}", CallbackMethod.GET, keys=(ED25519_KEY,))

    assert target_of(server.received[0]) == target
    verify_v1a(server.received[0], target_of(server.received[0]).partition("?")[2])


def test_post_keeps_the_urls_own_query(serve: Serve) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/p?u=%2f&v=")

    assert target_of(server.received[0]) == "/p?u=%2f&v="


def verify_v1a(request: bytes, content: str) -> None:
    signature = (header(request, "webhook-signature") or "").removeprefix("v1a,")
    signed = f"{header(request, 'webhook-id')}.{header(request, 'webhook-timestamp')}.{content}"
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY.removeprefix("whpk_")))
    public.verify(base64.b64decode(signature), signed.encode())


def test_every_key_signs_the_body(serve: Serve) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/", keys=(HMAC_KEY, ED25519_KEY))

    request = server.received[0]
    v1, v1a = (header(request, "webhook-signature") or "").split(" ")
    assert (header(request, "webhook-id"), header(request, "webhook-timestamp")) == ("t-1", str(int(NOW.timestamp())))
    assert v1 == Webhook(HMAC_KEY).sign("t-1", NOW, PAYLOAD)
    assert v1a.startswith("v1a,")


def test_without_keys_there_is_no_signature(serve: Serve) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/")

    assert header(server.received[0], "webhook-signature") is None
    assert header(server.received[0], "webhook-id") == "t-1"


# What is made of the answer


@pytest.mark.parametrize("status", [200, 204, 404, 410, 500, 503])
def test_the_status_is_reported(serve: Serve, status: int) -> None:
    server = serve(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))

    assert send(f"http://127.0.0.1:{server.port}/") == CallbackResponse(http_status=status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 59.1),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 59.1),
        ("Thu, 01 Jan 2026 14:01:00 +0200", 59.1),
        ("Thu, 01 Jan 2026 12:00:01 GMT", 0.1),
        ("Thu, 01 Jan 2026 11:00:00 GMT", None),
        ("-5", None),
        ("1.", None),
        (".5", None),
        ("1e3", None),
        ("１", None),
        ("1.5", 1.5),
        ("soon", None),
        ("9" * 400, None),
        ("Thu, 99 Jan 99999 99:99:99 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_read(serve: Serve, value: str, seconds: float | None) -> None:
    server = serve(answering(b"HTTP/1.1 503 X\r\nRetry-After: " + value.encode() + b"\r\nContent-Length: 0\r\n\r\n"))

    assert send(f"http://127.0.0.1:{server.port}/").retry_after_s == seconds


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert send(f"http://127.0.0.1:{port}/").fault == "refused"


def test_what_nobody_foresaw_is_a_fault_too() -> None:
    assert send("http://127.0.0.1:9/", payload="\ud800").fault == "internal"


def test_private_addresses_are_used_where_they_are_allowed(serve: Serve) -> None:
    server = serve()

    assert send(f"http://localhost:{server.port}/").http_status == 200
    assert send(f"http://127.1:{server.port}/").http_status == 200
    assert send(f"http://127.0.0.1:{server.port}/", allow_private=False).fault == "blocked_address"


def test_a_try_that_cannot_be_made_costs_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_HANDLES", 1)
    sender = CurlCallbackSender((), allow_private=True, user_agent="t")
    # Of a POST the body cannot be made, of a GET the target is one that libcurl does not take.
    bad = [
        CallbackRequest("t-1", "http://localhost:9/", method, CallbackFormat.FORM, "\ud800")
        for method in (CallbackMethod.POST, CallbackMethod.GET)
    ]

    for request in bad * 2:
        until = time.monotonic() + 10
        # A handle that has not been used yet is closed behind the try.
        while (fault := sender.send(request, now=NOW, timeout_s=10).fault) == BUSY and time.monotonic() < until:
            time.sleep(0.01)
        assert fault == "internal"


@pytest.mark.parametrize("timeout_s", [0, -1])
def test_no_time_left_is_a_timeout(timeout_s: float) -> None:
    assert send("http://127.0.0.1:9/", timeout_s=timeout_s).fault == "timeout"


def test_less_than_a_second_is_time_enough_for_who_answers_at_once(serve: Serve) -> None:
    assert send(f"http://127.0.0.1:{serve().port}/", timeout_s=0.9).http_status == 200


@pytest.mark.parametrize("url", ["ftp://example.com/", "example.com", "", "http://"])
def test_what_is_no_url_of_a_receiver_is_told_so(url: str) -> None:
    assert send(url).fault == "invalid_url"


def test_without_a_place_for_it_a_try_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_HANDLES", 0)

    assert send("http://127.0.0.1:9/").fault == BUSY


@pytest.mark.parametrize(
    ("method", "line"),
    [(CallbackMethod.POST, b"POST /path HTTP/1.1\r\n"), (CallbackMethod.GET, b"GET /path?a=1 HTTP/1.1\r\n")],
)
def test_a_url_without_a_query_gets_none_but_the_payload(serve: Serve, method: CallbackMethod, line: bytes) -> None:
    server = serve()
    send(f"http://127.0.0.1:{server.port}/path", method, payload="a=1")

    assert server.received[0].startswith(line)


def test_a_receiver_is_told_who_sends_and_that_it_is_once(serve: Serve) -> None:
    server = serve()
    send(f"http://127.0.0.1:{server.port}/")

    assert header(server.received[0], "user-agent") == "ttsprompt/test"
    assert header(server.received[0], "connection") == "close"


def test_no_receiver_is_asked_whether_a_body_may_come(serve: Serve) -> None:
    """By itself libcurl asks before it sends a megabyte, and waits a second for those that know nothing of it."""
    server = serve()
    sent = send(f"http://127.0.0.1:{server.port}/", payload="x" * 2_000_000, timeout_s=30)

    assert sent == CallbackResponse(http_status=200)
    assert header(server.received[0], "expect") is None


def test_a_self_signed_certificate_is_refused(serve: Serve, tmp_path: Path) -> None:
    server = serve(tls=make_tls(tmp_path, "localhost")[0])

    assert send(f"https://localhost:{server.port}/").fault == "tls"
    assert not any(server.received)


def test_libcurl_is_loaded_with_the_first_callback(tmp_path: Path) -> None:
    code = (
        "import sys; from ttsprompt.bootstrap import build_app, build_sweep, start;"
        f"settings = start({{'CALL_STORE': 'sqlite:///{tmp_path}/calls.db'}}); app = build_app(settings);"
        "app.callback_public_keys(); build_sweep(settings);"
        "print(sorted({'pycurl', 'requests', 'standardwebhooks', 'cryptography'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=20).strip() == "[]"
