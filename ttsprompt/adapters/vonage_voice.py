"""Vonage's Voice API over `requests`: one new connection for each call, sent once whatever happens.

Not through Vonage's SDK: that one keeps the Authorization header in a dict shared between threads, waits for ever by
default, and sends a dropped `POST /v1/calls` again (docs/decisions/0001-requests-instead-of-the-sdk.md).
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ttsprompt.adapters.vonage_errors import vendor_error
from ttsprompt.errors import VendorError, VendorUnclearError, VendorUnreachableError
from ttsprompt.ports import CallOrder, VoiceApi

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024


class VonageVoiceApi:
    """`VoiceApi` over HTTP."""

    def __init__(self, base_url: str, user_agent: str) -> None:
        self._base_url = base_url
        self._user_agent = user_agent

    def place_call(self, order: CallOrder, token: str) -> str | None:
        """Ask for one phone call, once; see `VoiceApi`."""
        import requests  # noqa: PLC0415 - slow to import, and no webhook needs it before its answer

        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "Connection": "close",
        }
        body = json.dumps(_order_body(order), ensure_ascii=False, separators=(",", ":")).encode()
        with requests.Session() as session:
            # No proxy and no .netrc: the latter would put its own credential in place of the caller's.
            session.trust_env = False
            try:
                response = session.post(
                    f"{self._base_url}/v1/calls",
                    data=body,
                    headers=headers,
                    timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as error:
                # The cause is dropped: its text holds the URL and may hold headers.
                raise _connection_error(error) from None
            answer = _read(response)
        if 200 <= response.status_code <= 299:  # noqa: PLR2004 - any success means that the phone may ring
            return _uuid(answer)
        raise vendor_error(response.status_code, response.headers, answer, token, datetime.now(UTC))


def _order_body(order: CallOrder) -> dict[str, Any]:
    """Return the request of vonage-voice §1.1."""
    body: dict[str, Any] = {
        "to": [{"type": "phone", "number": order.to}],
        "from": {"type": "phone", "number": order.from_},
        "event_url": [order.event_url],
        "event_method": "POST",
        "ringing_timer": order.ringing_timer_s,
        "length_timer": order.length_timer_s,
    }
    if order.ncco is not None:
        body["ncco"] = order.ncco
    if order.answer_url is not None:
        body |= {"answer_url": [order.answer_url], "answer_method": "POST"}
    if order.machine_detection is not None:
        body["machine_detection"] = order.machine_detection.value
    return body


def _connection_error(error: requests.RequestException) -> VendorError:
    """Tell a request that was never sent from one that may have been.

    Only what cannot happen after the first byte counts as never sent; everything else might be a ringing phone.
    """
    if _was_never_sent(error):
        return VendorUnreachableError("Vonage cannot be reached; nothing was dialled.")
    return VendorUnclearError("Vonage gave no clear answer; the phone may be ringing.")


def _was_never_sent(error: requests.RequestException) -> bool:
    import ssl  # noqa: PLC0415 - with the next ones, only after a failure

    import requests  # noqa: PLC0415
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError  # noqa: PLC0415

    never = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    pending: list[object] = [error]
    while pending:
        cause = pending.pop()
        if isinstance(cause, never):
            return True
        if isinstance(cause, BaseException):
            pending += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
    return False


def _read(response: requests.Response) -> bytes:
    """Return the body, as much as came soon: the status has already decided."""
    import requests  # noqa: PLC0415

    deadline = time.monotonic() + READ_TIMEOUT_S / 2
    body = b""
    with suppress(requests.RequestException, OSError):
        for chunk in response.iter_content(1024):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                break
    return body


def _uuid(answer: bytes) -> str | None:
    try:
        fields = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    uuid = fields.get("uuid") if isinstance(fields, dict) else None
    return uuid if isinstance(uuid, str) and 0 < len(uuid) <= 64 and uuid.isascii() and uuid.isprintable() else None  # noqa: PLR2004


def _fits(voice: VonageVoiceApi) -> VoiceApi:
    return voice
