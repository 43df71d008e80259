"""Each test number, through the real service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from devphone.callee.numbers import NUMBERS, REJECT_CODE
from devphone.customer.receiver import FAILS_TWICE
from devphone.happenings import CallbackReceived, CallRequested
from devphone.processes.service import Service
from tests.e2e.conftest import Stack, wait_for

pytestmark = pytest.mark.parametrize("stack", ["sqlite"], indirect=True, scope="module")

OUTCOMES = {
    "447700900001": ("ok", "pin_matched", "1"),
    "447700900002": ("ok", "pin_matched", "3"),
    "447700900003": ("failed", "wrong_pin", "3"),
    "447700900004": ("failed", "no_input", "3"),
    "447700900005": ("failed", "hung_up", "0"),
    "447700900006": ("ok", "pin_matched", "1"),
    "447700900007": ("failed", "callee_rejected", "1"),
    "447700900008": ("error", "busy", "0"),
    "447700900009": ("error", "no_answer", "0"),
    "447700900010": ("error", "rejected", "0"),
    "447700900011": ("error", "cancelled", "0"),
    "447700900012": ("error", "unreachable", "0"),
    "447700900013": ("error", "machine", "0"),
    "447700900018": ("ok", "pin_matched", "3"),
    "447700900019": ("ok", "pin_matched", "1"),
    "447700900020": ("ok", "pin_matched", "1"),
    "447700900021": ("error", "machine", "0"),
    "447700900022": ("error", "busy", "0"),
    "447700900023": ("failed", "no_input", "3"),
}
OTHERS = {"447700900014", "447700900015", "447700900016", "447700900017"}
ANSWERED = {
    "447700900004": ("failed", "no_input", "3", "human"),
    "447700900013": ("failed", "no_input", "3", "machine"),
    "447700900018": ("ok", "pin_matched", "3", "human"),
    "447700900019": ("ok", "pin_matched", "1", "human"),
    "447700900020": ("ok", "pin_matched", "1", "human"),
    "447700900021": ("ok", "pin_matched", "1", "human"),
}
"""With machine_detection=notice, and by whom."""


@pytest.fixture(scope="module")
def hasty(stack: Stack) -> Iterator[Service]:
    """A service on the same store that gives calls up, and tries callbacks again, after a second."""
    service = Service(
        {**stack.service.settings, "STALE_AFTER": "1", "CALLBACK_RETRY_SCHEDULE": "1,1,1"}, log=stack.service.log
    )
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def sweeper(hasty: Service) -> Iterator[Service]:
    service = Service({**hasty.settings, "BASE_URL": hasty.url}, target="expire_stale_calls", log=hasty.log)
    service.start()
    yield service
    service.stop()


def post(service: Service, stack: Stack, **fields: str) -> httpx.Response:
    request = stack.request(**{"reject_code": REJECT_CODE, "machine_detection": "hangup", **fields})
    headers = {"Authorization": f"Bearer {stack.application.token()}"}
    return httpx.post(f"{service.url}/call", json=request, headers=headers, timeout=30, trust_env=False)


def callbacks_once_swept(stack: Stack, sweeper: Service, tid: str, count: int) -> list[CallbackReceived]:
    """Sweep until so many callbacks of a call have come."""

    def look() -> list[CallbackReceived]:
        httpx.post(f"{sweeper.url}/", timeout=60, trust_env=False).raise_for_status()
        found = stack.callbacks(tid)
        return found if len(found) >= count else []

    found: list[CallbackReceived] = wait_for(look)
    return found


def test_every_number_is_tested(stack: Stack) -> None:
    assert set(NUMBERS) == set(OUTCOMES) | OTHERS


@pytest.mark.parametrize("number", OUTCOMES)
def test_a_test_number_has_its_outcome(stack: Stack, number: str) -> None:
    response = post(stack.service, stack, to=number)
    assert response.status_code == 200, response.text
    outcome = stack.outcome(response.json()["tid"])

    assert (outcome["status"], outcome["reason"], outcome["attempts"]) == OUTCOMES[number]


@pytest.mark.parametrize("number", ANSWERED)
def test_the_caller_is_told_who_picked_up(stack: Stack, number: str) -> None:
    response = post(stack.service, stack, to=number, machine_detection="notice")
    assert response.status_code == 200, response.text
    outcome = stack.outcome(response.json()["tid"])

    told = (outcome["status"], outcome["reason"], outcome["attempts"], outcome["answered_by"])
    assert told == ANSWERED[number]


def test_the_reason_that_completed_overtook_is_told_with_its_sip_code(stack: Stack) -> None:
    tid = post(stack.service, stack, to="447700900022").json()["tid"]
    stack.outcome(tid)
    headers = {"Authorization": f"Bearer {stack.application.token()}"}
    call = httpx.get(f"{stack.service.url}/call/{tid}", headers=headers, timeout=30, trust_env=False).json()

    assert (call["reason"], call["sip_code"]) == ("busy", 486)


def test_who_is_behind_a_switchboard_is_reached_by_the_extension(stack: Stack) -> None:
    tid = post(stack.service, stack, to="447700900023", extension="pp42").json()["tid"]

    assert stack.outcome(tid)["reason"] == "pin_matched"


def test_ten_at_once_beyond_vonages_rate_are_placed_once_each(stack: Stack) -> None:
    """The service asks again for three seconds; on a busy machine the caller may have to, as the answer says."""
    phone = stack.board.phone

    def placed_in_the_end(_: int) -> httpx.Response:
        placed: httpx.Response = wait_for(
            lambda: (r := post(stack.service, stack)).status_code != httpx.codes.TOO_MANY_REQUESTS and r
        )
        return placed

    phone.behaviour.rate = 5
    try:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(placed_in_the_end, range(10)))
    finally:
        phone.behaviour.rate = None
    placed = [x.tid for x in phone.timeline.happenings() if isinstance(x, CallRequested) and x.is_placed]

    assert [answer.status_code for answer in answers] == [200] * 10
    tids = [answer.json()["tid"] for answer in answers]
    assert Counter(tid for tid in placed if tid in tids) == Counter(tids)
    assert len(set(tids)) == 10


def test_vonages_429_is_passed_on_and_the_request_may_come_again(stack: Stack) -> None:
    response = post(stack.service, stack, to="447700900014")

    assert (response.status_code, response.json()["code"]) == (429, "vendor_rate_limited")
    assert "tid" not in response.json()


@pytest.mark.parametrize("number", ["447700900015", "447700900016"])
def test_an_answer_that_leaves_all_open_ends_in_a_call_given_up(
    stack: Stack, hasty: Service, sweeper: Service, number: str
) -> None:
    response = post(hasty, stack, to=number)
    assert (response.status_code, response.json()["code"]) == (504, "vendor_unclear")

    (callback,) = callbacks_once_swept(stack, sweeper, response.json()["tid"], 1)
    assert (callback.fields["status"], callback.fields["reason"]) == ("error", "expired")


@pytest.mark.parametrize(("number", "path"), [("447700900017", ""), ("447700900001", f"/{FAILS_TWICE}")])
def test_a_callback_that_fails_twice_is_delivered_at_the_third_try(
    stack: Stack, hasty: Service, sweeper: Service, number: str, path: str
) -> None:
    tid = post(hasty, stack, to=number, callback=f"{stack.board.url}/callback{path}").json()["tid"]
    wait_for(lambda: stack.callbacks(tid))

    tries = callbacks_once_swept(stack, sweeper, tid, 3)
    assert [(each.answer, each.verified, each.id) for each in tries] == [
        (500, True, tid),
        (500, True, tid),
        (204, True, tid),
    ]
