"""The transport: an HTTPS proxy that answers for every host, and the metadata server of a build."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES: Final = ("*.googleapis.com", "*.us-central1.run.app", "*.a.run.app", "*.google.internal")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a Google front end sees it."""

    host: str
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class _Headers(dict[str, str]):
    """Headers, by any spelling of their names."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        super().__init__((name.title(), value) for name, value in items)

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        return super().get(name.title(), default)


Answer = Callable[[Request], Reply]


def make_certificate(folder: Path) -> Path:
    """Write a key and a certificate for all names into one file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stand-in for Google")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    (folder / "both.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )
    return folder / "ca.pem"


class Proxy:
    """Listens on the loopback and hands each request to `answer`; gRPC is passed on to a server of its own."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.ca = make_certificate(folder)
        self.grpc_port = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "both.pem")
        self.pem = (folder / "both.pem").read_bytes()
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer), "context": context, "proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Answer
    context: ssl.SSLContext
    proxy: Proxy
    host = ""  # of a tunnel

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        hello = self.connection.recv(4096, socket.MSG_PEEK)
        if b"\x02h2" in hello and b"http/1.1" not in hello:
            self._splice()
            return
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        """Close what was opened for a tunnel; the server knows only the socket it accepted."""
        super().finish()
        if self.host:
            self.connection.close()

    def _splice(self) -> None:
        """Only gRPC offers HTTP/2 and nothing else."""
        self.close_connection = True
        with socket.create_connection(("127.0.0.1", self.proxy.grpc_port)) as other:
            back = threading.Thread(target=_copy, args=(other, self.connection), daemon=True)
            back.start()
            _copy(self.connection, other)
            back.join()

    def _any(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        body = self._chunks() if chunked else self.rfile.read(length)
        request = Request(
            host=self.host or split.hostname or "",
            method=self.command,
            path=unquote(split.path),
            query={name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()},
            headers=_Headers(self.headers.items()),
            body=body,
        )
        reply = type(self).answer(request)
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json"} | {name.title(): value for name, value in reply.headers.items()}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has gone
