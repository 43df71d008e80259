"""What the library does with each answer to a request for a call."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from conftest import APPLICATION, KEY_PEM, REQUEST, TID, FakeService, Reply, Time, placed, problem, shown
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ttsprompt_client import (
    Client,
    InterruptedCall,
    NotPlacedError,
    RefusedError,
    UnclearError,
    UsageError,
)

GATEWAY_PAGE = b"<html>upstream connect error</html>"


def client(service: FakeService, time: Time | None = None) -> Client:
    time = time or Time()
    return Client(service.url, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock)


def test_a_call_is_asked_for_once_with_its_fields_a_token_and_a_key(service: FakeService) -> None:
    service.replies = [placed()]

    placement = client(service).place(**REQUEST, attempts=2, premium=True)

    (asked,) = service.asked
    assert (placement.tid, placement.replayed) == (TID, False)
    assert (asked.method, asked.path) == ("POST", "/call")
    assert asked.body == {
        "to": "447700900050",
        "from": "447520616161",
        "text": "Enter your PIN",
        "pin_code": "1234",
        "attempts": 2,
        "premium": True,
    }
    assert asked.headers["idempotency-key"] == placement.idempotency_key
    assert service.tokens()[0]["application_id"] == APPLICATION


def test_the_private_key_is_in_no_request(service: FakeService) -> None:
    service.replies = [placed(), shown("ended", "ok")]

    client(service).call(**REQUEST)

    everything = str([(a.path, a.headers, a.body) for a in service.asked])
    assert "PRIVATE" not in everything
    assert not any(line in everything for line in KEY_PEM.splitlines()[1:-1])


AGAIN = [
    Reply(cut=True),
    problem(409, "in_progress", Retry_After="1"),
    problem(429, "vendor_rate_limited", Retry_After="2"),
    problem(429, "too_many_calls", Retry_After="3"),
    problem(503, "vendor_unreachable", Retry_After="1"),
    problem(503, "store_unavailable"),
    problem(500, "internal"),
    problem(408, "request_timeout"),
    Reply(408, raw=GATEWAY_PAGE),
    Reply(408, {"code": "REQUEST_TIMEOUT"}),
    Reply(502, raw=GATEWAY_PAGE),
    Reply(504, raw=GATEWAY_PAGE),
    Reply(504, {"code": "504", "title": "Gateway Timeout"}),
    problem(500, "a_code_of_a_later_version"),
    problem(504, "a_code_of_a_later_version"),
    Reply(429, raw=b"Rate exceeded."),
    Reply(200, raw=GATEWAY_PAGE),
    Reply(200, raw=b"[1]"),
    Reply(200, {"tid": "none"}),
]


@pytest.mark.parametrize("first", AGAIN, ids=lambda r: f"{r.status} {r.body and r.body.get('code')}")
def test_what_may_pass_is_asked_again_under_the_same_key(service: FakeService, first: Reply) -> None:
    service.replies = [first, first, placed(replayed=True)]
    time = Time()

    placement = client(service, time).place(**REQUEST)

    assert (placement.tid, placement.replayed) == (TID, True)
    assert service.keys() == [placement.idempotency_key] * 3
    assert all(a.body == service.asked[0].body for a in service.asked)
    if "Retry-After" in first.headers:
        assert time.slept == [float(first.headers["Retry-After"])] * 2


@pytest.mark.parametrize(
    "answer",
    [
        problem(400, "malformed"),
        problem(401, "unauthenticated"),
        problem(403, "country_not_allowed"),
        problem(409, "idempotency_conflict"),
        problem(422, "invalid_fields", errors=[{"field": "to", "code": "invalid_number", "message": "Wrong."}]),
        problem(422, "vendor_refused"),
        problem(502, "vendor_refused"),
        Reply(404, raw=GATEWAY_PAGE),
        Reply(301, headers={"Location": "https://elsewhere.example/call"}, raw=b""),
    ],
    ids=lambda r: f"{r.status} {r.body and r.body.get('code')}",
)
def test_a_refusal_is_final_and_phoned_nobody(service: FakeService, answer: Reply) -> None:
    service.replies = [answer]

    with pytest.raises(NotPlacedError) as caught:
        client(service).place(**REQUEST)

    assert len(service.asked) == 1
    assert caught.value.status == answer.status
    assert caught.value.code == (answer.body or {"code": "not_the_service"})["code"]
    assert [f.field for f in caught.value.faults] == [e["field"] for e in (answer.body or {"errors": []})["errors"]]


@pytest.mark.parametrize(
    "lost", [Reply(cut=True), Reply(408, raw=GATEWAY_PAGE), Reply(504, raw=GATEWAY_PAGE), problem(409, "in_progress")]
)
@pytest.mark.parametrize("refusal", [problem(401, "unauthenticated"), problem(422, "vendor_refused")])
def test_a_refusal_after_a_lost_answer_does_not_say_that_nobody_was_phoned(
    service: FakeService, lost: Reply, refusal: Reply
) -> None:
    service.replies = [lost, refusal]

    with pytest.raises(UnclearError) as caught:
        client(service).place(**REQUEST, idempotency_key="mine")

    assert (caught.value.tid, caught.value.idempotency_key) == (None, "mine")


def test_patience_ends_as_unclear_if_any_answer_was_lost_and_as_not_placed_if_none_was(service: FakeService) -> None:
    service.replies = [Reply(cut=True), problem(503, "store_unavailable", Retry_After="1")]
    time = Time()
    with pytest.raises(UnclearError):
        client(service, time).place(**REQUEST)
    assert 40 < sum(time.slept) <= 45

    service.replies = [problem(503, "store_unavailable", Retry_After="1")]
    with pytest.raises(NotPlacedError, match="store_unavailable"):
        client(service).place(**REQUEST)


def test_a_longer_wait_than_patience_is_not_begun_and_is_told(service: FakeService) -> None:
    service.replies = [problem(429, "too_many_calls", Retry_After="600")]
    time = Time()

    with pytest.raises(NotPlacedError) as caught:
        client(service, time).place(**REQUEST)

    assert (time.slept, caught.value.retry_after_s) == ([], 600)


def test_nobody_was_phoned_by_a_service_that_never_listened() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        time = Time()
        url = f"http://127.0.0.1:{held.getsockname()[1]}"

        with pytest.raises(NotPlacedError) as caught:
            Client(url, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock).place(**REQUEST)

    assert (caught.value.status, caught.value.code) == (None, "unreachable")
    assert sum(time.slept) > 40  # it might have come up


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Serve a certificate that nobody has signed; who takes it gets a gateway's answer in the clear."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begins, ends = datetime(2026, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begins).not_valid_after(ends)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(address, critical=False)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(pem + builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                        if secured.recv(65536):
                            with socket.socket(fileno=os.dup(secured.fileno())) as bare:
                                bare.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_stranger_gets_no_request_and_is_not_asked_again(stranger: str) -> None:
    time = Time()

    with pytest.raises(NotPlacedError, match="certificate"):
        Client(stranger, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock).place(**REQUEST)

    assert time.slept == []


def test_a_fault_of_tls_after_the_request_was_sent_is_unclear(
    stranger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL has the words of a handshake with somebody else for it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "both.pem"))
    time = Time()

    with pytest.raises(UnclearError):
        Client(stranger, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock).place(**REQUEST)

    assert time.slept


def test_https_where_there_is_none_phones_nobody(service: FakeService) -> None:
    time = Time()
    url = service.url.replace("http:", "https:")

    with pytest.raises(NotPlacedError, match="not https"):
        Client(url, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock).place(**REQUEST)

    assert time.slept == []


def test_an_unclear_answer_names_its_tid_and_a_call_is_followed_all_the_same(service: FakeService) -> None:
    service.replies = [problem(504, "vendor_unclear", tid=TID), shown("ended", "ok", "pin_matched")]
    with pytest.raises(UnclearError) as caught:
        client(service).place(**REQUEST)
    assert caught.value.tid == TID

    service.replies = [problem(504, "vendor_unclear", tid=TID), shown("ended", "ok", "pin_matched")]
    assert client(service).call(**REQUEST).is_ok
    assert len(service.keys()) == 2


def test_an_unclear_answer_is_not_sent_again(service: FakeService) -> None:
    for code in ("vendor_unclear", "a_code_of_a_later_version"):
        service.replies = [problem(504, code, tid=TID)]
        service.asked.clear()

        with pytest.raises(UnclearError) as caught:
            client(service).place(**REQUEST)

        assert caught.value.tid == TID
        assert len(service.asked) == 1


@pytest.mark.parametrize("when", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_gateway_that_says_at_once_is_not_flooded(service: FakeService, when: str) -> None:
    service.replies = [Reply(503, raw=GATEWAY_PAGE, headers={"Retry-After": when})] * 3 + [placed()]
    time = Time()

    client(service, time).place(**REQUEST)

    assert time.slept == [0.5] * 3


class Impatient(Time):
    """Somebody presses Ctrl-C in the first pause."""

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 - it has no time for it
        raise KeyboardInterrupt


@pytest.mark.parametrize(("reply", "sent"), [(problem(503, "store_unavailable"), False), (Reply(cut=True), True)])
def test_an_interrupt_says_whether_somebody_may_have_been_phoned(
    service: FakeService, reply: Reply, sent: bool
) -> None:
    service.replies = [reply]

    with pytest.raises(InterruptedCall) as caught:
        client(service, Impatient()).place(**REQUEST, idempotency_key="mine")

    assert (caught.value.sent, caught.value.idempotency_key) == (sent, "mine")


def test_an_interrupt_while_an_answer_is_judged_does_not_say_that_nobody_was_phoned(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    service.replies = [placed()]
    monkeypatch.setattr("ttsprompt_client.placing.meaning", interrupted)

    with pytest.raises(InterruptedCall) as caught:
        client(service).place(**REQUEST)

    assert caught.value.sent


@pytest.mark.parametrize("key", ["", "a,b", 'a"b', "a b", "ä", "x" * 256])
def test_a_key_that_the_service_would_refuse_or_change_is_not_sent(service: FakeService, key: str) -> None:
    with pytest.raises(UsageError):
        client(service).place(**REQUEST, idempotency_key=key)


@pytest.mark.parametrize(
    "fields",
    [{"pin_code": 1234}, {"attempts": "3"}, {"attempts": True}, {"premium": 1}, {"nonsense": "x"}, {"dry_run": True}],
)
def test_a_wrong_type_or_name_is_told_before_anything_is_sent(service: FakeService, fields: Any) -> None:
    with pytest.raises(UsageError):
        client(service).place(**{**REQUEST, **fields})

    assert service.asked == []


def test_a_netrc_does_not_replace_the_token(
    service: FakeService, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    service.replies = [placed()]

    client(service).place(**REQUEST)

    assert service.asked[0].headers["authorization"].startswith("Bearer ")


def test_an_endless_answer_is_given_up(service: FakeService) -> None:
    whole = json.dumps({"tid": TID, "pad": "x" * 2**21}).encode()
    service.replies = [Reply(200, raw=whole)]

    with pytest.raises(UnclearError):
        client(service).place(**REQUEST)


def test_a_dry_run_phones_nobody_and_shows_a_token_only_if_there_is_one(service: FakeService) -> None:
    service.replies = [Reply(200, {"ncco": [], "warnings": []})]

    client(service).dry_run(**REQUEST)
    Client(service.url, None, None).dry_run(**REQUEST)

    assert [a.body["dry_run"] for a in service.asked] == [True, True]
    assert ["authorization" in a.headers for a in service.asked] == [True, False]
    with pytest.raises(UsageError):
        Client(service.url, None, None).place(**REQUEST)


@pytest.mark.parametrize(
    "url", ["", "calls.example", "ftp://x", "https://", "https://u@x", "https://x?y", "https://x:0"]
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(UsageError):
        Client(url, APPLICATION, KEY_PEM)


def test_the_path_of_the_address_is_kept(service: FakeService) -> None:
    service.replies = [placed()]

    Client(f"{service.url}/api/", APPLICATION, KEY_PEM).place(**REQUEST)

    assert service.asked[0].path == "/api/call"


def test_a_call_that_is_not_there_is_told(service: FakeService) -> None:
    service.replies = [problem(404, "not_found")]

    with pytest.raises(RefusedError, match="not_found"):
        client(service).status(TID)
    with pytest.raises(UsageError):
        client(service).status("../x")
