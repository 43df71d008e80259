"""A service that is down, slow or answers nonsense: the call still ends, and the timeline says what went wrong."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest

from devphone.callee.script import parse_callee
from devphone.happenings import WebhookSent
from devphone.pace import Pace
from devphone.processes.service import free_port
from devphone.timeline import Timeline
from devphone.vendor.leg import Leg
from devphone.vendor.webhooks import WebhookSender
from tests.devphone.line import INPUT, TALK, ncco, order, play

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SPEED = 1000


def answered(reply: bytes | None) -> tuple[Leg, list[str]]:
    """Play a call to a server that answers every request with these bytes; None: with a broken connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if reply is None:
            writer.transport.abort()
            return
        writer.write(reply)
        writer.close()

    async def scene() -> tuple[Leg, list[str]]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await live_through(server.sockets[0].getsockname()[1])

    return asyncio.run(scene())


async def live_through(port: int) -> tuple[Leg, list[str]]:
    url = f"http://127.0.0.1:{port}"
    actions = [TALK, {**INPUT, "eventUrl": [f"{url}/input"]}]
    timeline = Timeline()
    async with httpx.AsyncClient(trust_env=False) as client:
        request = order(event_url=[f"{url}/event"], ncco=actions)
        leg = Leg(request, "app", parse_callee("1234"), Pace(SPEED), WebhookSender(lambda: client), timeline)
        await asyncio.wait_for(leg.run(), 30)
    return leg, [happening.words for happening in timeline.happenings() if isinstance(happening, WebhookSent)]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"",
        b"\x00\xff" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 999 \xff\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: ::\r\n\r\n",
        JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        JSON + b"Content-Encoding: gzip\r\n\r\nnot gzip",
        JSON + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"[" * 10_000_000),
        JSON + b"\r\n" + b"[" * 2_000_000,
        JSON + b"\r\n" + b"[" * 500_000,
        JSON + b"\r\n" + b"9" * 10_000,
        JSON + b'\r\n[{"action": "talk", "text": "\\ud800"}]',
        JSON + b'\r\n[{"action": "talk", "text": "hello", "\\u001b[2J": NaN}]',
        JSON + b'\r\n[{"action": "talk", "text": "hello", "loop": 1e999}]',
        JSON + b"\r\n" + b"[null, 1, [], {}]",
    ],
)
def test_a_call_survives_a_service_that_answers_nonsense(reply: bytes | None) -> None:
    leg, what = answered(reply)

    assert leg.status == "completed"
    assert what[-1] == "reports completed"


def test_a_call_survives_a_service_that_is_down() -> None:
    leg, what = asyncio.run(live_through(free_port()))

    assert leg.status == "completed"
    assert what.count("reports completed") == 1


def test_a_call_survives_a_service_that_is_slow() -> None:
    async def slow(_: dict[str, Any]) -> httpx.Response:
        await asyncio.sleep(3600)
        return ncco()

    played = play("1234", slow, slow, event_takes_s=3600)

    assert played.leg.status == "completed"
    # Each of four events is asked for twice, and each time given up.
    assert played.service.statuses() == [x for x in ("started", "ringing", "answered", "completed") for _ in range(2)]
