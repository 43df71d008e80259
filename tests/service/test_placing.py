"""What Vonage says to `POST /v1/calls` decides what we say, and whether anything is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.records import keys_read
from tests.world import World, fields_logged, make_world, query_of, tid_of
from ttsprompt.errors import (
    CallNotFoundError,
    FieldFault,
    StoreUnavailableError,
    VendorError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from ttsprompt.ports import CallOrder


@pytest.mark.parametrize("mode", ["inline", "webhook"])
def test_vonage_is_asked_for_what_the_request_says(tmp_path: Path, mode: str) -> None:
    world = make_world(tmp_path, ANSWER_MODE=mode)
    tid = world.place(ringing_timeout=21, machine_detection="continue", extension="p9")
    (order,) = world.voice.orders
    token = query_of(order.event_url)["token"]

    assert (order.to, order.from_) == ("447970513607", "447520616161")
    assert order.event_url == f"https://calls.example.com/api/event/{tid}?token={token}"
    assert (order.ringing_timer_s, order.length_timer_s) == (21, world.call(tid).length_timer_s)
    assert (order.machine_detection, order.extension) == ("continue", "p9")
    if mode == "inline":
        assert order.answer_url is None
        assert [action["action"] for action in order.ncco or []] == ["talk", "input"]
    else:
        assert order.answer_url == f"https://calls.example.com/api/answer/{tid}?token={token}"
        assert order.ncco is None


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (VendorRefusedError("no", vendor_status=400), 422, "vendor_refused"),
        (VendorRefusedError("no", vendor_status=401), 401, "vendor_refused"),
        (VendorRefusedError("no", vendor_status=402), 403, "vendor_refused"),
        (VendorRefusedError("no", vendor_status=403), 403, "vendor_refused"),
        (VendorRefusedError("no", vendor_status=404), 502, "vendor_refused"),
        (VendorRefusedError("no", vendor_status=302), 502, "vendor_refused"),
        (VendorRateLimitedError("slow", asked_for_s=7), 429, "vendor_rate_limited"),
        (VendorUnreachableError("gone"), 503, "vendor_unreachable"),
    ],
)
def test_a_definite_refusal_is_passed_on_and_nothing_is_kept(
    world: World, error: VendorError, status: int, code: str
) -> None:
    world.voice.error = error
    response = world.post_call()

    assert response.json is not None
    assert (response.status_code, response.json["code"], response.json["detail"]) == (status, code, error.detail)
    with pytest.raises(CallNotFoundError):
        world.call(tid_of(world.voice.orders[-1]))
    if status == 401:
        assert response.headers["WWW-Authenticate"]
    if status == 429:
        assert response.headers["Retry-After"] == "7"


def test_a_record_that_was_just_made_is_not_read_to_note_the_placement(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keys_read(monkeypatch)
    world.place()

    assert keys == []


def test_a_record_that_is_taken_back_is_not_read_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    keys = keys_read(monkeypatch)

    assert world.post_call().status_code == 422
    assert keys == []


def test_vonages_faults_are_passed_on_by_field(world: World) -> None:
    world.voice.error = VendorRefusedError("no", vendor_status=400, faults=[FieldFault("to", "vendor", "too short")])
    response = world.post_call()

    assert response.json is not None
    assert response.json["errors"] == [{"field": "to", "code": "vendor", "message": "too short"}]


def test_an_unclear_answer_keeps_the_call_and_tells_its_tid(world: World) -> None:
    world.voice.error = VendorUnclearError("silence")
    response = world.post_call()

    assert response.json is not None
    assert (response.status_code, response.json["code"]) == (504, "vendor_unclear")
    assert response.json["tid"] == tid_of(world.voice.orders[-1])
    assert (world.call(response.json["tid"]).state, world.records()) == ("placing", [response.json["tid"]])


def test_after_an_unclear_answer_the_call_goes_on_and_is_reported(world: World) -> None:
    world.voice.error = VendorUnclearError("silence")
    world.post_call()
    world.event("answered")
    world.enter("1234")
    world.event("completed", duration="5")

    assert [outcome["status"] for outcome in world.outcomes] == ["ok"]


def test_a_refusal_does_not_delete_a_call_that_webhooks_have_touched(world: World) -> None:
    """Nobody knows how Vonage can refuse and ring; if it does, the outcome still counts."""

    def rings_anyway(_order: CallOrder) -> None:
        world.event("answered")

    world.voice.meanwhile = rings_anyway
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    world.post_call()

    assert world.call(tid_of(world.voice.orders[-1])).state == "answered"


def test_webhooks_may_be_faster_than_vonages_answer(world: World) -> None:
    def all_over(_order: CallOrder) -> None:
        world.event("answered")
        world.enter("1234")
        world.event("completed", duration="5")

    world.voice.meanwhile = all_over
    tid = world.place()

    assert [outcome["tid"] for outcome in world.outcomes] == [tid]
    assert world.call(tid).uuid == world.voice.uuid


def test_a_success_without_a_readable_uuid_is_a_success(world: World) -> None:
    world.voice.uuid = None
    tid = world.place()

    assert (world.call(tid).state, world.call(tid).uuid) == ("placed", None)


@pytest.mark.parametrize("extension", [None, "pp204#"])
def test_an_extension_goes_to_vonage_and_into_the_timers_and_not_into_the_record(
    world: World, extension: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    tid = world.place(extension=extension, text="abcd")

    assert world.voice.orders[-1].extension == extension
    assert world.call(tid).extension_s == (3 if extension else 0)
    plain = make_world_order(world, text="abcd")
    assert world.voice.orders[0].length_timer_s - plain.length_timer_s == (3 if extension else 0)
    assert "204#" not in repr(world.voice.orders[0])  # with what no random digits have
    assert "204#" not in str(world.store.get(tid).document)
    assert "pp204" not in caplog.text


def make_world_order(world: World, **fields: object) -> CallOrder:
    """What Vonage is asked for another call."""
    world.place(**fields)
    return world.voice.orders[-1]


def test_the_record_is_made_before_anything_is_dialled(world: World) -> None:
    seen = []

    def look(order: CallOrder) -> None:
        seen.append(world.call(tid_of(world.voice.orders[-1])).state)

    world.voice.meanwhile = look
    world.place()

    assert seen == ["placing"]


def test_nothing_is_dialled_when_the_record_cannot_be_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.store), "create", down)
    response = world.post_call()

    assert response.json is not None
    assert (response.status_code, response.json["code"]) == (503, "store_unavailable")
    assert world.voice.orders == []


def test_nothing_is_dialled_when_the_database_was_deleted_under_the_service(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.place()
    for file in tmp_path.glob("calls.db*"):
        file.unlink()
    response = world.post_call()

    assert response.json is not None
    assert (response.status_code, response.json["code"]) == (503, "store_unavailable")
    assert len(world.voice.orders) == 1


@pytest.mark.parametrize(("method", "event"), [("update", "placement_not_noted"), ("delete", "record_not_deleted")])
def test_the_answer_is_the_same_when_a_later_write_fails_and_it_is_logged(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str, event: str
) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.store), method, down)
    assert world.post_call().status_code == 200
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    assert world.post_call().status_code == 422
    world.voice.error = VendorUnclearError("silence")
    assert world.post_call().status_code == 504
    orders = [tid_of(order) for order in world.voice.orders]
    expected = [orders[0], orders[2]] if method == "update" else [orders[1]]
    assert fields_logged(caplog, event) == [{"tid": tid, "code": "store_unavailable"} for tid in expected]


def test_the_callers_token_goes_to_vonage_as_it_came(world: World) -> None:
    from tests.world import bearer  # noqa: PLC0415 - one test needs it

    headers = bearer(world.clock, marker="mine")
    world.post_call(headers)

    assert world.voice.tokens == [headers["Authorization"].removeprefix("Bearer ")]


def test_each_call_has_a_token_and_a_tid_of_its_own(world: World) -> None:
    world.place()
    world.place()
    first, second = (query_of(order.event_url)["token"] for order in world.voice.orders)

    assert first != second
    assert len(first) >= 43


def test_a_bug_is_an_opaque_error_and_the_record_is_kept(world: World) -> None:
    world.voice.error = ZeroDivisionError("447970513607")
    response = world.post_call()

    assert response.json is not None
    assert (response.status_code, response.json["code"]) == (500, "internal")
    assert "447970513607" not in response.text
    assert world.call(tid_of(world.voice.orders[-1])).state == "placing"
