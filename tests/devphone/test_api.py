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

from devphone.callee.directory import Directory
from devphone.callee.script import Callee
from devphone.happenings import CallRang, CallRequested
from devphone.phone import Phone
from devphone.timeline import Timeline
from devphone.vendor.behaviour import Behaviour
from devphone.vendor.habits import Habit
from devphone.vendor.tokens import Application, make_application
from devphone.vendor.webhooks import WebhookSender
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
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        phone.exchange.sender = WebhookSender(lambda: to_service)
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
    phone = Phone(pace=VirtualPace(), behaviour=Behaviour(rate=2))

    async def scene(client: httpx.AsyncClient, _: Service) -> list[httpx.Response]:
        return [await client.post("/v1/calls", json=order(), headers=bearer()) for _ in range(3)]

    responses = on_the_phone(scene, phone)

    assert [response.status_code for response in responses] == [201, 201, 429]
    assert responses[2].json() | {"instance": ""} == sample("python-error-429.json") | {"instance": ""}
    assert len(phone.exchange.legs) == 2


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


@pytest.mark.parametrize(
    ("options", "rule", "consequence"),
    [
        ({"headers": {}}, "There is no Authorization: Bearer header.", "401"),
        ({"headers": bearer() | {"content-type": "text/plain"}}, "it must be application/json", "415"),
        ({"json": None, "content": b"{", "headers": bearer() | {"content-type": "application/json"}}, "JSON", "400"),
        ({"json": order(length_timer=0)}, "/length_timer: must be an integer", "400"),
        ({"json": order(ringing_timer="60")}, "/ringing_timer: must be an integer", "400"),
    ],
)
def test_a_refused_request_is_explained_on_the_timeline(options: dict[str, Any], rule: str, consequence: str) -> None:
    phone = Phone(pace=VirtualPace())

    async def scene(client: httpx.AsyncClient, _: Service) -> None:
        await client.post("/v1/calls", **({"json": order(), "headers": bearer()} | options))

    on_the_phone(scene, phone)
    ((fault,),) = [x.faults for x in phone.timeline.happenings() if isinstance(x, CallRequested)]
    assert rule in fault
    assert f"Vonage answers {consequence} and places no call." in fault


@pytest.mark.parametrize(("number", "status"), [("447700900014", 429), ("447700900015", 500)])
def test_at_some_test_numbers_vonage_takes_no_call(number: str, status: int) -> None:
    assert post(order(to=[{"type": "phone", "number": number}])).status_code == status


def test_a_script_for_a_test_number_comes_first() -> None:
    phone = Phone(pace=VirtualPace(), directory=Directory(scripts={"447700900015": Callee()}))

    async def scene(client: httpx.AsyncClient, _: Service) -> int:
        request = order(to=[{"type": "phone", "number": "447700900015"}])
        return (await client.post("/v1/calls", json=request, headers=bearer())).status_code

    assert on_the_phone(scene, phone) == 201


@pytest.mark.parametrize(("habits", "after"), [(frozenset(), None), (frozenset({Habit.RETRY_AFTER}), "2")])
def test_429_may_say_when_to_come_again(habits: frozenset[Habit], after: str | None) -> None:
    phone = Phone(pace=VirtualPace(), behaviour=Behaviour(habits, rate=0.5))

    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        await client.post("/v1/calls", json=order(), headers=bearer())
        return await client.post("/v1/calls", json=order(), headers=bearer())

    response = on_the_phone(scene, phone)
    assert (response.status_code, response.headers.get("retry-after")) == (429, after)


def test_a_put_in_the_first_two_seconds_may_be_a_bad_request() -> None:
    phone = Phone(
        pace=VirtualPace(), behaviour=Behaviour({Habit.EARLY_PUT_400}), directory=Directory(Callee(ring_s=30))
    )

    async def scene(client: httpx.AsyncClient, _: Service) -> list[int]:
        path = "/v1/calls/" + (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        codes = []
        for wait_s in (0, 1.9, 0.2):
            await asyncio.sleep(wait_s)
            codes.append((await client.put(path, headers=bearer(), json={"action": "hangup"})).status_code)
        return codes

    assert on_the_phone(scene, phone) == [400, 400, 204]


def test_all_calls_can_be_listed() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> tuple[str, Any]:
        uuid = (await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"]
        return uuid, (await client.get("/devphone/calls")).json()

    uuid, calls = on_the_phone(scene)
    assert [(call["uuid"], call["status"]) for call in calls] == [(uuid, "started")]


def test_only_the_calls_that_ended_last_are_kept_and_all_that_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devphone.vendor.exchange.LEGS_KEPT", 2)
    phone = Phone(pace=VirtualPace(), directory=Directory(scripts={"447700900099": Callee(ring_s=50)}))

    async def scene(client: httpx.AsyncClient, _: Service) -> tuple[list[str], str]:
        waiting = order(to=[{"type": "phone", "number": "447700900099"}])
        placed = [(await client.post("/v1/calls", json=waiting, headers=bearer())).json()["uuid"]]
        for _n in range(3):
            placed.append((await client.post("/v1/calls", json=order(), headers=bearer())).json()["uuid"])
            await asyncio.sleep(15)
        return placed, (await client.get(f"/v1/calls/{placed[1]}", headers=bearer())).json()["title"]

    placed, title = on_the_phone(scene, phone)
    assert set(phone.exchange.legs) == {placed[0], placed[2], placed[3]}
    assert title == "Not Found"


def test_the_timeline_can_be_read_from_where_one_left_off() -> None:
    phone = Phone(pace=VirtualPace())

    async def scene(client: httpx.AsyncClient, _: Service) -> list[list[int]]:
        for n in range(3):
            phone.timeline.add(CallRang(at_s=n))
        asked = ("0", "2", "3", "99", "x", "9" * 5000)
        pages = [(await client.get(f"/devphone/timeline?after={after}")).json() for after in asked]
        return [[line["line"] for line in page] for page in pages]

    assert on_the_phone(scene, phone) == [[1, 2, 3], [3], [], [], [1, 2, 3], [1, 2, 3]]


def test_numbers_of_lines_hold_when_the_oldest_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devphone.timeline.KEPT", 2)
    timeline = Timeline()
    for n in range(5):
        timeline.add(CallRang(at_s=n))

    assert [(number, line.at_s) for number, line in timeline.numbered(1)] == [(4, 3), (5, 4)]


def callback_answers(*requests: dict[str, Any]) -> list[int]:
    async def scene(client: httpx.AsyncClient, _: Service) -> list[int]:
        return [(await client.request(**({"method": "POST"} | request))).status_code for request in requests]

    return on_the_phone(scene)


def test_at_one_path_the_first_two_tries_of_each_callback_fail() -> None:
    one = {"url": "/callback/shop/fails-twice", "headers": {"webhook-id": "one"}}
    other = {"url": "/callback/shop/fails-twice", "headers": {"webhook-id": "other"}, "method": "GET"}

    assert callback_answers(one, one, other, one, other, other) == [500, 500, 500, 204, 500, 204]


def test_the_first_two_callbacks_of_one_test_number_fail() -> None:
    failing = {"url": "/callback", "data": {"to": "447700900017", "tid": "t"}}
    other = {"url": "/callback", "data": {"to": "447700900001", "tid": "u"}}

    assert callback_answers(failing, other, failing, failing) == [500, 204, 500, 204]


@pytest.mark.parametrize(
    "request_",
    [
        {"content": b"[1, NaN", "headers": {"content-type": "application/json"}},
        {"content": b'{"to": ["a"], "tid": "\\ud800"}', "headers": {"content-type": "application/json"}},
        {"content": b"\xff\x00=%%%", "headers": {"webhook-timestamp": "x", "webhook-signature": "v1"}},
    ],
)
def test_a_callback_of_nonsense_is_taken_and_listed(request_: dict[str, Any]) -> None:
    assert received(**request_)["verified"] is False


def test_a_callback_without_end_is_refused() -> None:
    assert callback_answers({"url": "/callback", "content": b"x" * 100_000}) == [413]


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
