"""Settings: from the environment alone, read once, all faults reported together.

A setting is one field of `Settings`: its name in lower case, its parser and its default. docs/settings.md lists them.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from ttsprompt.callbacks.signing import SigningKey, parse_signing_key
from ttsprompt.domain.model import UUID, Policy
from ttsprompt.net.addresses import is_local_name, literal_address
from ttsprompt.service.choices import AdmissionRules, AnswerMode, NumberLimit

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

NUMBER_TYPES: Final = (
    *("fixed_line", "mobile", "fixed_line_or_mobile", "toll_free", "premium_rate", "shared_cost", "voip"),
    *("personal_number", "pager", "uan", "voicemail", "unknown"),
)
"""libphonenumber's, in lower case."""

PLATFORM_NAMES: Final = ("FIRESTORE_EMULATOR_HOST", "FUNCTION_TARGET", "K_SERVICE", "THREADS")
"""Set by the platform or a developer's tools; they choose defaults. THREADS is functions-framework's."""

FOREIGN_NAMES: Final = frozenset({"GCLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT"})
"""Real variables of others that look like ours."""

SIMILAR: Final = 0.81
"""Of two names, from 0 to 1, by `difflib`."""

ALL: Final = "all"
"""In words what an absent list means."""


class SettingsError(Exception):
    """The environment does not make sense; the text lists every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("ttsprompt cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


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
    if text.lower() == ALL:
        return None
    ids = _words(text.lower())
    if not all(re.fullmatch(UUID, word) for word in ids):
        msg = "must be UUIDs of Vonage applications, comma-separated"
        raise ValueError(msg)
    return ids


def _countries(text: str) -> frozenset[str] | None:
    if text.lower() == ALL:
        return None
    codes = _words(text.upper())
    if not all(re.fullmatch(r"[A-Z]{2}", code, re.ASCII) for code in codes):
        msg = "must be ISO 3166 codes of two letters, comma-separated"
        raise ValueError(msg)
    return codes


def _number_types(text: str) -> frozenset[str]:
    """`none` refuses no type; numbers of no country are refused in any case."""
    types = _words(text.lower())
    if types == {"none"}:
        return frozenset()
    if not types <= set(NUMBER_TYPES):
        msg = f"must be none, or types of numbers, comma-separated: {', '.join(NUMBER_TYPES)}"
        raise ValueError(msg)
    return types


def _numbers(text: str) -> frozenset[str]:
    numbers = frozenset(word.removeprefix("+") for word in _words(text))
    if not all(re.fullmatch(r"[1-9][0-9]{6,14}", number, re.ASCII) for number in numbers):
        msg = "must be whole numbers in E.164 form (447700900001), comma-separated"
        raise ValueError(msg)
    return numbers


def _commit(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{7,40}", text, re.ASCII):
        msg = "must be a commit's id, 7 to 40 hex digits"
        raise ValueError(msg)
    return text


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


def setting(parse: Callable[[str], Any], default: Any, *, secret: bool = False, local_only: bool = False) -> Any:
    """Declare a setting.

    Args:
        parse: text → value; raises ValueError with what it must be, which never quotes the text.
        default: the value when the variable is absent or empty.
        secret: it is not shown.
        local_only: for tests and demos; where K_SERVICE shows a deployment, the service refuses to start with it.
    """
    metadata = {"parse": parse, "local_only": local_only}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decides."""

    base_url: str = setting(_http_url, "http://localhost:8080")
    call_store: str = setting(_call_store, "sqlite:///ttsprompt.db")
    firestore_database: str = setting(_firestore_id, "(default)")
    firestore_collection: str = setting(_firestore_id, "calls")
    google_cloud_project: str | None = setting(str, None)
    vonage_api_url: str = setting(_vendor_url, "https://api.nexmo.com")
    vonage_signature_secret: str | None = setting(str, None, secret=True)
    answer_mode: AnswerMode = setting(_answer_mode, AnswerMode.INLINE)
    callback_signing_secrets: tuple[SigningKey, ...] = setting(_signing_keys, (), secret=True)
    callback_retry_schedule: tuple[timedelta, ...] = setting(_schedule, Policy().retry_schedule)
    stale_after: timedelta | None = setting(_stale_after, None, local_only=True)
    allow_private_callbacks: bool = setting(_boolean, default=False, local_only=True)
    allowed_applications: frozenset[str] | None = setting(_applications, None)
    allowed_countries: frozenset[str] | None = setting(_countries, None)
    refused_number_types: frozenset[str] = setting(
        _number_types, frozenset({"premium_rate", "shared_cost", "personal_number"})
    )
    refused_numbers: frozenset[str] = setting(_numbers, frozenset(), secret=True)
    max_calls_per_number: NumberLimit | None = setting(_number_limit, None)
    retention_days: timedelta = setting(_days, Policy().retention)
    log_level: str = setting(_log_level, "INFO")
    commit: str | None = setting(_commit, None)
    on_firestore_emulator: bool = False
    """Not a setting: FIRESTORE_EMULATOR_HOST is set."""
    threads: int = 4
    """Not a setting: how many requests the framework works on at once in this process."""

    @property
    def policy(self) -> Policy:
        """What the rules of a call depend on."""
        return Policy(
            retry_schedule=self.callback_retry_schedule, retention=self.retention_days, stale_after=self.stale_after
        )

    @property
    def admission(self) -> AdmissionRules:
        """Who may call, and where to."""
        return AdmissionRules(
            applications=self.allowed_applications,
            countries=self.allowed_countries,
            refused_types=self.refused_number_types,
            refused_numbers=self.refused_numbers,
            limit=self.max_calls_per_number,
        )


_SETTINGS: Final = tuple(one for one in fields(Settings) if "parse" in one.metadata)

SETTING_NAMES: Final = tuple(one.name.upper() for one in _SETTINGS)
"""The environment variables that are settings."""


def load_settings(environ: Mapping[str, str], regions: Callable[[], frozenset[str]] = frozenset) -> Settings:
    """Return the settings that `environ` makes.

    Args:
        environ: the environment. Blanks around a value are dropped; an empty one counts as absent.
        regions: returns the countries that exist, by ISO code; called only when ALLOWED_COUNTRIES is set. None are
            known, and none refused, when it returns nothing.

    Raises:
        SettingsError: with every fault, not just the first.
    """
    values = {name: text.strip() for name, text in environ.items() if text.strip()}
    found: dict[str, Any] = {}
    faults: list[str] = []
    for one in _SETTINGS:
        name = one.name.upper()
        if name in values:
            try:
                # The value is never quoted: it may be secret.
                found[one.name] = one.metadata["parse"](values[name])
            except ValueError as error:
                faults.append(f"{name} {error}")
    on_emulator = "FIRESTORE_EMULATOR_HOST" in values
    if "CALL_STORE" not in values and ("K_SERVICE" in values or on_emulator):
        found["call_store"] = "firestore"
    settings = Settings(**found, on_firestore_emulator=on_emulator, threads=_threads(values))
    faults += [*_faults_together(settings, values), *_near_misses(values)]
    if settings.allowed_countries is not None:
        faults += _unknown_countries(settings.allowed_countries, regions())
    if faults:
        raise SettingsError(faults)
    return settings


def _threads(values: Mapping[str, str]) -> int:
    """Return how many threads functions-framework makes; what it cannot read ends the process there."""
    text = values.get("THREADS", "")
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,4}", text, re.ASCII) else (os.cpu_count() or 1) * 4


def _faults_together(settings: Settings, values: Mapping[str, str]) -> Iterator[str]:
    """Find what is wrong with settings beside each other, or with where the service runs."""
    if "K_SERVICE" in values:
        for one in _SETTINGS:
            if one.metadata["local_only"] and one.name.upper() in values:
                yield f"{one.name.upper()} is for tests and demos only"
        if values.get("FUNCTION_TARGET", "ttsprompt") == "ttsprompt" and "BASE_URL" not in values:
            yield "BASE_URL is required: the public URL of this function, which Vonage is to call"
    if settings.retention_days < 2 * sum(settings.callback_retry_schedule, timedelta()) + timedelta(days=1):
        yield (
            "RETENTION_DAYS must be at least twice CALLBACK_RETRY_SCHEDULE's whole span and one day: "
            "a receiver may ask for twice each wait"
        )
    if "/" in values.get("FIRESTORE_EMULATOR_HOST", ""):
        yield "FIRESTORE_EMULATOR_HOST must be host:port, without http://"


def _near_misses(values: Mapping[str, str]) -> Iterator[str]:
    """Find variables that look like a setting but are none: what they were to limit would not be limited."""
    known = {*SETTING_NAMES, *PLATFORM_NAMES}
    for name in sorted(values.keys() - known - FOREIGN_NAMES):
        near = difflib.get_close_matches(name.upper(), SETTING_NAMES, n=1, cutoff=SIMILAR)
        if near:
            yield f"{name} is no setting: did you mean {near[0]}?"


def _unknown_countries(countries: frozenset[str], known: frozenset[str]) -> Iterator[str]:
    for code in sorted(countries - known) if known else ():
        meant = {"UK": "GB", "EL": "GR"}.get(code)
        hint = f": did you mean {meant}?" if meant else ""
        yield f"ALLOWED_COUNTRIES names {code}, which is no country{hint}"
