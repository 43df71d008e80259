"""The first try, within the webhook that settled the call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.world import World, make_world, payload_of
from ttsprompt.domain.model import Transition
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import CallbackResponse


def settled(world: World) -> str:
    tid = world.place()
    world.event("busy")
    return tid


def test_a_delivered_callback_is_not_due_any_more(world: World) -> None:
    tid = world.place()
    world.event("busy")
    call = world.call(tid)

    assert (call.delivery.state, call.due_at) == ("delivered", None)
    assert [(t.http_status, t.fault) for t in call.delivery.tries] == [(200, None)]


@pytest.mark.parametrize(
    "response",
    [CallbackResponse(http_status=status) for status in (199, 300, 301, 302, 400, 401, 404, 429, 500, 503)]
    + [CallbackResponse(fault="timeout")],
)
def test_anything_but_2xx_is_a_failure_and_due_again_after_a_minute(world: World, response: CallbackResponse) -> None:
    world.sender.responses = [response]
    tid = world.place()
    world.event("busy")
    call = world.call(tid)

    assert call.delivery.state == "pending"
    assert call.due_at is not None
    assert timedelta(seconds=48) <= call.due_at - world.clock.now() <= timedelta(seconds=72)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(world: World, status: int) -> None:
    world.sender.responses = [CallbackResponse(http_status=status)]
    tid = world.place()
    world.event("busy")

    assert world.call(tid).delivery.state == "delivered"


@pytest.mark.parametrize("name", ["payload", "callback"])
def test_without_something_to_deliver_or_somebody_to_deliver_it_to_nothing_is_sent(world: World, name: str) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    nothing: dict[str, Any] = {name: None}
    call = replace(world.call(settled(world)), **nothing)
    world.sender.sent.clear()

    assert world.app.webhooks.deliveries.send(call, timeout_s=5) is None
    assert world.sender.sent == []


@pytest.mark.parametrize("status", [200, 410], ids=["delivered", "undeliverable"])
def test_what_was_delivered_or_given_up_is_not_sent_again(world: World, status: int) -> None:
    world.sender.responses = [CallbackResponse(http_status=status)]
    call = world.call(settled(world))
    world.sender.sent.clear()

    assert world.app.webhooks.deliveries.send(call, timeout_s=5) is None
    assert world.sender.sent == []


def test_gone_means_stop(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=410)]
    tid = world.place()
    world.event("busy")

    assert (world.call(tid).delivery.state, world.call(tid).due_at) == ("undeliverable", None)


def test_a_try_gets_five_seconds_at_most(world: World) -> None:
    world.place()
    world.event("busy")

    assert world.sender.timeouts == [5]


def test_after_the_grace_period_a_try_gets_what_is_left(world: World) -> None:
    world.place()
    world.event("answered")
    world.event("completed", duration="5")

    assert world.sender.timeouts == [4.5]


def test_a_try_is_made_in_the_last_second_that_is_left(world: World) -> None:
    world.place()
    world.event("answered")
    world.clock.on_sleep = lambda: world.clock.advance(3.5)
    world.event("completed", duration="5")

    assert world.sender.timeouts == [1]


def test_no_try_is_made_when_less_than_a_second_is_left(world: World) -> None:
    tid = world.place()
    world.event("answered")
    world.clock.on_sleep = lambda: world.clock.advance(4)
    world.event("completed", duration="5")
    call = world.call(tid)

    assert world.sender.sent == []
    assert (call.delivery.state, call.due_at) == ("pending", world.clock.now() + timedelta(seconds=60))


def test_the_settling_write_sets_the_crash_net(tmp_path: Path) -> None:
    world = make_world(tmp_path, CALLBACK_RETRY_SCHEDULE="5,10")
    tid = world.place()

    class DiedError(BaseException):
        pass

    def die(*_: object, **__: object) -> CallbackResponse:
        raise DiedError

    world.sender.send = die  # type: ignore[method-assign]  # the process dies while it sends
    with pytest.raises(DiedError):
        world.event("busy")
    call = world.call(tid)

    assert (call.delivery.state, call.due_at) == ("pending", world.clock.now() + timedelta(seconds=15))


def test_a_try_that_cannot_be_recorded_leaves_the_call_due(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = world.place()
    update = type(world.store).update
    calls = []

    def down_after_settling(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) > 1:
            raise StoreUnavailableError
        return update(*args, **kwargs)  # type: ignore[arg-type]  # passed through as it came

    monkeypatch.setattr(type(world.store), "update", down_after_settling)
    response = world.event("busy")
    monkeypatch.undo()

    assert response.status_code == 204
    assert len(world.sender.sent) == 1
    assert world.call(tid).due_at is not None


def test_a_try_is_recorded_on_what_another_writer_left_meanwhile(world: World) -> None:
    tid = world.place()
    world.sender.meanwhile = lambda: world.store.update(
        tid, lambda call: Transition(replace(call, attempts_allowed=call.attempts_allowed + 1))
    )
    world.event("busy")
    call = world.call(tid)

    assert (call.attempts_allowed, call.delivery.state) == (4, "delivered")
    assert [(t.http_status, t.fault) for t in call.delivery.tries] == [(200, None)]


def test_a_store_that_is_down_is_503_so_that_vonage_asks_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place()

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    for method in ("get", "update"):
        monkeypatch.setattr(type(world.store), method, down)
    answers = [world.key("1234"), world.event("answered"), world.event("completed")]
    url = world.input_url.replace("/input/", "/answer/")
    answers.append(world.webhook(url, {}))

    assert {answer.status_code for answer in answers} == {503}


def test_get_callbacks_go_into_the_query_and_posts_into_the_body(world: World) -> None:
    world.place(callback="https://example.com/callback?own=1", callback_method="get", reference="a&b é")
    world.event("busy")
    (request,) = world.sender.sent

    assert (request.method, request.url) == ("GET", "https://example.com/callback?own=1")
    assert request.payload.startswith("to=447970513607&tid=")
    assert request.payload.endswith("status=error&reason=busy&attempts=0&reference=a%26b+%C3%A9")


@pytest.mark.parametrize(("given", "begins"), [(..., "to="), ("form", "to="), ("json", '{"')])
def test_a_callback_is_sent_in_the_format_that_was_asked_for(world: World, given: object, begins: str) -> None:
    tid = world.place(callback_format=given)
    world.event("busy")
    (request,) = world.sender.sent

    assert request.format == ("form" if given is ... else given)
    assert request.payload.startswith(begins)
    assert payload_of(request)["tid"] == request.webhook_id == tid


def test_after_the_call_nothing_is_kept_that_is_no_longer_needed(world: World) -> None:
    tid = world.place(reject_code="9")
    world.event("busy")
    call = world.call(tid)

    assert (call.prompts, call.secrets) == (None, None)
    assert call.payload is not None
