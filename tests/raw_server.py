"""A server that answers with whatever bytes a test wants, as slowly as it wants, and keeps what it received."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Script = Callable[[socket.socket], None]


class RawServer:
    """On loopback; `received` holds each request as it came, `script` answers. A script may also come `unasked`.

    `reached` holds the addresses under which it was connected to.
    """

    def __init__(
        self,
        script: Script,
        tls: ssl.SSLContext | None = None,
        *,
        unasked: bool = False,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.script, self.tls, self.unasked = script, tls, unasked
        self.connections = 0
        self.reached: list[str] = []
        self.received: list[bytes] = []
        self.closed_by_peer = threading.Event()
        self.listener = listen(address, port)
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Free the port; closing alone would leave it to the thread that accepts."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                self.reached.append(connection.getsockname()[0].removeprefix("::ffff:"))
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            if not self.unasked:
                self.received.append(read_request(connection))
            self.script(connection)
        self.closed_by_peer.set()
        connection.close()


def listen(address: str, port: int, backlog: int | None = None) -> socket.socket:
    """Listen on `address`; `::` stands for every address of both families."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=backlog, dualstack_ipv6=address == "::")


Serve = Callable[..., RawServer]


@contextlib.contextmanager
def raw_servers() -> Iterator[Serve]:
    """Yield what starts a server; all of them end together."""
    servers: list[RawServer] = []

    def start(script: Script = answering_ok, tls: ssl.SSLContext | None = None, *, unasked: bool = False) -> RawServer:
        servers.append(RawServer(script, tls, unasked=unasked))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")), 0)
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def header(request: bytes, name: str) -> str | None:
    for line in request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(": ")
        if key.lower() == name:
            return value
    return None


def answering(*parts: bytes) -> Script:
    return lambda connection: connection.sendall(b"".join(parts))


answering_ok = answering(OK)


def dripping(start: bytes, drop: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(drop)
            time.sleep(0.02)  # the drip is the behaviour under test; the peer's cut ends it

    return script


def silent(start: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.recv(1)

    return script


def resetting(start: bytes) -> Script:
    """End with RST instead of FIN; unasked, once something has come."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return script


def make_tls(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context and the certificate that a client has to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "key.pem")
    return context, pem
