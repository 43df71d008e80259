"""What a caller may ask of a call: its status, its end, its callback once more; and who may ask."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.records import keys_read
from tests.service.test_sweep import swept
from tests.world import World, bearer, fields_logged, json_of, make_world, tid_of
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.domain.model import Transition
from ttsprompt.errors import StoreUnavailableError, UnauthenticatedError, VendorUnreachableError
from ttsprompt.ports import CallbackResponse, CallOrder, Stored
from ttsprompt.service.authority import MOST_REMEMBERED, NO_UUID, Authority, Credential
from ttsprompt.service.sweep import Sweep

COMPLETED = CallEnded(EndStatus.COMPLETED, duration=9, price="0.01")
ROUTES = [("GET", ""), ("DELETE", ""), ("POST", "/redeliver"), ("POST", "/erase")]


def ask(
    world: World, tid: str, method: str = "GET", path: str = "", headers: dict[str, str] | None = None
) -> TestResponse:
    return world.client.open(
        f"/call/{tid}{path}", method=method, headers=bearer(world.clock) if headers is None else headers
    )


def view(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.json is not None
    return dict(response.json)


def code(response: TestResponse) -> tuple[int, str]:
    assert response.json is not None
    return response.status_code, response.json["code"]


def test_a_call_under_way_shows_all_fields(world: World) -> None:
    tid = world.place(reference="order 7")
    world.event("answered")
    world.enter("1111")
    body = view(ask(world, tid))
    timeline = body.pop("timeline")

    assert body == {
        "tid": tid,
        "to": "447970513607",
        "state": "answered",
        "status": None,
        "reason": None,
        "attempts": 1,
        "answered_by": "human",
        "sip_code": None,
        "duration": None,
        "price": None,
        "reference": "order 7",
        "delivery": {"state": "none", "next_at": None, "tries": []},
    }
    assert [line["event"] for line in timeline] == ["created", "placed", "answered", "entry"]
    assert timeline[0]["at"] == "2026-01-01T12:00:00.000Z"
    assert timeline[3] == {"at": "2026-01-01T12:00:00.000Z", "event": "entry", "step": 1, "judged": "wrong"}


def test_a_settled_call_shows_outcome_and_delivery(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place()
    world.event("busy")
    body = view(ask(world, tid))

    assert (body["state"], body["status"], body["reason"]) == ("ended", "error", "busy")
    assert body["delivery"]["state"] == "pending"
    assert body["delivery"]["next_at"].startswith("2026-01-01T12:0")
    assert body["delivery"]["tries"] == [{"at": "2026-01-01T12:00:00.000Z", "http_status": 500, "fault": None}]


@pytest.mark.parametrize(("method", "path"), ROUTES)
class TestWhoMayAsk:
    def test_without_a_credential_nobody(self, world: World, method: str, path: str) -> None:
        tid = world.place()
        response = ask(world, tid, method, path, {})

        assert code(response) == code(ask(world, "no-uuid", method, path, {})) == (401, "unauthenticated")
        assert response.headers["WWW-Authenticate"]
        assert world.voice.looked_up == []

    def test_an_unknown_call_is_not_found_once_vonage_has_accepted_the_token(
        self, world: World, method: str, path: str
    ) -> None:
        assert code(ask(world, str(uuid.uuid4()), method, path)) == (404, "not_found")
        assert code(ask(world, "no-uuid", method, path)) == (404, "not_found")
        assert world.voice.looked_up == [NO_UUID]

    def test_a_call_of_another_application_is_not_found(self, world: World, method: str, path: str) -> None:
        tid = world.place()
        headers = bearer(world.clock, application_id=str(uuid.uuid4()))

        assert code(ask(world, tid, method, path, headers)) == (404, "not_found")
        assert world.voice.looked_up == [NO_UUID]

    def test_a_token_that_vonage_refuses_is_401(self, world: World, method: str, path: str) -> None:
        tid = world.place()
        world.voice.ending = UnauthenticatedError("no")

        assert code(ask(world, tid, method, path)) == (401, "unauthenticated")
        assert world.call(tid).verdict is None

    def test_a_vonage_that_does_not_tell_is_503(self, world: World, method: str, path: str) -> None:
        tid = world.place()
        world.voice.ending = VendorUnreachableError("gone")
        response = ask(world, tid, method, path)

        assert code(response) == (503, "vendor_unreachable")
        assert response.headers["Retry-After"]
        assert world.call(tid).verdict is None


def test_vonage_is_asked_about_this_call_with_this_token(world: World) -> None:
    tid = world.place()
    headers = bearer(world.clock, marker="mine")
    ask(world, tid, headers=headers)

    assert world.voice.looked_up == [world.voice.uuid]
    assert world.voice.tokens[-1] == headers["Authorization"].removeprefix("Bearer ")


def test_without_a_uuid_vonage_is_asked_about_none(world: World) -> None:
    world.voice.uuid = None
    tid = world.place()
    ask(world, tid)

    assert world.voice.looked_up == [NO_UUID]


def test_acceptance_is_remembered_for_a_minute(world: World) -> None:
    tid, headers = world.place(), bearer(world.clock)
    ask(world, tid, headers=headers)
    world.clock.advance(59)
    ask(world, tid, headers=headers)
    assert len(world.voice.looked_up) == 1
    world.clock.advance(1)
    ask(world, tid, headers=headers)
    assert len(world.voice.looked_up) == 2


def test_acceptance_of_one_token_is_not_another_tokens(world: World) -> None:
    tid = world.place()
    ask(world, tid)
    world.voice.ending = UnauthenticatedError("no")

    assert ask(world, tid, headers=bearer(world.clock, marker="forged")).status_code == 401
    assert ask(world, tid).status_code == 200


def test_refusal_is_not_remembered(world: World) -> None:
    tid = world.place()
    world.voice.ending = UnauthenticatedError("no")
    ask(world, tid)
    world.voice.ending = None

    assert ask(world, tid).status_code == 200


def test_the_memory_of_tokens_is_bounded(world: World) -> None:
    authority = Authority(world.voice, world.clock)
    for number in range(MOST_REMEMBERED + 10):
        authority.check(Credential("a", str(number)), None)

    assert len(authority._accepted) == MOST_REMEMBERED


def test_the_token_that_was_accepted_longest_ago_is_forgotten_first(world: World) -> None:
    """One that is accepted anew counts from then on."""
    authority = Authority(world.voice, world.clock)

    def check(number: int) -> None:
        authority.check(Credential("a", str(number)))

    for number in range(MOST_REMEMBERED - 1):
        check(number)
    world.clock.advance(60)
    for number in (0, MOST_REMEMBERED, MOST_REMEMBERED + 1):
        check(number)
    asked = len(world.voice.looked_up)
    check(0)

    assert len(world.voice.looked_up) == asked


def test_an_ending_that_vonage_tells_is_taken_in_and_delivered_by_the_sweep(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tid = world.place()
    world.voice.ending = CallEnded(EndStatus.BUSY)
    body = view(ask(world, tid))

    assert (body["state"], body["status"], body["reason"]) == ("ended", "error", "busy")
    assert world.outcomes == []
    assert world.call(tid).due_at == world.clock.now()
    assert [record.msg for record in caplog.records].count("call_settled") == 1


def test_a_call_that_was_given_up_takes_price_and_duration_from_a_lookup(tmp_path: Path) -> None:
    world = make_world(tmp_path, STALE_AFTER="60")
    tid = world.place()
    world.enter("1234")
    world.clock.advance(60)
    deliveries = world.app.webhooks.deliveries
    Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=deliveries.policy, threads=1).run()
    world.voice.ending = COMPLETED
    body = view(ask(world, tid))

    assert (body["status"], body["duration"], body["price"]) == ("ok", 9, "0.01")
    assert body["delivery"]["state"] == "delivered"


def test_a_lookup_that_comes_after_the_webhook_reports_no_second_settlement(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tid = world.place()
    world.voice.ending = COMPLETED

    def ends_meanwhile() -> None:
        world.event("busy")

    world.voice.while_looked_up = ends_meanwhile
    assert view(ask(world, tid))["reason"] == "busy"
    assert [record.msg for record in caplog.records].count("call_settled") == 1


def test_a_right_pin_whose_ending_was_lost_is_settled_by_a_lookup(world: World) -> None:
    tid = world.place()
    world.enter("1234")
    world.voice.ending = COMPLETED

    assert view(ask(world, tid))["status"] == "ok"
    assert world.call(tid).due_at == world.clock.now()


def test_a_lookup_grants_the_grace_period_too(world: World) -> None:
    tid = world.place()
    world.event("answered")
    world.voice.ending = COMPLETED
    body = view(ask(world, tid))

    assert (body["state"], body["status"]) == ("ended", None)
    assert world.key("1234").json == []
    assert view(ask(world, tid))["status"] == "ok"


def test_cancelling_a_ringing_call_decides_and_hangs_up(world: World) -> None:
    tid = world.place()
    body = view(ask(world, tid, "DELETE"))
    assert (body["state"], body["status"], body["reason"]) == ("placed", "error", "cancelled")
    assert world.voice.hung_up == [world.voice.uuid]
    world.event("cancelled")
    world.event("completed", duration="0")

    assert [(x["status"], x["reason"]) for x in world.outcomes] == [("error", "cancelled")]


def test_cancelling_an_answered_call_ends_its_questions(world: World) -> None:
    tid = world.place()
    world.event("answered")
    ask(world, tid, "DELETE")

    assert world.key("1234").json == []
    world.event("completed", duration="4", disconnected_by="platform")
    assert [(x["status"], x["reason"]) for x in world.outcomes] == [("error", "cancelled")]
    assert world.clock.slept == []


def test_a_verdict_there_is_stays(world: World) -> None:
    tid = world.place()
    world.enter("1234")
    body = view(ask(world, tid, "DELETE"))

    assert (body["status"], body["reason"]) == ("ok", "pin_matched")
    assert world.voice.hung_up == [world.voice.uuid]


def test_cancelling_twice_or_after_the_end_changes_nothing(world: World) -> None:
    world.voice.hang_up_statuses = [204, 404, 404]
    tid = world.place()
    ask(world, tid, "DELETE")
    ask(world, tid, "DELETE")
    world.event("cancelled")
    outcome = world.call(tid).payload
    ask(world, tid, "DELETE")

    assert world.call(tid).payload == outcome
    assert len(world.outcomes) == 1


def test_too_early_a_hang_up_is_repeated_after_two_seconds(world: World) -> None:
    world.voice.hang_up_statuses = [400, 204]
    ask(world, world.place(), "DELETE")

    assert world.voice.hung_up == [world.voice.uuid] * 2
    assert len(set(world.voice.tokens)) == 1
    assert world.clock.slept == [2]


@pytest.mark.parametrize("status", [400, 404])
def test_a_call_that_is_over_and_cannot_be_hung_up_is_no_failure(
    world: World, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.voice.hang_up_statuses = [status]
    tid = world.place()
    world.event("busy")
    ask(world, tid, "DELETE")

    assert (len(world.voice.hung_up), world.clock.slept) == (1, [])
    assert "hang_up_failed" not in [record.msg for record in caplog.records]


@pytest.mark.parametrize("status", [200, 204, 299, 404])
def test_a_call_that_was_hung_up_or_is_gone_is_no_failure(
    world: World, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.voice.hang_up_statuses = [status]
    ask(world, world.place(), "DELETE")

    assert world.voice.hung_up == [world.voice.uuid]
    assert "hang_up_failed" not in [record.msg for record in caplog.records]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ([400, 400], {"http_status": 400}),
        ([300], {"http_status": 300}),
        ([500], {"http_status": 500}),
        ([VendorUnreachableError("gone")], {"code": "vendor_unreachable"}),
    ],
)
def test_a_hang_up_that_fails_is_logged_and_the_verdict_stands(
    world: World, failure: list[int | Exception], said: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    world.voice.hang_up_statuses = list(failure)
    tid = world.place()
    body = view(ask(world, tid, "DELETE"))

    assert body["reason"] == "cancelled"
    assert fields_logged(caplog, "hang_up_failed") == [{"tid": tid, **said}]


def test_a_call_cancelled_while_it_is_placed_is_hung_up_by_the_request_that_places_it(world: World) -> None:
    def cancel(order: CallOrder) -> None:
        assert view(ask(world, tid_of(order), "DELETE"))["reason"] == "cancelled"
        assert world.voice.hung_up == []

    world.voice.meanwhile = cancel
    world.voice.hang_up_statuses = [400, 204]  # Vonage has only just placed it
    tid = world.place()

    assert world.voice.hung_up == [world.voice.uuid] * 2
    assert world.clock.slept == [2]
    assert len(set(world.voice.tokens)) == 1
    assert world.call(tid).state == "placed"


def test_a_call_cancelled_while_it_is_placed_is_hung_up_though_its_uuid_could_not_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(order: CallOrder) -> None:
        assert view(ask(world, tid_of(order), "DELETE"))["reason"] == "cancelled"
        monkeypatch.setattr(type(world.store), "update", down)

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    world.voice.meanwhile = cancel
    world.place()

    assert world.voice.hung_up == [world.voice.uuid]


def test_a_call_that_nobody_cancelled_is_not_hung_up_because_its_uuid_could_not_be_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    def right_at_once(_order: CallOrder) -> None:
        world.enter("1234")
        monkeypatch.setattr(type(world.store), "update", down)

    world.voice.meanwhile = right_at_once
    world.place()

    assert world.voice.hung_up == []


@pytest.mark.parametrize("keyed", ["1234", "9999", None])
def test_a_call_that_completes_while_it_is_cancelled_keeps_the_outcome_that_was_first(
    world: World, keyed: str | None
) -> None:
    """The ending arrives after the cancellation has read the call and before it writes."""
    tid = world.place()
    world.event("answered")
    if keyed is not None:
        world.key(keyed)

    def completes_meanwhile() -> None:
        world.event("completed", duration="4", disconnected_by="user")

    world.voice.while_looked_up = completes_meanwhile
    body = view(ask(world, tid, "DELETE"))

    reason = "pin_matched" if keyed == "1234" else "hung_up"
    assert body["reason"] == reason
    assert view(ask(world, tid))["state"] == "ended"
    assert [outcome["reason"] for outcome in world.outcomes] == [reason]


@pytest.mark.parametrize("keyed", ["1234", None])
def test_a_call_cancelled_in_its_grace_period_is_settled_once(world: World, keyed: str | None) -> None:
    """The ending waits for late keys; the cancellation comes first, the keys then change nothing."""
    tid = world.place()
    world.event("answered")
    seen = []

    def cancels_meanwhile() -> None:
        seen.append(view(ask(world, tid, "DELETE"))["reason"])
        if keyed is not None:
            assert world.key(keyed).json == []

    world.clock.on_sleep = cancels_meanwhile
    world.event("completed", duration="4", disconnected_by="user")

    assert seen == ["cancelled"]
    assert [outcome["reason"] for outcome in world.outcomes] == seen
    assert view(ask(world, tid))["reason"] == "cancelled"


def test_a_cancelled_call_that_never_ends_is_settled_by_its_due_date(world: World) -> None:
    tid = world.place()
    ask(world, tid, "DELETE")
    due_at = world.call(tid).due_at

    assert due_at is not None
    assert (due_at - world.clock.now()).total_seconds() == pytest.approx(30 + 9 / 4)


def test_redelivery_restarts_the_schedule_with_the_same_payload(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=410)]
    tid = world.place()
    world.event("busy")
    world.clock.advance(86400)
    body = view(ask(world, tid, "POST", "/redeliver"))

    assert world.sender.timeouts[-1] == 15
    assert body["delivery"]["state"] == "delivered"
    assert [t["http_status"] for t in body["delivery"]["tries"]] == [410, 200]
    assert len({(request.webhook_id, request.payload) for request in world.sender.sent}) == 1


def test_a_sweep_beside_a_redelivery_leaves_its_try_alone(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=410)]
    tid = world.place()
    world.event("busy")
    world.clock.advance(86400)
    beside: list[dict[str, int]] = []
    world.sender.meanwhile = lambda: beside.append(swept(world))
    ask(world, tid, "POST", "/redeliver")

    assert beside == [{}]
    assert len(world.sender.sent) == 2


def test_while_callers_hold_half_of_the_threads_a_redelivery_is_the_sweeps(tmp_path: Path) -> None:
    """A receiver may take 15 s, and webhooks must find a thread free."""
    world = make_world(tmp_path, THREADS="4")
    world.sender.responses = [CallbackResponse(http_status=410)] * 3
    tids = []
    for _ in range(3):
        tids.append(world.place())
        world.event("busy")
    world.clock.advance(86400)
    ended: list[str] = []

    def redeliver() -> None:
        tid = tids.pop()
        world.sender.meanwhile = redeliver
        ended.append(view(ask(world, tid, "POST", "/redeliver"))["delivery"]["state"])

    redeliver()

    assert ended == ["pending", "delivered", "delivered"]
    world.sender.meanwhile = None
    assert swept(world) == {"delivered": 1}


def test_a_redelivery_asked_for_while_a_try_is_under_way_is_turned_away(world: World) -> None:
    tid = world.place()
    seen = []

    def redeliver() -> None:
        seen.append(ask(world, tid, "POST", "/redeliver"))

    world.sender.meanwhile, world.sender.takes_s = redeliver, 4
    world.event("busy")

    assert [code(response) for response in seen] == [(429, "too_many_redeliveries")]
    assert seen[0].headers["Retry-After"] == "11"
    assert len(world.sender.sent) == 1


def test_redelivery_is_asked_for_once_a_minute_and_prolongs_nothing(world: World) -> None:
    tid = world.place()
    world.event("busy")
    expire_at = world.call(tid).expire_at
    assert view(ask(world, tid, "POST", "/redeliver"))["delivery"]["state"] == "delivered"
    world.clock.advance(0.5)
    early = [ask(world, tid, "POST", "/redeliver") for _ in range(28)]
    world.clock.advance(59.5)
    view(ask(world, tid, "POST", "/redeliver"))

    assert {code(response) for response in early} == {(429, "too_many_redeliveries")}
    assert {response.headers["Retry-After"] for response in early} == {"60"}
    assert len(world.sender.sent) == 3
    assert world.call(tid).expire_at == expire_at


def test_a_call_without_a_callback_has_nothing_to_redeliver(world: World) -> None:
    tid = world.place(callback=..., callback_method=...)
    assert code(ask(world, tid, "POST", "/redeliver")) == (409, "not_settled")
    world.event("busy")

    assert code(ask(world, tid, "POST", "/redeliver")) == (409, "no_callback")
    assert world.sender.sent == []


def test_a_redelivery_that_fails_is_due_again(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=200), CallbackResponse(http_status=500)]
    tid = world.place()
    world.event("busy")
    body = view(ask(world, tid, "POST", "/redeliver"))

    assert body["delivery"]["state"] == "pending"
    assert body["delivery"]["next_at"] is not None
    assert world.call(tid).delivery.attempts_made == 1


def test_what_is_not_settled_cannot_be_redelivered(world: World) -> None:
    tid = world.place()
    assert code(ask(world, tid, "POST", "/redeliver")) == (409, "not_settled")
    world.enter("1234")
    assert code(ask(world, tid, "POST", "/redeliver")) == (409, "not_settled")

    assert world.outcomes == []


def test_no_view_shows_pin_text_or_callback(world: World) -> None:
    tid = world.place()
    world.enter("7777")

    for secret in ("7777", "1234", "Enter the PIN", "example.com", "token"):
        assert secret not in ask(world, tid).text.replace(tid, "")  # which may hold any four digits


def test_the_paths_take_no_other_methods(world: World) -> None:
    tid = str(uuid.uuid4())

    assert ask(world, tid, "PUT").headers["Allow"] == "DELETE, GET, HEAD"
    assert ask(world, tid, "GET", "/redeliver").headers["Allow"] == "POST"


def test_a_record_that_cannot_be_read_is_logged_with_its_tid(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tid = world.place()
    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection, connection:
        connection.execute("UPDATE calls SET document = '{}'")

    response = ask(world, tid)
    assert code(response) == (503, "store_unavailable")
    assert response.headers["Retry-After"] == "1"
    (record,) = [record for record in caplog.records if record.msg == "record_unreadable"]
    assert record.fields == {"route": "/call", "tid": tid}  # type: ignore[attr-defined]
    assert record.exc_info is not None


WRITING = [("DELETE", ""), ("POST", "/redeliver"), ("POST", "/erase")]


@pytest.mark.parametrize(("method", "path"), WRITING)
def test_what_another_writer_changed_since_the_call_was_read_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    tid = world.place()
    if path:
        world.event("busy")
        world.clock.advance(60)
    get = world.store.get

    def overtaken(tid: str, *, timeout_s: float) -> Stored:
        stored = get(tid, timeout_s=timeout_s)
        monkeypatch.setattr(world.store, "get", get)
        world.store.update(tid, lambda call: Transition(replace(call, attempts_allowed=7)))
        return stored

    monkeypatch.setattr(world.store, "get", overtaken)
    view(ask(world, tid, method, path))
    call = world.call(tid)

    assert call.attempts_allowed == 7
    assert (call.verdict is not None, call.redeliveries, call.payload is None) == (
        True,
        1 if path == "/redeliver" else 0,
        path != "/redeliver",
    )


@pytest.mark.parametrize(
    ("method", "path", "reads"), [("GET", "", 1), ("DELETE", "", 1), ("POST", "/redeliver", 2), ("POST", "/erase", 1)]
)
def test_who_has_read_the_call_does_not_read_it_again_to_write(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, reads: int
) -> None:
    tid = world.place()
    world.voice.ending = CallEnded(EndStatus.BUSY)
    if path:
        world.event("busy")
        world.clock.advance(60)
    keys = keys_read(monkeypatch)
    view(ask(world, tid, method, path))

    assert keys == [tid] * reads


def test_what_nobody_foresaw_is_logged_with_method_and_route_and_told_to_nobody(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("of the inside")

    tid = world.place()
    monkeypatch.setattr(world.store, "get", fail)
    response = world.client.get(f"/call/{tid}", headers=bearer(world.clock))

    assert code(response) == (500, "internal")
    assert "of the inside" not in response.text
    assert fields_logged(caplog, "internal_error") == [{"method": "GET", "route": "/call"}]


@pytest.mark.usefixtures("in_another_zone")
def test_times_are_told_in_utc_whatever_the_machines_zone(world: World) -> None:
    tid = world.place()
    at = json_of(world.client.get(f"/call/{tid}", headers=bearer(world.clock)))["timeline"][0]["at"]

    assert at.endswith("Z")
    assert abs((datetime.fromisoformat(at) - world.call(tid).created_at).total_seconds()) < 0.001
