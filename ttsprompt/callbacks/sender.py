"""Sends callbacks by libcurl: signed, to public addresses only, never redirected, over by the wall clock.

Slow to import, so loaded with the first callback. Nothing here logs: URL, query and payload belong to the caller and
hold a telephone number, and what a receiver answers is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import certifi
import pycurl

from ttsprompt.callbacks.exchange import Answer, Handles, perform
from ttsprompt.callbacks.signing import SigningKey, make_signer, unix_seconds
from ttsprompt.domain.model import CallbackFormat, CallbackMethod
from ttsprompt.net.callback_url import CallbackUrl, parse_callback_url
from ttsprompt.net.retry_after import parse_retry_after
from ttsprompt.ports import BUSY, CallbackRequest, CallbackResponse

CONNECT_TIMEOUT_S: Final = 8.0
"""For the look-up, TCP and TLS together: an address that swallows packets shall not use up a sweep's whole try. Long
enough for a look-up whose first datagram was lost, which the C library sends again after 5 s."""

_CONTENT_TYPES: Final = {
    CallbackFormat.FORM: "application/x-www-form-urlencoded",
    CallbackFormat.JSON: "application/json",
}


class _NotSentError(Exception):
    """Nothing left this machine; its text is the fault."""


class CurlCallbackSender:
    """The `CallbackSender` of production. `allow_private` lifts the rule about addresses and local names, only that.

    `ca_file` holds the certificate authorities, certifi's when absent.
    """

    def __init__(
        self, signing_keys: Sequence[SigningKey], *, allow_private: bool, user_agent: str, ca_file: str | None = None
    ) -> None:
        self._signers = tuple(make_signer(key) for key in signing_keys)
        self._allow_private = allow_private
        self._user_agent = user_agent
        self._ca_file = ca_file or certifi.where()
        self._handles = Handles()

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        """Send once and return within `timeout_s` by the wall clock, whatever the receiver, its DNS or TLS do.

        `fault` is `timeout`, `dns`, `refused`, `tls`, `blocked_address`, `connection`, `protocol` (not HTTP),
        `invalid_url`, `internal`, or `BUSY`: the try did not begin for want of our own resources. Never raises.
        """
        try:
            return self._send(request, now, timeout_s)
        except _NotSentError as error:
            return CallbackResponse(fault=str(error))
        except Exception:  # noqa: BLE001 - a failed callback is a value, whatever goes wrong
            return CallbackResponse(fault="internal")

    def _send(self, request: CallbackRequest, now: datetime, timeout_s: float) -> CallbackResponse:
        if timeout_s <= 0:
            raise _NotSentError("timeout")
        url = parse_callback_url(request.url)
        if url is None:
            raise _NotSentError("invalid_url")
        if url.is_private and not self._allow_private:
            raise _NotSentError("blocked_address")
        target, headers, body = self._message(url, request, now)
        handle = self._handles.take()
        if handle is None:
            raise _NotSentError(BUSY)
        answer = Answer(self._allow_private)
        try:
            self._prepare(handle, url, target, headers, body, answer, timeout_s)
            fault = perform(handle, answer)
        finally:
            self._handles.give_back(handle)
        if fault is not None:
            return CallbackResponse(fault=fault)
        return CallbackResponse(http_status=answer.status, retry_after_s=parse_retry_after(answer.retry_after, now))

    def _message(
        self, url: CallbackUrl, request: CallbackRequest, now: datetime
    ) -> tuple[str, list[str], bytes | None]:
        """Return the request's target, its headers and its body."""
        headers = [
            f"User-Agent: {self._user_agent}",
            "Connection: close",
            # libcurl would wait for leave to send a large body.
            "Expect:",
            f"webhook-id: {request.webhook_id}",
            f"webhook-timestamp: {unix_seconds(now)}",
        ]
        query = url.query
        body: bytes | None = None
        if request.method is CallbackMethod.GET:
            signed = query = f"{query}&{request.payload}" if query else request.payload
        else:
            signed, body = request.payload, request.payload.encode()
            headers.append(f"Content-Type: {_CONTENT_TYPES[request.format]}")
        if self._signers:
            signatures = " ".join(sign(request.webhook_id, now, signed) for sign in self._signers)
            headers.append(f"webhook-signature: {signatures}")
        return url.path if query is None else f"{url.path}?{query}", headers, body

    def _prepare(
        self,
        handle: pycurl.Curl,
        url: CallbackUrl,
        target: str,
        headers: list[str],
        body: bytes | None,
        answer: Answer,
        timeout_s: float,
    ) -> None:
        # Redirects, cookies, .netrc, HSTS and Alt-Svc are off unless they are asked for.
        options: dict[int, Any] = {
            # libcurl would rewrite path and query; the signature would then cover another text than the one sent.
            pycurl.URL: url.origin,
            pycurl.REQUEST_TARGET: target,
            pycurl.HTTPHEADER: headers,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.PROXY: "",  # nor that of the environment
            pycurl.NOSIGNAL: 1,
            pycurl.TIMEOUT_MS: max(int(timeout_s * 1000), 1),
            pycurl.CONNECTTIMEOUT_MS: int(CONNECT_TIMEOUT_S * 1000),
            pycurl.OPENSOCKETFUNCTION: answer.open_socket,
            pycurl.HEADERFUNCTION: answer.take_line,
            pycurl.WRITEFUNCTION: answer.take_body,
            # The next try looks the name up again, and each socket is one that `open_socket` judged.
            pycurl.DNS_CACHE_TIMEOUT: 0,
            pycurl.FORBID_REUSE: 1,
            pycurl.FRESH_CONNECT: 1,
            pycurl.SSL_SESSIONID_CACHE: 0,
            pycurl.CAINFO: self._ca_file,
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
        }
        if body is not None:
            options[pycurl.POSTFIELDS] = body
        for option, value in options.items():
            handle.setopt(option, value)
