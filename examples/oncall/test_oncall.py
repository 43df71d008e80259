"""The tests of a project that phones people, with the fixture `ttsprompt_devphone`."""

import pytest
from oncall import Desk, next_step

ALICE = "447700900123"


@pytest.fixture
def desk(ttsprompt_devphone):
    phone = ttsprompt_devphone
    return Desk(phone.service_url, phone.token(), phone.callback_url)


def test_whoever_keys_the_pin_has_taken_the_incident(ttsprompt_devphone, desk):
    ttsprompt_devphone.callee("1111,2580")

    tid = desk.phone("42", ALICE, pin="2580")

    callback = ttsprompt_devphone.wait_for_callback(tid)
    assert callback.verified
    assert callback.fields["attempts"] == "2"
    assert next_step(callback.fields) == "done"


@pytest.mark.parametrize(
    ("callee", "step"),
    [("busy", "phone the next one"), ("no-answer", "phone the next one"), ("12 hangup", "wake the manager")],
)
def test_whoever_does_not_answer_is_followed_by_the_next(ttsprompt_devphone, desk, callee, step):
    ttsprompt_devphone.callee(callee, ALICE)

    tid = desk.phone(f"43-{callee}", ALICE, pin="2580")

    assert next_step(ttsprompt_devphone.wait_for_callback(tid).fields) == step


def test_an_incident_that_is_raised_twice_rings_once_even_if_webhooks_come_twice(ttsprompt_devphone, desk):
    ttsprompt_devphone.faults(duplicate=1)
    ttsprompt_devphone.callee("2580")

    tids = {desk.phone("44", ALICE, pin="2580") for _ in range(2)}

    assert len(tids) == len(ttsprompt_devphone.calls) == 1
    assert ttsprompt_devphone.wait_for_callback(*tids).fields["status"] == "ok"


def test_a_callback_that_fails_comes_again(ttsprompt_devphone):
    tid = ttsprompt_devphone.place(to="447700900017").json()["tid"]
    assert not ttsprompt_devphone.wait_for_callback(tid).is_taken

    def all_tries():
        ttsprompt_devphone.sweep()
        return len(ttsprompt_devphone.callbacks) == 3

    assert ttsprompt_devphone.wait_for(all_tries)
    assert len({callback.body for callback in ttsprompt_devphone.callbacks}) == 1


def test_a_number_that_is_none_phones_nobody(ttsprompt_devphone, desk):
    with pytest.raises(RuntimeError, match="nobody was phoned"):
        desk.phone("45", "12", pin="2580")
    assert ttsprompt_devphone.calls == []
    assert ttsprompt_devphone.callbacks == []
