"""The state machine searched breadth first: every history of a call, of whatever length, up to what can matter.

Two moments of a call are the same here when they agree in all that the rules look at; of times that is only whether
they have come. So the search ends, and has then seen every state that can be reached, and each event in it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain import events as ev
from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.model import Call, DeliveryState, MachineDetection, Phase, Policy, State
from ttsprompt.domain.timing import GRACE
from ttsprompt.domain.verdict import MAX_REPLAYS, Reason, Status

STARTS: dict[str, dict[str, Any]] = {
    "one try": {"attempts_allowed": 1},
    "two tries": {"attempts_allowed": 2},
    "machines are hung up on": {"attempts_allowed": 1, "machine_detection": MachineDetection.HANGUP},
    "machines are talked to": {"attempts_allowed": 1, "machine_detection": MachineDetection.CONTINUE},
    "machines are told of": {"attempts_allowed": 1, "machine_detection": MachineDetection.NOTICE},
    "the outcome is fetched": {"attempts_allowed": 1, "callback": None},
    "given up after a while": {"attempts_allowed": 1, "policy": Policy(stale_after=timedelta(seconds=5))},
}
ORDER = list(State)
NUMBER = a_call().to
HOLD = timedelta(seconds=30)
DONE = (DeliveryState.DELIVERED, DeliveryState.UNDELIVERABLE)


@dataclass(frozen=True)
class Moment:
    """A call at some time, and until when a sweep that may still be at work has claimed it."""

    call: Call
    now: datetime
    claimed_until: datetime | None = None

    def key(self) -> Hashable:
        """Return all that the rules look at; not what only the rule that sets it does, such as Vonage's uuid."""
        call = self.call
        due = call.due_at is not None and call.due_at <= self.now
        reason = call.verdict and call.verdict.reason
        if call.phase is Phase.SETTLED:
            claimed = self.claimed_until is not None and call.due_at == self.claimed_until
            allowed_at = call.redelivery_allowed_at
            may_redeliver = allowed_at is None or self.now >= allowed_at
            return reason, call.delivery.state, call.erased_at is None, may_redeliver, due, claimed
        grace_is_over = call.ended_at is not None and self.now >= call.ended_at + GRACE
        heard = call.human_heard, call.machine_heard
        answered, entries = call.answered_at is not None, tuple(sorted(call.entries))
        return call.state, reason, answered, entries, heard, call.disconnected_by, grace_is_over, due


@dataclass(frozen=True)
class Step:
    """What an event did at a moment."""

    before: Moment
    event: ev.Event
    transition: Transition

    @property
    def after(self) -> Call:
        return self.transition.call


def what_may_happen(moment: Moment) -> Iterator[ev.Event]:
    call, now = moment.call, moment.now
    yield from (ev.Placed(None), ev.Placed("u-1"), ev.PlacementUnclear(), ev.Answered())
    yield from (ev.HumanDetected(), ev.MachineDetected())
    for keys in (PIN, "9", "0000", "", "*"):
        for step in {1, call.current_step, call.current_step + 1}:
            yield ev.DigitsEntered(step, keys, TOKEN)
    for duration, by in ((None, None), (0, None), (7, "user"), (7, "platform")):
        yield ev.CallEnded(ev.EndStatus.COMPLETED, disconnected_by=by, duration=duration)
    yield ev.CallEnded(ev.EndStatus.BUSY)
    yield ev.CallEnded(ev.EndStatus.FAILED, detail="internal_error")
    yield from (ev.GraceElapsed(), ev.CancelRequested(), ev.RedeliveryRequested(), ev.EraseRequested())
    yield ev.Claimed(now + HOLD)
    if call.due_at is not None and call.due_at <= now:
        yield ev.Overdue(call.due_at)
    # Seen by a sweep before something else happened.
    yield ev.Overdue(now - timedelta(microseconds=1))
    for outcome in ev.DeliveryOutcome:
        for due_at, retry_at in product((call.due_at, None), (None, now + timedelta(minutes=1))):
            yield ev.DeliveryAttempted(due_at, outcome, None, None, retry_at)


def later(moment: Moment) -> Iterator[Moment]:
    """Return the times that matter: when the grace period is over, the call due, a redelivery allowed."""
    call = moment.call
    for at in (call.ended_at and call.ended_at + GRACE, call.due_at, call.redelivery_allowed_at):
        if at is not None and at > moment.now:
            yield Moment(moment.call, at, moment.claimed_until)


def every_step(start: str) -> list[Step]:
    kind = STARTS[start]
    first = Moment(a_call(**kind), NOW)
    seen, waiting = {first.key()}, deque([first])
    steps = []
    while waiting:
        moment = waiting.popleft()
        following = list(later(moment))
        for event in what_may_happen(moment):
            transition = apply(moment.call, event, moment.now, kind.get("policy", Policy()))
            steps.append(Step(moment, event, transition))
            until = event.until if isinstance(event, ev.Claimed) else moment.claimed_until
            following.append(Moment(transition.call, moment.now, until))
        for one in following:
            if one.key() not in seen:
                seen.add(one.key())
                waiting.append(one)
    return steps


@pytest.fixture(scope="module", params=STARTS)
def steps(request: pytest.FixtureRequest) -> list[Step]:
    return every_step(request.param)


def test_the_search_meets_every_phase_and_every_reason(steps: list[Step]) -> None:
    calls = [step.before.call for step in steps]

    assert {call.phase for call in calls} == set(Phase)
    reasons = {call.verdict.reason for call in calls if call.verdict is not None}
    # Which of these an unanswered call gets is a matter of status and detail, and has a table of its own.
    missing = {Reason.REJECTED, Reason.UNREACHABLE}
    if calls[0].machine_detection is not MachineDetection.HANGUP:
        missing.add(Reason.MACHINE)
    assert set(Reason) - reasons == missing


def test_the_state_only_goes_forward_and_a_settled_call_stays_settled(steps: list[Step]) -> None:
    for step in steps:
        assert ORDER.index(step.after.state) >= ORDER.index(step.before.call.state)
        if step.before.call.phase is Phase.SETTLED:
            assert step.after.phase is Phase.SETTLED


def test_a_verdict_never_changes(steps: list[Step]) -> None:
    for step in steps:
        if step.before.call.verdict is not None:
            assert step.after.verdict == step.before.call.verdict


def test_only_the_right_pin_makes_a_call_ok(steps: list[Step]) -> None:
    for step in steps:
        if step.before.call.verdict is None and step.after.verdict is not None:
            is_right = isinstance(step.event, ev.DigitsEntered) and step.event.digits == PIN
            assert (step.after.verdict.status is Status.OK) is is_right


def test_there_are_never_more_judgements_than_tries(steps: list[Step]) -> None:
    for step in steps:
        assert step.after.attempts_used <= step.after.attempts_allowed
        assert len(step.after.entries) <= step.after.attempts_allowed + MAX_REPLAYS
        before = step.before.call
        if step.after.entries != before.entries:
            assert isinstance(step.event, ev.DigitsEntered)
            assert step.event.step == before.current_step
            assert step.after.entries[:-1] == before.entries


def test_a_call_is_settled_once_and_whoever_settles_it_is_told(steps: list[Step]) -> None:
    for step in steps:
        settles = step.before.call.phase is not Phase.SETTLED and step.after.phase is Phase.SETTLED
        assert step.transition.settled is settles
        if step.before.call.payload is not None and step.after.erased_at is None:
            assert step.after.payload == step.before.call.payload
        if settles:
            assert step.after.verdict is not None
            assert (step.after.payload is None) is (step.after.callback is None)
            assert (step.after.prompts, step.after.secrets) == (None, None)


def test_a_call_keeps_what_it_needs_until_it_is_settled(steps: list[Step]) -> None:
    for step in steps:
        if step.after.phase is not Phase.SETTLED:
            assert step.after.payload is None
            assert step.after.prompts is not None
            assert step.after.secrets is not None


def test_whatever_is_not_done_with_has_a_time_at_which_it_is_looked_after(steps: list[Step]) -> None:
    for step in steps:
        nothing_to_tell = step.after.phase is Phase.SETTLED and step.after.callback is None
        assert (step.after.due_at is None) is (step.after.delivery.state in DONE or nothing_to_tell)
        assert (step.after.delivery.state is DeliveryState.NONE) is (step.after.phase is not Phase.SETTLED) or (
            nothing_to_tell
        )


def test_nothing_happened_to_a_call_that_is_the_very_same_object(steps: list[Step]) -> None:
    for step in steps:
        is_the_same = step.after is step.before.call
        assert is_the_same is (step.after == step.before.call)
        assert not (is_the_same and (step.transition.settled or step.transition.grace))


def test_a_call_that_nobody_answered_is_an_error(steps: list[Step]) -> None:
    for step in steps:
        if step.after.verdict is not None and step.after.answered_at is None:
            assert step.after.verdict.status is Status.ERROR


def test_an_ending_that_says_why_nobody_answered_is_believed_even_after_one_that_does_not(steps: list[Step]) -> None:
    for step in steps:
        call = step.before.call
        if isinstance(step.event, ev.CallEnded) and call.answered_at is None and call.verdict is None:
            if step.event.status is ev.EndStatus.COMPLETED:
                assert step.after.phase is Phase.GRACE
            elif call.phase is not Phase.SETTLED:
                assert step.transition.settled


def test_no_ending_decides_an_answered_call(steps: list[Step]) -> None:
    for step in steps:
        call = step.before.call
        if isinstance(step.event, ev.CallEnded) and call.answered_at is not None and call.verdict is None:
            assert step.after.phase is Phase.GRACE
            assert step.after.verdict is None


def test_a_verdict_of_who_picked_up_is_made_of_what_was_heard_and_keyed_and_decides_nothing_else(
    steps: list[Step],
) -> None:
    for step in steps:
        before, after, event = step.before.call, step.after, step.event
        keyed = isinstance(event, ev.DigitsEntered) and event.digits != ""
        open_ = before.phase is not Phase.SETTLED
        assert after.human_heard is (before.human_heard or (open_ and (keyed or isinstance(event, ev.HumanDetected))))
        assert after.machine_heard is (before.machine_heard or (open_ and isinstance(event, ev.MachineDetected)))
        if isinstance(event, ev.HumanDetected | ev.MachineDetected):
            hangs_up = isinstance(event, ev.MachineDetected) and after.machine_detection is MachineDetection.HANGUP
            if not hangs_up:
                assert (after.state, after.verdict, after.due_at) == (before.state, before.verdict, before.due_at)
            elif open_:
                assert after.verdict is not None
        if step.transition.settled and after.payload is not None:
            said = dict(parse_qsl(after.payload)).get("answered_by")
            assert said == {(True, True): "human", (True, False): "human", (False, True): "machine"}.get(
                (after.human_heard, after.machine_heard)
            )


def test_a_redelivery_is_begun_at_most_once_a_minute_and_never_beside_a_try(steps: list[Step]) -> None:
    begun = 0
    for step in steps:
        before, after = step.before.call, step.after
        if after.redeliveries != before.redeliveries:
            begun += 1
            assert isinstance(step.event, ev.RedeliveryRequested)
            assert before.payload is not None
            assert before.redelivered_at is None or step.before.now - before.redelivered_at >= timedelta(minutes=1)
            assert before.delivery.under_way_until is None or step.before.now >= before.delivery.under_way_until
            assert (after.delivery.state, after.delivery.attempts_made) == (DeliveryState.PENDING, 0)
        if before.phase is Phase.SETTLED:
            assert after.expire_at == before.expire_at
    assert begun > 0 or steps[0].before.call.callback is None


def test_a_try_is_known_to_be_under_way_only_while_there_is_something_to_deliver(steps: list[Step]) -> None:
    for step in steps:
        if step.after.delivery.under_way_until is not None:
            assert step.after.delivery.state is DeliveryState.PENDING
            assert step.after.due_at is not None


def test_an_erased_call_holds_nothing_of_anybody_and_is_never_due_again(steps: list[Step]) -> None:
    for step in steps:
        call = step.after
        if isinstance(step.event, ev.EraseRequested):
            assert (call.erased_at is not None) is (call.phase is Phase.SETTLED)
        if call.erased_at is not None:
            assert (call.to, call.callback, call.payload, call.reference, call.uuid) == ("", None, None, None, None)
            assert (call.fingerprint, call.due_at) == (None, None)
            assert call.delivery.state is not DeliveryState.PENDING
            assert (call.verdict, call.token_hash, call.tid) == (
                step.before.call.verdict,
                step.before.call.token_hash,
                step.before.call.tid,
            )


def test_the_timeline_only_grows_and_shows_neither_numbers_nor_keys(steps: list[Step]) -> None:
    for step in steps:
        earlier, lines = step.before.call.timeline, step.after.timeline
        if step.after.erased_at is None:
            assert lines[: len(earlier)] == earlier
        assert len(lines) <= len(earlier) + 3
        assert len([line for line in lines if line.event != "redelivery"]) <= 20
        text = json.dumps([(line.event, dict(line.details)) for line in lines[len(earlier) :]])
        assert PIN not in text
        assert NUMBER not in text


def test_a_call_that_ended_with_its_question_open_is_looked_after_when_its_grace_period_is_over(
    steps: list[Step],
) -> None:
    for step in steps:
        call, earlier = step.after, step.before.call
        if call.phase is Phase.GRACE and call.due_at != earlier.due_at and not isinstance(step.event, ev.Claimed):
            assert call.ended_at is not None
            assert call.due_at == call.ended_at + GRACE


def test_from_every_state_one_sweep_that_finds_the_call_due_settles_it(steps: list[Step]) -> None:
    reached = {Moment(step.after, step.before.now).key(): step for step in steps}
    for step in reached.values():
        call = step.after
        if call.phase is not Phase.SETTLED:
            assert call.due_at is not None
            now = max(call.due_at, step.before.now)
            assert apply(call, ev.Overdue(call.due_at), now).settled
