"""Placing a call: what goes on the wire, and what each way in which it can go wrong means."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vonage_voice.models import CreateCallRequest

from tests.builders import TOKEN, a_call
from tests.raw_server import (
    RawServer,
    Script,
    answering,
    dripping,
    header,
    make_tls,
    raw_servers,
    resetting,
    silent,
)
from tests.world import fields_logged
from ttsprompt.domain.model import MachineDetection, Prompts
from ttsprompt.domain.ncco import WebhookUrls, opening
from ttsprompt.errors import (
    VendorError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from ttsprompt.ports import CallOrder
from ttsprompt.vonage.voice import VonageVoiceApi

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhcHBsaWNhdGlvbl9pZCI6ImEifQ.c2lnbmF0dXJl"
UUID = "63f61863-4a51-4f6b-86e1-46edebcf9356"
CREATED_BODY = json.dumps(
    {"uuid": UUID, "status": "started", "direction": "outbound", "conversation_uuid": "CON-1"}
).encode()
CALL = a_call(prompts=Prompts(text="Grüße, enter the PIN 🔢", bye_text="Bye"))
URLS = WebhookUrls("https://example.com/base", CALL.tid, TOKEN)
ORDER = CallOrder(
    to=CALL.to,
    from_="442079460000",
    event_url=URLS.event(),
    ringing_timer_s=CALL.ringing_timeout_s,
    length_timer_s=CALL.length_timer_s,
    ncco=opening(CALL, URLS),
)
DEFAULT: Mapping[str, float] = {}
SHORT: Mapping[str, float] = {"connect_timeout_s": 1.0, "setup_timeout_s": 1.0, "read_timeout_s": 0.5}
SHORT_SETUP: Mapping[str, float] = {**SHORT, "read_timeout_s": 10}
LIMIT_S = 60.0
"""What no exchange takes that ends at all: those bound by `SHORT` need 1.5 s, the rest is for a busy machine."""

Serve = Callable[..., RawServer]


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


CREATED = reply(201, CREATED_BODY)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with raw_servers() as start:
        yield start


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    join_all(placing_threads())
    assert placing_threads() == []


def placing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vonage"]


def join_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(10)


def place(url: str, order: CallOrder = ORDER, timeouts: Mapping[str, Any] = DEFAULT) -> str | None:
    return VonageVoiceApi(url, "ttsprompt/test", **timeouts).place_call(order, JWT)


def failure(url: str, timeouts: Mapping[str, float] = DEFAULT) -> VendorError:
    with pytest.raises(VendorError) as caught:
        place(url, timeouts=timeouts)
    return caught.value


def at(server: RawServer, scheme: str = "http", host: str = "127.0.0.1") -> str:
    return f"{scheme}://{host}:{server.port}"


def posts(server: RawServer) -> int:
    return sum(request.count(b"POST ") for request in server.received)


# What is sent


def json_sent(server: RawServer) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(server.received[0].partition(b"\r\n\r\n")[2])
    return sent


def test_to_hang_up_is_asked_with_the_callers_token(serve: Serve) -> None:
    server = serve(answering(reply(204)))

    assert VonageVoiceApi(at(server), "ttsprompt/test").hang_up(UUID, JWT) == 204
    assert server.received[0].startswith(f"PUT /v1/calls/{UUID} HTTP/1.1\r\n".encode())
    assert header(server.received[0], "authorization") == f"Bearer {JWT}"
    assert header(server.received[0], "accept") == "application/json"
    assert json_sent(server) == {"action": "hangup"}


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, ncco=None, answer_url=URLS.answer()),
        replace(ORDER, machine_detection=MachineDetection.HANGUP),
        replace(ORDER, machine_detection=MachineDetection.CONTINUE, ringing_timer_s=120, length_timer_s=7200),
        replace(ORDER, ncco=opening(replace(CALL, prompts=Prompts("x" * 1500, style=0, premium=True)), URLS)),
    ],
    ids=["inline", "webhook", "hangup", "continue", "voice"],
)
def test_the_sdks_own_model_takes_the_request_without_loss(serve: Serve, order: CallOrder) -> None:
    server = serve(answering(CREATED))

    place(at(server), order)

    sent = json_sent(server)
    judged = CreateCallRequest(**{"from_" if name == "from" else name: value for name, value in sent.items()})
    assert judged.model_dump(mode="json", by_alias=True, exclude_none=True) == sent


def test_the_request_says_what_the_order_says(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, machine_detection=MachineDetection.HANGUP))

    assert json_sent(server) == {
        "to": [{"type": "phone", "number": "447970513607"}],
        "from": {"type": "phone", "number": "442079460000"},
        "event_url": [URLS.event()],
        "event_method": "POST",
        "ringing_timer": 45,
        "length_timer": CALL.length_timer_s,
        "ncco": opening(CALL, URLS),
        "machine_detection": "hangup",
    }


def test_keys_for_an_extension_are_the_callees(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, extension="p*123#"))

    assert json_sent(server)["to"] == [{"type": "phone", "number": "447970513607", "dtmfAnswer": "p*123#"}]


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (MachineDetection.HANGUP, {"machine_detection": "hangup"}),
        (MachineDetection.CONTINUE, {"machine_detection": "continue"}),
        (
            MachineDetection.NOTICE,
            {"advanced_machine_detection": {"behavior": "continue", "mode": "default"}},
        ),
    ],
)
def test_detection_is_asked_for_in_vonages_words(
    serve: Serve, wanted: MachineDetection, sent: dict[str, object]
) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, machine_detection=wanted))

    assert {name: value for name, value in json_sent(server).items() if "machine" in name} == sent


def test_an_answer_url_is_asked_for_by_post(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, ncco=None, answer_url=URLS.answer()))

    sent = json_sent(server)
    assert (sent["answer_url"], sent["answer_method"]) == ([URLS.answer()], "POST")
    assert "ncco" not in sent


def test_an_empty_ncco_is_sent_as_one(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, ncco=[]))

    assert json_sent(server)["ncco"] == []


def test_the_wire_shows_one_post_with_the_callers_token(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server) + "/eu")

    [request] = server.received
    assert request.startswith(b"POST /eu/v1/calls HTTP/1.1\r\n")
    assert header(request, "authorization") == f"Bearer {JWT}"
    assert header(request, "content-type") == "application/json"
    assert header(request, "user-agent") == "ttsprompt/test"
    assert header(request, "connection") == "close"
    assert header(request, "cookie") is None


def test_the_body_is_compact_utf_8(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server))

    body = server.received[0].partition(b"\r\n\r\n")[2]
    assert body == json.dumps(json_sent(server), ensure_ascii=False, separators=(",", ":")).encode()


def test_every_call_has_a_connection_of_its_own(serve: Serve) -> None:
    server = serve(answering(CREATED))
    voice = VonageVoiceApi(at(server), "t")

    for _ in range(3):
        voice.place_call(ORDER, JWT)

    assert (server.connections, posts(server)) == (3, 3)


def test_proxies_netrc_and_other_authorities_of_the_environment_are_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, proxy = serve(answering(CREATED)), serve(answering(CREATED))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, at(proxy))
    monkeypatch.delenv("no_proxy", raising=False)

    assert place(at(server)) == UUID
    assert proxy.received == []
    assert header(server.received[0], "authorization") == f"Bearer {JWT}"


def test_fifty_calls_at_once_keep_their_tokens_apart(serve: Serve) -> None:
    server = serve(answering(CREATED))
    voice = VonageVoiceApi(at(server), "t")
    numbers = [f"4479705{n:05}" for n in range(50)]

    def call(number: str) -> str | None:
        return voice.place_call(replace(ORDER, to=number), f"token-of-{number}")

    with ThreadPoolExecutor(50) as pool:
        uuids = list(pool.map(call, numbers))

    pairs = [(header(r, "authorization"), json.loads(r.partition(b"\r\n\r\n")[2])["to"]) for r in server.received]
    assert sorted(str(token) for token, _ in pairs) == [f"Bearer token-of-{number}" for number in numbers]
    assert all(token == f"Bearer token-of-{to[0]['number']}" for token, to in pairs)
    assert uuids == [UUID] * 50


# What an answer means


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_an_accepted_call(serve: Serve, status: int) -> None:
    assert place(at(serve(answering(reply(status, CREATED_BODY))))) == UUID


def test_success_without_a_body_is_an_accepted_call(serve: Serve) -> None:
    assert place(at(serve(answering(b"HTTP/1.1 204 X\r\n\r\n")))) is None


def test_a_chunked_answer_is_read(serve: Serve) -> None:
    chunked = b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"

    assert place(at(serve(answering(chunked % (len(CREATED_BODY), CREATED_BODY))))) == UUID


def test_a_compressed_answer_which_nobody_asked_for_is_not_unpacked(serve: Serve) -> None:
    packed = gzip.compress(CREATED_BODY)

    assert place(at(serve(answering(reply(201, packed, "Content-Encoding: gzip"))))) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe\x00",
        b'{"uuid":null}',
        b'{"uuid":7}',
        b'{"uuid":""}',
        b'{"uuid":"\\ud800"}',
        b'{"uuid":"' + b"x" * 65 + b'"}',
        b'{"uuid":"a\\nb"}',
        CREATED_BODY[:-20],
        b"[" * 60_000,
        b'{"uuid":' + b"9" * 5000 + b"}",
    ],
)
def test_an_accepted_call_with_an_unreadable_body_has_no_uuid(serve: Serve, body: bytes) -> None:
    assert place(at(serve(answering(reply(201, body))))) is None


@pytest.mark.parametrize("uuid", ["a", "a" * 64])
def test_a_uuid_of_one_to_sixty_four_characters_is_one(serve: Serve, uuid: str) -> None:
    assert place(at(serve(answering(reply(201, json.dumps({"uuid": uuid}).encode()))))) == uuid


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (102, VendorUnclearError),
        (103, VendorUnclearError),
        (301, VendorRefusedError),
        (304, VendorRefusedError),
        (400, VendorRefusedError),
        (401, VendorRefusedError),
        (402, VendorRefusedError),
        (403, VendorRefusedError),
        (404, VendorRefusedError),
        (408, VendorUnclearError),
        (409, VendorRefusedError),
        (415, VendorRefusedError),
        (429, VendorRateLimitedError),
        (500, VendorUnclearError),
        (502, VendorUnclearError),
        (503, VendorUnclearError),
        (504, VendorUnclearError),
        (599, VendorUnclearError),
        (999, VendorUnclearError),
    ],
)
def test_every_status_has_its_meaning_and_is_asked_for_once(serve: Serve, status: int, kind: type[VendorError]) -> None:
    server = serve(answering(reply(status, b"", "Retry-After: 0")))

    error = failure(at(server))

    assert type(error) is kind
    assert posts(server) == 1
    if isinstance(error, VendorRefusedError):
        assert error.vendor_status == status


def test_a_date_to_come_again_is_read_by_our_clock(serve: Serve) -> None:
    error = failure(at(serve(answering(reply(429, b"", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT")))))

    assert isinstance(error, VendorRateLimitedError)
    assert error.retry_after_s == 3600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve: Serve, status: int) -> None:
    elsewhere = serve(answering(CREATED))
    server = serve(answering(reply(status, b"", f"Location: {at(elsewhere)}/v1/calls")))

    assert isinstance(failure(at(server)), VendorRefusedError)
    assert (elsewhere.connections, posts(server)) == (0, 1)


def test_the_vendors_words_come_along(serve: Serve) -> None:
    body = b'{"title":"Forbidden","detail":"No funds.","instance":"i-1"}'

    error = failure(at(serve(answering(reply(403, body)))))

    assert (error.detail, error.trace_id) == ("Forbidden: No funds.", "i-1")


def test_a_refusal_whose_body_breaks_off_is_still_a_refusal(serve: Serve) -> None:
    server = serve(answering(b"HTTP/1.1 400 X\r\nContent-Length: 500\r\n\r\n{"))

    assert isinstance(failure(at(server)), VendorRefusedError)
    assert posts(server) == 1


# No clear answer: bytes have left, and the phone may ring

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
UNCLEAR: dict[str, Script] = {
    "closed at once": answering(b""),
    "reset": resetting(b""),
    "half a status line": answering(b"HTTP/1.1 20"),
    "reset in the status line": resetting(b"HTTP/1.1 2"),
    "not HTTP": answering(b"220 smtp.example ESMTP\r\n"),
    "a status that is none": answering(b"HTTP/1.1 2001 X\r\n\r\n"),
    "too many headers": answering(b"HTTP/1.1 201 X\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
    "a header without end": answering(b"HTTP/1.1 201 X\r\nX-A: " + b"b" * 70_000),
    "only a 100": answering(CONTINUE),
    "a 100, then reset": resetting(CONTINUE),
    "switched protocols": answering(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"),
    "silence": silent(b""),
    "silence in the headers": silent(b"HTTP/1.1 201 X\r\nX-A: b\r\n"),
    "silence after a 100": silent(CONTINUE),
    "another answer after a 101": answering(b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{}"),
    "silence after a 103": silent(EARLY_HINTS),
    "a dripping status line": dripping(b"HTTP/1.1 201 ", b"X"),
    "dripping headers": dripping(b"HTTP/1.1 201 X\r\nX-A: ", b"b"),
    "many dripping headers": dripping(b"HTTP/1.1 100 X\r\n", b"X-A: b\r\n"),
    "a drip of 100s": dripping(b"", CONTINUE),
    "a flood of 100s": dripping(b"", CONTINUE * 2000),
}


@pytest.mark.parametrize("script", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_it_is_unclear_soon_and_sent_once(serve: Serve, script: Script) -> None:
    server = serve(script)
    began = time.monotonic()

    error = failure(at(server), SHORT)

    assert type(error) is VendorUnclearError
    assert error.detail.startswith(("The connection broke, or no answer came in time.", "Vonage answered 101."))
    assert time.monotonic() - began < LIMIT_S
    assert server.closed_by_peer.wait(30)
    assert (server.connections, posts(server)) == (1, 1)


def test_a_server_that_never_reads_leaves_it_unclear(serve: Serve) -> None:
    server = serve(resetting(b""), unasked=True)

    assert isinstance(failure(at(server)), VendorUnclearError)
    assert server.connections == 1


# A known status decides, however badly the rest comes

ACCEPTED: dict[str, tuple[Script, str | None]] = {
    "headers break off": (answering(b"HTTP/1.1 201 Created\r\nConte"), None),
    "body breaks off": (answering(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "body ends by reset": (resetting(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "body stalls": (silent(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "whole body, wrong length": (silent(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n" + CREATED_BODY), UUID),
    "whole body, no end": (silent(b"HTTP/1.1 201 X\r\n\r\n" + CREATED_BODY), UUID),
    "dripping body": (dripping(b"HTTP/1.1 201 X\r\n\r\n" + CREATED_BODY, b" "), UUID),
    "flood": (dripping(b"HTTP/1.1 201 X\r\n\r\n", b"x" * 1_000_000), None),
    "bad chunk": (answering(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), None),
    "bad gzip": (answering(reply(201, b"no gzip", "Content-Encoding: gzip")), None),
    "after a 100": (answering(CONTINUE + CREATED), UUID),
    "after other interim responses": (answering(PROCESSING + EARLY_HINTS + CREATED), UUID),
}


@pytest.mark.parametrize(("script", "uuid"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_201_is_accepted_soon_and_sent_once(serve: Serve, script: Script, uuid: str | None) -> None:
    server = serve(script)
    began = time.monotonic()

    assert place(at(server), timeouts=SHORT) == uuid
    assert time.monotonic() - began < LIMIT_S
    assert server.closed_by_peer.wait(30)
    assert (server.connections, posts(server)) == (1, 1)


def test_a_refusal_with_a_dripping_body_is_a_refusal(serve: Serve) -> None:
    server = serve(dripping(b"HTTP/1.1 400 X\r\n\r\n", b" "))

    assert isinstance(failure(at(server), SHORT), VendorRefusedError)


def test_the_whole_takes_the_sum_of_its_two_bounds_by_default(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the clock's readings taken from the bounds that the exchange waits for, instead of 14 s of waiting."""
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(threading.Event, "wait", lambda _, timeout=None: waits.append(timeout))
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.cut_unless_sending", lambda _: False)

    failure("http://127.0.0.1:9")

    assert waits == [4.0, pytest.approx(14, abs=0.9)]
    assert fields_logged(caplog, "vonage_exchange_failed") == [{"failure": "deadline"}]


def test_when_no_time_is_left_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(threading.Event, "wait", lambda _, timeout=None: waits.append(timeout))
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.cut_unless_sending", lambda _: False)
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.left_s", lambda _: -0.5)

    failure("http://127.0.0.1:9")

    assert waits[1] == 0


# No connection: certain that no phone rings


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = failure(f"http://127.0.0.1:{port}")

    assert type(error) is VendorUnreachableError
    assert "nothing was sent" in error.detail


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert type(failure("http://vonage.invalid")) is VendorUnreachableError


@pytest.mark.parametrize("name", ["x" * 64 + ".example", "a..b", "[::1", "%zz"])
def test_a_name_that_cannot_exist_is_unreachable(name: str) -> None:
    assert type(failure(f"http://{name}")) is VendorUnreachableError


def test_an_address_that_swallows_packets_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float | None] = []

    def connect(self: socket.socket, _: object) -> None:
        timeouts.append(self.gettimeout())
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)

    assert type(failure("http://127.0.0.1:9")) is VendorUnreachableError
    assert timeouts == [3.0]


def test_a_look_up_that_hangs_is_unreachable_in_time(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    release = threading.Event()
    server = serve(answering(CREATED))
    real = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        release.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    began = time.monotonic()

    error = failure(at(server), SHORT_SETUP)

    assert time.monotonic() - began < LIMIT_S
    assert [thread.daemon for thread in placing_threads()] == [True]
    release.set()
    assert type(error) is VendorUnreachableError
    join_all(placing_threads())
    assert posts(server) == 0


def test_a_connection_that_comes_too_late_is_closed_unused(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    server, release = serve(answering(CREATED)), threading.Event()

    def connect_late(self: socket.socket, address: Any) -> None:
        release.wait(10)
        socket.SocketType.connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_late)

    error = failure(at(server), SHORT_SETUP)
    release.set()

    assert type(error) is VendorUnreachableError
    assert server.closed_by_peer.wait(5)
    assert server.received == [b""]


def test_without_a_thread_it_is_unreachable(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    server = serve(answering(CREATED))

    def start(_: threading.Thread) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        error = failure(at(server))

    assert type(error) is VendorUnreachableError
    assert "no thread" in error.detail
    assert server.connections == 0


HANDSHAKE_FAULTS: dict[str, Script] = {
    "closed": answering(b""),
    "reset": resetting(b""),
    "plain HTTP": answering(CREATED),
    "silence": silent(b""),
    "drip": dripping(b"\x16\x03\x03\x40\x00", b"\x02"),
}


@pytest.mark.parametrize("script", HANDSHAKE_FAULTS.values(), ids=HANDSHAKE_FAULTS.keys())
def test_a_failed_handshake_is_unreachable_soon(serve: Serve, script: Script) -> None:
    server = serve(script, unasked=True)
    began = time.monotonic()

    error = failure(at(server, "https"), SHORT_SETUP)

    assert type(error) is VendorUnreachableError
    assert time.monotonic() - began < LIMIT_S
    assert server.connections == 1


def test_a_reset_that_the_tls_library_overlooks_is_unreachable(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset_at_once(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def connect_and_be_reset(self: socket.socket, address: Any) -> None:
        try:
            socket.SocketType.connect(self, address)
        except ConnectionResetError:
            # On a busy machine the peer is faster than the call itself, which then has met the error.
            was_reset.append(True)
            return
        select.select([self], [], [], 5)
        # Reading the error clears it, as any earlier call that met it would have.
        was_reset.append(self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET)

    server, was_reset = serve(reset_at_once, unasked=True), list[bool]()
    monkeypatch.setattr(socket.socket, "connect", connect_and_be_reset)

    assert type(failure(at(server, "https"))) is VendorUnreachableError
    join_all(placing_threads())
    assert was_reset == [True]


def test_a_certificate_that_nobody_vouches_for_is_unreachable(serve: Serve, tmp_path: Path) -> None:
    server = serve(answering(CREATED), make_tls(tmp_path, "localhost")[0])

    assert type(failure(at(server, "https", "localhost"))) is VendorUnreachableError
    assert posts(server) == 0


def trusted_server(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, folder: Path, script: Script, *, unasked: bool = False
) -> RawServer:
    tls, trusted = make_tls(folder, "localhost")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(trusted))
    return serve(script, tls, unasked=unasked)


def test_a_call_is_placed_over_tls(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = trusted_server(serve, monkeypatch, tmp_path, answering(CREATED))

    assert place(at(server, "https", "localhost")) == UUID
    assert posts(server) == 1


@pytest.mark.parametrize("setting", ["load_verify_locations", "set_alpn_protocols"])
def test_what_all_connections_share_is_set_once_and_not_under_a_handshake_of_another_thread(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str
) -> None:
    server = trusted_server(serve, monkeypatch, tmp_path, answering(CREATED))
    really = getattr(ssl.SSLContext, setting)
    settings = []

    def counting(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        settings.append(args)
        really(context, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, setting, counting)

    for _ in range(3):
        assert place(at(server, "https", "localhost")) == UUID
    assert len(settings) == 1


def test_a_certificate_for_another_name_is_unreachable(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = trusted_server(serve, monkeypatch, tmp_path, answering(CREATED))

    assert type(failure(at(server, "https"))) is VendorUnreachableError
    assert posts(server) == 0


@pytest.mark.parametrize(
    ("script", "unasked"),
    [(answering(b""), True), (resetting(b""), True), (answering(b""), False), (silent(b""), False)],
    ids=["closed after the handshake", "reset after the handshake", "closed after the request", "silence"],
)
def test_after_the_handshake_it_is_unclear(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: Script, *, unasked: bool
) -> None:
    server = trusted_server(serve, monkeypatch, tmp_path, script, unasked=unasked)

    error = failure(
        at(server, "https", "localhost"), {"connect_timeout_s": 3, "setup_timeout_s": 4, "read_timeout_s": 0.3}
    )

    assert type(error) is VendorUnclearError
    assert server.connections == 1
    assert posts(server) <= 1


def test_a_tls_connection_that_drips_is_cut(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = trusted_server(serve, monkeypatch, tmp_path, dripping(b"HTTP/1.1 201 X\r\nX-A: ", b"b"))
    began = time.monotonic()

    error = failure(
        at(server, "https", "localhost"), {"connect_timeout_s": 3, "setup_timeout_s": 3, "read_timeout_s": 0.5}
    )

    assert type(error) is VendorUnclearError
    assert time.monotonic() - began < LIMIT_S
    assert server.closed_by_peer.wait(5)


# Secrets, logs, leftovers


@pytest.mark.parametrize(
    "script",
    [answering(CREATED), answering(reply(400, JWT.encode())), answering(b""), resetting(b""), answering(b"x" * 70_000)],
    ids=["created", "refused", "closed", "reset", "not HTTP"],
)
def test_neither_logs_nor_errors_hold_token_number_or_text(
    serve: Serve, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    server = serve(script)
    told = ""
    with caplog.at_level(logging.DEBUG):
        try:
            place(at(server))
        except VendorError as error:
            told = "".join(repr(e) for e in (error, error.detail, error.__cause__, error.__context__))

    told += caplog.text + "".join(str(vars(record)) for record in caplog.records)
    for secret in (JWT, CALL.to, ORDER.from_, "enter the PIN", TOKEN):
        assert secret not in told


@pytest.mark.parametrize("at_fault", [b"", b"not HTTP\r\n"])
def test_the_log_tells_the_kind_of_failure(serve: Serve, caplog: pytest.LogCaptureFixture, at_fault: bytes) -> None:
    failure(at(serve(answering(at_fault))))

    [record] = [r for r in caplog.records if r.name.startswith("ttsprompt")]
    assert (record.getMessage(), vars(record)["fields"]) == ("vonage_exchange_failed", {"failure": "ConnectionError"})


def test_no_descriptor_is_left_open(serve: Serve) -> None:
    scripts = [answering(CREATED), answering(b""), resetting(b""), dripping(b"HTTP/1.1 201 X\r\nA: ", b"b")]
    servers = [serve(script) for script in scripts]
    place(at(servers[0]))
    before = open_descriptors()

    for server in servers:
        try:
            place(at(server), timeouts=SHORT)
        except VendorUnclearError:
            continue
    join_all(placing_threads())
    for server in servers:
        assert server.closed_by_peer.wait(5)

    assert settles(lambda: open_descriptors() <= before)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settles(condition: Callable[[], bool]) -> bool:
    """The servers' threads close their ends a moment later."""
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()
