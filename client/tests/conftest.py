"""A service that says what a test tells it to, over real sockets, and judges what it is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

APPLICATION = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
TID = "6a2827c9-4c68-46fc-b179-115f055dc0eb"
REQUEST: Any = {"to": "447700900050", "from_": "447520616161", "text": "Enter your PIN", "pin_code": "1234"}

_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_PEM = _key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
KEY_PEM_PKCS1 = _key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@dataclass
class Reply:
    """What the service says next. `cut`: it takes the request and breaks the connection."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False


def problem(status: int, code: str, *, tid: str | None = None, errors: Any = (), **headers: str) -> Reply:
    body = {"status": status, "code": code, "detail": f"It is {code}.", "errors": list(errors)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body | ({"tid": tid} if tid else {}), named)


def placed(*, replayed: bool = False) -> Reply:
    return Reply(200, {"tid": TID}, {"Idempotency-Replayed": "true"} if replayed else {})


def shown(
    state: str, status: str | None = None, reason: str | None = None, timeline: Any = (), **headers: str
) -> Reply:
    body: dict[str, Any] = {
        "tid": TID,
        "to": "447700900050",
        "state": state,
        "status": status,
        "reason": reason,
        "attempts": 1,
        "duration": 5,
        "price": "0.00284000",
        "reference": None,
        "timeline": list(timeline),
        "delivery": {"state": "none", "next_at": None, "tries": []},
    }
    return Reply(200, body, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeService:
    """Gives its replies in turn, the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[Asked] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                service.answer(self)

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked(handler.command, handler.path, headers, json.loads(raw) if raw else None))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        handler.close_connection = True
        if reply.cut:
            handler.connection.shutdown(2)
            return
        content = json.dumps(reply.body).encode() if reply.raw is None else reply.raw
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def keys(self) -> list[str]:
        """Return the idempotency keys of the calls asked for."""
        return [a.headers["idempotency-key"] for a in self.asked if a.method == "POST"]

    def tokens(self) -> list[dict[str, Any]]:
        """Return the claims of the tokens shown, after checking that the application's key signed them."""
        shown = [a.headers["authorization"].removeprefix("Bearer ") for a in self.asked]
        return [jwt.decode(token, _key.public_key(), algorithms=["RS256"]) for token in shown]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    yield fake
    fake.close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "private.key"
    path.write_text(KEY_PEM)
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TTSPROMPT_URL", "VONAGE_APPLICATION_ID", "VONAGE_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now
