"""The fields of a caller's body, JSON or form, decoded strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import Request

from ttsprompt.errors import (
    FieldFault,
    InvalidFieldsError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
    shown_name,
)
from ttsprompt.web.json_bodies import read_json_object

MAX_FORM_FIELDS: Final = 200

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Fields:
    """A body's fields, with the faults that only the raw body shows."""

    values: Mapping[str, Any]
    is_form: bool
    faults: tuple[FieldFault, ...] = ()


def read_fields(request: Request, body: bytes) -> Fields:
    """Return the fields of a JSON or form body.

    Raises:
        MalformedRequestError, UnsupportedMediaTypeError: the body cannot be read.
        InvalidFieldsError: it is JSON that was sent as a form.
    """
    encodings = {word.strip().lower() for word in request.headers.get("Content-Encoding", "").split(",")}
    if encodings - {"", "identity"}:
        raise UnsupportedMediaTypeError("A body with a Content-Encoding is not read: send it uncompressed.")
    if not body.strip():
        raise MalformedRequestError("The body is empty: send the fields of the call as JSON or as a form.")
    looks_like_json = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}
    match request.mimetype:
        case "application/json":
            return Fields(read_json_object(body), is_form=False)
        case "application/x-www-form-urlencoded" if looks_like_json:
            message = f"The body looks like JSON but was sent as a form: add Content-Type: {_JSON}."
            raise InvalidFieldsError([FieldFault("", "unknown_field", message)])
        case "application/x-www-form-urlencoded":
            return _read_form(body)
        case "multipart/form-data":
            raise UnsupportedMediaTypeError(
                f"A multipart form is not read: send the fields as {_FORM} (curl: -d, not -F) or as {_JSON}."
            )
        case "":
            add = _JSON if looks_like_json else f"{_JSON} or {_FORM}"
            raise UnsupportedMediaTypeError(f"The body has no content type: add Content-Type: {add}.")
    raise UnsupportedMediaTypeError(f"The body must be {_JSON} or {_FORM}.")


def _read_form(body: bytes) -> Fields:
    try:
        text = body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except UnicodeDecodeError:
        raise MalformedRequestError(
            "The form is not UTF-8: some bytes are of another encoding, such as Latin-1."
        ) from None
    except ValueError:
        raise MalformedRequestError(f"The form has more than {MAX_FORM_FIELDS} fields.") from None
    values = dict(pairs)
    names = [name for name, _ in pairs]
    repeated = [name for name in values if names.count(name) > 1]
    faults = tuple(FieldFault(shown_name(name), "repeated", "This field is given more than once.") for name in repeated)
    return Fields(values, is_form=True, faults=faults)
