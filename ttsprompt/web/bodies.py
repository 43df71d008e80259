"""Request bodies: read whole under a cap, and decoded strictly."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, NoReturn
from urllib.parse import parse_qsl

from flask import Request

from ttsprompt.errors import FieldFault, MalformedRequestError, TooLargeError, UnsupportedMediaTypeError, shown_name

MAX_BODY_BYTES: Final = 64 * 1024
"""No request of ours comes near it: three texts of 1500 characters and a private key."""

MAX_DISCARDED_BYTES: Final = 32 * 1024 * 1024
"""Cloud Functions lets no larger request through (https://cloud.google.com/functions/quotas)."""

MAX_FORM_FIELDS: Final = 200
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Fields:
    """A body's fields, with the faults that only the raw body shows."""

    values: Mapping[str, Any]
    is_form: bool
    faults: tuple[FieldFault, ...] = ()


def read_body(request: Request) -> bytes:
    """Return the raw body.

    It is always read to its end or given up here: the framework reads what is left over after us, without any cap, and
    fails if it cannot.

    Raises:
        TooLargeError: it is over the cap, whether it says so beforehand or not.
        MalformedRequestError: it ended early.
    """
    try:
        body = _read(request.stream, MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            _discard(request.stream)
    except Exception:  # noqa: BLE001 - each server has errors of its own for a body that is broken or ends early
        raise MalformedRequestError("The body is broken, or ended early.") from None
    finally:
        request.stream = io.BytesIO()
    if len(body) > MAX_BODY_BYTES:
        detail = f"The body may have at most {MAX_BODY_BYTES} bytes."
        raise TooLargeError(detail)
    return body


def _read(stream: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(min(size, _CHUNK_BYTES))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _discard(stream: IO[bytes]) -> None:
    """Read on for a while: a client whose connection closes while it still sends would not see our answer."""
    left = MAX_DISCARDED_BYTES
    while left > 0 and (part := stream.read(_CHUNK_BYTES)):
        left -= len(part)


def read_fields(body: bytes, mimetype: str) -> Fields:
    """Return the fields of a JSON or form body.

    Raises:
        MalformedRequestError, UnsupportedMediaTypeError: the body cannot be read.
    """
    if mimetype == "application/json":
        return Fields(read_json_object(body), is_form=False)
    if mimetype == "application/x-www-form-urlencoded":
        return _read_form(body)
    raise UnsupportedMediaTypeError("The body must be application/json or application/x-www-form-urlencoded.")


def read_json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Duplicate names and NaN are refused: nobody can tell what was meant (RFC 8259 §4).

    Raises:
        MalformedRequestError: it is not JSON, or not an object.
    """
    try:
        value = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except MalformedRequestError:
        raise
    except (ValueError, RecursionError):
        raise MalformedRequestError("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise MalformedRequestError("The body must be a JSON object.")
    return value


def _read_form(body: bytes) -> Fields:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise MalformedRequestError(
            f"The form must be UTF-8, percent-encoded, with at most {MAX_FORM_FIELDS} fields."
        ) from None
    values = dict(pairs)
    names = [name for name, _ in pairs]
    repeated = [name for name in values if names.count(name) > 1]
    faults = tuple(FieldFault(shown_name(name), "repeated", "This field is given more than once.") for name in repeated)
    return Fields(values, is_form=True, faults=faults)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise MalformedRequestError("The body gives a field more than once.")
    return values


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedRequestError("The body is not valid JSON: NaN and Infinity are not numbers in JSON.")
