"""Which callback URLs are accepted. What a name resolves to is checked when connecting, not here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.net.addresses import is_local_name, is_public_unicast, literal_address

MAX_URL: Final = 2048

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\ud800-\udfff\u2028\u2029]")
_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII | re.IGNORECASE)
_MAX_HOST: Final = 253
"""In characters, without a trailing dot: 255 octets on the wire (RFC 1035 §2.3.4)."""


def check_callback_url(url: str, *, allow_private: bool, fault: Callable[[str, str], Exception]) -> None:
    """Raise `fault(code, message)` if a callback may not go to `url`."""
    parts = _split(url)
    if parts is None:
        raise fault(
            "invalid_url",
            f"This must be an http or https URL of at most {MAX_URL} characters, without user info or fragment.",
        )
    reserved = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} & set(PAYLOAD_FIELDS))
    if reserved:
        raise fault("reserved_query_name", f"Its query may not use {', '.join(reserved)}: the callback adds these.")
    if not allow_private and _is_private(parts.hostname or ""):
        raise fault("private_address", "This must be a public address.")


def _split(url: str) -> SplitResult | None:
    """Return the URL's parts, None if it is not acceptable or if two parsers read it differently."""
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415 - as is the next, only for callers
    from urllib3.util import parse_url  # noqa: PLC0415

    if len(url) > MAX_URL or _FORBIDDEN.search(url) or "#" in url:
        return None
    try:
        parts, sent = urlsplit(url), parse_url(url)
        port = parts.port
    except (ValueError, LocationParseError):
        return None
    host = parts.hostname or ""
    same = (sent.host or "").strip("[]").lower() == _ascii(host) and sent.port == port
    if parts.scheme not in {"http", "https"} or not same or port == 0 or "@" in parts.netloc:
        return None
    return parts if ":" in host or _is_name(_ascii(host)) else None


def _is_name(host: str) -> bool:
    return len(host.removesuffix(".")) <= _MAX_HOST and _HOST.fullmatch(host) is not None


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _is_private(host: str) -> bool:
    address = literal_address(host)
    return not is_public_unicast(address) if address is not None else is_local_name(host)
