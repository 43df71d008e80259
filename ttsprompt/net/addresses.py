"""Which addresses and names a callback may be sent to. Knows addresses only: nothing is looked up here."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

_IPV4_REFUSED: Final = tuple(
    IPv4Network(text)
    for text in (
        # Python's registry data differs between patch releases, so what matters is listed even where
        # a recent `is_global` knows it.
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); holds Alibaba's metadata server
        "192.0.0.0/24",  # IETF protocol assignments
        "192.88.99.0/24",  # 6to4 relay anycast
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT relays
        "192.175.48.0/24",  # AS112
        "168.63.129.16/32",  # Azure's platform address: public by number, internal by use
    )
)

_IPV6_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA hands out. The NAT64, IPv4-mapped, IPv4-compatible, local and segment-routing blocks lie outside."""

_IPV6_REFUSED: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: wraps an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

_ISATAP_INTERFACE_IDS: Final = (0x00005EFE, 0x02005EFE)
"""Upper half of an interface id that wraps an IPv4 address (RFC 5214 §6.1)."""

_MAX_IPV4_PARTS: Final = 4
_MAX_BYTE: Final = 0xFF
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def is_public_unicast(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether `address` names one machine on the public internet.

    Stricter than `is_global`: addresses that wrap another one (6to4, Teredo, NAT64, ISATAP, IPv4-mapped) are not
    public even when the wrapped one is, because a gateway near us decides where they lead. The blocks come from IANA's
    special-purpose registries and from what `is_global` was found to let through.
    """
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4_REFUSED)
    if address.scope_id is not None or address not in _IPV6_GLOBAL_UNICAST:
        return False
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP_INTERFACE_IDS:
        return False
    return not any(address in network for network in _IPV6_REFUSED)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a URL's host (ASCII) spells, or None when it is a name.

    Understands what resolvers and browsers understand: IPv4 as one to four numbers, each decimal, octal or hexadecimal
    (`127.1`, `0x7f.1`, `2130706433`, `017700000001`), also with a trailing dot, and IPv6, in brackets or without.
    """
    bare = host.removeprefix("[").removesuffix("]")
    if ":" in bare:
        try:
            return IPv6Address(bare)
        except ValueError:
            return None
    return _legacy_ipv4(host.lower().removesuffix("."))


def ends_in_number(host: str) -> bool:
    """Tell whether the last label of `host` is a number, which no top-level domain is."""
    return _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


def is_local_name(host: str) -> bool:
    """Tell whether `host` is a name that by convention leads inside: `localhost`, `*.internal`, `metadata`, …"""
    labels = host.lower().rstrip(".").split(".")
    return labels == ["metadata"] or labels[-1] in {"localhost", "internal", "local"}


def _legacy_ipv4(text: str) -> IPv4Address | None:
    """Read what `inet_aton` reads: the last of one to four numbers fills all bytes that are left."""
    parts = text.split(".")
    if len(parts) > _MAX_IPV4_PARTS or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *leading, last = [_number(part) for part in parts]
    except ValueError:
        return None
    if any(number > _MAX_BYTE for number in leading) or last >= 1 << (8 * (_MAX_IPV4_PARTS - len(leading))):
        return None
    value = last
    for position, number in enumerate(leading):
        value += number << (8 * (_MAX_IPV4_PARTS - 1 - position))
    return IPv4Address(value)


def _number(text: str) -> int:
    # Python refuses to read very long decimals; none of them is an address.
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") else int(text)
