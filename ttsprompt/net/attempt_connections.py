"""The connections of `requests`, bound to an `Attempt`. Slow to import, so imported late."""

from __future__ import annotations

import socket
import ssl
from functools import cache
from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from ttsprompt.net.attempt import Attempt


class FinalResponse(HTTPResponse):
    """Waits for the final response (RFC 9110 §15.2). Python's takes an interim one for it, unless that is a 100."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc] # typeshed does not know it
        is_interim = HTTPStatus.SWITCHING_PROTOCOLS < status < HTTPStatus.OK
        return version, HTTPStatus.CONTINUE if is_interim else status, reason


class AttemptConnection(HTTPConnection):
    """A connection that the attempt can cut, and that tells it before the first byte of a request leaves."""

    attempt: Attempt
    response_class = FinalResponse

    def _new_conn(self) -> socket.socket:
        return self.attempt.connect(super()._new_conn)

    def send(self, data: Any) -> None:
        """Send a piece of the request."""
        # Connected here and not, as a side effect, below: a failure to connect must not count as sending.
        if self.sock is None:
            self.connect()
        self.attempt.begin_sending()
        super().send(data)


class AttemptTlsConnection(AttemptConnection, HTTPSConnection):
    """The same over TLS; its handshake is part of connecting."""

    def connect(self) -> None:
        """Connect, and make sure that there is TLS.

        Python's ssl module takes a socket that the peer has reset already for one that will be connected later: it
        reports no error, skips the handshake, and would send in the clear.
        """
        if self.ca_certs is not None:
            self.ssl_context = _trust_in(self.ca_certs, is_name_ours_to_check=self.assert_hostname is not None)
            # urllib3 would load them into the context once more.
            self.ca_certs = None
        super().connect()
        if not isinstance(self.sock, ssl.SSLSocket) or self.sock.version() is None:
            raise ConnectionResetError


@cache
def _trust_in(ca_certs: str, *, is_name_ours_to_check: bool) -> ssl.SSLContext:
    """Return what checks certificates, one for all connections: reading the authorities takes some 15 ms of CPU.

    Where urllib3 is given a name to find in the certificate it switches the context's own check off, so those
    connections have a context apart.

    urllib3 sets the protocols for each connection anew, which frees the list that the handshake of another thread may
    be reading (python/cpython#141012): what then goes out is memory that is no longer ours. So here they are set once.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(ca_certs)
    context.check_hostname = not is_name_ours_to_check
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    context.set_alpn_protocols = lambda _protocols: None  # type: ignore[assignment, method-assign]
    return context


class AttemptAdapter(HTTPAdapter):
    """Sends one request over one new connection of the attempt, and never again: `HTTPAdapter` has no retries."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool that makes the connection."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        base = AttemptTlsConnection if pool.scheme == "https" else AttemptConnection
        pool.ConnectionCls = type("BoundConnection", (base,), {"attempt": self._attempt})
        return pool
