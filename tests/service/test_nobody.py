"""A token that Vonage has not accepted is nobody: it holds nothing, learns nothing, and leaves nothing behind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.fakes import FakeVoice
from tests.records import rewrite
from tests.world import World, bearer, make_world
from ttsprompt.errors import UnauthenticatedError, VendorRefusedError, VendorUnreachableError
from ttsprompt.ports import CallOrder
from ttsprompt.service.authority import MOST_REMEMBERED, NO_UUID, Authority, Credential

KEY = {"Idempotency-Key": "order-4711"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOT_THERE = [UNKNOWN, NO_UUID, "nonsense", "-", "x" * 300, "__id__", "%2e", "%00", "ü", f"{UNKNOWN}%0a"]
"""Tids that no call has; most are none."""

REFUSED = UnauthenticatedError("Vonage does not accept the token.")
SILENT = VendorUnreachableError("Vonage did not answer in time. Try again.")


class SignedOnly(FakeVoice):
    """A Vonage that knows the victim's token from all others that name the same application."""

    good: str = ""

    def look_up(self, uuid: str, token: str) -> None:
        super().look_up(uuid, token)
        if token != self.good:
            raise self.ending if isinstance(self.ending, Exception) else REFUSED

    def place_call(self, order: CallOrder, token: str) -> str | None:
        assert token == self.good, "a forged token was used to dial"
        return super().place_call(order, token)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, voice=SignedOnly(), MAX_CALLS_PER_NUMBER="2/600s")


def victims(world: World) -> dict[str, str]:
    headers = bearer(world.clock, jti="the victim's")
    assert isinstance(world.voice, SignedOnly)
    world.voice.good = headers["Authorization"].removeprefix("Bearer ")
    return headers


def forged(world: World, number: int = 0) -> dict[str, str]:
    return bearer(world.clock, jti=f"forged {number}")


@pytest.mark.parametrize("limit", ["", "2/600s"])
def test_a_forged_token_cannot_hold_a_victims_key(tmp_path: Path, limit: str) -> None:
    world = make_world(tmp_path, voice=SignedOnly(), MAX_CALLS_PER_NUMBER=limit)
    for number in range(20):
        response = world.post_call(forged(world, number) | KEY, text="An attacker's text", to="447970513600")
        assert response.status_code == 401

    assert world.post_call(victims(world) | KEY).status_code == 200
    assert len(world.voice.orders) == 1


def test_a_forged_token_takes_nobodys_place_under_the_limit(world: World) -> None:
    for number in range(20):
        assert world.post_call(forged(world, number)).status_code == 401

    assert [world.post_call(victims(world)).status_code for _ in range(3)] == [200, 200, 429]


def test_a_forged_token_finds_no_pin_by_asking_for_a_replay(world: World) -> None:
    placed = world.post_call(victims(world) | KEY)
    answers = {
        world.post_call(forged(world, pin) | KEY, pin_code=f"{pin:04}").get_data() for pin in (0, 1, 1234, 5000, 9999)
    }

    assert placed.status_code == 200
    assert len(answers) == 1
    assert world.post_call(forged(world) | KEY).status_code == 401


def test_a_forged_token_does_not_learn_whether_a_number_that_is_refused_now_was_called(tmp_path: Path) -> None:
    world = make_world(tmp_path, voice=SignedOnly())
    assert world.post_call(victims(world) | KEY).status_code == 200
    ruled = make_world(tmp_path, voice=SignedOnly(), ALLOWED_COUNTRIES="DE")
    assert ruled.post_call(victims(ruled) | KEY).status_code == 200

    another = {"Idempotency-Key": "order-4712"}
    assert [ruled.post_call(forged(ruled) | key).status_code for key in (KEY, another)] == [401, 401]


@pytest.mark.parametrize("fault", [REFUSED, SILENT], ids=["refused", "silent"])
def test_a_forged_token_does_not_learn_by_a_wrong_body_whether_a_key_was_used(world: World, fault: Exception) -> None:
    assert world.post_call(victims(world) | KEY).status_code == 200
    world.voice.ending = fault

    another = {"Idempotency-Key": "order-4712"}
    answers = [world.post_call(forged(world) | key, pin_code="x").data for key in (KEY, another)]

    assert answers[0] == answers[1]
    assert (b"invalid_fields" if fault is REFUSED else b"vendor_unreachable") in answers[0]


@pytest.mark.parametrize("fault", [REFUSED, SILENT], ids=["refused", "silent"])
def test_a_forged_request_with_a_key_leaves_no_record_behind_whatever_vonage_does(
    world: World, fault: Exception
) -> None:
    world.voice.ending = fault
    statuses = [world.post_call(forged(world, number) | KEY).status_code for number in range(3)]

    assert statuses == [401 if fault is REFUSED else 503] * 3
    assert world.records() == []
    world.voice.ending = None
    assert world.post_call(victims(world) | KEY).status_code == 200


def ask(world: World, method: str, tid: str, headers: dict[str, str]) -> TestResponse:
    path, verb = {
        "status": (f"/call/{tid}", "GET"),
        "cancel": (f"/call/{tid}", "DELETE"),
        "redeliver": (f"/call/{tid}/redeliver", "POST"),
        "erase": (f"/call/{tid}/erase", "POST"),
        "wait": (f"/call/{tid}?wait=1", "GET"),
    }[method]
    return world.client.open(path, method=verb, headers=headers)


@pytest.mark.parametrize("not_there", NOT_THERE)
@pytest.mark.parametrize("method", ["status", "wait", "cancel", "redeliver", "erase"])
def test_a_forged_token_is_refused_alike_whether_or_not_there_is_such_a_call(
    world: World, method: str, not_there: str
) -> None:
    headers = victims(world)
    tid = world.post_call(headers).get_json()["tid"]
    before = world.call(tid)

    answers = [ask(world, method, which, forged(world)) for which in (tid, not_there)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].data == answers[1].data
    assert world.clock.slept == []
    assert world.call(tid) == before
    assert ask(world, method, not_there, headers).status_code == 404


@pytest.mark.parametrize("not_there", NOT_THERE)
@pytest.mark.parametrize("method", ["status", "wait", "cancel", "redeliver", "erase"])
def test_when_vonage_does_not_tell_nobody_learns_whether_there_is_such_a_call(
    world: World, method: str, not_there: str
) -> None:
    tid = world.post_call(victims(world)).get_json()["tid"]
    world.voice.ending = SILENT

    answers = [ask(world, method, which, forged(world)) for which in (tid, not_there)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].data == answers[1].data
    assert world.clock.slept == []


def test_a_token_is_the_one_that_was_accepted_only_byte_for_byte(world: World) -> None:
    """Other spellings of its last byte, and of its parts, may be another token to Vonage."""
    headers = victims(world)
    assert world.post_call(headers | KEY).status_code == 200
    token = headers["Authorization"].removeprefix("Bearer ")
    head, payload, signature = token.split(".")
    others = [
        f"{head}.{payload}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        f"{head}.{payload}.{signature}A",
        f"{head}A.{payload}.{signature}",
        f"{head}.{payload}.{signature[::-1]}",
    ]

    assert [world.post_call({"Authorization": f"Bearer {other}"} | KEY).status_code for other in others] == [401] * 4
    assert [ask(world, "status", UNKNOWN, {"Authorization": f"Bearer {other}"}).status_code for other in others] == [
        401
    ] * 4


def test_a_forged_token_wakes_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ten lines of trouble with Vonage in five minutes are an alarm: they are not for anybody to write."""
    caplog.set_level(logging.INFO)
    world = make_world(tmp_path)
    world.voice.error = VendorRefusedError("no", vendor_status=401)
    for number in range(20):
        assert world.post_call(forged(world, number)).status_code == 401

    assert {(record.msg, record.levelname) for record in caplog.records} == {("token_refused", "INFO")}
    assert world.records() == []


def test_what_another_application_may_not_do_is_said_without_asking_vonage(tmp_path: Path) -> None:
    world = make_world(tmp_path, ALLOWED_APPLICATIONS=UNKNOWN, MAX_CALLS_PER_NUMBER="2/600s")

    assert world.post_call(bearer(world.clock) | KEY).status_code == 403
    assert world.post_call(bearer(world.clock) | KEY, attempts=99).status_code == 403
    assert world.voice.looked_up == []


@pytest.mark.parametrize("method", ["status", "wait", "cancel", "redeliver", "erase"])
def test_a_forged_token_is_refused_alike_where_the_record_cannot_be_read_and_logs_nothing(
    world: World, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = victims(world)
    tid = world.post_call(headers).get_json()["tid"]
    rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})

    answers = [ask(world, method, which, forged(world)) for which in (tid, UNKNOWN)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].data == answers[1].data
    assert [record.msg for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert ask(world, method, tid, headers).status_code == 503


def test_another_applications_token_is_told_404_once_vonage_has_accepted_it(world: World) -> None:
    tid = world.post_call(victims(world)).get_json()["tid"]
    other = bearer(world.clock, application_id="11111111-1111-4111-8111-111111111111")
    world.voice.good = other["Authorization"].removeprefix("Bearer ")  # type: ignore[attr-defined]  # it is the fixture's

    assert ask(world, "status", tid, other).status_code == 404
    assert world.voice.looked_up[-1] == NO_UUID


def test_a_caller_who_keeps_a_token_is_asked_about_once_a_minute(world: World) -> None:
    headers = victims(world)
    for number in range(3):
        world.post_call(headers | {"Idempotency-Key": f"key {number}"}, to=f"44797051360{number}")
    assert world.voice.looked_up == [NO_UUID]

    world.clock.advance(60)
    world.post_call(headers | {"Idempotency-Key": "another"}, to="447970513609")
    assert world.voice.looked_up == [NO_UUID] * 2


def test_a_refusal_is_not_remembered(world: World) -> None:
    headers = bearer(world.clock, jti="the victim's")
    assert world.post_call(headers | KEY).status_code == 401
    assert victims(world) == headers

    assert world.post_call(headers | KEY).status_code == 200


def test_a_request_that_depends_on_no_other_costs_no_question(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.place()

    assert world.voice.looked_up == []


def test_what_is_remembered_is_bounded(world: World) -> None:
    voice = FakeVoice()
    authority = Authority(voice, world.clock)
    for number in range(MOST_REMEMBERED + 1):
        authority.check(Credential("application", f"token {number}"))
    authority.check(Credential("application", f"token {MOST_REMEMBERED}"))
    assert len(voice.looked_up) == MOST_REMEMBERED + 1

    authority.check(Credential("application", "token 0"))
    assert len(voice.looked_up) == MOST_REMEMBERED + 2
