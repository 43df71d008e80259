"""Placing a call over TLS, and what each way means in which that can go wrong."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.raw_server import RawServer, Script, Serve, answering, dripping, make_tls, resetting, silent
from tests.unit.placing.order import (
    CREATED,
    LIMIT_S,
    SHORT_SETUP,
    UUID,
    at,
    failure,
    join_all,
    place,
    placing_threads,
    posts,
)
from ttsprompt.errors import VendorUnclearError, VendorUnreachableError

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
