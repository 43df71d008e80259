"""Sends callbacks by `requests-hardened`: to public addresses only, signed, never redirected, over by a deadline.

Nothing here logs: URL, query and payload belong to the caller and hold a telephone number.
"""

from __future__ import annotations

import http.client
import logging
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ttsprompt import late
from ttsprompt.callbacks.signing import Signer, SigningKey, make_signer, public_key, unix_seconds
from ttsprompt.domain.model import CallbackFormat, CallbackMethod
from ttsprompt.net.addresses import is_local_name, is_public_unicast, literal_address
from ttsprompt.net.attempt import Attempt, AttemptOverError
from ttsprompt.net.retry_after import parse_retry_after
from ttsprompt.ports import CallbackRequest, CallbackResponse

if TYPE_CHECKING:
    from requests import PreparedRequest

CONNECT_TIMEOUT_S: Final = 3.0
"""For TCP and TLS: an address that swallows packets shall not use up a sweep's whole try."""

MAX_THREADS: Final = 64
"""A look-up in DNS cannot be interrupted, so its thread may outlive the try; this bounds how many can pile up."""

_CONTENT_TYPES: Final = {
    CallbackFormat.FORM: "application/x-www-form-urlencoded",
    CallbackFormat.JSON: "application/json",
}

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\[\]/?#@\\]+\]|[^\[\]/?#@:\\\s]+)(?P<port>:[0-9]*)?"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.IGNORECASE,
)
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_URL_CHARACTERS: Final = "%-._~:/?[]@!$&'()*+,;="


class _InvalidUrlError(Exception):
    """The URL is none that a callback may have."""


class _BlockedAddressError(Exception):
    """The URL names an address, or a name, that is not on the public internet."""


class RequestsCallbackSender:
    """The `CallbackSender` of production. `allow_private` lifts the rule about addresses and local names, only that."""

    def __init__(self, signing_keys: Sequence[SigningKey], *, allow_private: bool, user_agent: str) -> None:
        self._signing_keys = tuple(signing_keys)
        self._allow_private = allow_private
        self._user_agent = user_agent
        self._free_threads = threading.BoundedSemaphore(MAX_THREADS)

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        """Send once and return within `timeout_s` by the wall clock, whatever the receiver, its DNS or TLS do.

        `fault` is `timeout`, `dns`, `refused`, `tls`, `blocked_address`, `connection`, `protocol` (not HTTP),
        `invalid_url`, `busy` (too many earlier tries still hang) or `internal`. Never raises.
        """
        attempt = Attempt(time.monotonic() + timeout_s)
        answers: queue.SimpleQueue[CallbackResponse] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put(self._send(request, now, attempt))
            finally:
                attempt.close()
                self._free_threads.release()

        if timeout_s <= 0:
            return CallbackResponse(fault="timeout")
        if not self._free_threads.acquire(blocking=False):
            return CallbackResponse(fault="busy")
        try:
            # A daemon: a thread that hangs in DNS must not keep the process from ending.
            threading.Thread(target=work, name="callback", daemon=True).start()
        except RuntimeError:
            self._free_threads.release()
            return CallbackResponse(fault="busy")
        try:
            return answers.get(timeout=max(attempt.left_s(), 0))
        except queue.Empty:
            # Only this thread's verdict counts: a reply whose headers were cut short looks like a good status.
            attempt.cut()
            return CallbackResponse(fault="timeout")

    def public_keys(self) -> list[str]:
        """Return what receivers check the `v1a` signatures with, as `whpk_…`."""
        return [public_key(key) for key in self._signing_keys if key.kind == "v1a"]

    @cached_property
    def _signers(self) -> tuple[Signer, ...]:
        return tuple(make_signer(key) for key in self._signing_keys)

    def _send(self, request: CallbackRequest, now: datetime, attempt: Attempt) -> CallbackResponse:
        try:
            message = self._message(request, now)
            if not self._allow_private:
                _refuse_local(message.host)
            status, retry_after = _load_transport()(message, attempt)
        except Exception as error:  # noqa: BLE001 - a failed callback is a value, whatever the receiver makes go wrong
            return CallbackResponse(fault=_fault(error))
        return CallbackResponse(http_status=status, retry_after_s=parse_retry_after(retry_after, now))

    def _message(self, request: CallbackRequest, now: datetime) -> _Message:
        origin, host, path, query = _split(request.url)
        headers = {
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Connection": "close",
            "webhook-id": request.webhook_id,
            "webhook-timestamp": str(unix_seconds(now)),
        }
        body: bytes | None = None
        if request.method is CallbackMethod.GET:
            signed = query = f"{query}&{request.payload}" if query else request.payload
        else:
            signed, body = request.payload, request.payload.encode()
            headers["Content-Type"] = _CONTENT_TYPES[request.format]
        if self._signers:
            headers["webhook-signature"] = " ".join(sign(request.webhook_id, now, signed) for sign in self._signers)
        target = path if query is None else f"{path}?{query}"
        return _Message(request.method.value, origin, host, target, headers, body, self._allow_private)


@dataclass(frozen=True, slots=True)
class _Message:
    """The request as it goes on the wire; `target` is what stands in its first line."""

    method: str
    origin: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes | None
    allow_private: bool


Transport = Callable[[_Message, Attempt], tuple[int, str | None]]
"""Returns the status and `Retry-After`."""


@cache
def _load_transport() -> Transport:
    """Import the HTTP client and return what sends by it.

    Done on the first callback: these imports take longer (about 130 ms) than answering a webhook, and most processes
    start in order to answer one.
    """
    late.load("requests", "requests_hardened.ip_filter_adapter", "ttsprompt.net.attempt_connections")
    import requests  # noqa: PLC0415 - see above
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - see above
    from requests_hardened.ip_filter_adapter import IPFilterAdapter  # noqa: PLC0415 - see above

    from ttsprompt.net.attempt_connections import (  # noqa: PLC0415 - see above
        AttemptConnection,
        AttemptTlsConnection,
    )

    # It warns with the name of the host it refused.
    logging.getLogger("requests_hardened").setLevel(logging.CRITICAL)

    class Connection(AttemptConnection):
        target: str

        def putrequest(self, method: str, url: str, *args: bool, **kwargs: bool) -> None:  # noqa: ARG002 - urllib3's own
            # urllib3 has rewritten the caller's path and query in `url` (dot segments, %2f to %2F); the signature
            # would then cover another text than the one sent.
            super().putrequest(method, self.target, *args, **kwargs)

    class TlsConnection(Connection, AttemptTlsConnection):
        pass

    class Adapter(IPFilterAdapter):  # type: ignore[misc] # the library has no types
        def __init__(self, message: _Message, attempt: Attempt) -> None:
            is_https = message.origin.startswith("https:")
            super().__init__(is_https_proto=is_https)
            base = TlsConnection if is_https else Connection
            self._connection = type("BoundConnection", (base,), {"attempt": attempt, "target": message.target})
            self._allow_private = message.allow_private

        def build_connection_pool_key_attributes(
            self, request: PreparedRequest, verify: Any, cert: Any = None
        ) -> tuple[Any, Any]:
            if self._allow_private:
                return HTTPAdapter.build_connection_pool_key_attributes(self, request, verify, cert)
            host_params, pool_kwargs = super().build_connection_pool_key_attributes(request, verify, cert)
            # The library has looked the name up and pinned the answer; its own rule is looser than ours.
            if not is_public_unicast(ip_address(host_params["host"].strip("[]"))):
                raise _BlockedAddressError
            # A certificate's names have no dot at the end, where a URL's may.
            for name in {"assert_hostname", "server_hostname"} & pool_kwargs.keys():
                pool_kwargs[name] = pool_kwargs[name].rstrip(".")
            return host_params, pool_kwargs

        def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
            pool.ConnectionCls = self._connection
            return pool

    def transport(message: _Message, attempt: Attempt) -> tuple[int, str | None]:
        prepared = requests.Request(
            message.method, message.origin, headers=message.headers, data=message.body
        ).prepare()
        adapter = Adapter(message, attempt)
        left_s = max(attempt.left_s(), 0.001)
        # No session, so what `trust_env=False` switches off does not exist (proxies, .netrc, other CA bundles), nor do
        # cookies, nor redirects, whose handling reads the whole body even when they are not followed.
        try:
            response = adapter.send(
                prepared, stream=True, timeout=(min(left_s, CONNECT_TIMEOUT_S), left_s), verify=True, proxies={}
            )
            response.close()
        finally:
            adapter.close()
        return response.status_code, response.headers.get("Retry-After")

    return transport


def _split(url: str) -> tuple[str, str, str, str | None]:
    """Return origin, host, path and query (None without a `?`) as they go on the wire.

    Only what may not stand in a request line is percent-encoded. The HTTP client gets the origin alone, so it cannot
    read another host out of the URL than was checked here.
    """
    match = _URL.fullmatch(url)
    if match is None or _FORBIDDEN.search(url):
        raise _InvalidUrlError
    port = (match["port"] or "").lstrip(":")
    if port and not 0 < int(port[:6]) < 1 << 16:
        raise _InvalidUrlError
    origin = f"{match['scheme'].lower()}://{match['host']}" + (f":{port}/" if port else "/")
    query = match["query"]
    return origin, match["host"], _encoded(match["path"] or "/"), None if query is None else _encoded(query[1:])


def _encoded(text: str) -> str:
    return quote(text, safe=_URL_CHARACTERS)


def _refuse_local(host: str) -> None:
    address = literal_address(host)
    if is_local_name(host) or (address is not None and not is_public_unicast(address)):
        raise _BlockedAddressError


@cache
def _faults() -> tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]:
    """Return the word for each kind of error, the most telling first."""
    from requests import exceptions  # noqa: PLC0415 - see _load_transport
    from requests_hardened.ip_filter import InvalidIPAddress  # noqa: PLC0415 - see _load_transport
    from urllib3.exceptions import HTTPError, LocationValueError  # noqa: PLC0415 - see _load_transport

    return (
        ((_BlockedAddressError, InvalidIPAddress), "blocked_address"),
        ((_InvalidUrlError, exceptions.InvalidURL, LocationValueError), "invalid_url"),
        (socket.gaierror, "dns"),
        ((ssl.SSLError, exceptions.SSLError), "tls"),
        ((AttemptOverError, TimeoutError, exceptions.Timeout), "timeout"),
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "connection"),
        ((http.client.HTTPException, exceptions.InvalidHeader), "protocol"),
        ((exceptions.RequestException, HTTPError, OSError), "connection"),
    )


def _fault(error: BaseException) -> str:
    errors = tuple(_chain(error))
    for kinds, word in _faults():
        if any(isinstance(one, kinds) for one in errors):
            return word
    return "internal"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what led to it; the HTTP clients keep that in the cause, in `reason` or among the arguments."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
