"""The numbers of the contract in one table: each is read where the code has it, so that a changed one fails by name.

A number that the code only computes is read off what it does. What a number is for, its own tests show.
"""

from __future__ import annotations

import base64
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from tests.builders import NOW, TOKEN, a_call
from tests.world import World, query_of
from ttsprompt.config import SETTING_NAMES, Settings
from ttsprompt.domain import timing
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import Answered, CancelRequested, Event
from ttsprompt.domain.model import Call, CallbackFormat, CallbackMethod, Policy, Prompts
from ttsprompt.domain.ncco import WebhookUrls, opening
from ttsprompt.domain.payload import retry_delay
from ttsprompt.service.choices import AnswerMode
from ttsprompt.web.openapi import document

ROOT = Path(__file__).parents[2]
DAY_S = 86400
KIB = 1024


@dataclass(frozen=True)
class Number:
    """`source`: which part of the contract says it."""

    name: str
    contract: object
    read: Callable[[], object]
    source: str


def constant(name: str, attribute: str, contract: object, source: str) -> Number:
    """Hold `ttsprompt.module:NAME` against the contract; a time counts in seconds."""

    def read() -> object:
        value = resolve_name(f"ttsprompt.{attribute}")
        return value.total_seconds() if isinstance(value, timedelta) else value

    return Number(name, contract, read, source)


def default(name: str, contract: object, source: str) -> Number:
    """Hold the default of a setting against the contract."""

    def read() -> object:
        value = getattr(Settings(), name.lower())
        return value.total_seconds() if isinstance(value, timedelta) else value

    return Number(name, contract, read, source)


@cache
def _fields() -> dict[str, dict[str, Any]]:
    """Return the fields of `POST /call` as the description has them; of `X or null`, the X."""
    description = document("https://calls.example.com")
    fields = description["components"]["schemas"]["CallRequest"]["properties"]
    found = {}
    for name, schema in fields.items():
        kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
        found[name] = {**schema, **(kinds[0] if kinds else {})}
    return found


def field(name: str, contract: dict[str, object], source: str = "POST /call, the table of fields") -> Number:
    """Hold limits and default of a field, in the words of JSON Schema, against the contract."""
    words = ("minLength", "maxLength", "minimum", "maximum", "default")
    return Number(
        f"field {name}",
        contract,
        lambda: {word: _fields()[name][word] for word in words if word in _fields()[name]},
        source,
    )


def parameter(of: Callable[..., object], name: str) -> object:
    return inspect.signature(of).parameters[name].default


def _voice(name: str) -> object:
    return parameter(resolve_name("ttsprompt.vonage.voice:VonageVoiceApi"), name)


def _input_action() -> dict[str, Any]:
    return opening(a_call(), WebhookUrls("https://calls.example.com", a_call().tid, TOKEN))[1]


def _length_timer(**different: Any) -> int:
    """Return the timer of a call of which all that can be left out is."""
    nothing: dict[str, Any] = {"text": "", "bye_text": None, "failed_text": None, "silence_text": None}
    nothing |= {"attempts": 1, "replays": 0, "input_timeout_s": 0, "extension_s": 0}
    return timing.length_timer_s(**nothing | different)


def _retry_delays(retry_after_s: float | None, step_s: float = 1000) -> list[float]:
    """Return the shortest and the longest wait as parts of the step."""
    policy = Policy(retry_schedule=(timedelta(seconds=step_s),))
    delays = [retry_delay(policy, 1, retry_after_s, fraction) for fraction in (0.0, 1.0)]
    return [round(delay.total_seconds() / step_s, 6) for delay in delays if delay is not None]


def _due_after_s(*happened: Event, besides: Callable[[Call], float]) -> float:
    """Return when a call needs attention after what happened at once, `besides` what its own fields ask for."""
    call = a_call()
    for event in happened:
        call = apply(call, event, NOW).call
    assert call.due_at is not None
    return (call.due_at - NOW).total_seconds() - besides(call)


def _ringing_s(call: Call) -> float:
    assert call.prompts is not None
    return call.ringing_timeout_s + timing.speaking_time_s(call.prompts.text) + call.input_timeout_s


def _deployed(pattern: str, file: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / file).read_text()))


NUMBERS = [
    # --- POST /call
    constant("a body's bytes", "web.bodies:MAX_BODY_BYTES", 64 * KIB, "POST /call"),
    constant("an idempotency key's characters", "web.caller_routes:MAX_IDEMPOTENCY_KEY", 255, "POST /call"),
    Number(
        "an idempotency key's characters, as described",
        255,
        lambda: next(
            p["schema"]["maxLength"]
            for p in document("https://x.example")["paths"]["/call"]["post"]["parameters"]
            if p["name"] == "Idempotency-Key"
        ),
        "POST /call",
    ),
    constant(
        "how long a request waits for Vonage", "domain.idempotency:PLACING_TIMEOUT", 20, "POST /call, in_progress"
    ),
    field("text", {"minLength": 1, "maxLength": 1500}),
    field("bye_text", {"minLength": 1, "maxLength": 1500}),
    field("failed_text", {"minLength": 1, "maxLength": 1500}),
    field("silence_text", {"minLength": 1, "maxLength": 1500}),
    field("pin_code", {"minLength": 1, "maxLength": 20}),
    field("reject_code", {"minLength": 1, "maxLength": 4}),
    field("attempts", {"minimum": 1, "maximum": 10, "default": 3}),
    field("input_timeout", {"minimum": 1, "maximum": 10, "default": 10}),
    field("ringing_timeout", {"minimum": 10, "maximum": 120, "default": 45}),
    field("extension", {"minLength": 1, "maxLength": 32}),
    field("reference", {"maxLength": 255}),
    field("callback_method", {"default": CallbackMethod.POST}),
    field("callback_format", {"default": CallbackFormat.FORM}),
    field("dry_run", {"default": False}),
    Number(
        "field language, default", "en-US", lambda: _fields()["language"]["default"], "POST /call, the table of fields"
    ),
    constant("unknown fields that are named", "call_request:MAX_NAMED", 20, "POST /call"),
    constant("a body's time", "web.reading:SECONDS", 5.0, "errors, request_timeout"),
    # --- credentials
    constant("a token's leeway", "vonage.application_jwt:LEEWAY_S", 60, "POST /call, Credentials"),
    constant("a token's life without exp", "vonage.application_jwt:DEFAULT_LIFE_S", 15 * 60, "POST /call, Credentials"),
    constant("acceptance is remembered", "service.authority:REMEMBERED_S", 60, "callers' other routes"),
    constant(
        "the uuid that no call has", "service.authority:NO_UUID", f"{0:08}-0000-0000-0000-{0:012}", "callers' routes"
    ),
    constant("a private key's fewest bits", "vonage.private_key:MIN_BITS", 2048, "POST /call, Credentials"),
    constant("a private key's most bits", "vonage.private_key:MAX_BITS", 4096, "POST /call, Credentials"),
    # --- Vonage's API
    Number("Vonage: connecting", 3.0, lambda: _voice("connect_timeout_s"), "Vonage's API"),
    Number("Vonage: reading", 10.0, lambda: _voice("read_timeout_s"), "Vonage's API"),
    constant("Vonage's 429 is waited out", "service.calls:SLOWED_DOWN_S", 3.0, "POST /call, 429"),
    constant("Vonage's 429: the first pause", "service.calls:FIRST_PAUSE_S", 0.3, "POST /call, 429"),
    # --- webhooks
    constant("asking to hear it again", "domain.verdict:MAX_REPLAYS", 3, "webhooks, Judgement"),
    constant("a signed webhook's age", "vonage.signature:MAX_AGE_S", 5 * 60, "webhooks"),
    Number(
        "a question's keys", 4, lambda: _input_action()["dtmf"]["maxDigits"], "webhooks, max(len(pin), len(reject))"
    ),
    Number("a question's wait", 10, lambda: _input_action()["dtmf"]["timeOut"], "webhooks, input_timeout"),
    constant(
        "the ending request, in all", "service.writing:WEBHOOK_S", 9.0, "the callback, Vonage asks again after 10 s"
    ),
    constant("kept back for recording the try", "service.writing:RECORDING_S", 1.5, "the callback"),
    constant("a webhook's try, at most", "service.writing:LONGEST_TRY_S", 5.0, "the callback"),
    constant("a webhook's try, at least", "service.writing:SHORTEST_TRY_S", 1.0, "the callback"),
    constant("the crash net", "domain.timing:CRASH_NET", 15, "the callback"),
    # --- the caller's other endpoints
    constant("hanging up again", "service.placed_calls:HANG_UP_AGAIN_S", 2.0, "callers' other routes"),
    constant(
        "a redelivery's try", "service.placed_calls:REDELIVERY_TRY_S", 15.0, "the callback, a try by the wall clock"
    ),
    constant("between redeliveries", "domain.timing:REDELIVERY_PAUSE", 60, "callers' other routes"),
    constant("waiting for an outcome", "web.caller_routes:MAX_WAIT_S", 50, "callers' other routes"),
    constant("looking for an outcome", "service.placed_calls:LOOK_AGAIN_S", 1.0, "callers' other routes"),
    constant("tries that are kept", "domain.model:DELIVERY_ATTEMPTS_KEPT", 50, "callers' other routes"),
    # --- delivery
    Number("a step varies by", [0.8, 1.2], lambda: _retry_delays(None), "the callback, ±20 %"),
    Number("Retry-After, at least", [1.0, 1.2], lambda: _retry_delays(1), "the callback, 1 to 2 times the step"),
    Number("Retry-After, at most", [2.0, 2.0], lambda: _retry_delays(10**9), "the callback, 1 to 2 times the step"),
    constant("a sweep's try", "service.sweep:TRY_S", 15.0, "the callback"),
    # --- the store
    constant("one handler's steps", "ports:STORE_TIMEOUT_S", 4.0, "state and store"),
    constant("Firestore: one RPC", "stores.firestore_client:CALL_S", 2.0, "state and store"),
    constant("SQLite: waiting for a writer", "stores.sqlite_file:BUSY_S", 2.0, "state and store, as one RPC"),
    # --- timing
    constant("the grace period", "domain.timing:GRACE", 3, "state and store"),
    constant("a call's longest", "domain.timing:MAX_LENGTH_TIMER_S", 7200, "state and store, length_timer"),
    Number("characters a second", 4.0, lambda: 100 / timing.speaking_time_s("x" * 100), "state and store"),
    Number("length_timer: besides all else", 60 + 5, _length_timer, "state and store, and 5 s for the one question"),
    Number(
        "length_timer: each try",
        5 + 7,
        lambda: _length_timer(attempts=2, input_timeout_s=7) - _length_timer(input_timeout_s=7),
        "state and store",
    ),
    Number("length_timer: each replay", 5, lambda: _length_timer(replays=1) - _length_timer(), "state and store"),
    Number(
        "length_timer: bye_text",
        10,
        lambda: _length_timer(bye_text="x" * 40) - _length_timer(),
        "state and store, once",
    ),
    Number(
        "length_timer of a request with defaults",
        math.ceil((4 + 2) * 100 / 4) + (3 + 3) * (10 + 5) + 60,
        lambda: a_call(prompts=Prompts(text="x" * 100)).length_timer_s,
        "state and store: text 4 times and twice for a wrong PIN, 6 questions",
    ),
    Number(
        "due: not answered",
        60.0,
        lambda: _due_after_s(besides=_ringing_s),
        "state and store, besides ringing, text and input_timeout",
    ),
    Number(
        "due: answered",
        60.0,
        lambda: _due_after_s(Answered(), besides=lambda call: call.length_timer_s),
        "state and store, besides length_timer",
    ),
    Number(
        "due: decided",
        30.0,
        lambda: _due_after_s(CancelRequested(), besides=lambda _: timing.speaking_time_s("Thank you")),
        "state and store, besides bye_text",
    ),
    # --- callers
    constant("429 of Vonage is waited out", "service.calls:SLOWED_DOWN_S", 3.0, "answers"),
    constant("the first pause of that", "service.calls:FIRST_PAUSE_S", 0.3, "answers"),
    constant("a wait for an outcome", "web.caller_routes:MAX_WAIT_S", 50, "the caller's other endpoints"),
    constant("between two redeliveries", "domain.timing:REDELIVERY_PAUSE", 60, "the caller's other endpoints"),
    # --- the sweep
    constant("a sweep's budget", "service.agenda:BUDGET_S", 45.0, "state and store"),
    constant("a claim", "service.sweep:CLAIM", 30, "state and store"),
    constant("tries at one host, to begin with", "service.agenda:FIRST_TRIES", 2, "state and store"),
    constant("tries at one host, at most", "service.agenda:MOST_TRIES", 16, "state and store"),
    Number(
        "the sweep as deployed",
        {"120s"},
        lambda: _deployed(r"(?s)expire-stale-calls\).*?--timeout=([0-9a-z]+)", "deploy/function.sh"),
        "state and store",
    ),
    Number(
        "the Scheduler's deadline",
        {"120s"},
        lambda: _deployed("--attempt-deadline=([0-9a-z]+)", "deploy/schedule.sh"),
        "state and store",
    ),
    # --- settings
    default("BASE_URL", "http://localhost:8080", "settings"),
    default("CALL_STORE", "sqlite:///ttsprompt.db", "settings"),
    default("FIRESTORE_DATABASE", "(default)", "settings"),
    default("FIRESTORE_COLLECTION", "calls", "settings"),
    default("VONAGE_API_URL", "https://api.nexmo.com", "settings"),
    default("VONAGE_SIGNATURE_SECRET", None, "settings"),
    default("ANSWER_MODE", AnswerMode.INLINE, "settings"),
    default("CALLBACK_SIGNING_SECRETS", (), "settings"),
    Number(
        "CALLBACK_RETRY_SCHEDULE",
        [60, 300, 1800, 7200, 14400, 28800, 43200, 57600, 86400, 86400],
        lambda: [step.total_seconds() for step in Settings().callback_retry_schedule],
        "settings",
    ),
    default("STALE_AFTER", None, "settings"),
    default("ALLOW_PRIVATE_CALLBACKS", False, "settings"),
    default("ALLOWED_APPLICATIONS", None, "settings"),
    default("ALLOWED_COUNTRIES", None, "settings"),
    default("REFUSED_NUMBER_TYPES", frozenset({"premium_rate", "shared_cost", "personal_number"}), "settings"),
    default("REFUSED_NUMBERS", frozenset(), "settings"),
    default("MAX_CALLS_PER_NUMBER", None, "settings"),
    default("RETENTION_DAYS", 30.0 * DAY_S, "settings"),
    default("LOG_LEVEL", "INFO", "settings"),
    default("COMMIT", None, "settings"),
]


@pytest.mark.parametrize("number", NUMBERS, ids=[number.name for number in NUMBERS])
def test_it_is_the_contracts(number: Number) -> None:
    assert number.read() == number.contract, f"{number.name}: {number.source}"


def test_every_number_has_a_name_of_its_own() -> None:
    assert len({number.name for number in NUMBERS}) == len(NUMBERS)


def test_a_webhook_token_has_256_random_bits(world: World) -> None:
    world.place()
    token = query_of(world.voice.orders[-1].event_url)["token"]

    assert len(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))) * 8 == 256


@pytest.mark.parametrize("name", sorted(set(SETTING_NAMES) - {"GOOGLE_CLOUD_PROJECT"}))
def test_the_default_of_every_setting_is_in_the_table(name: str) -> None:
    assert name in {number.name for number in NUMBERS}


@pytest.mark.parametrize("name", sorted(_fields()))
def test_every_limit_of_every_field_is_in_the_table(name: str) -> None:
    """Those that the contract has no number for are named here."""
    unnumbered = {
        "style",
        "premium",
        "private_key",
        "to",
        "from",
        "callback",
        "language",
        "machine_detection",
        "app_id",
    }

    assert name in unnumbered or f"field {name}" in {number.name for number in NUMBERS}
