"""The page's side of the phone over HTTP: who may ask, what it tells, and what it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from devphone.browser.page import FOLDER
from devphone.callee.directory import Directory
from devphone.callee.script import Callee, PickUp
from devphone.customer.desk import Desk
from devphone.phone import Phone
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit
from tests.devphone.line import SERVICE, Service, VirtualPace, order, run_virtual
from tests.devphone.test_api import bearer, on_the_phone

HERE = "http://127.0.0.1"


def phone() -> Phone:
    return Phone(
        pace=VirtualPace(), directory=Directory(Callee(pick_up=PickUp.PERSON)), signing_secret="whsec_" + "AAAA" * 8
    )


def ask(method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        return await client.request(method, path, headers=headers, **options)

    return on_the_phone(scene, phone())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/devphone/call", "/devphone/sweep", "/devphone/script", "/v1/calls", "/callback"])
def test_what_a_web_site_sends_through_the_browser_is_refused(path: str, headers: dict[str, str]) -> None:
    assert ask("POST", path, headers, json={}).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": HERE, "Sec-Fetch-Site": "same-origin"}, {}])
def test_the_page_and_programs_may_ask(headers: dict[str, str]) -> None:
    assert ask("POST", "/devphone/script", headers, json={"callee": "busy"}).status_code == 204


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7000", "127.0.0.1.evil.example", "[", ""])
def test_the_phone_answers_to_this_machines_names_only(host: str) -> None:
    assert ask("GET", "/devphone/timeline", {"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:7000", "localhost:7000", "[::1]:7000", "localhost"])
def test_the_phone_answers_to_each_of_this_machines_names(host: str) -> None:
    assert ask("GET", "/devphone/timeline", {"Host": host}).status_code == 200


def test_the_page_may_run_its_own_files_only() -> None:
    response = ask("GET", "/")

    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_every_file_of_the_page_is_served() -> None:
    for path in FOLDER.iterdir():
        assert ask("GET", f"/page/{path.name}").content == path.read_bytes()


def test_markup_is_never_made_of_text() -> None:
    scripts = list(FOLDER.glob("*.js"))

    assert scripts
    for path in scripts:
        code = path.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in code, path.name


Events = list[tuple[str, str | None, Any]]


async def _events(phone: Phone, last: str | None = None) -> Events:
    """Return what a page is told at first, by asking the application itself: the client would wait for the end."""
    app = phone.app()
    sent: list[bytes] = []
    headers = [(b"host", b"127.0.0.1")] + ([] if last is None else [(b"last-event-id", last.encode())])
    scope = {"type": "http", "method": "GET", "path": "/devphone/events", "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    asked = asyncio.create_task(app({**scope, "http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send))
    await asyncio.sleep(0.1)
    phone.close()
    await asked
    phone.page.bell.is_closed = False
    return [_event(block) for block in b"".join(sent).decode().split("\n\n") if block.startswith("event:")]


def _event(block: str) -> tuple[str, str | None, Any]:
    fields = dict(row.split(": ", 1) for row in block.split("\n"))
    return fields["event"], fields.get("id"), json.loads(fields["data"])


def told(scene: Callable[[httpx.AsyncClient], Awaitable[None]], phone: Phone) -> Events:
    async def play(client: httpx.AsyncClient, _: Service) -> Events:
        await scene(client)
        return await _events(phone)

    return on_the_phone(play, phone)


async def place(client: httpx.AsyncClient, tid: str = "11111111-2222") -> str:
    url = f"{SERVICE}/event/{tid}?token=hush"
    response = await client.post("/v1/calls", json=order(event_url=[url]), headers=bearer())
    await asyncio.sleep(0.1)
    uuid: str = response.json()["uuid"]
    return uuid


def test_a_page_that_comes_late_is_told_of_the_call_that_rings() -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        await place(client)

    events = told(scene, phone())

    (call,) = [value for kind, _, value in events if kind == "call"]
    assert call["key"] == "11111111-2222"
    assert (call["leg"]["status"], call["leg"]["person"]) == ("ringing", True)
    assert {value["key"] for kind, _, value in events if kind == "line"} == {"11111111-2222"}
    assert "hush" not in json.dumps(events)


def test_a_page_that_was_cut_off_gets_only_what_it_missed() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> tuple[Events, Events]:
        await place(client)
        first = await _events(served)
        last = [number for kind, number, _ in first if kind == "line"][-1]
        await place(client)
        return first, await _events(served, last)

    served = phone()
    first, second = on_the_phone(scene, served)

    lines = [[value["line"] for kind, _, value in events if kind == "line"] for events in (first, second)]
    assert lines[0] == list(range(1, len(lines[0]) + 1))
    assert lines[1][0] == lines[0][-1] + 1


def test_a_page_of_an_earlier_run_is_told_everything() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> Events:
        await place(client)
        return await _events(served, "0badcafe-3")

    served = phone()
    events = on_the_phone(scene, served)

    assert next(value["line"] for kind, _, value in events if kind == "line") == 1


def test_the_outcome_is_told_with_the_verdict_on_its_signature() -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        await place(client)
        await client.post("/callback", data={"tid": "11111111-2222", "to": "447700900000", "status": "ok"})

    events = told(scene, phone())

    (call,) = [value for kind, _, value in events if kind == "call"]
    assert call["outcome"] == {"status": "ok", "reason": None, "answered_by": None, "verified": False, "taken": True}
    assert call["tries"] == 1


def act_on(action: str, *, after: tuple[str, ...] = (), **options: Any) -> int:
    """Return the status of what a person does with a call that rings."""

    async def scene(client: httpx.AsyncClient, _: Service) -> int:
        uuid = await place(client)
        for step in after:
            await client.post(f"/devphone/calls/{uuid}/{step}")
            await asyncio.sleep(0.1)
        response = await client.post(f"/devphone/calls/{uuid}/{action}", **options)
        return response.status_code

    return on_the_phone(scene, phone())


@pytest.mark.parametrize(
    ("after", "action", "body", "status"),
    [
        ((), "answer", None, 204),
        ((), "reject", None, 204),
        ((), "hang-up", None, 409),
        ((), "keys", {"key": "1"}, 409),
        (("answer",), "answer", None, 409),
        (("answer",), "reject", None, 409),
        (("answer",), "hang-up", None, 204),
        (("answer",), "keys", {"key": "#"}, 204),
        (("answer",), "keys", {"key": "12"}, 400),
        (("answer",), "keys", {"key": 1}, 400),
        (("answer",), "keys", None, 400),
        (("answer", "hang-up"), "keys", {"key": "1"}, 409),
        (("reject",), "answer", None, 409),
        ((), "dance", None, 404),
    ],
)
def test_a_person_does_what_the_call_is_at(
    after: tuple[str, ...], action: str, body: dict[str, Any] | None, status: int
) -> None:
    assert act_on(action, after=after, json=body) == status


def test_a_call_that_a_script_plays_is_not_for_the_page_to_answer() -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> int:
        return (await client.post(f"/devphone/calls/{await place(client)}/answer")).status_code

    assert on_the_phone(scene, Phone(pace=VirtualPace(), directory=Directory(Callee(ring_s=30)))) == 404


def test_switches_are_set_and_told() -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        body = {"habits": ["no-digits"], "faults": {"drop": 0.5}, "rate": 2}
        assert (await client.post("/devphone/switches", json=body)).status_code == 204

    served = phone()
    events = told(scene, served)

    assert served.behaviour.habits == {Habit.NO_DIGITS}
    assert served.behaviour.faults == Faults(drop=0.5)
    (settings,) = [value for kind, _, value in events if kind == "settings"]
    assert settings["habits"] == ["no-digits"]
    assert settings["faults"]["drop"] == 0.5
    assert settings["rate"] == served.behaviour.rate == 2


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"habits": ["bad"], "faults": {"drop": 1}, "rate": 3},
        {"habits": ["no-digits"], "faults": {"drop": "x"}},
        {"habits": ["no-digits"], "faults": {"drop": -1}},
        {"habits": ["no-digits"], "faults": {"drop": True}},
        {"habits": ["no-digits"], "faults": {"drop": 1}, "rate": 0},
        {"habits": ["no-digits"], "faults": {"drop": 1}, "rate": "1"},
    ],
)
def test_switches_that_are_none_change_nothing(body: Any) -> None:
    async def scene(client: httpx.AsyncClient) -> None:
        assert (await client.post("/devphone/switches", json=body)).status_code == 400

    served = phone()
    before = (served.behaviour.habits, served.behaviour.faults, served.behaviour.rate)
    events = told(scene, served)

    assert (served.behaviour.habits, served.behaviour.faults, served.behaviour.rate) == before
    (settings,) = [value for kind, _, value in events if kind == "settings"]
    assert (settings["habits"], settings["rate"]) == ([], None)


@pytest.mark.parametrize("path", ["/devphone/call", "/devphone/sweep"])
def test_a_phone_alone_says_that_no_service_is_beside_it(path: str) -> None:
    response = ask("POST", path, json={})

    assert response.status_code == 503
    assert "make run" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/devphone/call", "/devphone/sweep"])
def test_a_service_that_gives_no_answer_is_said_to(path: str) -> None:
    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as broken:
            served.pick = lambda: broken
            return await client.post(path, json={})

    served = phone()
    served.desk = Desk(SERVICE, SERVICE, lambda: "token")
    response = on_the_phone(scene, served)

    assert response.status_code == 502
    assert response.headers["content-type"] == "application/problem+json"


def test_a_request_goes_on_with_the_applications_token_and_its_key() -> None:
    requests: list[httpx.Request] = []

    async def scene(client: httpx.AsyncClient, _: Service) -> httpx.Response:
        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(
                422, json={"code": "invalid_fields"}, headers={"Content-Type": "application/problem+json"}
            )

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as service:
            served.pick = lambda: service
            return await client.post("/devphone/call", json={"pin_code": "86420"}, headers={"Idempotency-Key": "k"})

    served = phone()
    served.desk = Desk(SERVICE, SERVICE, lambda: "the-token")
    response = on_the_phone(scene, served)

    assert (response.status_code, response.json()) == (422, {"code": "invalid_fields"})
    assert response.headers["content-type"] == "application/problem+json"
    assert requests[0].headers["authorization"] == "Bearer the-token"
    assert requests[0].headers["idempotency-key"] == "k"
    events = run_virtual(_events(served))
    assert "86420" not in json.dumps(events)
    assert "the-token" not in json.dumps(events)
    assert "the-token" not in repr(served.desk)
