"""Vonage's time-outs, its one retry, its signature."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine

import httpx
import jwt
import pytest

from devphone.vendor.webhooks import ANSWER_S, EVENT_S, Reply, WebhookSender
from tests.devphone.line import SERVICE, run_virtual

SECRET = "a signature secret of 32 bytes or more"
Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


async def send(handler: Handler, *, method: str = "POST", timeout_s: float = EVENT_S, url: str = SERVICE) -> Reply:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        return await WebhookSender(lambda: client, SECRET).send(
            url, {"b": "é", "a": {"x": 1}}, method=method, timeout_s=timeout_s
        )


def answering(*outcomes: int | Exception) -> tuple[Handler, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        outcome = outcomes[len(seen) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome)

    return handler, seen


@pytest.mark.parametrize(
    "first",
    [
        429,
        503,
        504,
        httpx.ConnectTimeout(""),
        httpx.ReadTimeout(""),
        httpx.ReadError(""),
        httpx.RemoteProtocolError(""),
    ],
)
def test_a_passing_fault_is_followed_by_one_more_try(first: int | Exception) -> None:
    handler, seen = answering(first, 200)

    reply = run_virtual(send(handler))

    assert (reply.status, reply.sends, len(seen)) == (200, 2, 2)


def test_there_is_no_third_try() -> None:
    handler, seen = answering(503, 503, 200)

    assert run_virtual(send(handler)).status == 503
    assert len(seen) == 2


@pytest.mark.parametrize("first", [200, 204, 302, 401, 404, 500, 502, httpx.UnsupportedProtocol("")])
def test_anything_else_is_final(first: int | Exception) -> None:
    handler, seen = answering(first, 200)

    assert run_virtual(send(handler)).sends == 1
    assert len(seen) == 1


@pytest.mark.parametrize("limit", [ANSWER_S, EVENT_S])
def test_a_reply_that_takes_too_long_is_asked_for_again_and_then_given_up(limit: float) -> None:
    async def scene() -> tuple[Reply, float, int]:
        hits = 0

        async def slow(_: httpx.Request) -> httpx.Response:
            nonlocal hits
            hits += 1
            await asyncio.sleep(3600)
            return httpx.Response(200)

        reply = await send(slow, timeout_s=limit)
        return reply, asyncio.get_running_loop().time(), hits

    reply, took, hits = run_virtual(scene())

    assert (reply.status, reply.fault, hits) == (None, "TimeoutError", 2)
    assert took == pytest.approx(2 * (limit + 1))


def test_a_tls_fault_is_final() -> None:
    async def scene() -> tuple[Reply, int]:
        hits = 0

        async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal hits
            hits += 1
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, httpx.AsyncClient(trust_env=False) as client:
            return await WebhookSender(lambda: client).send(f"https://127.0.0.1:{port}/", {}), hits

    reply, hits = asyncio.run(scene())

    assert (reply.status, reply.sends, hits) == (None, 1, 1)


def test_a_body_is_compact_json_in_its_own_order() -> None:
    handler, seen = answering(200)
    run_virtual(send(handler))

    assert seen[0].content == '{"b":"é","a":{"x":1}}'.encode()
    assert seen[0].headers["content-type"] == "application/json"


def test_the_signature_covers_the_raw_body() -> None:
    handler, seen = answering(200)
    run_virtual(send(handler))

    scheme, _, token = seen[0].headers["authorization"].partition(" ")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="Vonage")
    assert scheme == "Bearer"
    assert claims["payload_hash"] == hashlib.sha256(seen[0].content).hexdigest()


def test_a_retry_has_a_signature_of_its_own() -> None:
    handler, seen = answering(503, 200)
    run_virtual(send(handler))

    assert len({request.headers["authorization"] for request in seen}) == 2


def test_get_puts_the_fields_behind_the_urls_own_query_with_objects_as_json() -> None:
    handler, seen = answering(200)
    run_virtual(send(handler, method="GET", url=f"{SERVICE}/event?token=t"))

    assert dict(seen[0].url.params) == {"token": "t", "b": "é", "a": json.dumps({"x": 1}, separators=(",", ":"))}
