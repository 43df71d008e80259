"""A call to place, a server to place it at, and what came of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from tests.builders import TOKEN, a_call
from tests.raw_server import RawServer
from ttsprompt.domain.model import Prompts
from ttsprompt.domain.ncco import WebhookUrls, opening
from ttsprompt.errors import VendorError
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


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


CREATED = reply(201, CREATED_BODY)


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
