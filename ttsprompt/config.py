"""Settings: from the environment alone, read once, all faults reported together (docs and defaults: README.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import urlsplit

from ttsprompt.callbacks.signing import SigningKey, parse_signing_key
from ttsprompt.domain.model import Policy
from ttsprompt.net.addresses import is_local_name, literal_address
from ttsprompt.service.admission import Admission, NumberLimit
from ttsprompt.service.calls import AnswerMode

T = TypeVar("T")

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
LOCAL_ONLY: Final = ("STALE_AFTER", "ALLOW_PRIVATE_CALLBACKS")
"""For tests and demos: where K_SERVICE shows a deployment, the service refuses to start with them."""


class SettingsError(Exception):
    """The environment does not make sense; the text lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("ttsprompt cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decides."""

    base_url: str
    call_store: str
    firestore_database: str
    firestore_collection: str
    firestore_emulator: bool
    vonage_api_url: str
    vonage_signature_secret: str | None = field(repr=False)
    answer_mode: AnswerMode
    callback_signing_keys: tuple[SigningKey, ...] = field(repr=False)
    policy: Policy
    allow_private_callbacks: bool
    admission: Admission
    google_cloud_project: str | None
    log_level: str


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings that `environ` makes.

    Raises:
        SettingsError: with every fault, not just the first.
    """
    return _Reader(environ).settings()


class _Reader:
    """Reads one variable after the other and gathers the faults."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[str] = []

    def settings(self) -> Settings:
        deployed = bool(self._environ.get("K_SERVICE"))
        on_firestore = deployed or bool(self._environ.get("FIRESTORE_EMULATOR_HOST"))
        if deployed:
            self._faults += [f"{name} is for tests and demos only" for name in LOCAL_ONLY if self._environ.get(name)]
        schedule = self._read("CALLBACK_RETRY_SCHEDULE", _schedule, Policy().retry_schedule)
        retention = self._read("RETENTION_DAYS", _days, Policy().retention)
        if retention < sum(schedule, timedelta(days=1)):
            self._faults.append("RETENTION_DAYS must be at least CALLBACK_RETRY_SCHEDULE's whole span and one day")
        settings = Settings(
            base_url=self._base_url(deployed=deployed),
            call_store=self._read("CALL_STORE", _call_store, "firestore" if on_firestore else "sqlite:///ttsprompt.db"),
            firestore_database=self._read("FIRESTORE_DATABASE", _firestore_id, "(default)"),
            firestore_collection=self._read("FIRESTORE_COLLECTION", _firestore_id, "calls"),
            firestore_emulator=bool(self._environ.get("FIRESTORE_EMULATOR_HOST")),
            vonage_api_url=self._read("VONAGE_API_URL", _vendor_url, "https://api.nexmo.com"),
            vonage_signature_secret=self._environ.get("VONAGE_SIGNATURE_SECRET") or None,
            answer_mode=self._read("ANSWER_MODE", _answer_mode, AnswerMode.INLINE),
            callback_signing_keys=self._read("CALLBACK_SIGNING_SECRETS", _signing_keys, ()),
            policy=Policy(
                retry_schedule=schedule,
                retention=retention,
                stale_after=self._read("STALE_AFTER", _stale_after, None),
            ),
            allow_private_callbacks=self._read("ALLOW_PRIVATE_CALLBACKS", _boolean, False),
            admission=Admission(
                applications=self._read("ALLOWED_APPLICATIONS", _applications, None),
                countries=self._read("ALLOWED_COUNTRIES", _countries, None),
                limit=self._read("MAX_CALLS_PER_NUMBER", _number_limit, None),
            ),
            google_cloud_project=self._environ.get("GOOGLE_CLOUD_PROJECT") or None,
            log_level=self._read("LOG_LEVEL", _log_level, "INFO"),
        )
        if self._faults:
            raise SettingsError(self._faults)
        return settings

    def _base_url(self, *, deployed: bool) -> str:
        needed = deployed and self._environ.get("FUNCTION_TARGET", "ttsprompt") == "ttsprompt"
        if needed and not self._environ.get("BASE_URL"):
            self._faults.append("BASE_URL is required: the public URL of this function, which Vonage is to call")
        return self._read("BASE_URL", _base_url, "http://localhost:8080")

    def _read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return the parsed variable; an empty one counts as absent. The value is never quoted: it may be secret."""
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._faults.append(f"{name} {error}")
            return default


def _http_url(text: str) -> str:
    try:
        url = urlsplit(text)
        port_fits = url.port != 0
    except ValueError:
        port_fits = False
    if (
        not port_fits
        or url.scheme not in {"http", "https"}
        or not url.hostname
        or url.username is not None
        or url.query
        or url.fragment
        or re.search(r"[\s\\]", text)
    ):
        msg = "must be an http(s) URL without user info, query or fragment"
        raise ValueError(msg)
    return text.rstrip("/")


def _base_url(text: str) -> str:
    return _http_url(text)


def _vendor_url(text: str) -> str:
    """`http` would show the callers' tokens to the network, so it is for a dev phone on this machine only."""
    url = _http_url(text)
    parts = urlsplit(url)
    host = parts.hostname or ""
    address = literal_address(host)
    on_this_machine = address.is_loopback if address is not None else host == "localhost" and is_local_name(host)
    if parts.scheme == "http" and not on_this_machine:
        msg = "must be https, unless it is on this machine"
        raise ValueError(msg)
    return url


def _call_store(text: str) -> str:
    if text != "firestore" and not re.fullmatch(r"sqlite:////?(?!:memory:)[^/?\x00]+(/[^?\x00]*)?", text):
        msg = "must be firestore, sqlite:///relative.db or sqlite:////absolute.db"
        raise ValueError(msg)
    return text


def _firestore_id(text: str) -> str:
    """Names that are no path: https://firebase.google.com/docs/firestore/quotas."""
    if not re.fullmatch(r"\(default\)|[A-Za-z0-9][A-Za-z0-9_-]{0,61}", text, re.ASCII):
        msg = "must be letters, digits, - and _"
        raise ValueError(msg)
    return text


def _answer_mode(text: str) -> AnswerMode:
    if text not in list(AnswerMode):
        msg = "must be inline or webhook"
        raise ValueError(msg)
    return AnswerMode(text)


def _signing_keys(text: str) -> tuple[SigningKey, ...]:
    return tuple(parse_signing_key(part.strip()) for part in text.split(",") if part.strip())


def _schedule(text: str) -> tuple[timedelta, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,7}", part, re.ASCII) and int(part) > 0 for part in parts):
        msg = "must be whole seconds above 0, comma-separated"
        raise ValueError(msg)
    return tuple(timedelta(seconds=int(part)) for part in parts)


def _days(text: str) -> timedelta:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII):
        msg = "must be a whole number of days"
        raise ValueError(msg)
    return timedelta(days=int(text))


def _stale_after(text: str) -> timedelta | None:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", text, re.ASCII):
        msg = "must be a number of seconds"
        raise ValueError(msg)
    return timedelta(seconds=float(text))


def _applications(text: str) -> frozenset[str] | None:
    ids = _words(text.lower())
    if not all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word, re.ASCII) for word in ids):
        msg = "must be UUIDs of Vonage applications, comma-separated"
        raise ValueError(msg)
    return ids


def _countries(text: str) -> frozenset[str] | None:
    codes = _words(text.upper())
    if not all(re.fullmatch(r"[A-Z]{2}", code, re.ASCII) for code in codes):
        msg = "must be ISO 3166 codes of two letters, comma-separated"
        raise ValueError(msg)
    return codes


def _number_limit(text: str) -> NumberLimit | None:
    match = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,6})s", text, re.ASCII)
    if match is None:
        msg = "must be calls/seconds, such as 5/600s"
        raise ValueError(msg)
    return NumberLimit(int(match[1]), timedelta(seconds=int(match[2])))


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        msg = "must be true or false"
        raise ValueError(msg)
    return text.lower() == "true"


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        msg = f"must be one of {', '.join(LOG_LEVELS)}"
        raise ValueError(msg)
    return text.upper()
