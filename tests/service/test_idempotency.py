"""One `Idempotency-Key`, one dial."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from tests.records import keys_read
from tests.world import REQUEST, World, bearer, fields_logged, make_world
from ttsprompt.domain.call import Transition
from ttsprompt.domain.idempotency import fingerprint, secrets_fingerprint
from ttsprompt.domain.model import Call, State
from ttsprompt.errors import (
    CallNotFoundError,
    StoreUnavailableError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
)
from ttsprompt.ports import CallOrder, CallStore, Stored

KEY = "order-7-attempt-1"
FORM = "application/x-www-form-urlencoded"


def post(world: World, key: str = KEY, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
    return world.post_call({**(headers or bearer(world.clock)), "Idempotency-Key": key}, **fields)


def code(response: TestResponse) -> tuple[int, str]:
    assert response.json is not None
    return response.status_code, response.json["code"]


def test_the_same_request_again_gets_the_first_tid_and_dials_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first, again = post(world), post(world)

    assert first.json == again.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(world.voice.orders) == 1
    assert fields_logged(caplog, "call_replayed") == [first.json]


def test_the_tid_is_a_uuid_and_does_not_show_the_key(world: World) -> None:
    tid = (post(world).json or {})["tid"]

    assert uuid.UUID(tid).version == 8
    assert str(uuid.UUID(tid)) == tid


@pytest.mark.parametrize(
    "spelling",
    [
        {"to": "+44 7970 513607"},
        {"callback_method": "POST"},
        {"attempts": 3, "language": "en-US", "input_timeout": 10},
        {"reference": ""},
    ],
)
def test_a_request_that_means_the_same_is_the_same(world: World, spelling: dict[str, Any]) -> None:
    post(world)

    assert post(world, **spelling).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "usual", [{"attempts": 3}, {"language": "en-US"}, {"silence_text": ""}, {"callback_format": "form"}]
)
def test_a_field_at_its_default_is_as_good_as_none(world: World, usual: dict[str, Any]) -> None:
    post(world)

    assert post(world, **usual).headers["Idempotency-Replayed"] == "true"


def test_what_a_repeat_is_compared_with_holds_no_field_that_was_not_given(world: World) -> None:
    """A later version has more fields. Their defaults must not make another request of one that comes again."""
    given = {name: value for name, value in REQUEST.items() if name != "callback_method"}
    call = world.call((post(world).json or {})["tid"])

    assert call.fingerprint == fingerprint(KEY, given)
    assert call.secrets_fingerprint == secrets_fingerprint(KEY, given)


def test_after_the_call_nothing_tells_its_pin(world: World) -> None:
    """Whoever holds the store and guesses the key could otherwise try every PIN."""
    tid = (post(world).json or {})["tid"]
    assert world.call(tid).secrets_fingerprint is not None
    world.event("busy")

    assert world.call(tid).secrets_fingerprint is None
    assert post(world, pin_code="9999").headers["Idempotency-Replayed"] == "true"
    assert code(post(world, to="447970513608")) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    "change",
    [
        {"pin_code": "1235"},
        {"reject_code": "9"},
        {"to": "447970513608"},
        {"reference": "x"},
        {"silence_text": "Hello?"},
        {"extension": "1"},
        {"callback": ..., "callback_method": ...},
    ],
)
def test_another_body_is_a_conflict(world: World, change: dict[str, Any]) -> None:
    post(world)

    assert code(post(world, **change)) == (409, "idempotency_conflict")
    assert len(world.voice.orders) == 1


def test_keys_of_different_applications_do_not_meet(world: World) -> None:
    post(world)
    other = post(world, headers=bearer(world.clock, application_id=str(uuid.uuid4())))

    assert "Idempotency-Replayed" not in other.headers
    assert len(world.voice.orders) == 2


def test_while_the_first_request_waits_for_vonage_the_second_is_told_to_wait(world: World) -> None:
    answers = []

    def meanwhile(_order: CallOrder) -> None:
        world.clock.advance(19)
        answers.append(post(world))

    world.voice.meanwhile = meanwhile
    post(world)

    assert [code(answer) for answer in answers] == [(409, "in_progress")]
    assert answers[0].headers["Retry-After"]
    assert len(world.voice.orders) == 1


def test_a_request_that_died_while_it_waited_is_replayed_after_twenty_seconds(world: World) -> None:
    """The process may have died before or after Vonage got the request; either way nobody is dialled again."""

    class DiedError(BaseException):
        pass

    world.voice.error = DiedError()  # type: ignore[assignment]  # no Exception, so that nothing handles it
    with pytest.raises(DiedError):
        post(world)
    world.clock.advance(19.9)
    assert code(post(world)) == (409, "in_progress")
    world.clock.advance(0.1)

    assert post(world).headers["Idempotency-Replayed"] == "true"
    assert len(world.voice.orders) == 1


def test_after_an_unclear_answer_the_tid_is_replayed_at_once(world: World) -> None:
    world.voice.error = VendorUnclearError("silence")
    first, again = post(world), post(world)

    assert (first.json or {})["tid"] == (again.json or {})["tid"]
    assert again.status_code == 200
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(world.voice.orders) == 1


def test_a_replay_keeps_what_another_writer_changed_since_the_call_was_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that dialled has died; a webhook comes between the look of the replay and its note."""
    tid = (post(world).json or {})["tid"]
    get = world.store.get

    def overtaken(tid: str, *, timeout_s: float) -> Stored:
        stored = get(tid, timeout_s=timeout_s)
        monkeypatch.setattr(world.store, "get", get)
        world.store.update(tid, lambda call: Transition(replace(call, attempts_allowed=7)))
        return stored

    world.store.update(tid, lambda call: Transition(replace(call, state=State.PLACING)))
    world.clock.advance(20)
    monkeypatch.setattr(world.store, "get", overtaken)

    assert post(world).headers["Idempotency-Replayed"] == "true"
    call = world.call(tid)
    assert (call.attempts_allowed, call.placement_unclear) == (7, True)


@pytest.mark.parametrize("status", [None, "answered", "machine"])
def test_a_replay_writes_nothing_to_a_call_that_is_known_to_be_under_way(world: World, status: str | None) -> None:
    tid = (post(world).json or {})["tid"]
    if status:
        world.event(status)
    before = world.store.get(tid)

    assert post(world).headers["Idempotency-Replayed"] == "true"
    assert world.store.get(tid) == before


def test_a_replay_writes_nothing_to_a_call_that_was_cancelled_before_vonage_answered(world: World) -> None:
    def cancelled(_order: CallOrder) -> None:
        (tid,) = world.records()
        assert world.client.delete(f"/call/{tid}", headers=bearer(world.clock)).status_code == 200
        before = world.store.get(tid)
        world.clock.advance(20)
        replay = post(world)

        assert replay.headers["Idempotency-Replayed"] == "true"
        assert world.store.get(tid) == before

    world.voice.meanwhile = cancelled
    world.clock.advance(1)
    assert post(world).status_code == 200


def test_a_replay_reads_the_call_once_more_than_its_creation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = (post(world).json or {})["tid"]
    world.store.update(tid, lambda call: Transition(replace(call, state=State.PLACING)))
    world.clock.advance(20)
    keys = keys_read(monkeypatch)
    post(world)

    assert keys == [tid] * 2  # the first by the creation, which asks whose record it has met


def test_after_a_definite_refusal_the_key_is_free_again(world: World) -> None:
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    post(world)
    world.voice.error = None
    again = post(world)

    assert again.status_code == 200
    assert "Idempotency-Replayed" not in again.headers


class DeletionWithALostReply:
    """A deletion that is applied, whose reply is lost, and before whose second look something else happens."""

    def __init__(self, store: CallStore, meanwhile: Callable[[], None]) -> None:
        self._delete = store.delete
        self._get = store.get
        self._meanwhile = meanwhile

    def __call__(self, tid: str, condition: Callable[[Call], bool], *, expected: Stored, timeout_s: float) -> bool:
        assert self._delete(tid, condition, expected=expected, timeout_s=timeout_s)
        self._meanwhile()
        return not condition(self._get(tid).call) or self._delete(tid, condition)


def test_a_deletion_whose_reply_was_lost_spares_the_record_of_the_next_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the second request's call is under way without a record, and a third dials once more."""
    answers: list[TestResponse] = []

    def ringing(_order: CallOrder) -> None:
        asked.set()
        answered.wait(10)

    def in_parallel() -> None:
        world.voice.error, world.voice.meanwhile = None, ringing
        thread.start()
        assert asked.wait(10)

    asked, answered = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: answers.append(post(world)))
    world.voice.error = VendorRateLimitedError("slow down", asked_for_s=60)
    monkeypatch.setattr(type(world.store), "delete", DeletionWithALostReply(world.store, in_parallel))
    first = post(world)
    answered.set()
    thread.join()

    assert code(first) == (429, "vendor_rate_limited")
    assert post(world).headers["Idempotency-Replayed"] == "true"
    assert world.records() == [(answers[0].json or {})["tid"]]
    assert len(world.voice.orders) == 2


def test_a_tid_that_was_told_stays_though_vonage_refuses_late(world: World) -> None:
    told: list[TestResponse] = []

    def meanwhile(_order: CallOrder) -> None:
        world.clock.advance(20)
        told.append(post(world))

    world.voice.meanwhile = meanwhile
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    assert code(post(world)) == (422, "vendor_refused")

    tid = (told[0].json or {})["tid"]
    assert told[0].headers["Idempotency-Replayed"] == "true"
    assert world.records() == [tid]
    assert post(world).headers["Idempotency-Replayed"] == "true"
    assert len(world.voice.orders) == 1


def test_a_record_that_is_taken_back_while_it_is_looked_at_leads_to_no_tid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid = (post(world).json or {})["tid"]
    world.store.update(tid, lambda call: Transition(replace(call, state=State.PLACING)))
    world.clock.advance(20)

    def gone(*_: object, **__: object) -> None:
        raise CallNotFoundError

    monkeypatch.setattr(type(world.store), "update", gone)
    assert code(post(world)) == (409, "in_progress")


def test_fifty_identical_requests_at_once_dial_once(world: World) -> None:
    answers: list[TestResponse] = []
    barrier = threading.Barrier(50)

    def request() -> None:
        barrier.wait()
        answers.append(post(world))

    threads = [threading.Thread(target=request) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(world.voice.orders) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({(answer.json or {})["tid"] for answer in answers if answer.status_code == 200}) == 1


def test_a_body_that_is_wrong_conflicts_with_what_the_key_was_used_for(world: World) -> None:
    """A ladder that goes on with a PIN in quotes would pass over somebody whose phone rings."""
    post(world)

    assert code(post(world, pin_code='"1234"')) == (409, "idempotency_conflict")
    assert code(post(world, "another-key", pin_code='"1234"')) == (422, "invalid_fields")
    assert len(world.voice.orders) == 1


def test_a_body_that_is_wrong_as_a_form_or_says_that_it_is_no_dry_run_conflicts_too(world: World) -> None:
    post(world)
    wrong = {**REQUEST, "attempts": "99"}

    def form(**more: str) -> TestResponse:
        headers = bearer(world.clock) | {"Idempotency-Key": KEY}
        return world.client.post("/call", data=urlencode({**wrong, **more}), content_type=FORM, headers=headers)

    assert code(form()) == (409, "idempotency_conflict")
    assert code(form(dry_run="false")) == (409, "idempotency_conflict")
    assert code(form(dry_run="0")) == (409, "idempotency_conflict")
    assert code(post(world, attempts=99, dry_run=False)) == (409, "idempotency_conflict")
    assert code(form(dry_run="true")) == (422, "invalid_fields")
    assert code(form(dry_run="yes")) == (422, "invalid_fields")


def test_of_a_wrong_body_nothing_is_said_while_nobody_can_tell_what_the_key_was_used_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(world)

    def unavailable(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError

    monkeypatch.setattr(world.store, "get", unavailable)

    assert code(post(world, pin_code='"1234"')) == (503, "store_unavailable")


RULES: list[dict[str, Any]] = [
    {"REFUSED_NUMBERS": REQUEST["to"]},
    {"ALLOWED_COUNTRIES": "DE"},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: next(iter(rule)))
def test_a_rule_that_came_after_the_call_does_not_hide_it(tmp_path: Path, rule: dict[str, Any]) -> None:
    """To a ladder that goes on, a refusal would mean that nobody was phoned."""
    first = post(make_world(tmp_path))
    ruled = make_world(tmp_path, **rule)

    again = post(ruled)
    assert (again.status_code, again.json, again.headers["Idempotency-Replayed"]) == (200, first.json, "true")
    assert code(post(ruled, text="Another")) == (409, "idempotency_conflict")
    assert ruled.voice.orders == []
    assert post(ruled, "another-key").status_code == 403
    assert ruled.post_call().status_code == 403
    assert post(ruled, headers=bearer(ruled.clock, application_id=str(uuid.uuid4()))).status_code == 403


def test_the_key_is_valid_as_long_as_the_record(world: World) -> None:
    tid = (post(world).json or {})["tid"]
    world.event("busy")
    world.clock.advance(29 * 86400)
    assert post(world).headers["Idempotency-Replayed"] == "true"
    world.store.delete(tid, lambda _: True)

    assert "Idempotency-Replayed" not in post(world).headers


def test_the_key_is_stored_nowhere(world: World, tmp_path: Path) -> None:
    tid = (post(world).json or {})["tid"]
    files = b"".join(file.read_bytes() for file in tmp_path.glob("calls.db*"))

    assert (files.count(tid.encode()) > 0, files.count(KEY.encode())) == (True, 0)
    assert KEY not in world.client.get(f"/call/{tid}", headers=bearer(world.clock)).text
    assert world.call(tid).fingerprint is not None


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
def test_a_key_has_at_most_255_characters(world: World, length: int, status: int) -> None:
    assert post(world, key="k" * length).status_code == status


def test_without_a_key_every_request_dials(world: World) -> None:
    world.post_call()
    world.post_call()

    assert len(world.voice.orders) == 2


def test_webhooks_alone_end_the_waiting(world: World) -> None:
    """The answer of Vonage may be lost with the process while the phone rings and is answered."""
    tid = (post(world).json or {})["tid"]
    world.store.update(tid, lambda call: Transition(replace(call, state=State.PLACING)))
    world.event("answered")

    assert post(world).headers["Idempotency-Replayed"] == "true"
