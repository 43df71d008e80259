"""How many wait for Vonage at once: a slow Vonage, asked by anybody, may not hold every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.raw_server import RawServer, answering, raw_servers
from ttsprompt.errors import VendorRefusedError, VendorUnreachableError
from ttsprompt.ports import CallOrder
from ttsprompt.vonage.bulkhead import QUICK_S, Bulkhead
from ttsprompt.vonage.voice import VonageVoiceApi

PATIENCE_S = 30
ORDER = CallOrder(
    to="447970513607", from_="447520616161", event_url="https://example.com/", ringing_timer_s=45, length_timer_s=60
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_whoever_finds_no_place_at_a_slow_vonage_is_turned_away_at_once(clock: Clock) -> None:
    bulkhead = Bulkhead(2, clock)
    with bulkhead.place(), bulkhead.place():
        clock.now = QUICK_S
        for _ in range(3):
            with pytest.raises(VendorUnreachableError), bulkhead.place():
                pass
    with bulkhead.place(), bulkhead.place():
        pass


def test_a_place_is_free_again_whatever_happened_in_it(clock: Clock) -> None:
    bulkhead = Bulkhead(1, clock)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), bulkhead.place():
            raise ZeroDivisionError
    with bulkhead.place():
        pass


def test_while_vonage_is_quick_the_next_gets_the_place_that_comes_free(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ttsprompt.vonage.bulkhead.QUICK_S", 3600.0)  # it does not come by looking again
    bulkhead, came_in = Bulkhead(1, clock), threading.Event()

    def work() -> None:
        with bulkhead.place():
            came_in.set()

    with ExitStack() as stack:
        stack.enter_context(bulkhead.place())
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert not came_in.wait(0.05)
    assert came_in.wait(PATIENCE_S)
    thread.join()


def test_nobody_waits_longer_for_a_place_than_vonage_is_called_quick() -> None:
    """By the real clock: the place is held until the waiting one has been turned away."""
    bulkhead = Bulkhead(1)
    with bulkhead.place(), pytest.raises(VendorUnreachableError), bulkhead.place():
        pass


def test_nobody_waits_longer_though_places_change_hands(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be faster each time."""
    bulkhead, holder = Bulkhead(1, clock), ExitStack()

    def changes_hands(_: float) -> None:
        clock.now += 0.4
        holder.close()
        holder.enter_context(bulkhead.place())

    monkeypatch.setattr(bulkhead._freed, "wait", changes_hands)
    holder.enter_context(bulkhead.place())
    with pytest.raises(VendorUnreachableError), bulkhead.place():
        pass
    assert clock.now == pytest.approx(1.2)


@contextmanager
def stuck_server() -> Iterator[tuple[RawServer, threading.Event]]:
    """A Vonage that answers nobody until it is told to."""
    release = threading.Event()
    with raw_servers() as start:
        server = start(lambda connection: (release.wait(PATIENCE_S), answering(NO_SUCH_CALL)(connection))[-1])
        try:
            yield server, release
        finally:
            release.set()


NO_SUCH_CALL = b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_look_ups_and_calls_share_the_places_and_a_hang_up_needs_none(method: str) -> None:
    with stuck_server() as (server, release):
        voice = VonageVoiceApi(f"http://127.0.0.1:{server.port}", "ttsprompt/test", most_at_once=2)
        outcomes: list[object] = []

        def ask() -> None:
            try:
                outcomes.append(voice.look_up("u", "a.b.c") if method == "GET" else voice.place_call(ORDER, "a.b.c"))
            except VendorRefusedError:
                outcomes.append(None)
            except VendorUnreachableError as error:
                outcomes.append(error.detail)

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        while len(outcomes) < 3:
            threads[0].join(0.01)
        hanging_up = threading.Thread(target=lambda: outcomes.append(voice.hang_up("u", "a.b.c")))
        hanging_up.start()
        while len(server.received) < 3:
            threads[0].join(0.01)
        release.set()
        for thread in [*threads, hanging_up]:
            thread.join()

    assert [isinstance(outcome, str) for outcome in outcomes[:3]] == [True] * 3
    assert sorted(map(str, outcomes[3:])) == ["404", "None", "None"]
    assert [request.split(b" ", 1)[0] for request in server.received] == [method.encode()] * 2 + [b"PUT"]
