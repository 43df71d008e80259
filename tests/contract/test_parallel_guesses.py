"""Whoever knows a call's token and guesses its PIN, many times at once, gets no more tries than the callee."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.world import World, make_world
from ttsprompt.domain.call import Call, Transition
from ttsprompt.domain.verdict import Entry, Reason
from ttsprompt.ports import CallStore, Update

TRIES = 3


@pytest.fixture
def world(store: CallStore, tmp_path: Path) -> World:
    return make_world(tmp_path / "world", store=store)


def guess_at_once(world: World, guesses: list[str]) -> Counter[int]:
    """Answer every question that might be open with every guess, all at once; return how often each status came."""
    url = world.input_url
    statuses: Counter[int] = Counter()
    together = threading.Barrier(len(guesses))

    def guess(keys: str) -> None:
        together.wait(30)
        for step in range(1, TRIES + 3):
            statuses[world.key(keys, url.replace("step=1", f"step={step}")).status_code] += 1

    threads = [threading.Thread(target=guess, args=(keys,)) for keys in guesses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def count_judgements(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the calls for which a judgement was stored, and so was answered, in a list that grows with each."""
    update, judged = world.store.update, []

    def counting(tid: str, change: Callable[[Call], Transition], **options: Any) -> Update:
        grew = False

        def watched(call: Call) -> Transition:
            nonlocal grew
            transition = change(call)
            grew = transition.call.entries != call.entries
            return transition

        result = update(tid, watched, **options)
        if grew:
            judged.append(tid)
        return result

    monkeypatch.setattr(world.store, "update", counting)
    return judged


@pytest.mark.parametrize("guessers", [16, 64])
def test_parallel_guesses_never_get_more_than_the_tries_allowed(
    world: World, guessers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid = world.place(attempts=TRIES)
    judged = count_judgements(world, monkeypatch)
    statuses = guess_at_once(world, [f"{5000 + number}" for number in range(guessers)])

    # 503: the store was too busy with the others; Vonage would ask again, a guesser has lost the guess.
    assert statuses.keys() <= {200, 404, 503}
    world.enter(*["5999"] * TRIES)
    call = world.call(tid)
    assert judged == [tid] * TRIES
    assert call.entries == (Entry.WRONG,) * TRIES
    assert call.verdict is not None
    assert call.verdict.reason is Reason.WRONG_PIN
    world.event("completed", duration="9")
    assert [(x["status"], x["attempts"]) for x in world.outcomes] == [("failed", str(TRIES))]
