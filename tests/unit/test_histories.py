"""What holds for every call, whatever happens to it in whatever order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.events import (
    Answered,
    CallEnded,
    Claimed,
    DeliveryAttempted,
    DeliveryOutcome,
    DigitsEntered,
    EndStatus,
    Event,
    GraceElapsed,
    MachineDetected,
    Overdue,
    Placed,
    PlacementUnclear,
)
from ttsprompt.domain.model import Call, DeliveryState, MachineDetection, Phase, Policy, State
from ttsprompt.domain.verdict import MAX_REPLAYS, Status

ORDER_OF_STATES = list(State)

TERMINATED = st.builds(
    CallEnded,
    status=st.sampled_from(EndStatus),
    detail=st.sampled_from([None, "unavailable", "internal_error"]),
    disconnected_by=st.sampled_from([None, "platform", "user"]),
    duration=st.sampled_from([None, 0, 17]),
    price=st.sampled_from([None, "0.01"]),
)
KEYS = st.builds(
    DigitsEntered,
    step=st.integers(0, 6),
    digits=st.sampled_from([PIN, "9", "", "0", "*", "#"]),
    token=st.just(TOKEN),
)
TRIES = st.builds(
    DeliveryAttempted,
    outcome=st.sampled_from(DeliveryOutcome),
    http_status=st.sampled_from([None, 204, 500]),
    fault=st.none(),
    retry_at=st.sampled_from([None, NOW + timedelta(hours=1)]),
)
WEBHOOKS = st.one_of(
    st.builds(Placed, st.sampled_from([None, "u-1", "u-2"])),
    st.builds(PlacementUnclear),
    st.builds(Answered),
    st.builds(MachineDetected),
    KEYS,
    KEYS,
    TERMINATED,
    st.builds(GraceElapsed),
    TRIES,
)
NEXT = "the question that is open"
SWEEP = "a sweep passes"
SECONDS = st.sampled_from([0, 0, 1, 3, 15, 60, 300, 3600])
STORIES = st.lists(st.tuples(SECONDS, WEBHOOKS | st.sampled_from([NEXT, NEXT, SWEEP])), max_size=25)
KINDS_OF_CALL = st.fixed_dictionaries(
    {
        "attempts_allowed": st.sampled_from([1, 3]),
        "machine_detection": st.sampled_from([None, *MachineDetection]),
        "policy": st.sampled_from([Policy(), Policy(stale_after=timedelta(seconds=5))]),
    }
)


def events_of(moment: Event | str, call: Call, now: datetime) -> list[Event]:
    if moment == NEXT:
        return [DigitsEntered(call.current_step, "0", TOKEN)]
    if moment == SWEEP:
        is_due = call.due_at is not None and call.due_at <= now
        return [Overdue(call.due_at or now), Claimed(now + timedelta(seconds=30))] if is_due else []
    assert not isinstance(moment, str)
    return [moment]


def lived(story: list[tuple[int, Event | str]], kind: dict[str, Any]) -> list[Transition]:
    """Live through `story`; the first transition is the call's creation."""
    now = NOW
    transitions = [Transition(a_call(**kind))]
    for seconds, moment in story:
        now += timedelta(seconds=seconds)
        for event in events_of(moment, transitions[-1].call, now):
            transitions.append(apply(transitions[-1].call, event, now, kind["policy"]))
    return transitions


@given(STORIES, KINDS_OF_CALL)
def test_the_state_never_goes_back(story: list[tuple[int, Event | str]], kind: dict[str, Any]) -> None:
    states = [ORDER_OF_STATES.index(transition.call.state) for transition in lived(story, kind)]
    assert states == sorted(states)


@given(STORIES, KINDS_OF_CALL)
def test_a_verdict_once_decided_is_never_replaced(story: list[tuple[int, Event | str]], kind: dict[str, Any]) -> None:
    verdicts = [transition.call.verdict for transition in lived(story, kind)]
    decided = [verdict for verdict in verdicts if verdict is not None]
    assert len({(verdict.reason, verdict.decided_at) for verdict in decided}) <= 1
    assert verdicts == [None] * (len(verdicts) - len(decided)) + decided


@given(STORIES, KINDS_OF_CALL)
def test_a_call_settles_at_most_once_and_exactly_when_it_says_so(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    transitions = lived(story, kind)
    settled = [transition.call.phase is Phase.SETTLED for transition in transitions]
    said = [transition.settled for transition in transitions]
    assert sum(said) == int(settled[-1])
    assert settled == sorted(settled)
    assert not settled[-1] or settled.index(True) == said.index(True)


@given(STORIES, KINDS_OF_CALL)
def test_a_settled_call_keeps_its_payload_and_none_of_its_texts_and_secrets(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    for transition in lived(story, kind):
        call = transition.call
        if call.phase is Phase.SETTLED:
            assert (call.prompts, call.secrets) == (None, None)
        else:
            assert call.payload is None
            assert call.prompts is not None
            assert call.secrets is not None
    payloads = {transition.call.payload for transition in lived(story, kind)}
    assert len(payloads - {None}) <= 1


@given(STORIES, KINDS_OF_CALL)
def test_a_call_needs_attention_until_its_callback_is_done(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    done = (DeliveryState.DELIVERED, DeliveryState.UNDELIVERABLE)
    for transition in lived(story, kind):
        assert (transition.call.due_at is None) is (transition.call.delivery.state in done)


@given(STORIES, KINDS_OF_CALL)
def test_no_more_entries_are_judged_than_tries_and_replays(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    call = lived(story, kind)[-1].call
    assert call.attempts_used <= kind["attempts_allowed"]
    assert len(call.entries) <= kind["attempts_allowed"] + MAX_REPLAYS


@given(STORIES, KINDS_OF_CALL)
def test_only_a_right_entry_makes_a_call_ok(story: list[tuple[int, Event | str]], kind: dict[str, Any]) -> None:
    call = lived(story, kind)[-1].call
    keyed = any(isinstance(moment, DigitsEntered) and moment.digits == PIN for _, moment in story)
    assert call.verdict is None or call.verdict.status is not Status.OK or keyed


@given(STORIES, KINDS_OF_CALL)
def test_the_timeline_is_short_in_order_and_shows_neither_numbers_nor_keys(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    timeline = lived(story, kind)[-1].call.timeline
    assert len(timeline) <= 20
    assert [line.at for line in timeline] == sorted(line.at for line in timeline)
    text = json.dumps([(line.event, dict(line.details)) for line in timeline])
    assert PIN not in text
    assert "447970513607" not in text


@given(STORIES, KINDS_OF_CALL)
def test_any_call_is_settled_by_one_sweep_that_finds_it_due(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    call = lived(story, kind)[-1].call
    if call.due_at is None:
        return
    now = max(call.due_at, NOW + timedelta(days=10))
    assert apply(call, Overdue(call.due_at), now, kind["policy"]).call.phase is Phase.SETTLED


@given(STORIES, KINDS_OF_CALL)
def test_an_unchanged_call_is_the_very_same_object_and_asks_for_nothing(
    story: list[tuple[int, Event | str]], kind: dict[str, Any]
) -> None:
    transitions = lived(story, kind)
    for before, after in pairwise(transitions):
        if after.call == before.call:
            assert after.call is before.call
            assert not after.settled
            assert not after.grace
