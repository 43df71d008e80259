"""Vonage's HTTP interface, and the phone's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from standardwebhooks import Webhook

from devphone.app import Phone
from devphone.tokens import Application, make_application
from devphone.webhooks import WebhookSender
from tests.devphone.line import Service, VirtualPace, order, run_virtual

T = TypeVar("T")
SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RESPONSES = Path(__file__).parents[1] / "data" / "vonage" / "responses"
APPLICATION = make_application()
"""Making a key takes long; nothing changes it."""


def on_the_phone(scene: Callable[[httpx.AsyncClient, Service], Awaitable[T]], phone: Phone | None = None) -> T:
    """Play a scene against a phone that is switched on, in virtual time."""
    return run_virtual(_on_the_phone(scene, phone or Phone(pace=VirtualPace(), signing_secret=SIGNING_SECRET)))


async def _on_the_phone(scene: Callable[[httpx.AsyncClient, Service], Awaitable[T]], phone: Phone) -> T:
    phone.public_keys[APPLICATION.id] = APPLICATION.public_key
    app, service = phone.app(), Service()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.MockTransport(service.handle)) as to_service,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://phone.example") as client,
    ):
        phone._sender = WebhookSender(to_service)
        return await scene(client, service)


def bearer(application: Application = APPLICATION) -> dict[str, str]:
    return {"Authorization": f"Bearer {application.token()}"}


def sample(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RESPONSES / name).read_text())
    return body


def post(body: Any = None, **options: Any) -> httpx.Response:
    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        request: dict[str, Any] = {"json": body or order(), "headers": bearer()} | options
        return await client.post("/v1/calls", **request)

    return on_the_phone(scene)


def test_a_call_is_accepted_with_the_keys_of_vonages_answer() -> None:
    response = post()

    assert response.status_code == 201
    assert set(response.json()) == set(sample("python-create_call-201.json"))
    assert response.json()["conversation_uuid"].startswith("CON-")


def test_a_call_without_a_token_is_unauthorised() -> None:
    response = post(headers={})

    assert response.status_code == 401
    assert set(response.json()) >= {"type", "title", "detail"}


def test_a_token_of_another_key_is_unauthorised() -> None:
    other = make_application()
    forged = Application(APPLICATION.id, other.private_key, other.public_key)

    assert post(headers=bearer(forged)).status_code == 401


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_body_that_is_not_declared_json_is_refused(content_type: str) -> None:
    response = post(json=None, content=json.dumps(order()), headers=bearer() | {"content-type": content_type})

    assert response.status_code == 415


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_bad_request(content: bytes) -> None:
    response = post(json=None, content=content, headers=bearer() | {"content-type": "application/json"})

    assert response.status_code == 400


def test_a_wrong_field_is_named_by_its_pointer() -> None:
    response = post(order(event_url="http://service.example/event"))

    assert response.status_code == 400
    (parameter,) = response.json()["invalid_parameters"]
    assert parameter["name"] == "/event_url"
    assert "bare string" in parameter["reason"]


def test_calls_above_the_rate_are_throttled_and_not_placed() -> None:
    phone = Phone(pace=VirtualPace(), rate=2)

    async def scene(client: httpx.AsyncClient, _: Service) -> list[httpx.Response]:
        return [await client.post("/v1/calls", json=order(), headers=bearer()) for _ in range(3)]

    responses = on_the_phone(scene, phone)

    assert [response.status_code for response in responses] == [201, 201, 429]
    assert responses[2].json() | {"instance": ""} == sample("python-error-429.json") | {"instance": ""}
    assert len(phone.legs) == 2


def test_a_call_that_is_over_shows_the_keys_of_vonages_answer() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        uuid = (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        await asyncio.sleep(60)
        return await client.get(f"/v1/calls/{uuid}", headers=bearer())

    response = on_the_phone(scene)

    assert response.json()["status"] == "completed"
    assert set(response.json()) == set(sample("python-get_call-200.json"))


def test_another_applications_call_is_unknown() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> list[int]:
        uuid = (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        other = bearer(make_application())
        return [
            (await client.get(f"/v1/calls/{uuid}", headers=other)).status_code,
            (await client.put(f"/v1/calls/{uuid}", headers=other, json={"action": "hangup"})).status_code,
            (await client.get(f"/v1/calls/{uuid}", headers={})).status_code,
        ]

    assert on_the_phone(scene) == [404, 404, 401]


def test_hanging_up_a_ringing_phone_cancels_the_call() -> None:
    async def scene(client: httpx.AsyncClient, service: Service) -> tuple[list[int], list[str]]:
        path = "/v1/calls/" + (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        await asyncio.sleep(1)
        first = await client.put(path, headers=bearer(), json={"action": "hangup"})
        await asyncio.sleep(1)
        second = await client.put(path, headers=bearer(), json={"action": "hangup"})
        return [first.status_code, second.status_code], service.statuses()

    codes, statuses = on_the_phone(scene)

    assert codes == [204, 404]
    assert statuses == ["started", "ringing", "cancelled", "completed"]


def test_hanging_up_an_answered_call_completes_it() -> None:
    async def scene(client: httpx.AsyncClient, service: Service) -> dict[str, Any]:
        path = "/v1/calls/" + (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        await asyncio.sleep(3)
        await client.put(path, headers=bearer(), json={"action": "hangup"})
        await asyncio.sleep(1)
        return service.event("completed")

    assert on_the_phone(scene)["disconnected_by"] == "platform"


def test_a_script_for_a_number_holds_for_that_number() -> None:
    async def scene(client: httpx.AsyncClient, service: Service) -> list[str]:
        script = {"number": "447700900000", "callee": "busy"}
        assert (await client.post("/devphone/script", json=script)).status_code == 204
        await client.post("/v1/calls", json=order(), headers=bearer())
        await asyncio.sleep(60)
        return service.statuses()

    assert "busy" in on_the_phone(scene)


@pytest.mark.parametrize("body", [{}, {"callee": 1}, {"callee": "12x"}, []])
def test_what_is_no_script_is_a_bad_request(body: Any) -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> int:
        return (await client.post("/devphone/script", json=body)).status_code

    assert on_the_phone(scene) == 400


def received(**options: Any) -> dict[str, Any]:
    async def scene(client: httpx.AsyncClient, _: Service) -> dict[str, Any]:
        assert (await client.request(**({"method": "POST", "url": "/callback/shop"} | options))).status_code == 204
        (callback,) = (await client.get("/devphone/callbacks")).json()
        result: dict[str, Any] = callback
        return result

    return on_the_phone(scene)


def signed(content: str) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(SIGNING_SECRET).sign("tid", now, content)
    return {"webhook-id": "tid", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def test_a_signed_callback_is_verified() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    callback = received(content="status=ok&tid=t", headers=signed("status=ok&tid=t") | form)

    assert callback["verified"] is True
    assert callback["fields"] == {"status": "ok", "tid": "t"}


def test_a_signed_get_callback_is_verified_over_its_whole_query() -> None:
    callback = received(method="GET", url="/callback?own=1&status=ok", headers=signed("own=1&status=ok"))

    assert callback["verified"] is True


@pytest.mark.parametrize("headers", [{}, {"webhook-id": "tid"}, signed("status=failed")])
def test_a_callback_without_its_own_signature_is_not_verified(headers: dict[str, str]) -> None:
    assert received(content="status=ok", headers=headers)["verified"] is False
