"""`expire_stale_calls` and `setup` as functions of their own, and a service that is killed at the worst moment."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from devphone.happenings import CallbackReceived, WebhookSent
from devphone.processes.service import Service
from tests.e2e.conftest import Stack, wait_for


def post(service: Service) -> httpx.Response:
    return httpx.post(f"{service.url}/", timeout=60, trust_env=False)


def test_setup_prepares_the_store_and_may_be_called_again(stack: Stack) -> None:
    with stack.function("setup") as setup:
        for method in ("GET", "POST", "GET"):
            response = httpx.request(method, f"{setup.url}/setup", timeout=30, trust_env=False)
            assert response.json() == {"result": "ok", "pending": []}
        assert httpx.delete(f"{setup.url}/", timeout=30, trust_env=False).status_code == 405


def test_the_sweep_takes_post_only(stack: Stack) -> None:
    with stack.function("expire_stale_calls") as sweep:
        response = httpx.get(f"{sweep.url}/", timeout=30, trust_env=False)

        assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_a_service_killed_while_vonage_thinks_dials_once_and_reports_the_outcome(stack: Stack) -> None:
    """The process dies between the record and Vonage's answer, and the caller tries again with the same key."""
    with thinking_vonage() as (vendor, dials):
        settings = {**stack.service.settings, "VONAGE_API_URL": vendor, "STALE_AFTER": "1"}
        request = stack.request()
        headers = {"Authorization": f"Bearer {stack.application.token()}", "Idempotency-Key": request["to"]}

        def call(service: Service) -> httpx.Response:
            return httpx.post(f"{service.url}/call", json=request, headers=headers, timeout=30, trust_env=False)

        first = Service(settings, log=stack.service.log)
        first.start()
        caller = threading.Thread(target=lambda: suppressed(lambda: call(first)))
        caller.start()
        wait_for(lambda: dials)
        first.stop(signal.SIGKILL)
        caller.join()

        second = Service(settings, log=stack.service.log)
        second.start()
        answer = call(second)
        second.stop()
        assert answer.json()["code"] == "in_progress"
        time.sleep(1)  # STALE_AFTER, by the clock of another process
        with stack.function("expire_stale_calls", STALE_AFTER="1") as sweep:
            report = post(sweep).json()

    assert len(dials) == 1
    assert report["expired"] == report["delivered"] == 1
    lines = stack.board.phone.timeline.happenings()
    outcomes = [x.fields for x in lines if isinstance(x, CallbackReceived) and x.fields["to"] == request["to"]]
    assert [(outcome["status"], outcome["reason"]) for outcome in outcomes] == [("error", "expired")]


def suppressed(work: Callable[[], Any]) -> None:
    with suppress(httpx.HTTPError):
        work()


@contextmanager
def thinking_vonage() -> Iterator[tuple[str, list[str]]]:
    """A Vonage that takes the request and says nothing for ten seconds."""
    dials: list[str] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Accept the token that is shown first."""
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            dials.append(self.path)
            over.wait(10)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", dials
    over.set()
    server.shutdown()
    server.server_close()


def test_a_right_pin_whose_ending_was_lost_is_reported_by_the_sweep(stack: Stack) -> None:
    """The service dies before the call ends; a sweep that comes later finds the right PIN in the store."""
    service = Service({**stack.service.settings, "STALE_AFTER": "1"}, log=stack.service.log)
    service.start()
    request = stack.request(bye_text="Thank you. " * 40)
    stack.script(request, "1234")
    headers = {"Authorization": f"Bearer {stack.application.token()}"}
    answer = httpx.post(f"{service.url}/call", json=request, headers=headers, timeout=30, trust_env=False)
    tid = answer.json()["tid"]
    lines = stack.board.phone.timeline.happenings
    wait_for(lambda: [x for x in lines() if isinstance(x, WebhookSent) and (x.webhook, x.tid) == ("input", tid)])
    service.stop(signal.SIGKILL)
    time.sleep(1)  # STALE_AFTER, by the clock of another process
    with stack.function("expire_stale_calls") as sweep:
        reports = [post(sweep).json() for _ in range(2)]

    assert [report["expired"] for report in reports] == [1, 0]
    assert (stack.outcome(tid)["status"], stack.outcome(tid)["reason"]) == ("ok", "pin_matched")
    assert len(stack.callbacks(tid)) == 1
