"""Generated requests against every route: never a fault of ours, never a hang, a problem for every error.

`FUZZ_EXAMPLES` says how many; `make soak` asks for many thousands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Request, Response
from hypothesis import HealthCheck, event, given, settings
from werkzeug.test import Client, TestResponse

from tests.hostile import ANYTHING, REQUESTS, Hostile
from tests.openapi import assert_described, operation
from tests.world import bearer, make_world, query_of
from ttsprompt.bootstrap import Parts, build_setup, build_sweep
from ttsprompt.config import load_settings

EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
FUZZ = settings(
    max_examples=int(EXAMPLES or 400),
    derandomize=EXAMPLES is None,
    deadline=timedelta(seconds=10),
    suppress_health_check=list(HealthCheck),
)


class Target:
    """A service with a call that has just been placed, for each request; and its private functions."""

    def __init__(self, folder: Path) -> None:
        self.world = make_world(folder)
        self.public = _client(self.world.app)
        chosen = load_settings({"CALL_STORE": f"sqlite:///{folder}/jobs.db", "BASE_URL": "https://x.example"})
        parts = Parts(sender=self.world.sender, clock=self.world.clock)
        self.private = [_client(build_setup(chosen)), _client(build_sweep(chosen, parts))]

    def send(self, hostile: Hostile) -> TestResponse:
        """Send a request to the public function, with what a caller and Vonage would know filled in."""
        tid = self.world.place()
        token = query_of(self.world.voice.orders[-1].event_url)["token"]
        known = {"{tid}": tid, "{token}": token, "{bearer}": bearer(self.world.clock)["Authorization"]}

        def fill(text: str) -> str:
            for name, value in known.items():
                text = text.replace(name, value)
            return text

        response = send(self.public, hostile, fill)
        self.world.store.get(tid)  # still there, and readable
        return response


def _client(job: Callable[[Request], Response]) -> Client:
    return Client(lambda environ, start: job(Request(environ))(environ, start))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return Target(tmp_path_factory.mktemp("fuzz"))


def send(client: Client, hostile: Hostile, fill: Callable[[str], str]) -> TestResponse:
    return client.open(
        hostile.target(fill),
        method=hostile.method,
        data=hostile.content,
        content_type=hostile.content_type,
        headers={name: fill(value) for name, value in hostile.headers.items()},
    )


def assert_answered(response: TestResponse) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.mimetype == "application/problem+json"
        problem: dict[str, Any] = response.json or {}
        assert problem["status"] == response.status_code


@FUZZ
@given(hostile=REQUESTS)
def test_no_request_to_the_public_function_is_too_much_for_it(target: Target, hostile: Hostile) -> None:
    response = target.send(hostile)

    event(f"{hostile.route} {response.status_code}")  # for --hypothesis-show-statistics
    assert_answered(response)
    path, method = response.request.path, response.request.method
    if operation(path, method) is not None:
        assert_described(path, method, response)


@FUZZ
@given(hostile=ANYTHING)
def test_no_request_to_the_private_functions_is_too_much_for_them(target: Target, hostile: Hostile) -> None:
    for job in target.private:
        assert_answered(send(job, hostile, str))
