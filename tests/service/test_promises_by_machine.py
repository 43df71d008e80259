"""Arbitrary histories of the whole service, crashes included; the promises are checked after every step."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.world import World, bearer, make_world, payload_of
from ttsprompt.domain.events import EndStatus
from ttsprompt.domain.model import AnsweredBy, Call, DeliveryState, Phase
from ttsprompt.errors import VendorRefusedError, VendorUnclearError
from ttsprompt.ports import CallbackResponse, CallOrder
from ttsprompt.service.sweep import Sweep

PIN = "1234"
STATUSES = ("answered", "human", "machine", *EndStatus)


FOLLOW_UPS = [("DELETE", ""), ("POST", "/redeliver"), ("GET", ""), ("GET", "?wait=3"), ("POST", "/erase")]
RESPONSES = [*(CallbackResponse(http_status=status) for status in (200, 500, 410)), CallbackResponse(fault="timeout")]


class DiedError(BaseException):
    """The process is gone: nothing may handle it."""


class Service(RuleBasedStateMachine):
    """One service, its callers, Vonage, the callee, a receiver, and whatever goes wrong between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="promises-"))
        self.world: World = make_world(self.folder)
        self.answered: dict[str, int | None] = {}
        """tid → position of its order at Vonage, for every request that was answered with a tid.

        A request whose process died before it dialled has none; its repeat is answered with the tid all the same.
        """
        self.rung: list[str] = []
        """The calls by whose orders a phone may ring, by their event URLs."""
        self.seen: dict[str, Call] = {}
        self.received: dict[str, set[str]] = defaultdict(set)
        self.right_pins: set[str] = set()
        self.fetched: set[str] = set()
        """The calls without a callback."""
        self.sent_before_erasure: dict[str, int] = {}
        self.crash_after: int | None = None
        self._install_failpoints()

    def teardown(self) -> None:
        """Let all quarrels end: then every call must have told its outcome."""
        self.crash_after = None
        self.world.sender.responses = []
        for _ in range(40):
            self.world.clock.advance(8000)
            self._sweep()
        self._note_receptions()
        for tid in self.answered:
            call = self.world.call(tid)
            assert call.phase is Phase.SETTLED
            done = {DeliveryState.DELIVERED, DeliveryState.UNDELIVERABLE}
            may_be = done | {DeliveryState.NONE} if tid in self.fetched else done
            assert call.delivery.state in may_be
            if call.delivery.state is DeliveryState.DELIVERED:
                assert len(self.received[tid]) == 1
        self.every_promise_holds()
        shutil.rmtree(self.folder)

    # --- what may happen

    @rule(
        outcome=st.sampled_from(["taken", "unclear", "refused", "died"]),
        key=st.sampled_from(["", "a", "b"]),
        fields=st.sampled_from([{}, {}, {"callback": ..., "callback_method": ...}, {"machine_detection": "hangup"}]),
    )
    def a_caller_asks(self, outcome: str, key: str, fields: dict[str, Any]) -> None:
        errors: dict[str, Any] = {
            "unclear": VendorUnclearError("?"),
            "refused": VendorRefusedError("no", vendor_status=400),
            "died": DiedError(),
        }
        self.world.voice.error = errors.get(outcome)
        headers = bearer(self.world.clock) | ({"Idempotency-Key": key} if key else {})
        before = len(self.world.voice.orders)
        response = self._survive(lambda: self.world.post_call(headers, **fields))
        if outcome != "refused":
            self.rung += [order.event_url.partition("?")[0] for order in self.world.voice.orders[before:]]
        if response is not None and "tid" in (response.json or {}):
            tid = response.json["tid"]
            orders = enumerate(self.world.voice.orders)
            positions = [n for n, order in orders if tid in order.event_url]
            self.answered.setdefault(tid, positions[-1] if positions else None)
            if self.world.call(tid).callback is None and self.world.call(tid).erased_at is None:
                self.fetched.add(tid)

    @precondition(lambda self: self._dialled())
    @rule(data=st.data(), status=st.sampled_from(STATUSES), duration=st.sampled_from([None, "0", "7"]))
    def vonage_reports(self, data: st.DataObject, status: str, duration: str | None) -> None:
        tid = data.draw(st.sampled_from(self._dialled()))
        body = {"status": status, "disconnected_by": "user", **({"duration": duration} if duration else {})}
        url = self._order(tid).event_url
        self._survive(lambda: self.world.webhook(url, body))

    @precondition(lambda self: self._dialled())
    @rule(data=st.data(), keys=st.sampled_from([PIN, "0000", "", "*", "12#", f"{PIN}#"]), step=st.integers(1, 5))
    def keys_arrive(self, data: st.DataObject, keys: str, step: int) -> None:
        tid = data.draw(st.sampled_from(self._dialled()))
        if self.world.call(tid).phase is not Phase.SETTLED and keys.removesuffix("#") == PIN:
            self.right_pins.add(tid)
        ncco = self._order(tid).ncco
        assert ncco is not None
        url = ncco[1]["eventUrl"][0].replace("step=1", f"step={step}")
        response = self._survive(lambda: self.world.key(keys, url))
        assert response is None or response.status_code in {200, 404}

    @precondition(lambda self: self.answered)
    @rule(
        data=st.data(),
        method=st.sampled_from(FOLLOW_UPS),
    )
    def a_caller_follows_up(self, data: st.DataObject, method: tuple[str, str]) -> None:
        tid = data.draw(st.sampled_from(sorted(self.answered)))
        self._survive(
            lambda: self.world.client.open(
                f"/call/{tid}{method[1]}", method=method[0], headers=bearer(self.world.clock)
            )
        )

    @rule(seconds=st.sampled_from([0.5, 2, 3, 20, 60, 200, 4000]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def the_sweep_runs(self) -> None:
        self._survive(self._sweep)

    @rule(
        response=st.sampled_from(
            [CallbackResponse(http_status=s) for s in (200, 500, 410)] + [CallbackResponse(fault="timeout")]
        )
    )
    def the_receiver_will_answer(self, response: CallbackResponse) -> None:
        self.world.sender.responses.append(response)

    @rule(steps=st.integers(0, 3))
    def the_process_will_die(self, steps: int) -> None:
        """At a boundary to come: before or after a write, before or after a callback, in the grace period."""
        self.crash_after = steps

    # --- what must hold

    @invariant()
    def every_promise_holds(self) -> None:
        self._note_receptions()
        assert len(self.rung) == len(set(self.rung))
        for tid in self.answered:
            call = self.world.call(tid)
            before = self.seen.get(tid)
            assert call.attempts_used <= call.attempts_allowed
            assert len(self.received[tid]) <= 1
            if call.verdict is not None and call.verdict.status == "ok":
                assert tid in self.right_pins
            if before is not None and before.verdict is not None:
                assert call.verdict == before.verdict
            if before is not None and before.payload is not None and call.erased_at is None:
                assert call.payload == before.payload
            if before is not None and before.answered_by is AnsweredBy.HUMAN:
                assert call.answered_by is AnsweredBy.HUMAN
            if call.verdict is not None and call.verdict.status != "error":
                assert call.answered_at is not None
            if before is not None and before.redelivered_at not in {None, call.redelivered_at}:
                assert call.redelivered_at is not None
                assert call.redelivered_at >= before.redelivered_at + timedelta(minutes=1)
            if call.delivery.state is DeliveryState.PENDING or call.phase is not Phase.SETTLED:
                assert call.due_at is not None
            if call.phase is Phase.SETTLED:
                assert (call.prompts, call.secrets) == (None, None)
            self.seen[tid] = call

    @invariant()
    def what_is_gone_stays_gone(self) -> None:
        for tid in self.answered:
            call = self.world.call(tid)
            assert tid not in self.fetched or not self.received[tid]
            if call.erased_at is not None:
                assert not any((call.to, call.callback, call.payload, call.reference, call.uuid, call.due_at))
                assert self._sent(tid) == self.sent_before_erasure.setdefault(tid, self._sent(tid))

    # --- how it is done

    def _note_receptions(self) -> None:
        for request in self.world.sender.sent:
            self.received[payload_of(request)["tid"]].add(request.payload)
            assert request.webhook_id == payload_of(request)["tid"]

    def _sent(self, tid: str) -> int:
        return sum(request.webhook_id == tid for request in self.world.sender.sent)

    def _dialled(self) -> list[str]:
        return sorted(tid for tid, position in self.answered.items() if position is not None)

    def _order(self, tid: str) -> CallOrder:
        position = self.answered[tid]
        assert position is not None
        return self.world.voice.orders[position]

    def _survive(self, work: Callable[[], Any]) -> Any:
        """Return what `work` gives, None if the process died in it; the next one starts at once."""
        try:
            return work()
        except DiedError:
            return None
        finally:
            self.crash_after = None

    def _sweep(self) -> None:
        deliveries = self.world.app.webhooks.deliveries
        sweep = Sweep(
            store=self.world.store, deliveries=deliveries, clock=self.world.clock, policy=deliveries.policy, threads=1
        )
        hook = threading.excepthook
        threading.excepthook = lambda args: None if args.exc_type is DiedError else hook(args)
        try:
            sweep.run()
        finally:
            threading.excepthook = hook

    def _install_failpoints(self) -> None:
        """Put a place to die around every step that the outside can see."""
        for part, names in ((self.world.store, ["create", "update", "delete"]), (self.world.sender, ["send"])):
            for name in names:
                setattr(part, name, self._mortal(getattr(part, name)))
        sleep = self.world.clock.sleep
        self.world.clock.sleep = self._mortal(sleep)  # type: ignore[method-assign]  # a failpoint

    def _mortal(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            self._perhaps_die()
            result = step(*args, **kwargs)
            self._perhaps_die()
            return result

        return mortal

    def _perhaps_die(self) -> None:
        if self.crash_after is None:
            return
        if self.crash_after == 0:
            self.crash_after = None
            raise DiedError
        self.crash_after -= 1


Service.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPromises = Service.TestCase
