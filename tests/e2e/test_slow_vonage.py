"""A Vonage that answers nobody, asked by anybody: webhooks find a thread all the same."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from devphone.processes.service import Service
from devphone.vendor.tokens import make_application
from tests.e2e.conftest import wait_for
from tests.raw_server import raw_servers

THREADS = 12
HELD = 8
"""So many may wait for Vonage in a process of so few threads."""


def test_forged_tokens_at_a_silent_vonage_leave_threads_for_webhooks(tmp_path: Path) -> None:
    release, answers = threading.Event(), []
    forged = {"Authorization": f"Bearer {make_application().token()}"}
    settings = {"CALL_STORE": f"sqlite:///{tmp_path}/calls.db", "BASE_URL": "https://calls.example.com"}
    with raw_servers() as start, ThreadPoolExecutor(THREADS) as pool:
        vonage = start(lambda _: release.wait(30) and None)
        service = Service(
            {**settings, "VONAGE_API_URL": f"http://127.0.0.1:{vonage.port}", "THREADS": str(THREADS)},
            log=tmp_path / "log",
        )
        service.start()
        try:

            def ask(_: int) -> None:
                url = f"{service.url}/call/{uuid.uuid4()}"
                answers.append(httpx.get(url, headers=forged, timeout=60, trust_env=False).status_code)

            for number in range(THREADS):
                pool.submit(ask, number)
            wait_for(lambda: len(answers) >= THREADS - HELD)
            webhook = httpx.post(
                f"{service.url}/answer/{uuid.uuid4()}?token=x", timeout=60, trust_env=False, json={"uuid": "u"}
            )
            held = THREADS - len(answers)
        finally:
            release.set()
            service.stop()

    assert (webhook.status_code, held, len(vonage.received)) == (404, HELD, HELD)
    assert answers[: THREADS - HELD] == [503] * (THREADS - HELD)
