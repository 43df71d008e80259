"""The private functions: the sweep and the set-up. Who may call them is IAM's business."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Request, Response

from ttsprompt.errors import MethodNotAllowedError
from ttsprompt.service.sweep import Sweep
from ttsprompt.web import bodies, problems


@dataclass(frozen=True, slots=True)
class SweepJob:
    """`expire_stale_calls`: POST by Cloud Scheduler; the answer counts what was done."""

    sweep: Sweep

    def __call__(self, request: Request) -> Response:
        """Answer one request; never raises."""
        return problems.answer(request, self._run)

    def _run(self, request: Request) -> Response:
        _check(request, ["POST"])
        return _json(self.sweep.run().as_dict())


@dataclass(frozen=True, slots=True)
class SetupJob:
    """`setup`: GET as in the Lambda app, or POST. `set_up` returns the names of operations that still run."""

    set_up: Callable[[], list[str]]

    def __call__(self, request: Request) -> Response:
        """Answer one request; never raises."""
        return problems.answer(request, self._run)

    def _run(self, request: Request) -> Response:
        _check(request, ["GET", "POST"])
        return _json({"result": "ok", "pending": self.set_up()})


def _check(request: Request, allowed: Sequence[str]) -> None:
    bodies.read_body(request)
    if request.method not in allowed:
        raise MethodNotAllowedError(allowed)


def _json(body: object) -> Response:
    return Response(json.dumps(body), content_type="application/json")
