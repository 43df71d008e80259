"""Which callback URLs are accepted, and what of them is sent: one parse feeds both.

What a name resolves to is judged when connecting, not here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

import idna

from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.net.addresses import ends_in_number, is_local_name, is_public_unicast, literal_address

MAX_URL: Final = 2048

_URL: Final = re.compile(
    # Not by ignoring case: in Unicode's, \u017f is an s.
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]/?#@:\\%\s]+)(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[^?#\\]*)?(?:\?(?P<query>[^#\\]*))?"
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME: Final = 253
"""In characters, without a trailing dot: 255 octets on the wire (RFC 1035 §2.3.4)."""

_MAX_PORT: Final = 65535
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but part of names in some scripts; IDNA knows where they may stand."""

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_ALSO_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that show nothing: `Default_Ignorable_Code_Point` of Unicode, Braille's empty cell."""

_SENT_AS_IT_IS: Final = "%-._~:/?[]@!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class CallbackUrl:
    """A callback URL as it is sent.

    `host` is a name in ASCII and lower case, or an address in its usual form, IPv6 in brackets. In `path` and `query`
    (None without a `?`) only what may not stand in a request line was percent-encoded.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None

    @property
    def origin(self) -> str:
        """The URL up to its path."""
        return f"{self.scheme}://{self.host}" + ("" if self.port is None else f":{self.port}")

    @property
    def is_private(self) -> bool:
        """Whether the URL itself says that it leads to another place than one machine on the public internet."""
        address = literal_address(self.host)
        return is_local_name(self.host) if address is None else not is_public_unicast(address)


def check_callback_url(url: str, *, allow_private: bool, fault: Callable[[str, str], Exception]) -> None:
    """Raise `fault(code, message)` if a callback may not go to `url`."""
    parsed = parse_callback_url(url)
    if parsed is None:
        raise fault(
            "invalid_url",
            f"This must be an http or https URL of at most {MAX_URL} characters, without user info, fragment, blanks "
            "or invisible characters.",
        )
    reserved = sorted({name for name, _ in parse_qsl(parsed.query or "", keep_blank_values=True)} & {*PAYLOAD_FIELDS})
    if reserved:
        raise fault("reserved_query_name", f"Its query may not use {', '.join(reserved)}: the callback adds these.")
    if not allow_private and parsed.is_private:
        raise fault("private_address", "This must be a public address, not one of this machine or a private network.")


def parse_callback_url(url: str) -> CallbackUrl | None:
    """Return what is sent to for `url`, None if it is no URL that a callback may have."""
    match = _URL.fullmatch(url)
    if len(url) > MAX_URL or match is None:
        return None
    path, query = match["path"] or "/", match["query"]
    if _has_invisible(path) or _has_invisible(query or ""):
        return None
    host = _host(match["host"])
    port = int(match["port"]) if match["port"] else None
    if host is None or (port is not None and not 0 < port <= _MAX_PORT):
        return None
    return CallbackUrl(match["scheme"].lower(), host, port, _encoded(path), None if query is None else _encoded(query))


def _host(text: str) -> str | None:
    if text.startswith("["):
        address = literal_address(text)
        return f"[{address}]" if address else None
    name = text.lower() if text.isascii() else _idna(text)
    if name is None or not _is_name(name):
        return None
    address = literal_address(name)
    if not text.isascii() and (address or ends_in_number(name) or is_local_name(name)):
        # Who writes these in other characters than ASCII wants to hide them.
        return None
    if address:
        return str(address)
    # As browsers see it: what ends in a number is an address or nothing (WHATWG URL, "ends in a number").
    return None if ends_in_number(name) else name


def _idna(text: str) -> str | None:
    """Return the name's ASCII form by IDNA 2008 after the mapping of UTS #46 (RFC 5891, RFC 5895)."""
    if _has_invisible(text.translate(dict.fromkeys(map(ord, _JOINERS)))):
        return None
    try:
        labels = idna.uts46_remap(text, std3_rules=False, transitional=False).split(".")
        return ".".join(label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels)
    except UnicodeError:
        return None


def _is_name(name: str) -> bool:
    bare = name.removesuffix(".")
    return len(bare) <= _MAX_NAME and all(_LABEL.fullmatch(label) for label in bare.split("."))


def _has_invisible(text: str) -> bool:
    if text.isascii():
        return not text.isprintable() or " " in text
    return any(unicodedata.category(char) in _INVISIBLE or _ALSO_INVISIBLE.match(char) for char in text)


def _encoded(text: str) -> str:
    return quote(text, safe=_SENT_AS_IT_IS)
