"""The watch over secrets sees them in every place that it looks at."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from tests.builders import a_call
from tests.canaries import watching
from ttsprompt.domain import verdict
from ttsprompt.errors import MalformedRequestError
from ttsprompt.stores import compare_and_set
from ttsprompt.web import problems
from ttsprompt.web.app import json_response

PIN = "73946182055"
TOKEN = "a-token-of-a-webhook"
KEY = "-----BEGIN PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhcHBsaWNhdGlvbl9pZCI6IngifQ.c2lnbmF0dXJl"

log = logging.getLogger("ttsprompt.test")

pytestmark = pytest.mark.shows_secrets


def answer(handle: Callable[[Request], Response]) -> None:
    problems.answer(Request(EnvironBuilder("/call").get_environ()), handle)


def raise_error(secret: str) -> Response:
    raise MalformedRequestError(f"This is malformed: {secret} .")


PLACES: dict[str, Callable[[str], object]] = {
    "the log's text": lambda secret: log.debug("placed with %s", secret),
    "the log's fields": lambda secret: log.info("placed", extra={"fields": {"pin": secret}}),
    "a logged exception": lambda secret: log.error("internal_error", exc_info=ValueError(secret)),
    "a library's log": lambda secret: logging.getLogger("urllib3").debug("sent %s", secret),
    "a document": lambda secret: compare_and_set.to_document(a_call(reference=secret)),  # type: ignore[attr-defined]  # where it is used
    "an error": lambda secret: MalformedRequestError(f"This is malformed: {secret} ."),
    "an answer": lambda secret: answer(lambda _: json_response({"pin": secret})),
    "a problem": lambda secret: answer(lambda _: raise_error(secret)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", [PIN, TOKEN, KEY, JWT])
def test_a_secret_is_seen_wherever_it_comes_to_light(place: str, secret: str) -> None:
    with watching() as canaries:
        verdict.keyed_mac(TOKEN, PIN)
        PLACES[place](secret)

    assert canaries.leaks


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_taken_for_a_secret_that_is_none(place: str) -> None:
    with watching() as canaries:
        verdict.keyed_mac(TOKEN, PIN)
        PLACES[place]("harmless")

    assert canaries.leaks == []


def test_what_vonage_is_to_play_has_the_token() -> None:
    with watching() as canaries:
        verdict.keyed_mac(TOKEN, PIN)
        answer(lambda _: json_response([{"eventUrl": [f"https://x.example/input?token={TOKEN}"]}]))

    assert canaries.leaks == []


def test_the_watch_ends_with_its_block() -> None:
    with watching() as canaries:
        verdict.keyed_mac(TOKEN, PIN)
    for show in PLACES.values():
        show(PIN)

    assert canaries.leaks == []


def test_an_assertion_that_is_answered_with_500_is_noted(no_assertion_that_is_answered_with_500: list[str]) -> None:
    def fail(_: Request) -> Response:
        raise AssertionError("of a test")

    PLACES["a logged exception"]("a fault of the code")
    answer(fail)

    assert no_assertion_that_is_answered_with_500 == ["internal_error: AssertionError('of a test')"]
    no_assertion_that_is_answered_with_500.clear()
