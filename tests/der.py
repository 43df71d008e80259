"""Keys of any numbers, good or bad, in DER (ITU-T X.690), as no library would write them."""

from __future__ import annotations

import base64


def tlv(tag: int, value: bytes) -> bytes:
    """Return a value with its tag and length."""
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + size.to_bytes(octets, "big") + value


def number(value: int) -> bytes:
    """Return an INTEGER."""
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def diffie_hellman_key(bits: int) -> str:
    """Return a key of which a library would find out, by calculating, that its modulus is no prime."""
    algorithm = tlv(6, bytes.fromhex("2a864886f70d010301")) + tlv(0x30, number((1 << bits) - 1) + number(2))
    der = tlv(0x30, number(0) + tlv(0x30, algorithm) + tlv(4, number(1 << (bits - 1))))
    return f"-----BEGIN PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END PRIVATE KEY-----"
