"""Every event that the service logs: its severity as the operator's page has it, and its fields."""

from __future__ import annotations

import logging
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.commands import ROOT
from tests.records import rewrite
from tests.service.test_sweep import sweep_of
from tests.world import World, bearer, make_world, tid_of
from ttsprompt.errors import (
    StoreUnavailableError,
    VendorError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from ttsprompt.ports import BUSY, CallbackResponse

Fields = dict[str, Any]
Patch = pytest.MonkeyPatch
Provoke = Callable[[World, Patch], Fields]
"""Does what has the event logged once, and returns its fields."""

PAGE: Final = (ROOT / "docs/operations.md").read_text().partition("## Log events")[2].partition("\n## ")[0]
SEVERITIES: Final = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
UNAVAILABLE: Final = StoreUnavailableError.code


def down(*_: object, **__: object) -> None:
    raise StoreUnavailableError


def bug(*_: object, **__: object) -> None:
    raise ZeroDivisionError


# --- placing


def placed(world: World, _: Patch) -> Fields:
    return {"tid": world.place(), "uuid": world.voice.uuid}


def replayed(world: World, _: Patch) -> Fields:
    headers = bearer(world.clock) | {"Idempotency-Key": "k"}
    assert [world.post_call(headers).status_code for _ in range(2)] == [200, 200]
    return {"tid": tid_of(world.voice.orders[-1])}


def placed_and_not_noted(world: World, patch: Patch) -> Fields:
    patch.setattr(world.store, "update", down)
    return {"tid": world.place(), "code": UNAVAILABLE}


def slowed_down(world: World, _: Patch) -> Fields:
    world.voice.error = VendorRateLimitedError("slow", asked_for_s=1.23456)
    world.clock.on_sleep = lambda: setattr(world.voice, "error", None)
    world.place()
    return {"wait_s": 1.23}


def refused(error: VendorError, **said: int) -> Provoke:
    def provoke(world: World, _: Patch) -> Fields:
        world.voice.error = error
        world.post_call()
        return {"tid": tid_of(world.voice.orders[-1]), "code": error.code, "trace_id": "t-1"} | said

    return provoke


def unclear(world: World, _: Patch) -> Fields:
    world.voice.error = VendorUnclearError("silence", trace_id="t-1")
    world.post_call()
    return {"tid": tid_of(world.voice.orders[-1]), "trace_id": "t-1"}


def refused_and_left(step: str) -> Provoke:
    """Refused; the record, or the place under the limit, cannot be given up."""

    def provoke(world: World, patch: Patch) -> Fields:
        patch.setattr(step, down)
        world.voice.error = VendorRefusedError("no", vendor_status=400)
        world.post_call()
        return {"tid": tid_of(world.voice.orders[-1]), "code": UNAVAILABLE}

    return provoke


def not_hung_up(answer: int | Exception, said: Fields) -> Provoke:
    def provoke(world: World, _: Patch) -> Fields:
        world.voice.hang_up_statuses = [answer]
        tid = world.place()
        world.client.delete(f"/call/{tid}", headers=bearer(world.clock))
        return {"tid": tid, **said}

    return provoke


# --- delivering


def settled(world: World, _: Patch) -> Fields:
    tid = world.place()
    world.enter("1", "2", "3")
    world.event("completed", duration="9")
    return {"tid": tid, "status": "failed", "reason": "wrong_pin", "attempts": 3}


def tried(response: CallbackResponse, outcome: str) -> Provoke:
    def provoke(world: World, _: Patch) -> Fields:
        world.sender.responses = [response]
        tid = world.place()
        world.event("busy")
        return {"tid": tid, "outcome": outcome, "http_status": response.http_status, "fault": response.fault}

    return provoke


def put_off_for_want_of_time(world: World, _: Patch) -> Fields:
    tid = world.place()
    world.event("answered")
    world.clock.on_sleep = lambda: world.clock.advance(8)
    world.event("completed", duration="4")
    return {"tid": tid}


def put_off_for_want_of_resources(world: World, _: Patch) -> Fields:
    world.sender.responses = [CallbackResponse(fault=BUSY)]
    tid = world.place()
    world.event("busy")
    return {"tid": tid, "fault": BUSY}


def tried_and_not_recorded(world: World, patch: Patch) -> Fields:
    tid = world.place()
    world.sender.meanwhile = lambda: patch.setattr(world.store, "update", down)
    world.event("busy")
    return {"tid": tid, "code": UNAVAILABLE}


# --- sweeping


def overdue(world: World) -> str:
    tid = world.place()
    world.clock.advance(1000)
    return tid


def swept(world: World, _: Patch) -> Fields:
    overdue(world)
    sweep_of(world).run()
    return {"expired": 1, "delivered": 1, "retrying": 0, "undeliverable": 0, "errors": 0, "remaining": 0}


def not_swept(failure: Callable[..., None], said: Fields) -> Provoke:
    def provoke(world: World, patch: Patch) -> Fields:
        tid = overdue(world)
        patch.setattr(world.store, "update", failure)
        sweep_of(world).run()
        return {"tid": tid, **said}

    return provoke


def page_not_read(failure: Callable[..., None]) -> Provoke:
    def provoke(world: World, patch: Patch) -> Fields:
        patch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 1)
        overdue(world)
        due = world.store.due

        def first_only(*args: Any, **options: Any) -> Any:
            patch.setattr(world.store, "due", second)
            return due(*args, **options)

        def second(*_: object, **__: object) -> None:
            patch.setattr(world.store, "due", due)
            failure()

        patch.setattr(world.store, "due", first_only)
        sweep_of(world).run()
        return {}

    return provoke


def not_purged(world: World, patch: Patch) -> Fields:
    patch.setattr(world.store, "purge", down)
    sweep_of(world).run()
    return {"code": UNAVAILABLE}


def not_started(world: World, patch: Patch) -> Fields:
    def start(_: threading.Thread) -> None:
        raise RuntimeError

    patch.setattr(threading.Thread, "start", start)
    sweep_of(world, threads=2).run()
    return {}


def unreadable(world: World, _: Patch) -> Fields:
    tid = overdue(world)
    rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})
    sweep_of(world).run()
    return {"tid": tid}


def senseless(world: World, _: Patch) -> Fields:
    tid = overdue(world)
    rewrite(world.store, tid, lambda document: document | {"callback": document["callback"] | {"url": "http://"}})
    sweep_of(world).run()
    return {"tid": tid}


CASES: Final[list[tuple[str, Provoke]]] = [
    ("call_placed", placed),
    ("call_replayed", replayed),
    ("placement_not_noted", placed_and_not_noted),
    ("vendor_slowed_down", slowed_down),
    ("vendor_refused", refused(VendorRefusedError("no", vendor_status=402, trace_id="t-1"), http_status=402)),
    ("vendor_refused", refused(VendorRateLimitedError("slow", asked_for_s=9, trace_id="t-1"))),
    ("vendor_refused", refused(VendorUnreachableError("gone", trace_id="t-1"))),
    ("token_refused", refused(VendorRefusedError("no", vendor_status=401, trace_id="t-1"), http_status=401)),
    ("vendor_unclear", unclear),
    ("record_not_deleted", refused_and_left("ttsprompt.stores.compare_and_set.CompareAndSetCalls.delete")),
    ("quota_not_released", refused_and_left("ttsprompt.service.admission.Admission.release")),
    ("hang_up_failed", not_hung_up(500, {"http_status": 500})),
    ("hang_up_failed", not_hung_up(VendorUnreachableError("gone"), {"code": "vendor_unreachable"})),
    ("call_settled", settled),
    ("callback_tried", tried(CallbackResponse(http_status=204), "delivered")),
    ("callback_tried", tried(CallbackResponse(http_status=500), "failed")),
    ("callback_tried", tried(CallbackResponse(fault="timeout"), "failed")),
    ("callback_undeliverable", tried(CallbackResponse(http_status=410), "gone")),
    ("callback_put_off", put_off_for_want_of_time),
    ("callback_put_off", put_off_for_want_of_resources),
    ("delivery_not_recorded", tried_and_not_recorded),
    ("sweep_done", swept),
    ("sweep_call_failed", not_swept(down, {"code": UNAVAILABLE})),
    ("sweep_call_failed", not_swept(bug, {})),
    ("sweep_page_failed", page_not_read(down)),
    ("sweep_page_failed", page_not_read(bug)),
    ("sweep_thread_not_started", not_started),
    ("purge_failed", not_purged),
    ("record_unreadable", unreadable),
    ("callback_url_senseless", senseless),
]


@pytest.mark.parametrize(("event", "provoke"), CASES, ids=[event for event, _ in CASES])
def test_each_event_is_logged_once_with_the_severity_of_the_page_and_its_fields(
    tmp_path: Path, monkeypatch: Patch, caplog: pytest.LogCaptureFixture, event: str, provoke: Provoke
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(random.SystemRandom, "random", lambda _: 0.0)
    fields = provoke(make_world(tmp_path, MAX_CALLS_PER_NUMBER="9/600s"), monkeypatch)
    (line,) = [record for record in caplog.records if record.msg == event]

    assert (line.levelname, getattr(line, "fields", {})) == (SEVERITIES[event], fields)


@pytest.mark.parametrize(
    ("event", "provoke"), [("sweep_call_failed", not_swept(bug, {})), ("sweep_page_failed", page_not_read(bug))]
)
def test_a_bug_is_logged_with_its_stack(
    world: World, monkeypatch: Patch, caplog: pytest.LogCaptureFixture, event: str, provoke: Provoke
) -> None:
    provoke(world, monkeypatch)
    (line,) = [record for record in caplog.records if record.msg == event]

    assert line.exc_info is not None
    assert line.exc_info[0] is ZeroDivisionError
