"""Says what is set, whether the service answers, and what Vonage thinks of the token, without phoning anybody."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ttsprompt_client.client import Client
from ttsprompt_client.credential import read_credential
from ttsprompt_client.errors import RefusedError, UsageError
from ttsprompt_client.settings import NAMES, Settings
from ttsprompt_client.transport import checked_url

TO: Final = "+44 7700 900001"
FROM: Final = "+44 7700 900000"
"""Numbers that Ofcom keeps for drama: nobody has them."""

_RULES: Final = frozenset({"country_not_allowed", "number_not_allowed"})
"""The operator's, about numbers: that ours is excluded is no fault of the settings."""

VERDICTS: Final = {
    "accepted": "Vonage accepts it",
    "refused": "Vonage refuses it: does the key belong to the application, and is this machine's clock right?",
    "unknown": "Vonage could not be asked",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `is_well`: None if it could not be told."""

    name: str
    is_well: bool | None
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return it by name."""
        return {"name": self.name, "ok": self.is_well, "detail": self.detail}


def examine(settings: Settings, to: str = TO, from_: str = FROM) -> Iterator[Finding]:
    """Look at one thing after the other, as far as that makes sense."""
    for variable in settings.missing():
        yield Finding(variable, is_well=False, detail="not set")
    if settings.url is not None:
        yield _address(settings.url)
    has_credential = settings.application_id is not None and settings.private_key is not None
    if settings.application_id is not None and settings.private_key is not None:
        finding = _key(settings.application_id, settings.private_key)
        has_credential = finding.is_well is not False
        yield finding
    if settings.url is None:
        return
    try:
        client = Client(
            settings.url, *((settings.application_id, settings.private_key) if has_credential else (None, None))
        )
        about = client.about()
    except (RefusedError, UsageError) as error:
        yield Finding("service", is_well=False, detail=error.detail)
        return
    if about.get("name") != "ttsprompt":
        yield Finding("service", is_well=False, detail="something else answers at this address")
        return
    yield Finding("service", is_well=True, detail=f"{about['name']} {about.get('version', '')}".strip())
    yield from _dry_run(client, to, from_, has_credential=has_credential)
    keys = about.get("callback_public_keys")
    shown = ", ".join(str(key) for key in keys) if isinstance(keys, list) and keys else "none: callbacks have no v1a"
    yield Finding("callback keys", is_well=True, detail=shown)


def _address(given: str) -> Finding:
    try:
        url = checked_url(given)
    except UsageError as error:
        return Finding(NAMES["url"], is_well=False, detail=error.detail)
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        return Finding(NAMES["url"], is_well=None, detail=f"{url} (not https: tokens and PINs can be read on the way)")
    return Finding(NAMES["url"], is_well=True, detail=url)


def _key(application_id: str, private_key: str) -> Finding:
    name = NAMES["private_key"]
    try:
        read_credential(application_id, private_key)
    except UsageError as error:
        return Finding(name, is_well=False, detail=error.detail)
    path = Path(private_key)
    try:
        is_open = bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except (OSError, ValueError):
        return Finding(name, is_well=True, detail="a private key, given as text")
    if is_open:
        return Finding(name, is_well=None, detail=f"{path} can be read by other users of this machine (chmod 600)")
    return Finding(name, is_well=True, detail=str(path))


def _dry_run(client: Client, to: str, from_: str, *, has_credential: bool) -> Iterator[Finding]:
    try:
        answer = client.dry_run(to=to, from_=from_, text="A test of the settings.", pin_code="0000")
    except RefusedError as error:
        if error.code == "invalid_fields" and {fault.field for fault in error.faults} == {"callback"}:
            # Before callbacks became optional.
            yield Finding("credential", is_well=None, detail="this version of the service does not tell")
            return
        if to == TO and error.code in _RULES:
            detail = f"{error.detail} So it says of {TO}, which nobody has; --to asks about another."
            yield Finding("request", is_well=None, detail=detail)
            if has_credential:
                yield Finding("credential", is_well=None, detail="not asked, as the request was refused")
            return
        yield Finding("request", is_well=False, detail=error.detail)
        return
    yield Finding("request", is_well=True, detail="a call like this would be taken")
    if not has_credential:
        return
    verdict = answer.get("credential")
    if verdict is None:
        yield Finding("credential", is_well=None, detail="this version of the service does not tell")
        return
    yield Finding("credential", is_well=verdict == "accepted", detail=VERDICTS.get(str(verdict), str(verdict)))
