"""Several worker processes, which the framework forks after it has imported us."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx

from devphone.processes.service import Service
from tests.e2e.conftest import Stack


def test_a_worker_that_is_killed_is_not_missed(stack: Stack) -> None:
    """The store's client is made in each worker on first use; nothing of it crosses the fork."""
    service = Service({**stack.service.settings, "WORKERS": "2"}, log=stack.service.log)
    service.start()
    try:
        tids = [place(stack, service) for _ in range(4)]
        # What is under way in a worker that dies is for the sweep, and for the soak to show.
        assert [stack.outcome(tid)["status"] for tid in tids] == ["ok"] * 4
        assert service.process is not None
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
        assert len(children) == 2
        os.kill(int(children[0]), signal.SIGKILL)
        began = time.monotonic()
        tids += [place(stack, service) for _ in range(4)]

        assert time.monotonic() - began < 20  # no hang; 60 s is what a client of a forked channel would take
        assert len(set(tids)) == 8
        for tid in tids:
            assert stack.outcome(tid)["status"] == "ok"
    finally:
        service.stop()


def place(stack: Stack, service: Service) -> str:
    request = stack.request()
    stack.script(request, "1234")
    headers = {"Authorization": f"Bearer {stack.application.token()}"}
    response = httpx.post(f"{service.url}/call", json=request, headers=headers, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    return str(response.json()["tid"])
