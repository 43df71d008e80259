"""What the service says of itself."""

from __future__ import annotations

from flask import Request, Response

from ttsprompt import __version__
from ttsprompt.web import openapi, schemas
from ttsprompt.web.app import App, json_response


def about(app: App, _request: Request, _body: bytes) -> Response:
    """Say what runs here, and with which keys its callbacks are signed."""
    told: schemas.About = {
        "name": "ttsprompt",
        "version": __version__,
        "documentation": f"{app.base_url}/openapi.json",
        "callback_public_keys": app.callback_public_keys(),
    }
    if app.commit is not None:
        told["commit"] = app.commit
    return json_response(told)


def describe(app: App, _request: Request, _body: bytes) -> Response:
    """Return the API's description."""
    return json_response(openapi.document(app.base_url))
