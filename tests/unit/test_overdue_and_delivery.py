"""A call that is given up, and how its callback gets on: the sweep's events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.builders import NOW, PIN, TOKEN
from tests.histories import ANSWERED, DONE, HUNG_UP, Steps, ev, live, outcome, typed
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import (
    Answered,
    CallEnded,
    Claimed,
    DeliveryAttempted,
    DeliveryOutcome,
    DigitsEntered,
    EndStatus,
    EraseRequested,
    Event,
    Overdue,
    Placed,
    PlacementUnclear,
    RedeliveryRequested,
)
from ttsprompt.domain.model import Call, DeliveryAttempt, DeliveryState, Policy


def swept(call: Call, policy: Policy = Policy()) -> Call:
    """The call after a sweep has seen it when it was due."""
    assert call.due_at is not None
    return apply(call, Overdue(call.due_at), call.due_at, policy).call


@pytest.mark.parametrize(
    ("steps", "status", "reason"),
    [
        ([], "error", "expired"),
        ([PlacementUnclear()], "error", "expired"),
        ([Placed("u-1")], "error", "expired"),
        ([ANSWERED], "error", "expired"),
        ([ANSWERED, typed(1, "1"), typed(2, "")], "error", "expired"),
        ([ANSWERED, typed(1, PIN)], "ok", "pin_matched"),
        ([ANSWERED, typed(1, "9")], "failed", "callee_rejected"),
        ([ANSWERED, HUNG_UP], "failed", "hung_up"),
        ([ANSWERED, DONE], "error", "vendor_error"),
        ([ANSWERED, HUNG_UP, typed(1, PIN)], "ok", "pin_matched"),
    ],
)
@pytest.mark.parametrize(
    "policy", [Policy(), Policy(stale_after=timedelta(seconds=2))], ids=["computed", "stale_after"]
)
def test_a_call_that_is_heard_of_no_more_is_settled_by_the_sweep(
    policy: Policy, steps: Steps, status: str, reason: str
) -> None:
    assert outcome(swept(live(steps, policy=policy), policy)) == (status, reason)


def test_stale_after_meets_an_ended_call_only_after_its_grace_period() -> None:
    policy = Policy(stale_after=timedelta(seconds=2))
    call = live([ANSWERED, HUNG_UP], policy=policy)
    assert call.ended_at is not None
    assert call.due_at == call.ended_at + timedelta(seconds=3)


def failing() -> Call:
    """A settled call whose callback is due again."""
    return apply(SETTLED, tried(DeliveryOutcome.FAILED)(SETTLED), LATER).call


def test_a_call_that_is_not_due_cannot_be_claimed() -> None:
    call = failing()
    assert call.due_at is not None
    early = call.due_at - timedelta(microseconds=1)
    assert apply(call, Claimed(early + timedelta(seconds=30)), early).call is call


def test_only_one_of_two_sweeps_claims_a_call() -> None:
    call = failing()
    assert call.due_at is not None
    first = apply(call, Claimed(call.due_at + timedelta(seconds=30)), call.due_at).call
    assert first.due_at == call.due_at + timedelta(seconds=30)
    assert apply(first, Claimed(call.due_at + timedelta(seconds=31)), call.due_at).call is first


def test_only_one_of_two_sweeps_settles_a_call() -> None:
    call = live([ANSWERED])
    assert call.due_at is not None
    first = apply(call, Overdue(call.due_at), call.due_at).call
    assert apply(first, Overdue(call.due_at), call.due_at).call is first


def test_a_sweep_may_hold_for_longer_what_it_holds_and_no_other_may() -> None:
    call = live([ev("busy")])
    assert call.due_at is not None
    seen, until = call.due_at, call.due_at + timedelta(seconds=30)
    held = apply(call, Claimed(until, seen), seen - timedelta(seconds=1)).call
    assert held.due_at == until
    assert apply(held, Claimed(until + timedelta(seconds=1), seen), seen).call is held


def test_a_call_that_is_not_settled_is_never_claimed() -> None:
    """Its settlement is a claim."""
    call = live([ANSWERED])
    assert call.due_at is not None
    assert apply(call, Claimed(call.due_at + timedelta(seconds=30)), call.due_at).call is call


@pytest.mark.parametrize("news", [DigitsEntered(1, PIN, TOKEN), CallEnded(EndStatus.COMPLETED, duration=9)])
def test_a_call_that_shows_life_after_the_sweep_has_seen_it_is_not_given_up(news: Event) -> None:
    call = live([ANSWERED])
    assert call.due_at is not None
    alive = apply(call, news, call.due_at + timedelta(seconds=1)).call
    assert apply(alive, Overdue(call.due_at), call.due_at + timedelta(seconds=2)).call is alive


@pytest.mark.parametrize("repeated", [Answered(), DigitsEntered(1, "1", TOKEN), DigitsEntered(9, PIN, TOKEN)])
def test_a_repeated_webhook_is_no_sign_of_life(repeated: Event) -> None:
    call = live([ANSWERED, typed(1, "1")])
    assert call.due_at is not None
    assert apply(call, repeated, call.due_at + timedelta(seconds=1)).call is call


# -- the callback's progress

SETTLED = live([ev("busy")])
LATER = NOW + timedelta(minutes=2)


@pytest.mark.parametrize(("first_step_s", "due_after_s"), [(2, 15), (15, 15), (40, 40)])
def test_a_settled_call_is_due_at_its_first_retry_but_not_before_its_first_try_is_over(
    first_step_s: int, due_after_s: int
) -> None:
    policy = Policy(retry_schedule=(timedelta(seconds=first_step_s),))
    settled = apply(live([], policy=policy), CallEnded(EndStatus.BUSY), NOW, policy).call
    assert settled.due_at == NOW + timedelta(seconds=due_after_s)


def tried(outcome: DeliveryOutcome, *, last: bool = False) -> Callable[[Call], DeliveryAttempted]:
    return lambda call: DeliveryAttempted(call.due_at, outcome, None, "timed out", None if last else LATER)


@pytest.mark.parametrize(
    ("tries", "state", "is_due"),
    [
        ([tried(DeliveryOutcome.DELIVERED)], DeliveryState.DELIVERED, False),
        ([tried(DeliveryOutcome.FAILED)], DeliveryState.PENDING, True),
        ([tried(DeliveryOutcome.FAILED, last=True)], DeliveryState.UNDELIVERABLE, False),
        ([tried(DeliveryOutcome.GONE)], DeliveryState.UNDELIVERABLE, False),
        ([tried(DeliveryOutcome.FAILED), tried(DeliveryOutcome.DELIVERED)], DeliveryState.DELIVERED, False),
        ([tried(DeliveryOutcome.DELIVERED), tried(DeliveryOutcome.FAILED)], DeliveryState.DELIVERED, False),
        ([tried(DeliveryOutcome.GONE), tried(DeliveryOutcome.FAILED)], DeliveryState.UNDELIVERABLE, False),
        ([tried(DeliveryOutcome.GONE), tried(DeliveryOutcome.DELIVERED)], DeliveryState.DELIVERED, False),
    ],
)
def test_tries_to_deliver_lead_to(
    tries: list[Callable[[Call], DeliveryAttempted]], state: DeliveryState, *, is_due: bool
) -> None:
    call = SETTLED
    for one in tries:
        call = apply(call, one(call), LATER).call
    assert call.delivery.state is state
    assert call.due_at == (LATER if is_due else None)
    assert len(call.delivery.tries) == len(tries)


def test_a_failed_try_of_the_schedule_before_leaves_the_new_one_alone() -> None:
    """Somebody asked for redelivery while a try was under way."""
    again = apply(SETTLED, RedeliveryRequested(), LATER).call
    for result in (DeliveryOutcome.FAILED, DeliveryOutcome.GONE):
        for last in (False, True):
            after = apply(again, tried(result, last=last)(SETTLED), LATER).call
            assert (after.delivery.state, after.due_at) == (DeliveryState.PENDING, again.due_at)
            assert (after.delivery.attempts_made, len(after.delivery.tries)) == (0, 1)


def test_a_redelivery_that_nobody_tries_at_once_is_the_next_sweeps() -> None:
    again = apply(SETTLED, RedeliveryRequested(at_once=False), LATER).call

    assert (again.due_at, again.delivery.under_way_until) == (LATER, None)
    assert again.redelivery_allowed_at == LATER + timedelta(minutes=1)


def test_a_try_of_the_schedule_before_that_got_through_ends_the_new_one() -> None:
    again = apply(SETTLED, RedeliveryRequested(), LATER).call
    after = apply(again, tried(DeliveryOutcome.DELIVERED)(SETTLED), LATER).call
    assert (after.delivery.state, after.delivery.attempts_made, after.due_at) == (DeliveryState.DELIVERED, 1, None)


def test_a_try_is_recorded_with_what_came_of_it() -> None:
    event = DeliveryAttempted(SETTLED.due_at, DeliveryOutcome.FAILED, None, "timeout", LATER)
    after = apply(SETTLED, event, LATER).call

    assert after.delivery.tries == (DeliveryAttempt(LATER, None, "timeout"),)


def test_a_call_delivered_again_and_again_does_not_grow_for_ever() -> None:
    call, now = SETTLED, LATER
    for _ in range(200):
        call, now = apply(call, RedeliveryRequested(), now).call, now + timedelta(minutes=1)
    assert call.redeliveries == 200
    assert [line.event for line in call.timeline].count("redelivery") == 50
    assert apply(call, RedeliveryRequested(), now).call.due_at == now + timedelta(minutes=1)


def test_a_redelivery_does_not_prolong_the_life_of_the_record() -> None:
    assert apply(SETTLED, RedeliveryRequested(), LATER).call.expire_at == SETTLED.expire_at


@pytest.mark.parametrize(("after_s", "is_begun"), [(0, False), (59.9, False), (60, True)])
def test_a_redelivery_is_begun_at_most_once_a_minute(after_s: float, *, is_begun: bool) -> None:
    once = apply(SETTLED, RedeliveryRequested(), LATER).call
    once = apply(once, tried(DeliveryOutcome.FAILED)(once), LATER).call
    again = apply(once, RedeliveryRequested(), LATER + timedelta(seconds=after_s)).call

    assert (again is not once) is is_begun
    assert once.redelivery_allowed_at == LATER + timedelta(minutes=1)


def first_try(call: Call) -> Call:
    return call


def first_try_over(call: Call) -> Call:
    return apply(call, tried(DeliveryOutcome.FAILED)(call), NOW).call


def try_of_a_sweep(call: Call) -> Call:
    call = first_try_over(call)
    return apply(call, Claimed(LATER + timedelta(seconds=30)), LATER).call


def try_of_a_redelivery(call: Call) -> Call:
    return apply(first_try_over(call), RedeliveryRequested(), LATER).call


@pytest.mark.parametrize(
    ("state_of_affairs", "allowed_at"),
    [
        (first_try, NOW + timedelta(seconds=1 / 2 + 15)),
        (first_try_over, None),
        (try_of_a_sweep, LATER + timedelta(seconds=30)),
        (try_of_a_redelivery, LATER + timedelta(seconds=60)),
    ],
)
def test_a_redelivery_waits_for_the_try_that_is_under_way(
    state_of_affairs: Callable[[Call], Call], allowed_at: datetime | None
) -> None:
    call = state_of_affairs(live([ev("busy")]))
    assert call.redelivery_allowed_at == allowed_at
    if allowed_at is not None:
        early = apply(call, RedeliveryRequested(), allowed_at - timedelta(microseconds=1)).call
        assert early is call
    assert apply(call, RedeliveryRequested(), allowed_at or NOW).call.redeliveries == call.redeliveries + 1


def test_a_try_that_is_over_makes_way_for_a_redelivery_whatever_came_of_it() -> None:
    claimed = try_of_a_sweep(SETTLED)
    for outcome_of_try in DeliveryOutcome:
        assert apply(claimed, tried(outcome_of_try)(claimed), LATER).call.redelivery_allowed_at is None


def test_a_sweep_that_claims_a_call_that_lives_begins_no_try() -> None:
    call = live([ANSWERED])
    assert call.due_at is not None
    assert apply(call, Claimed(call.due_at + timedelta(seconds=30)), call.due_at).call.delivery == call.delivery


def test_a_try_that_ends_after_its_call_was_erased_leaves_no_trace() -> None:
    claimed = try_of_a_sweep(SETTLED)
    erased = apply(claimed, EraseRequested(), LATER).call
    for outcome_of_try in DeliveryOutcome:
        assert apply(erased, tried(outcome_of_try)(claimed), LATER).call is erased
    assert apply(erased, Claimed(LATER + timedelta(days=1)), LATER + timedelta(hours=1)).call is erased


def test_every_try_is_counted_and_the_last_fifty_are_kept() -> None:
    call = SETTLED
    for number in range(60):
        call = apply(
            call, DeliveryAttempted(call.due_at, DeliveryOutcome.FAILED, 500 + number, None, LATER), LATER
        ).call
    assert call.delivery.attempts_made == 60
    assert [one.http_status for one in call.delivery.tries] == list(range(510, 560))
