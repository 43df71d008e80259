"""Settings → adapters → use cases → the app: the one place that knows every part.

Slow modules come in through here, inside functions, when they are first needed: somebody may be waiting on the phone.
"""

from __future__ import annotations

import random
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ttsprompt import __version__, late
from ttsprompt.callbacks.signing import public_keys
from ttsprompt.config import Settings, load_settings
from ttsprompt.logs import configure_logging
from ttsprompt.ports import CallbackRequest, CallbackResponse, CallbackSender, CallStore, Clock, QuotaStore, VoiceApi
from ttsprompt.service.delivery import Deliveries
from ttsprompt.service.webhooks import Webhooks
from ttsprompt.stores.sqlite import make_schema, open_sqlite
from ttsprompt.web.app import App, Callers, MakeJwt, VerifySignature

if TYPE_CHECKING:
    from ttsprompt.web.jobs import SetupJob, SweepJob

USER_AGENT = f"ttsprompt/{__version__}"

LEAST_AT_VONAGE = 8
"""Of all threads a quarter may wait for Vonage, but always so many: few threads protect no webhook by it."""


def _make_application_jwt(application_id: str, private_key: str) -> str:
    """Make a token; imported late, as few callers send a key."""
    make: MakeJwt = late.attribute("ttsprompt.vonage.private_key:make_application_jwt")
    return make(application_id, private_key)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Replacements for the outside world, for tests; None means the real thing."""

    store: CallStore | None = None
    quota: QuotaStore | None = None
    voice: VoiceApi | None = None
    sender: CallbackSender | None = None
    clock: Clock | None = None


def _regions() -> frozenset[str]:
    """Return the countries that libphonenumber knows; imported late, as it is slow and most deployments name none."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def start(environ: Mapping[str, str]) -> Settings:
    """Read the settings and set up logging.

    Raises:
        SettingsError: the service must not start.
    """
    settings = load_settings(environ, _regions)
    configure_logging(settings.log_level, settings.google_cloud_project)
    return settings


def open_stores(settings: Settings) -> tuple[CallStore, QuotaStore]:
    """Return the stores that the settings name."""
    if settings.call_store != "firestore":
        return open_sqlite(settings.call_store)
    from ttsprompt.stores.firestore import open_firestore

    return open_firestore(
        project=settings.google_cloud_project,
        database=settings.firestore_database,
        collection=settings.firestore_collection,
    )


def build_sweep(settings: Settings, parts: Parts = Parts()) -> SweepJob:
    """Return the scheduled function."""
    from ttsprompt.service.sweep import Sweep
    from ttsprompt.web.jobs import SweepJob

    clock = parts.clock or SystemClock()
    store = parts.store or open_stores(settings)[0]
    deliveries = _deliveries(settings, parts, store, clock)
    return SweepJob(Sweep(store=store, deliveries=deliveries, clock=clock, policy=settings.policy))


def build_setup(settings: Settings) -> SetupJob:
    """Return the function that prepares the store."""
    from ttsprompt.web.jobs import SetupJob

    if settings.call_store != "firestore":
        return SetupJob(lambda: make_schema(settings.call_store))
    if settings.on_firestore_emulator:
        # The emulator needs no index and has no Admin API.
        return SetupJob(list)
    from ttsprompt.stores.firestore import quota_collection
    from ttsprompt.stores.firestore_setup import set_up_firestore

    return SetupJob(
        lambda: set_up_firestore(
            project=settings.google_cloud_project,
            database=settings.firestore_database,
            collection=settings.firestore_collection,
            limits=quota_collection(settings.firestore_collection) if settings.admission.limit else None,
        )
    )


class _LateSender:
    """The `CallbackSender` of production, loaded with the first callback: most instances never send one."""

    def __init__(self, settings: Settings) -> None:
        self._sender = late.once(lambda: _make_sender(settings))

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        """Send by the real one."""
        return self._sender().send(request, now=now, timeout_s=timeout_s)


def _make_sender(settings: Settings) -> CallbackSender:
    from ttsprompt.callbacks.sender import CurlCallbackSender

    return CurlCallbackSender(
        settings.callback_signing_secrets, allow_private=settings.allow_private_callbacks, user_agent=USER_AGENT
    )


def _deliveries(settings: Settings, parts: Parts, store: CallStore, clock: Clock) -> Deliveries:
    sender = parts.sender or _LateSender(settings)
    return Deliveries(
        store=store, sender=sender, clock=clock, policy=settings.policy, random=random.SystemRandom().random
    )


def build_app(settings: Settings, parts: Parts = Parts()) -> App:
    """Return the public function."""
    clock = parts.clock or SystemClock()
    own_store, own_quota = open_stores(settings)
    store = parts.store or own_store
    deliveries = _deliveries(settings, parts, store, clock)
    return App(
        callers=late.once(lambda: _build_callers(settings, parts, store, parts.quota or own_quota, deliveries, clock)),
        webhooks=Webhooks(
            store=store, deliveries=deliveries, clock=clock, policy=settings.policy, base_url=settings.base_url
        ),
        clock=clock,
        callback_public_keys=lambda: public_keys(settings.callback_signing_secrets),
        base_url=settings.base_url,
        commit=settings.commit,
        verify_signature=_signature_check(settings, clock),
    )


def _build_callers(
    settings: Settings, parts: Parts, store: CallStore, quota: QuotaStore, deliveries: Deliveries, clock: Clock
) -> Callers:
    """Return what callers' routes need, before anything is stored for them. What it imports is slow."""
    from ttsprompt.service.admission import Admission
    from ttsprompt.service.authority import Authority
    from ttsprompt.service.calls import Calls
    from ttsprompt.service.placed_calls import PlacedCalls, WaitingRoom
    from ttsprompt.vonage.application_jwt import application_of
    from ttsprompt.vonage.languages import LANGUAGES
    from ttsprompt.vonage.voice import VonageVoiceApi

    voice = parts.voice or VonageVoiceApi(
        settings.vonage_api_url, USER_AGENT, most_at_once=max(LEAST_AT_VONAGE, settings.threads // 4)
    )
    authority = Authority(voice, clock)
    return Callers(
        calls=Calls(
            store=store,
            voice=voice,
            authority=authority,
            clock=clock,
            policy=settings.policy,
            admission=Admission(settings.admission, quota),
            base_url=settings.base_url,
            answer_mode=settings.answer_mode,
            new_tid=lambda: str(uuid.uuid4()),
            new_token=lambda: secrets.token_urlsafe(32),
            random=random.SystemRandom().random,
            languages=LANGUAGES,
        ),
        placed_calls=PlacedCalls(
            store=store,
            voice=voice,
            authority=authority,
            waiting_room=WaitingRoom(settings.threads // 2),
            deliveries=deliveries,
            clock=clock,
            policy=settings.policy,
        ),
        application_of=lambda token: application_of(token, clock.now()),
        make_jwt=_make_application_jwt,
        allow_private_callbacks=settings.allow_private_callbacks,
    )


def _signature_check(settings: Settings, clock: Clock) -> VerifySignature | None:
    """Return what checks that Vonage signed a webhook, None if the operator has given no secret to tell by."""
    secret = settings.vonage_signature_secret
    if secret is None:
        return None
    from ttsprompt.vonage.signature import verify_signature

    return lambda request, body: verify_signature(request, body, secret, clock.now())
