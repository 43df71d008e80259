"""How a call is followed to its outcome."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import APPLICATION, KEY_PEM, TID, FakeService, Reply, Time, problem, shown

from ttsprompt_client import Call, Client, InterruptedCall, UnclearError
from ttsprompt_client.transport import Transport

PLACED = {"at": "2026-11-23T09:00:00.412Z", "event": "placed"}


def client(service: FakeService, time: Time) -> Client:
    return Client(service.url, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock)


def test_the_outcome_is_what_the_service_says(service: FakeService) -> None:
    service.replies = [shown("ended", "failed", "wrong_pin")]

    outcome = client(service, Time()).wait(TID.upper())

    assert (outcome.tid, outcome.status, outcome.reason) == (TID, "failed", "wrong_pin")
    assert (outcome.attempts, outcome.duration, outcome.price, outcome.is_ok) == (1, 5, "0.00284000", False)
    assert service.asked[0].path == f"/call/{TID}?wait=50"


def test_an_early_answer_is_not_asked_for_again_at_once(service: FakeService) -> None:
    """Whoever finds no place to wait is answered at once, and so is everybody by a service that knows no `wait`."""
    service.replies = [shown("placed"), shown("placed", Retry_After="3"), shown("ended", "ok")]
    time = Time()

    client(service, time).wait(TID)

    assert time.slept == [1.0, 3.0]


class Slow(Time):
    """Each look at the clock takes as long as a request that waits."""

    def clock(self) -> float:
        self.now += 60
        return self.now


def test_an_answer_that_took_as_long_as_it_may_is_asked_for_again_at_once(service: FakeService) -> None:
    service.replies = [shown("placed"), shown("ended", "ok")]
    time = Slow()

    client(service, time).wait(TID)

    assert time.slept == []


def test_whoever_watches_is_told_of_each_change_once(service: FakeService) -> None:
    service.replies = [shown("placed", timeline=[PLACED])] * 3 + [shown("ended", "ok", timeline=[PLACED] * 2)]
    calls: list[Call] = []

    client(service, Time()).wait(TID, on_change=calls.append)

    assert [call.state for call in calls] == ["placed", "ended"]
    assert {a.path for a in service.asked} == {f"/call/{TID}?wait=2"}


def test_one_token_serves_for_minutes_and_is_made_anew_in_time(service: FakeService) -> None:
    service.replies = [shown("placed")] * 600 + [shown("ended", "ok")]

    client(service, Time()).wait(TID)

    assert len({claims["jti"] for claims in service.tokens()}) == 2


def test_a_decided_call_is_waited_for_until_it_has_ended_but_not_for_ever(service: FakeService) -> None:
    service.replies = [shown("answered", "ok")] * 3 + [shown("ended", "ok")]
    assert client(service, Time()).wait(TID).is_ok
    assert len(service.asked) == 4

    service.replies = [shown("answered", "ok")]
    time = Time()
    assert client(service, time).wait(TID).is_ok
    assert 60 <= sum(time.slept) < 70


TROUBLE: list[Reply] = [
    Reply(cut=True),
    problem(503, "store_unavailable", Retry_After="1"),
    problem(500, "internal"),
    problem(429, "too_many", Retry_After="2"),
    Reply(502, raw=b"<html>"),
    Reply(200, raw=b"<html>"),
    Reply(200, {"state": 7}),
]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_on_the_way_is_waited_out(service: FakeService, trouble: Reply) -> None:
    service.replies = [trouble, trouble, shown("ended", "ok")]

    assert client(service, Time()).wait(TID).is_ok


def test_trouble_now_and_then_does_not_add_up(service: FakeService) -> None:
    service.replies = [problem(503, "store_unavailable", Retry_After="1"), shown("placed")] * 60 + [
        shown("ended", "ok")
    ]

    assert client(service, Time()).wait(TID).is_ok


@pytest.mark.parametrize("trouble", [*TROUBLE, problem(404, "not_found"), problem(401, "unauthenticated")])
def test_a_call_that_can_no_longer_be_followed_is_unclear(service: FakeService, trouble: Reply) -> None:
    service.replies = [shown("placed"), trouble]

    with pytest.raises(UnclearError) as caught:
        client(service, Time()).wait(TID)

    assert caught.value.tid == TID


@pytest.mark.parametrize("timeout_s", [0, 0.5, 7])
def test_waiting_ends_when_it_is_told_to(service: FakeService, timeout_s: float) -> None:
    service.replies = [shown("placed")]
    time = Time()

    with pytest.raises(UnclearError) as caught:
        client(service, time).wait(TID, timeout_s=timeout_s)

    assert caught.value.tid == TID
    assert sum(time.slept) == pytest.approx(timeout_s)
    waits = [int(a.path.partition("wait=")[2] or 0) for a in service.asked]
    assert max(waits) <= timeout_s


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("timeout_s", [0, 2])
def test_waiting_ends_when_it_is_told_to_whatever_is_in_the_way(
    service: FakeService, trouble: Reply, timeout_s: float
) -> None:
    service.replies = [trouble]
    time = Time()

    with pytest.raises(UnclearError):
        client(service, time).wait(TID, timeout_s=timeout_s)

    assert sum(time.slept) <= timeout_s


def test_at_the_end_of_the_time_it_is_asked_once_more(service: FakeService) -> None:
    service.replies = [problem(503, "store_unavailable", Retry_After="20"), shown("ended", "ok")]
    time = Time()

    assert client(service, time).wait(TID, timeout_s=7).is_ok
    assert time.slept == [7]


def test_a_service_that_says_nothing_does_not_hold_up_whoever_gave_a_time(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine, and Vonage behind it, may be slow: the last answer gets a little longer."""
    given: list[float] = []
    ask = Transport.ask

    def noted(transport: Transport, *request: Any, read_s: float, **options: Any) -> Any:
        given.append(read_s)
        return ask(transport, *request, read_s=read_s, **options)

    monkeypatch.setattr(Transport, "ask", noted)
    service.replies = [shown("ended", "ok")]
    for timeout_s in (0, 7, 1000, None):
        client(service, Time()).wait(TID, timeout_s=timeout_s)

    assert given == [15, 22, 90, 90]


def test_a_token_that_grew_old_while_the_machine_slept_is_made_anew_once(service: FakeService) -> None:
    """The clock that measures how long it was used stood still meanwhile."""
    refused = problem(401, "unauthenticated")
    service.replies = [shown("placed"), refused, shown("placed"), refused, shown("ended", "ok")]

    assert client(service, Time()).wait(TID).is_ok

    tokens = [claims["jti"] for claims in service.tokens()]
    assert [tokens.index(token) for token in tokens] == [0, 0, 2, 2, 4]


@pytest.mark.parametrize("then", [[], [problem(401, "unauthenticated")], [Reply(cut=True)]], ids=["time", "401", "cut"])
def test_an_outcome_that_is_decided_is_not_lost_when_waiting_ends(service: FakeService, then: list[Reply]) -> None:
    service.replies = [shown("answered"), shown("answered", "ok"), *then]

    assert client(service, Time()).wait(TID, timeout_s=None if then else 7).is_ok


def test_an_interrupt_while_waiting_names_the_call(service: FakeService) -> None:
    class Impatient(Time):
        def sleep(self, seconds: float) -> None:  # noqa: ARG002 - it has no time for it
            raise KeyboardInterrupt

    service.replies = [shown("placed")]

    with pytest.raises(InterruptedCall) as caught:
        client(service, Impatient()).wait(TID)

    assert (caught.value.sent, caught.value.tid) == (True, TID)


@pytest.mark.parametrize("method", ["status", "cancel"])
def test_status_and_cancel_are_repeated_when_that_may_help(service: FakeService, method: str) -> None:
    service.replies = [Reply(cut=True), problem(503, "vendor_unreachable", Retry_After="1"), shown("ended", "error")]

    found: Any = getattr(client(service, Time()), method)(TID)

    assert found.outcome.status == "error"
    assert {a.method for a in service.asked} == {"GET" if method == "status" else "DELETE"}
