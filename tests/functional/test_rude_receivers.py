"""The sender of production against receivers, names and addresses of every kind of rudeness.

A row of the table is a receiver; the next one is a line. They are met inside `tests.network`: the addresses that a name
has are the ones it has in the table, the look-up is the C library's, and each address leads to a real server, the
private ones too. One sender meets them all, so what one of them leaves behind is there when the next one comes.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.network import PUBLIC_V6, UNREACHABLE, Names, Network, NetworkUnavailableError
from tests.raw_server import (
    OK,
    RawServer,
    Script,
    answering,
    answering_ok,
    dripping,
    header,
    listen,
    make_tls,
    resetting,
    silent,
)
from ttsprompt.callbacks import exchange
from ttsprompt.callbacks import sender as production
from ttsprompt.callbacks.sender import CurlCallbackSender
from ttsprompt.domain.model import CallbackFormat, CallbackMethod
from ttsprompt.net.addresses import is_public_unicast
from ttsprompt.ports import CallbackRequest, CallbackResponse

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET: Final = "to=447700900123&reference=canary"
GOOD: Final = CallbackResponse(http_status=200)
V4, V4_TOO = "8.8.8.8", "8.8.4.4"
V6, V6_TOO = PUBLIC_V6
NO_ROUTE, NO_ROUTE_V6 = UNREACHABLE
PRIVATE, PRIVATE_V6 = "10.0.0.1", "fd00::1"
ANYWHERE: Final = ("::",)

HEAD: Final = b"HTTP/1.1 200 OK\r\n"
UNAVAILABLE: Final = b"HTTP/1.1 503 X\r\n"
SHORT_S: Final = 0.4
"""The whole try, where the receiver is silent."""

SOON_S: Final = 8.0
"""Long after every time limit here but the default one, and before a rude receiver would give up."""


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Who is met: a name with `addresses`, a server with `script` on those in `at`, and ports that swallow packets."""

    what: str
    expected: CallbackResponse
    script: Script = answering_ok
    url: str = "http://receiver.example:{port}/hook?a=1"
    name: str = "receiver.example"
    addresses: tuple[str, ...] = (V4,)
    at: tuple[str, ...] = ANYWHERE
    silent_at: tuple[str, ...] = ()
    certificate: str | None = None
    port: int = 0
    unasked: bool = False
    timeout_s: float = 10


def holding(connection: socket.socket) -> None:
    """Take what comes and say nothing."""
    while connection.recv(65536):
        pass


def fault(word: str) -> CallbackResponse:
    return CallbackResponse(fault=word)


def status(code: int, retry_after_s: float | None = None) -> CallbackResponse:
    return CallbackResponse(http_status=code, retry_after_s=retry_after_s)


def addresses(what: str, expected: CallbackResponse, *of_name: str, at: str = "", silent_at: str = "") -> Receiver:
    return Receiver(
        what=what,
        expected=expected,
        addresses=of_name,
        at=tuple(at.split()) or ANYWHERE,
        silent_at=tuple(silent_at.split()),
    )


def answer(what: str, expected: CallbackResponse, *parts: bytes) -> Receiver:
    return Receiver(what=what, expected=expected, script=answering(*parts))


def slow(what: str, expected: CallbackResponse, script: Script) -> Receiver:
    return Receiver(what=what, expected=expected, script=script, timeout_s=SHORT_S)


def tls(what: str, expected: CallbackResponse, url: str, name: str, certificate: str, port: int = 0) -> Receiver:
    return Receiver(what=what, expected=expected, url=url, name=name, certificate=certificate, port=port)


RECEIVERS = [
    # Addresses: every public one in the same try, no other.
    addresses("one address", GOOD, V4),
    addresses("an IPv6 address", GOOD, V6),
    addresses("both families", GOOD, V6, V4),
    addresses("the first refuses", GOOD, V4, V4_TOO, at=V4_TOO),
    addresses("the second refuses", GOOD, V4, V4_TOO, at=V4),
    addresses("IPv6 refuses", GOOD, V6, V4, at=V4),
    addresses("IPv4 refuses", GOOD, V6, V4, at=V6),
    addresses("the first of three answers", GOOD, V4, V4_TOO, "1.1.1.1", at=V4),
    addresses("the last of three answers", GOOD, V4, V4_TOO, "1.1.1.1", at="1.1.1.1"),
    addresses("the first is silent", GOOD, V4, V4_TOO, at=V4_TOO, silent_at=V4),
    addresses("the second is silent", GOOD, V4, V4_TOO, at=V4, silent_at=V4_TOO),
    addresses("IPv6 is silent", GOOD, V6, V4, at=V4, silent_at=V6),
    addresses("IPv4 is silent", GOOD, V6, V4, at=V6, silent_at=V4),
    addresses("all of one family are silent", GOOD, V6, V6_TOO, V4, at=V4, silent_at=f"{V6} {V6_TOO}"),
    addresses("the first has no route", GOOD, NO_ROUTE, V4),
    addresses("IPv6 has no route", GOOD, NO_ROUTE_V6, V4),
    addresses("the first is private", GOOD, PRIVATE, V4),
    addresses("the last is private", GOOD, V4, PRIVATE),
    addresses("IPv6 is private", GOOD, PRIVATE_V6, V4),
    addresses("IPv4 is private", GOOD, V6, "127.0.0.1"),
    addresses("all are private", fault("blocked_address"), PRIVATE, PRIVATE_V6, "127.0.0.1", "::1"),
    addresses("the public one refuses, a private one would answer", fault("refused"), V4, PRIVATE, at=PRIVATE),
    addresses("all refuse", fault("refused"), V4, V6, at="1.1.1.1"),
    addresses("none has a route", fault("connection"), NO_ROUTE, NO_ROUTE_V6),
    # Names
    addresses("a name without addresses", fault("dns")),
    addresses("nothing comes of the question for IPv6", GOOD, V4, "no AAAA"),
    addresses("nothing comes of the question for IPv4", GOOD, V6, "no A"),
    Receiver(what="no such name", expected=fault("dns"), url="http://nowhere.example/"),
    Receiver(what="the resolver hangs", expected=fault("timeout"), addresses=("no A", "no AAAA"), timeout_s=SHORT_S),
    Receiver(what="silent addresses", expected=fault("timeout"), at=(), silent_at=(V4,), timeout_s=SHORT_S),
    Receiver(what="a name with a dot at its end", expected=GOOD, url="http://receiver.example.:{port}/"),
    Receiver(what="a public literal", expected=GOOD, url="http://8.8.8.8:{port}/"),
    Receiver(what="a public literal of IPv6", expected=GOOD, url="http://[2606:4700::1111]:{port}/"),
    # The status line decides.
    answer("201", status(201), b"HTTP/1.1 201 Created\r\n\r\n"),
    answer("HTTP/1.0", GOOD, b"HTTP/1.0 200 OK\r\n\r\n"),
    answer("no reason", GOOD, b"HTTP/1.1 200\r\n\r\n"),
    answer("bare line feeds", GOOD, b"HTTP/1.1 200 OK\nA: b\n\n"),
    answer("200 headers", GOOD, HEAD, b"X: y\r\n" * 200, b"\r\n"),
    answer("100,000 headers", GOOD, HEAD, b"X: y\r\n" * 100_000, b"\r\n"),
    answer("a header of 70 kB", GOOD, HEAD, b"X: ", b"y" * 70_000, b"\r\n\r\n"),
    answer("a header of 2 MB", GOOD, HEAD, b"X: ", b"y" * 2_000_000, b"\r\n\r\n"),
    answer("two Content-Lengths", GOOD, HEAD, b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    answer("one Content-Length with two values", GOOD, HEAD, b"Content-Length: 1, 2\r\n\r\nx"),
    answer("a Content-Length below zero", GOOD, HEAD, b"Content-Length: -1\r\n\r\n"),
    answer(
        "a Content-Length with a Transfer-Encoding",
        GOOD,
        HEAD,
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    answer("an unknown Transfer-Encoding", GOOD, HEAD, b"Transfer-Encoding: banana\r\n\r\n"),
    answer("an unknown Content-Encoding", GOOD, HEAD, b"Content-Encoding: banana\r\n\r\nx"),
    answer("a broken chunk", GOOD, HEAD, b"Transfer-Encoding: chunked\r\n\r\nbanana\r\n"),
    answer("a header without a colon", GOOD, HEAD, b"no colon\r\n\r\n"),
    answer("megabytes of lines without a colon", GOOD, HEAD, b"no colon\r\n" * 400_000, b"\r\n"),
    answer("a NUL in a header", GOOD, HEAD, b"X: \0\r\n\r\n"),
    answer("bytes that are no text", GOOD, HEAD, bytes(range(128, 256)), b": ", bytes(range(128, 256)), b"\r\n\r\n"),
    answer("the connection ends within the head", GOOD, HEAD, b"X: "),
    answer("a Set-Cookie for everybody", status(503), UNAVAILABLE, b"Set-Cookie: a=b; Domain=example\r\n\r\n"),
    answer("a second status line", status(503), UNAVAILABLE, HEAD, b"\r\n"),
    answer("a failure with 10,000 headers", status(503), UNAVAILABLE, b"X: y\r\n" * 10_000, b"\r\n"),
    answer("a failure with a header of 2 MB", status(503), UNAVAILABLE, b"X: ", b"y" * 2_000_000, b"\r\n\r\n"),
    answer(
        "a failure with two Content-Lengths",
        status(503),
        UNAVAILABLE,
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ),
    answer("a failure says when", status(503, 7), UNAVAILABLE, b"A: b\r\nRETRY-AFTER:7\r\n\r\n"),
    answer("a failure says when, folded", status(503, 7), UNAVAILABLE, b"Retry-After:\r\n 7\r\n\r\n"),
    answer("101", status(101), b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", OK),
    answer("401 with a challenge", status(401), b"HTTP/1.1 401 X\r\nWWW-Authenticate: Negotiate\r\n\r\n"),
    answer("407", status(407), b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n\r\n"),
    answer("417", status(417), b"HTTP/1.1 417 X\r\nContent-Length: 0\r\n\r\n"),
    answer("999", status(999), b"HTTP/1.1 999 X\r\n\r\n"),
    answer("100 before it", GOOD, b"HTTP/1.1 100 Continue\r\n\r\n", OK),
    answer("102 and 103 before it", GOOD, b"HTTP/1.1 102 X\r\n\r\nHTTP/1.1 103 X\r\nLink: </x>\r\n\r\n", OK),
    answer(
        "Retry-After of an interim response",
        status(503),
        b"HTTP/1.1 103 X\r\nRetry-After: 9\r\n\r\n",
        UNAVAILABLE,
        b"\r\n",
    ),
    # No HTTP
    answer("nothing", fault("connection")),
    answer("half a status line", fault("connection"), b"HTTP/1.1 20"),
    answer("only an interim response", fault("connection"), b"HTTP/1.1 100 Continue\r\n\r\n"),
    answer("interim responses without end", fault("connection"), b"HTTP/1.1 100 Continue\r\n\r\n" * 400_000),
    answer("SSH", fault("protocol"), b"SSH-2.0-OpenSSH\r\n"),
    answer("HTTP/0.9", fault("protocol"), b"<p>to=447700900123"),
    answer("a status that is none", fault("protocol"), b"HTTP/1.1 banana\r\n\r\n"),
    answer("a status of two digits", fault("protocol"), b"HTTP/1.1 20 OK\r\n\r\n"),
    answer("a status of four digits", fault("protocol"), b"HTTP/1.1 2000 OK\r\n\r\n"),
    answer("status 099", fault("protocol"), b"HTTP/1.1 099 X\r\n\r\n"),
    answer("HTTP/2 without a preface", fault("protocol"), b"HTTP/2 200 OK\r\n\r\n"),
    answer("a status line of 2 MB", fault("protocol"), b"HTTP/1.1 ", b"y" * 2_000_000),
    Receiver(what="a reset", expected=fault("connection"), script=resetting(b"")),
    # Time
    slow("silence", fault("timeout"), silent(b"")),
    slow("silence within the status line", fault("timeout"), silent(b"HTTP/1.1 2")),
    slow("a status line that drips", fault("timeout"), dripping(b"HTTP/1.1 200 O", b"K")),
    slow("what is no status line drips", fault("protocol"), dripping(b"", b"H")),
    slow("interim responses that drip", fault("timeout"), dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    slow("silence after the status line", GOOD, silent(HEAD)),
    slow("a header that drips", GOOD, dripping(HEAD + b"X: ", b"y")),
    slow("a failure whose headers drip", status(503), dripping(UNAVAILABLE + b"X: ", b"y")),
    slow("silence in place of the body", status(503), silent(UNAVAILABLE + b"Content-Length: 9\r\n\r\n")),
    # TLS
    tls("https", GOOD, "https://receiver.example:{port}/", "receiver.example", "receiver.example"),
    tls("https with a dot", GOOD, "https://receiver.example.:{port}/", "receiver.example", "receiver.example"),
    tls("another's certificate", fault("tls"), "https://receiver.example:{port}/", "receiver.example", "good.example"),
    tls("nobody's certificate", fault("tls"), "https://receiver.example:{port}/", "receiver.example", "untrusted"),
    tls("IDNA 2008", GOOD, "https://stra\u00dfe.de:{port}/", "xn--strae-oqa.de", "xn--strae-oqa.de"),
    tls("https on its port", GOOD, "https://receiver.example:443/", "receiver.example", "receiver.example", 443),
    tls("https on another's port", GOOD, "https://receiver.example:80/", "receiver.example", "receiver.example", 80),
    Receiver(
        what="plain HTTP instead of TLS",
        expected=fault("tls"),
        url="https://receiver.example:{port}/",
        script=silent(OK),
        unasked=True,
    ),
    Receiver(
        what="silence instead of TLS",
        expected=fault("timeout"),
        url="https://receiver.example:{port}/",
        script=holding,
        unasked=True,
        timeout_s=SHORT_S,
    ),
    Receiver(
        what="a reset instead of TLS",
        expected=fault("tls"),
        url="https://receiver.example:{port}/",
        script=resetting(b""),
        unasked=True,
    ),
    Receiver(what="http on its port", expected=GOOD, url="http://receiver.example:80/", port=80),
]
BY_NAME: Final = {row.what: row for row in RECEIVERS}


@dataclass(frozen=True)
class Meeting:
    response: CallbackResponse
    seconds: float
    requests: list[bytes]
    reached: list[str]
    questions: list[tuple[str, str]]


# Inside the network


@cache
def names() -> Names:
    return Names()


@cache
def certificates() -> tuple[dict[str, ssl.SSLContext], str]:
    """Return the servers' contexts by name, and a file of what is trusted: all of them but `untrusted`."""
    folder = Path(tempfile.mkdtemp())
    contexts, trusted = {}, ""
    for name in ("receiver.example", "good.example", "xn--strae-oqa.de", "untrusted"):
        contexts[name], pem = make_tls(folder, "receiver.example" if name == "untrusted" else name)
        trusted += "" if name == "untrusted" else pem.read_text()
    bundle = folder / "trusted.pem"
    bundle.write_text(trusted)
    return contexts, str(bundle)


@cache
def sender() -> CurlCallbackSender:
    return CurlCallbackSender((), allow_private=False, user_agent="ttsprompt/test", ca_file=certificates()[1])


def send(url: str, timeout_s: float = 10, method: CallbackMethod = CallbackMethod.POST) -> CallbackResponse:
    request = CallbackRequest("t-1", url, method, CallbackFormat.FORM, SECRET)
    return sender().send(request, now=NOW, timeout_s=timeout_s)


@contextlib.contextmanager
def swallowing(address: str, port: int) -> Iterator[None]:
    """Listen where nobody accepts: once the queue is full, the system drops whatever else comes."""
    with listen(address, port, backlog=0), contextlib.ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        time.sleep(0.05)
        yield


def meet(what: str) -> Meeting:
    row = BY_NAME[what]
    names().set({row.name: [list(row.addresses)]})
    context = certificates()[0][row.certificate] if row.certificate else None
    servers: list[RawServer] = []
    port = row.port
    for address in row.at:
        servers.append(RawServer(row.script, context, unasked=row.unasked, address=address, port=port))
        port = servers[0].port
    with contextlib.ExitStack() as stack:
        for address in row.silent_at:
            port = port or 4711
            stack.enter_context(swallowing(address, port))
        began = time.monotonic()
        response = send(row.url.format(port=port), row.timeout_s)
        seconds = time.monotonic() - began
    for server in servers:
        server.close()
    return Meeting(
        response,
        seconds,
        [request for server in servers for request in server.received],
        [address for server in servers for address in server.reached],
        names().questions,
    )


# Outside


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    try:
        started = Network()
    except NetworkUnavailableError as error:
        pytest.skip(f"no network namespace can be made here: {error}")  # a user's kernel may forbid it; CI fails then
    yield started
    started.close()


@pytest.fixture(autouse=True)
def silence(network: Network) -> Iterator[None]:
    """Nothing that a receiver sends, and nothing of what was sent to it, is printed or logged."""
    before = network.printed()
    yield
    assert network.printed() == before


@pytest.mark.parametrize("what", BY_NAME)
def test_a_receiver_is_met_as_it_deserves(network: Network, what: str) -> None:
    row = BY_NAME[what]

    meeting = network.run(meet, what)

    assert meeting.response == row.expected
    assert meeting.seconds < SOON_S
    assert not_public(meeting.reached) == []
    assert len([one for one in meeting.requests if one]) <= 1


def not_public(reached: list[str]) -> list[str]:
    return [one for one in reached if not is_public_unicast(ipaddress.ip_address(one))]


@pytest.mark.parametrize(
    "what", ["one address", "the first is private", "an IPv6 address", "nothing comes of the question for IPv6"]
)
def test_a_name_is_looked_up_once_a_try(network: Network, what: str) -> None:
    asked = network.run(meet, what).questions

    # A connection over IPv6 may be there before the other question was put.
    assert asked
    assert len(set(asked)) == len(asked)
    assert set(asked) <= {("receiver.example", "A"), ("receiver.example", "AAAA")}


@pytest.mark.parametrize(
    ("what", "host"),
    [
        ("http on its port", "receiver.example"),
        ("https on its port", "receiver.example"),
        ("https on another's port", "receiver.example:80"),
        ("a public literal of IPv6", "[2606:4700::1111]:{port}"),
    ],
)
def test_the_host_header_has_no_default_port(network: Network, what: str, host: str) -> None:
    meeting = network.run(meet, what)

    sent = header(meeting.requests[0], "host") or ""
    assert sent == host.format(port=sent.rpartition(":")[2])


# Where it does not connect

HOSTILE_TEXT: Final = (
    "127.0.0.1 127.255.255.255 127.1 127.0.1 0x7f.1 0x7f000001 0177.1 017700000001 2130706433 0 0.0.0.0 10.0.0.1 "
    "10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 169.254.169.254 0xA9FEA9FE 2852039166 "
    "100.64.0.1 100.100.100.200 100.127.255.255 168.63.129.16 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 "
    "192.88.99.1 192.175.48.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 "
    "①②⑦.⓪.⓪.① １２７.0.0.1 ８.8.8.8 "
    "127。0。0。1 %31%32%37.0.0.1 127.0.0.1. [::] [::1] [::127.0.0.1] [::ffff:127.0.0.1] "
    "[::ffff:7f00:1] [::ffff:8.8.8.8] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::8.8.8.8] [64:ff9b:1::1] "
    "[100::1] [2001::1] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001:20::1] [2001:db8::1] [2002:7f00:1::] "
    "[2002:808:808::] [2606:4700::5efe:7f00:1] [2606:4700::200:5efe:a00:1] "
    "[2620:4f:8000::1] [3fff::1] [5f00::1] [fc00::1] "
    "[fd00:ec2::254] [fd20:ce::254] [fe80::1] "
    "[fe80::1%25lo] [fe80::1%lo] [fec0::1] [ff02::1] localhost LOCALHOST. local\u00adhost "
    "a.localhost metadata metadata.google.internal METADATA.Google.Internal. printer.local"
)
HOSTILE: Final = HOSTILE_TEXT.split()

ODD_URLS: Final = (
    "",
    "ftp://receiver.example/",
    "file:///etc/passwd",
    "gopher://receiver.example/",
    "http://",
    "http://u:p@receiver.example/",
    "http://receiver.example\\@127.0.0.1/",
    "http://127.0.0.1\\@receiver.example/",
    "http://receiver.example:0/",
    "http://receiver.example:65536/",
    "http://receiver.example:" + "9" * 1900 + "/",
    "http://receiver.example:x/",
    "http://receiver.example:80:80/",
    "http://receiver .example/",
    "http://receiver.example/\r\nX: y",
    "http://receiver.example/\x00",
    "http://receiver.example/\u200b",
    "http://receiver.example/#fragment",
    "http://[::1/",
    "http://[bad/x",
    "http://" + "a" * 300 + "/",
    "http://\ud800/",
    "http://receiver.example/\ud800",
    "http://256.256.256.256/",
    "http://1.2.3.4.5/",
)


def reached_by(
    url: str, addresses_of_name: list[list[str]], tries: int = 1
) -> tuple[list[CallbackResponse], list[str]]:
    """Try `url` where port 80 of every address answers."""
    names().set(dict.fromkeys(("receiver.example", "metadata.google.internal", "printer.local"), addresses_of_name))
    server = RawServer(answering_ok, address="::", port=80)
    responses = [send(url) for _ in range(tries)]
    server.close()
    return responses, server.reached


@pytest.mark.parametrize("host", HOSTILE)
def test_a_hostile_host_gets_no_connection(network: Network, host: str) -> None:
    responses, reached = network.run(reached_by, f"http://{host}/", [[V4]])

    assert reached == []
    assert responses[0].fault in {"blocked_address", "invalid_url"}


@pytest.mark.parametrize("url", ODD_URLS)
def test_a_url_that_cannot_be_ours_is_not_used(network: Network, url: str) -> None:
    responses, reached = network.run(reached_by, url, [[V4]])

    assert reached == []
    assert responses == [fault("invalid_url")]


RESOLVED: Final = [
    host.strip("[]")
    for host in HOSTILE
    if "%" not in host
    and (
        host.startswith("[")
        or (host.isascii() and host.count(".") == 3 and host[0].isdigit() and host[-1] != "." and host[:2] != "0x")
    )
]


@pytest.mark.parametrize("address", RESOLVED)
def test_a_name_that_resolves_to_a_hostile_address_gets_no_connection(network: Network, address: str) -> None:
    responses, reached = network.run(reached_by, "http://receiver.example/", [[address]])

    assert reached == []
    assert responses == [fault("blocked_address")]


@pytest.mark.parametrize("private", [PRIVATE, "127.0.0.1", "::1", PRIVATE_V6])
def test_a_name_that_moves_inside_is_not_followed(network: Network, private: str) -> None:
    responses, reached = network.run(reached_by, "http://receiver.example/", [[V4], [private], [V4]], tries=3)

    assert responses == [GOOD, fault("blocked_address"), GOOD]
    assert reached == [V4, V4]


def test_nothing_comes_back_from_a_name_that_hangs_to_the_tries_after_it(network: Network) -> None:
    """libcurl has two threads for look-ups in each handle; one that hangs is theirs no more."""
    assert network.run(good_after_half_a_look_up) == [GOOD] * 12


def good_after_half_a_look_up() -> list[CallbackResponse]:
    names().set({"half.example": [[V4, "no AAAA"]], "other.example": [[V6, "no A"]], "receiver.example": [[V4]]})
    server = RawServer(answering_ok, address="::", port=80)
    hosts = ("half.example", "other.example", "receiver.example") * 4
    responses = [send(f"http://{host}/", 1.5) for host in hosts]
    server.close()
    return responses


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["http://127.0.0.1/", "http://169.254.169.254/", "file:///etc/passwd", "//8.8.4.4/"])
def test_a_redirect_is_not_followed(network: Network, code: int, place: str) -> None:
    response, connections = network.run(redirected, code, place)

    assert response == status(code)
    assert connections == 1


def redirected(code: int, place: str) -> tuple[CallbackResponse, int]:
    names().set({"receiver.example": [[V4]]})
    head = f"HTTP/1.1 {code} X\r\nLocation: {place}\r\nRefresh: 0; url={place}\r\nContent-Length: 0\r\n\r\n"
    server = RawServer(answering(head.encode()), address="::", port=80)
    response = send("http://receiver.example/", method=CallbackMethod.GET)
    server.close()
    return response, server.connections


def test_proxies_and_netrc_of_the_environment_are_not_used(network: Network) -> None:
    request, proxied = network.run(sent_beside_a_proxy)

    assert not proxied
    assert header(request, "authorization") is None


def sent_beside_a_proxy() -> tuple[bytes, list[bytes]]:
    names().set({"receiver.example": [[V4]]})
    server, proxy = RawServer(answering_ok, address=V4, port=80), RawServer(answering_ok, address=V4_TOO, port=80)
    with tempfile.TemporaryDirectory() as home:
        Path(home, ".netrc").write_text("machine receiver.example login me password secret\n")
        ours = {"HOME": home, "NETRC": f"{home}/.netrc"}
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            ours[name] = f"http://{V4_TOO}:80"
        os.environ.update(ours)
        assert send("http://receiver.example/") == GOOD
        for name in ours:
            del os.environ[name]
    server.close()
    proxy.close()
    return server.received[0], proxy.received


def test_nothing_of_a_callback_goes_to_the_receiver_of_the_next(network: Network) -> None:
    """libcurl keeps a handle's body, headers and method until they are taken back."""
    post, get = network.run(sent_one_after_the_other)

    assert post.startswith(b"POST /first ")
    assert post.endswith(SECRET.encode())
    assert get.startswith(b"GET /second?")
    assert get.endswith(b"\r\n\r\n")
    assert (header(get, "content-type"), header(get, "content-length")) == (None, None)


def sent_one_after_the_other() -> list[bytes]:
    names().set({"receiver.example": [[V4]]})
    server = RawServer(answering_ok, address="::", port=80)
    for path, method in (("first", CallbackMethod.POST), ("second", CallbackMethod.GET)):
        assert send(f"http://receiver.example/{path}", method=method) == GOOD
    server.close()
    return server.received


def test_a_cookie_that_a_receiver_sets_is_not_sent_back(network: Network) -> None:
    assert network.run(cookies_sent_after_one_was_set) == [None, None]


def cookies_sent_after_one_was_set() -> list[str | None]:
    names().set({"receiver.example": [[V4]]})
    # After a 2xx nothing of the head is read, so it is a failure that sets the cookie.
    server = RawServer(answering(UNAVAILABLE, b"Set-Cookie: a=b\r\n\r\n"), address="::", port=80)
    for _ in range(2):
        assert send("http://receiver.example/") == status(503)
    server.close()
    return [header(request, "cookie") for request in server.received]


def test_a_tls_session_is_not_taken_up_again(network: Network) -> None:
    """A session that is taken up again shows no certificate, so the handle that had it would trust its server."""
    assert network.run(sessions_taken_up_again) == [False] * 3


def sessions_taken_up_again() -> list[bool | None]:
    taken_up: list[bool | None] = []

    def script(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        taken_up.append(connection.session_reused)
        connection.sendall(UNAVAILABLE + b"\r\n")

    names().set({"receiver.example": [[V4]]})
    server = RawServer(script, certificates()[0]["receiver.example"], address="::", port=443)
    for _ in range(3):
        assert send("https://receiver.example/") == status(503)
    server.close()
    return taken_up


def test_an_address_that_swallows_packets_does_not_use_up_the_try(network: Network) -> None:
    response, seconds = network.run(sent_to_silence, SHORT_S)

    assert response == fault("timeout")
    assert seconds < SOON_S


def sent_to_silence(connect_timeout_s: float) -> tuple[CallbackResponse, float]:
    names().set({"receiver.example": [[V4]]})
    with swallowing(V4, 80), pytest.MonkeyPatch.context() as patched:
        patched.setattr(production, "CONNECT_TIMEOUT_S", connect_timeout_s)
        began = time.monotonic()
        return send("http://receiver.example/", timeout_s=2 * SOON_S), time.monotonic() - began


# What it costs


def test_a_huge_body_is_not_read(network: Network) -> None:
    memory_kb, sent = network.run(cost_of_a_huge_body)

    assert memory_kb < 50_000
    assert sent < 40_000_000  # far more than the buffers of both ends hold


def cost_of_a_huge_body() -> tuple[int, int]:
    """Return how much more memory was used, and how many bytes of the body could be sent."""
    sent = 0

    def script(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 400000000\r\n\r\n")
        for _ in range(400):
            connection.sendall(bytes(1_000_000))
            sent += 1_000_000

    names().set({"receiver.example": [[V4]]})
    server = RawServer(script, address=V4, port=80)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert send("http://receiver.example/") == status(500)
    assert server.closed_by_peer.wait(10)
    server.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb, sent


LEFT_AT_MOST: Final = 8
"""A handle more, of a try that was abandoned; a descriptor or a thread for each try would be a hundred."""


def test_nothing_is_left_of_the_tries_but_idle_handles(network: Network) -> None:
    """Descriptors and threads, after every receiver of the table was met again."""
    before, after = network.run(left_after, [row.what for row in RECEIVERS])

    for what, count in before.items():
        assert after[what] <= count + LEFT_AT_MOST, what


def left_after(whats: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    def count() -> dict[str, int]:
        wait_for_look_ups()
        return {what: len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task")}  # noqa: PTH208 - of the kernel

    assert meet("one address").response == GOOD
    before = count()
    for what in whats:
        meet(what)
    return before, count()


def wait_for_look_ups() -> None:
    until = time.monotonic() + SOON_S
    while any(thread.name == "callback look-up" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.05)


# Our own resources


def test_look_ups_that_hang_are_bounded_and_their_places_come_back(network: Network) -> None:
    faults, again = network.run(tries_with_two_handles)

    assert faults == ["timeout", "timeout", "busy", "busy"]
    assert again == GOOD


def tries_with_two_handles() -> tuple[list[str | None], CallbackResponse]:
    names().set({"stuck.example": [["no A", "no AAAA"]], "receiver.example": [[V4]]})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exchange, "MAX_HANDLES", 2)
        own = CurlCallbackSender((), allow_private=False, user_agent="t")

    def send(host: str) -> CallbackResponse:
        request = CallbackRequest("t-1", f"http://{host}/", CallbackMethod.POST, CallbackFormat.FORM, SECRET)
        return own.send(request, now=NOW, timeout_s=0.2 if host == "stuck.example" else 10)

    server = RawServer(answering_ok, address="::", port=80)
    faults = [send("stuck.example").fault for _ in range(3)]
    faults.append(send("receiver.example").fault)
    until = time.monotonic() + SOON_S
    while (again := send("receiver.example")).fault == "busy" and time.monotonic() < until:
        time.sleep(0.05)
    server.close()
    return faults, again


@pytest.mark.parametrize("host", ["receiver.example", V4])
def test_want_of_descriptors_is_no_fault_of_the_receiver(network: Network, host: str) -> None:
    assert network.run(try_without_descriptors, f"http://{host}/") == (fault("busy"), GOOD)


def try_without_descriptors(url: str) -> tuple[CallbackResponse, CallbackResponse]:
    names().set({"receiver.example": [[V4]]})
    sender()
    wait_for_look_ups()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    taken = []
    for _ in range(2):
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        time.sleep(0.1)  # for what the try before this has not closed yet
    starved = send(url)
    for one in taken:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    server = RawServer(answering_ok, address="::", port=80)
    fed = send(url)
    server.close()
    return starved, fed
