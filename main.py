"""The Cloud Functions. Each hands its request to an app that is made on first use, after the server has forked."""

from __future__ import annotations

import os
import sys
from functools import cache

import functions_framework
from flask import Request, Response, current_app
from werkzeug.exceptions import HTTPException

from ttsprompt import bootstrap, logs
from ttsprompt.config import SettingsError
from ttsprompt.web import problems
from ttsprompt.web.app import App
from ttsprompt.web.jobs import SetupJob, SweepJob

try:
    _settings = bootstrap.start(os.environ)
except SettingsError as error:
    sys.exit(str(error))

# The framework loads this module inside its own Flask app, before it adds the routes. It answers some paths itself
# (/robots.txt) and would redirect others (//call, a target without a path) to wherever the Host header says.
current_app.url_map.merge_slashes = False
current_app.url_map.strict_slashes = False


@functions_framework.errorhandler(HTTPException)  # type: ignore[untyped-decorator]  # the framework has no types
def _http_error(error: HTTPException) -> Response:
    return problems.http_problem(error)


@cache
def _app() -> App:
    return bootstrap.build_app(_settings)


@cache
def _sweep() -> SweepJob:
    return bootstrap.build_sweep(_settings)


@cache
def _setup() -> SetupJob:
    return bootstrap.build_setup(_settings)


def ttsprompt(request: Request) -> Response:
    """Answer the public HTTP interface: callers and Vonage's webhooks."""
    logs.enter_request(request)
    return _app()(request)


def expire_stale_calls(request: Request) -> Response:
    """Settle and deliver what is due. Private: Cloud Scheduler calls it each minute."""
    logs.enter_request(request)
    return _sweep()(request)


def setup(request: Request) -> Response:
    """Prepare the store. Private; may be called again."""
    logs.enter_request(request)
    return _setup()(request)
