"""Hypothesis strategies for requests: nearly right ones, since those get furthest, and plain junk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.world import REQUEST
from ttsprompt.call_request import FIELDS

Choice = st.SearchStrategy[Any] | list[Any]


def mostly(usual: Choice, others: Choice) -> st.SearchStrategy[Any]:
    """Return what is usual five times of six: a request with several faults gets no further than its first."""
    choices = [
        choice if isinstance(choice, st.SearchStrategy) else st.sampled_from(choice) for choice in (others, usual)
    ]
    return st.integers(0, 5).flatmap(lambda n: choices[n > 0])


METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010), max_size=5),  # around the surrogates
    st.sampled_from(
        ["", "\0", "\r\n", "447970513607", "+44 7970 513607", "2345", "9" * 400, "x" * 2000, "<speak>", "٣"]
    ),
    st.sampled_from(["http://127.0.0.1/", "https://example.com:99999/", "http://[::1", "//x", "https://a\\b@c/"]),
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**30, -(10**30), 1e308, 0.5, -1]), st.integers(0, 200)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NO_KEYS = (VALUES | TEXTS).filter(lambda value: not str(value).isdecimal())
"""Junk for a PIN that cannot by chance be a number that is no secret."""

CONTENT_TYPES = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "application/problem+json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        ";",
        "application/json;;=",
        "é/\x7f",
    ]
)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)


@dataclass(frozen=True)
class Hostile:
    """A request. Its path, query and headers are to be filled in with what only a running service knows."""

    method: str
    path: str
    query: dict[str, str]
    content: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """Return the first part of the path if it is one of ours."""
        first = "/" + self.path.split("/")[1]
        return first if first in {"/call", "/answer", "/input", "/event"} else "/…"

    def target(self, fill: Callable[[str], str]) -> str:
        """Return path and query, with `{tid}` and `{token}` filled in."""
        query = urlencode({name: fill(value) for name, value in self.query.items()}, errors="replace")
        return quote(fill(self.path), safe="/{}", errors="replace") + (f"?{query}" if query else "")


def contents(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Return bodies: of `values` as JSON and as a form, whole and damaged, and junk."""
    as_json = values.map(lambda value: json.dumps(value).encode())
    as_form = values.filter(lambda value: isinstance(value, dict)).map(
        lambda value: urlencode(value, errors="surrogatepass").encode()
    )
    whole = as_json | as_json | as_form
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], whole, st.integers(0, 5000))
    spoilt = st.builds(
        lambda body, at, junk: body[:at] + junk + body[at:], whole, st.integers(0, 50), st.binary(max_size=3)
    )
    return mostly(whole, st.one_of(cut, spoilt, st.binary(max_size=100)))


@st.composite
def changed_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Return a good body for `POST /call` in which some fields are missing, junk, or too many."""
    body = dict(REQUEST)
    for name in draw(st.lists(st.sampled_from(list(FIELDS)), max_size=4)):
        body[name] = draw(NO_KEYS if name in {"pin_code", "reject_code"} else VALUES | TEXTS)
    for name in draw(st.lists(st.sampled_from(list(FIELDS)), max_size=1)):
        body.pop(name, None)
    return body | draw(st.dictionaries(TEXTS, VALUES, max_size=1))


STATUSES = st.sampled_from(["answered", "machine", "completed", "busy", "failed", "timeout", "unanswered", "ringing"])
KEYS = mostly(["1234", "9", "*", "#", "", None], NO_KEYS)
WEBHOOKS = mostly(
    st.fixed_dictionaries(
        {},
        optional={
            "status": mostly(STATUSES, VALUES),
            "reason": VALUES,
            "dtmf": mostly(st.fixed_dictionaries({"digits": KEYS}), NO_KEYS),
            "duration": VALUES | st.sampled_from(["1e9", "-1", "NaN", "999999999", "1" * 5000]),
            "price": VALUES,
            "detail": VALUES,
            "disconnected_by": VALUES,
        },
    ),
    VALUES,
)
QUERIES = st.fixed_dictionaries(
    {
        "token": mostly(["{token}"], TEXTS),
        "step": mostly(["1"], st.sampled_from(["2", "0", "999", "1000", "-1", "１"]) | TEXTS),
    },
    optional={"x": TEXTS},
)
HEADERS = st.fixed_dictionaries(
    {
        "Authorization": mostly(
            ["{bearer}"], st.sampled_from(["Bearer e30.e30.", "Bearer {bearer}", "Basic x"]) | HEADER_TEXT
        )
    },
    optional={
        "Idempotency-Key": HEADER_TEXT | st.sampled_from(["k", "k" * 255, "k" * 256]),
        "X-Vonage-Authorization": mostly(["{bearer}"], HEADER_TEXT),
        "traceparent": HEADER_TEXT,
        "X-Cloud-Trace-Context": HEADER_TEXT,
        "Host": HEADER_TEXT,
    },
)
TIDS = mostly(["{tid}"], st.just("6a2827c9-4c68-46fc-b179-115f055dc0eb") | TEXTS)

CALLS = st.builds(
    Hostile,
    method=st.just("POST"),
    path=st.just("/call"),
    query=st.just({}),
    content=contents(changed_requests()),
    content_type=mostly(["application/json", "application/x-www-form-urlencoded"], CONTENT_TYPES),
    headers=HEADERS,
)
EVENTS = st.builds(
    Hostile,
    method=st.just("POST"),
    path=st.builds("/{}/{}".format, st.sampled_from(["event", "input", "answer"]), TIDS),
    query=QUERIES,
    content=contents(WEBHOOKS),
    content_type=mostly(["application/json"], CONTENT_TYPES),
    headers=HEADERS,
)
FOLLOW_UPS = st.builds(
    Hostile,
    method=mostly(["GET", "DELETE", "POST"], METHODS),
    path=st.builds("/call/{}{}".format, TIDS, st.sampled_from(["", "/redeliver", "/x"])),
    query=QUERIES,
    content=st.just(b"") | contents(VALUES),
    content_type=CONTENT_TYPES,
    headers=HEADERS,
)
ANYTHING = st.builds(
    Hostile,
    method=METHODS,
    path=TEXTS.map("/{}".format) | st.sampled_from(["/", "//", "/call", "/answer/{tid}", "/event", "/openapi.json"]),
    query=QUERIES,
    content=contents(VALUES),
    content_type=CONTENT_TYPES,
    headers=HEADERS,
)
REQUESTS = CALLS | CALLS | EVENTS | EVENTS | FOLLOW_UPS | ANYTHING
