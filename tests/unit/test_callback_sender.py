"""The sender against real local servers, a scripted resolver and a spy on every connection."""

from __future__ import annotations

import base64
import ipaddress
import logging
import queue
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from tests.raw_server import OK, RawServer, Script, answering, dripping, header, make_tls, raw_servers, silent
from ttsprompt.callbacks import sender as callback_sender
from ttsprompt.callbacks.sender import RequestsCallbackSender
from ttsprompt.callbacks.signing import parse_signing_key
from ttsprompt.domain.model import CallbackFormat, CallbackMethod
from ttsprompt.net.addresses import is_public_unicast
from ttsprompt.ports import CallbackRequest, CallbackResponse, CallbackSender

NOW = datetime(2026, 1, 1, 12, 0, 0, 900_000, tzinfo=UTC)
PAYLOAD = "to=15550100&tid=t-1&status=ok&reference=a%20b%2Fc"
HMAC_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ED25519_KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    with raw_servers() as start:
        yield start


@pytest.fixture(autouse=True)
def connects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that is connected to; none but loopback is really reached."""
    seen: list[str] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        seen.append(address[0])
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


Resolver = dict[str, list[list[str]]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Answers per name, one list of addresses for each look-up, the last for ever; numbers are read as ever."""
    names: Resolver = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int | None, *args: int, **kwargs: int) -> list[object]:
        if host not in names:
            numeric_only = {**kwargs, "flags": socket.AI_NUMERICHOST}
            return list(real(host, port, *args, **numeric_only))
        answers = names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        families = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses]
        return [(family, socket.SOCK_STREAM, 6, "", (address, port or 0)) for family, address in families]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


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
    sender: CallbackSender = RequestsCallbackSender(
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
def test_post_carries_the_exact_payload(
    serve: Callable[..., RawServer], form: CallbackFormat, content_type: str
) -> None:
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
        ("/p?u=a b+c", f"/p?u=a%20b+c&{PAYLOAD}"),
        ("/p?u=ü", f"/p?u=%C3%BC&{PAYLOAD}"),
        ("/p?u=100%", f"/p?u=100%&{PAYLOAD}"),
        ("/a/../b;c?x[]=1|2", f"/a/../b;c?x[]=1%7C2&{PAYLOAD}"),
        ("/p?x=http://h/?y", f"/p?x=http://h/?y&{PAYLOAD}"),
        ("//h/p?a#frag", f"//h/p?a&{PAYLOAD}"),
    ],
)
def test_get_keeps_the_url_and_signs_the_query_that_arrives(
    serve: Callable[..., RawServer], tail: str, target: str
) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}{tail}", CallbackMethod.GET, keys=(ED25519_KEY,))

    assert target_of(server.received[0]) == target
    verify_v1a(server.received[0], target_of(server.received[0]).partition("?")[2])


def test_post_keeps_the_urls_own_query(serve: Callable[..., RawServer]) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/p?u=%2f&v=")

    assert target_of(server.received[0]) == "/p?u=%2f&v="


def verify_v1a(request: bytes, content: str) -> None:
    signature = (header(request, "webhook-signature") or "").removeprefix("v1a,")
    signed = f"{header(request, 'webhook-id')}.{header(request, 'webhook-timestamp')}.{content}"
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY.removeprefix("whpk_")))
    public.verify(base64.b64decode(signature), signed.encode())


def test_every_key_signs_the_body(serve: Callable[..., RawServer]) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/", keys=(HMAC_KEY, ED25519_KEY))

    request = server.received[0]
    v1, v1a = (header(request, "webhook-signature") or "").split(" ")
    assert (header(request, "webhook-id"), header(request, "webhook-timestamp")) == ("t-1", str(int(NOW.timestamp())))
    assert v1 == Webhook(HMAC_KEY).sign("t-1", NOW, PAYLOAD)
    assert v1a.startswith("v1a,")


def test_without_keys_there_is_no_signature(serve: Callable[..., RawServer]) -> None:
    server = serve()

    send(f"http://127.0.0.1:{server.port}/")

    assert header(server.received[0], "webhook-signature") is None
    assert header(server.received[0], "webhook-id") == "t-1"


def test_public_keys_are_those_of_the_v1a_keys() -> None:
    keys = [parse_signing_key(HMAC_KEY), parse_signing_key(ED25519_KEY)]

    assert RequestsCallbackSender(keys, allow_private=False, user_agent="t").public_keys() == [PUBLIC_KEY]


def test_proxies_and_netrc_of_the_environment_are_not_used(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, proxy = serve(), serve()
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)

    assert send(f"http://127.0.0.1:{server.port}/").http_status == 200
    assert proxy.received == []
    assert header(server.received[0], "authorization") is None


# What is made of the answer


@pytest.mark.parametrize("status", [200, 204, 404, 410, 500, 503])
def test_the_status_is_reported(serve: Callable[..., RawServer], status: int) -> None:
    server = serve(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))

    assert send(f"http://127.0.0.1:{server.port}/") == CallbackResponse(http_status=status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve: Callable[..., RawServer], status: int) -> None:
    victim = serve()
    location = b"Location: http://127.0.0.1:%d/\r\n\r\n" % victim.port
    server = serve(answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n" % status, location))

    assert send(f"http://127.0.0.1:{server.port}/").http_status == status
    assert victim.received == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 59.1),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 59.1),
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
def test_retry_after_is_read(serve: Callable[..., RawServer], value: str, seconds: float | None) -> None:
    server = serve(answering(b"HTTP/1.1 503 X\r\nRetry-After: " + value.encode() + b"\r\nContent-Length: 0\r\n\r\n"))

    assert send(f"http://127.0.0.1:{server.port}/").retry_after_s == seconds


@pytest.mark.parametrize("status", [b"200", b"302"])
def test_a_huge_body_is_not_read(serve: Callable[..., RawServer], status: bytes) -> None:
    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 " + status + b" X\r\nLocation: /x\r\nContent-Length: 400000000\r\n\r\n")
        for _ in range(400):
            connection.sendall(bytes(1_000_000))

    server = serve(script)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert send(f"http://127.0.0.1:{server.port}/").http_status == int(status)
    assert server.closed_by_peer.wait(5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </x>"])
def test_an_interim_response_is_not_the_answer(serve: Callable[..., RawServer], interim: bytes) -> None:
    server = serve(answering(b"HTTP/1.1 " + interim + b"\r\n\r\n", OK))

    assert send(f"http://127.0.0.1:{server.port}/").http_status == 200


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (b"", "connection"),
        (b"SSH-2.0-OpenSSH\r\n", "protocol"),
        (b"HTTP/1.1 banana\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "protocol"),
    ],
)
def test_a_peer_that_does_not_speak_http_is_a_fault(serve: Callable[..., RawServer], reply: bytes, fault: str) -> None:
    server = serve(answering(reply))

    assert send(f"http://127.0.0.1:{server.port}/") == CallbackResponse(fault=fault)


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert send(f"http://127.0.0.1:{port}/").fault == "refused"


@pytest.mark.parametrize("allow_private", [True, False])
def test_an_unknown_name_is_a_dns_fault(resolver: Resolver, allow_private: bool) -> None:
    assert send("http://nowhere.example/", allow_private=allow_private).fault == "dns"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h/",
        "file:///etc/passwd",
        "http://",
        "http://u:p@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:" + "9" * 5000 + "/",
        "http://example.com:x/",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/\x00",
        "http://[::1/",
        "http://" + "a" * 300 + "/",
        "http://\ud800/",
        "http://example.com/\ud800",
    ],
)
def test_a_url_that_cannot_be_ours_is_not_used(url: str, resolver: Resolver, connects: list[str]) -> None:
    resolver["example.com"] = [["8.8.8.8"]]

    assert send(url).fault in {"invalid_url", "dns"}
    assert connects == []


# Where it does not connect

HOSTILE = (
    "127.0.0.1 127.255.255.255 127.1 127.0.1 0x7f.1 0x7f000001 0177.1 017700000001 2130706433 0 0.0.0.0 10.0.0.1 "
    "10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 169.254.169.254 0xA9FEA9FE 2852039166 "
    "100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 "
    "192.88.99.1 192.175.48.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 "
    "①②⑦.⓪.⓪.① １２７.0.0.1 "
    "127。0。0。1 %31%32%37.0.0.1 127.0.0.1. [::] [::1] [::127.0.0.1] [::ffff:127.0.0.1] "
    "[::ffff:7f00:1] [::ffff:8.8.8.8] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::8.8.8.8] [64:ff9b:1::1] "
    "[100::1] [2001::1] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001:20::1] [2001:db8::1] [2002:7f00:1::] "
    "[2002:808:808::] [2606:4700::5efe:7f00:1] [2606:4700::200:5efe:a00:1] "
    "[2620:4f:8000::1] [3fff::1] [5f00::1] [fc00::1] "
    "[fd00:ec2::254] [fd20:ce::254] [fe80::1] "
    "[fe80::1%25lo] [fe80::1%lo] [fec0::1] [ff02::1] localhost LOCALHOST. "
    "a.localhost metadata metadata.google.internal METADATA.Google.Internal. printer.local"
)
HOSTILE_HOSTS = HOSTILE.split()


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_a_hostile_host_gets_no_connection(host: str, resolver: Resolver, connects: list[str]) -> None:
    assert send(f"http://{host}/", allow_private=False).fault == "blocked_address"
    assert connects == []


RESOLVED = [
    host.strip("[]").partition("%")[0]
    for host in HOSTILE_HOSTS
    if host.startswith("[") or (host.isascii() and host.count(".") == 3 and host.replace(".", "").isdigit())
]


@pytest.mark.parametrize("address", [address for address in RESOLVED if not address.endswith(".") and address])
def test_a_name_that_resolves_to_a_hostile_address_gets_no_connection(
    address: str, resolver: Resolver, connects: list[str]
) -> None:
    resolver["rebind.example"] = [[address]]

    send("http://rebind.example/", allow_private=False)

    # An IPv4-mapped answer is unwrapped before it is judged, so a public one may be used: as plain IPv4.
    assert [one for one in connects if not is_public_unicast(ipaddress.ip_address(one))] == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "answers",
    [
        [["8.8.8.8"], ["127.0.0.1"]],
        [["8.8.8.8", "127.0.0.1"]],
        [["127.0.0.1", "8.8.8.8"]],
        [["2606:4700::1111", "::1"]],
        [["::1", "8.8.8.8"]],
    ],
)
def test_rebinding_and_mixed_answers_never_lead_inside(
    scheme: str, answers: list[list[str]], resolver: Resolver, connects: list[str]
) -> None:
    resolver["rebind.example"] = answers

    for _ in range(2):
        send(f"{scheme}://rebind.example/", allow_private=False)

    assert not {"127.0.0.1", "::1"} & set(connects)


def test_a_public_name_is_connected_to_by_its_checked_address(resolver: Resolver, connects: list[str]) -> None:
    resolver["good.example"] = [["8.8.8.8"]]

    assert send("http://good.example/", allow_private=False).fault == "refused"
    assert connects == ["8.8.8.8"]


def test_a_refused_host_is_not_logged(resolver: Resolver, caplog: pytest.LogCaptureFixture) -> None:
    resolver["secret-host.example"] = [["10.0.0.1"]]

    with caplog.at_level(logging.INFO):
        send("http://secret-host.example/", allow_private=False)

    assert caplog.text == ""


# How long it takes

SOON_S = 6.0
"""Long after the time limits here, of which the longest is 0.3 s, and long before a server that drips would end."""


@pytest.mark.parametrize(
    "script",
    [
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"", b"H"),
        silent(b"HTTP/1.1 200 OK\r\n"),
        silent(b""),
    ],
    ids=["dripped header", "endless 1xx", "dripped status", "half a head", "silence"],
)
def test_the_deadline_holds_and_frees_the_connection(serve: Callable[..., RawServer], script: Script) -> None:
    server = serve(script)
    began = time.monotonic()

    response = send(f"http://127.0.0.1:{server.port}/", timeout_s=0.3)

    assert response == CallbackResponse(fault="timeout")
    assert time.monotonic() - began < SOON_S
    assert gone_within(SOON_S)


def test_the_receiver_is_waited_for_exactly_as_long_as_was_said(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []

    class Recording(queue.SimpleQueue[CallbackResponse]):
        def get(self, block: bool = True, timeout: float | None = None) -> CallbackResponse:  # noqa: FBT002 - as it is
            waits.append(timeout)
            return super().get(block, timeout)

    monkeypatch.setattr(queue, "SimpleQueue", Recording)

    assert send(f"http://127.0.0.1:{serve().port}/", timeout_s=9).http_status == 200
    assert waits == [pytest.approx(9, abs=0.9)]


def test_a_tls_handshake_that_never_ends_is_cut(serve: Callable[..., RawServer]) -> None:
    server = serve()
    began = time.monotonic()

    assert send(f"https://127.0.0.1:{server.port}/", timeout_s=0.3).fault == "timeout"
    assert time.monotonic() - began < SOON_S
    assert gone_within(SOON_S)


def gone_within(seconds: float) -> bool:
    threads = [thread for thread in threading.enumerate() if thread.name == "callback"]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    return not any(thread.is_alive() for thread in threads)


@pytest.fixture
def stuck_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Look-ups that hang until the event is set, and then find a public address."""
    release = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        release.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield release
    release.set()
    gone_within(SOON_S)


def test_a_look_up_that_hangs_does_not_hold_the_caller(stuck_dns: threading.Event, connects: list[str]) -> None:
    began = time.monotonic()

    assert send("http://slow.example/", allow_private=False, timeout_s=0.2).fault == "timeout"
    assert time.monotonic() - began < SOON_S

    stuck_dns.set()
    assert gone_within(SOON_S)
    assert connects == []


def test_hanging_tries_are_bounded_and_their_places_come_back(
    stuck_dns: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback_sender, "MAX_THREADS", 2)
    sender = RequestsCallbackSender((), allow_private=False, user_agent="t")
    request = CallbackRequest("t-1", "http://slow.example/", CallbackMethod.POST, CallbackFormat.FORM, PAYLOAD)

    faults = [sender.send(request, now=NOW, timeout_s=0.05).fault for _ in range(3)]
    stuck_dns.set()
    freed = gone_within(SOON_S)

    assert faults == ["timeout", "timeout", "busy"]
    assert freed
    assert sender.send(request, now=NOW, timeout_s=10).fault == "refused"


def test_a_connection_that_comes_too_late_is_not_used(
    serve: Callable[..., RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, release = serve(), threading.Event()

    def connect_late(self: socket.socket, address: tuple[str, int]) -> None:
        release.wait(10)
        socket.SocketType.connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_late)

    fault = send(f"http://127.0.0.1:{server.port}/", timeout_s=0.1).fault
    release.set()

    assert fault == "timeout"
    assert server.closed_by_peer.wait(5)
    assert server.received == [b""]


def test_a_thread_that_cannot_start_makes_it_busy_and_costs_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError

    monkeypatch.setattr(callback_sender, "MAX_THREADS", 1)
    sender = RequestsCallbackSender((), allow_private=True, user_agent="t")
    request = CallbackRequest("t-1", "http://u@h/", CallbackMethod.POST, CallbackFormat.FORM, PAYLOAD)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        busy = sender.send(request, now=NOW, timeout_s=10).fault

    assert busy == "busy"
    assert sender.send(request, now=NOW, timeout_s=10).fault == "invalid_url"


def test_what_nobody_foresaw_is_a_fault_too() -> None:
    assert send("http://127.0.0.1:9/", payload="\ud800").fault == "internal"


def test_no_time_left_is_a_timeout() -> None:
    assert send("http://127.0.0.1:9/", timeout_s=0).fault == "timeout"


def test_threads_that_hang_are_daemons(stuck_dns: threading.Event) -> None:
    send("http://slow.example/", allow_private=False, timeout_s=0.05)

    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "callback")


# TLS


def test_a_self_signed_certificate_is_refused(serve: Callable[..., RawServer], tmp_path: Path) -> None:
    server = serve(tls=make_tls(tmp_path, "localhost")[0])

    assert send(f"https://localhost:{server.port}/").fault == "tls"
    assert server.received == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good.example", CallbackResponse(http_status=200)),
        ("good.example.", CallbackResponse(http_status=200)),
        ("other.example", CallbackResponse(fault="tls")),
    ],
)
def test_the_certificate_is_checked_against_the_name_although_the_address_is_pinned(
    serve: Callable[..., RawServer],
    resolver: Resolver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    expected: CallbackResponse,
) -> None:
    tls, trusted = make_tls(tmp_path, "good.example")
    server = serve(tls=tls)
    resolver[name] = [["8.8.8.8"]]
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(trusted))
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, _: socket.SocketType.connect(self, ("127.0.0.1", server.port))
    )

    assert send(f"https://{name}:{server.port}/", allow_private=False) == expected


def test_a_peer_that_does_not_speak_tls_is_a_tls_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_plainly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(OK)

        threading.Thread(target=serve_plainly, daemon=True).start()

        assert send(f"https://127.0.0.1:{listener.getsockname()[1]}/").fault == "tls"


def test_nothing_slow_is_imported_before_the_first_callback() -> None:
    code = (
        "import sys; from ttsprompt.callbacks.sender import RequestsCallbackSender as S;"
        "S((), allow_private=False, user_agent='t').public_keys();"
        "print(sorted({'requests', 'requests_hardened', 'standardwebhooks', 'cryptography'} & set(sys.modules)))"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=20).strip() == "[]"
