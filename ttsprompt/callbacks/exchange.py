"""One exchange by libcurl: the handle it takes, the addresses it may connect to, what is kept of the answer."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import pycurl

from ttsprompt.net.addresses import is_public_unicast
from ttsprompt.ports import BUSY

MAX_HANDLES: Final = 256
"""Tries under way, and look-ups left behind: one in the C library cannot be interrupted, so it may outlive its try."""

MAX_IDLE_HANDLES: Final = 32
"""Handles kept for the next tries: each holds the authorities (0.7 MB), which take 3 ms of CPU to read."""

_QUICK_EXIT: Final = 322
"""`CURLOPT_QUICK_EXIT`, which pycurl has no name for: closing the handle does not wait for its look-ups."""

_TOO_LARGE: Final = 100
"""`CURLE_TOO_LARGE`, likewise."""

_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]+ ([1-9][0-9]{2})(?![0-9])", re.IGNORECASE)
_RETRY_AFTER: Final = re.compile(rb"retry-after:([^\r\n]*)", re.IGNORECASE)

_NO_SOCKET: Final[int] = pycurl.SOCKET_BAD
_STOP: Final = 0
"""What a callback returns that wants no more; libcurl then ends the transfer with `E_WRITE_ERROR`."""

_FAULTS: Final = {
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_CONNECT: "connection",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls",
    pycurl.E_SSL_CIPHER: "tls",
    pycurl.E_SSL_CERTPROBLEM: "tls",
    pycurl.E_SSL_ISSUER_ERROR: "tls",
    pycurl.E_SSL_INVALIDCERTSTATUS: "tls",
    pycurl.E_SEND_ERROR: "connection",
    pycurl.E_RECV_ERROR: "connection",
    pycurl.E_GOT_NOTHING: "connection",
    pycurl.E_PARTIAL_FILE: "connection",
    # What libcurl calls HTTP/0.9, a status line that is none, and headers beyond its limits.
    pycurl.E_UNSUPPORTED_PROTOCOL: "protocol",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "protocol",
    _TOO_LARGE: "protocol",
    # A status line that libcurl took for one and `take_line` did not.
    pycurl.E_OK: "protocol",
    pycurl.E_WRITE_ERROR: "protocol",
    pycurl.E_URL_MALFORMAT: "invalid_url",
    pycurl.E_OUT_OF_MEMORY: BUSY,
    pycurl.E_FAILED_INIT: BUSY,
}

_DESCRIPTORS_OF_A_TRY: Final = 4
"""Two look-ups, a file of the resolver's, and a connection come to no more at a time."""

_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class _LentSocket:
    """Of what `open_socket` returns pycurl makes a duplicate, and drops it."""

    def __init__(self, opened: socket.socket) -> None:
        self._number = opened.detach()

    def __del__(self) -> None:
        os.close(self._number)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._number


@dataclass(slots=True)
class Answer:
    """What libcurl calls back during a try, and what is kept of the receiver's answer.

    None of these may raise: pycurl would print the exception, and with it what the receiver sent.
    """

    allow_private: bool
    status: int | None = None
    retry_after: str | None = None
    has_blocked: bool = False
    has_allowed: bool = False
    _at_status_line: bool = field(default=True)

    def open_socket(self, _purpose: int, address: tuple[int, int, int, tuple[Any, ...]]) -> _LentSocket | int:
        """Judge the address that is about to be connected to; libcurl passes over the one that gets no socket."""
        family, kind, protocol, peer = address
        if not (self.allow_private or _is_public(family, peer)):
            self.has_blocked = True
            return _NO_SOCKET
        self.has_allowed = True
        try:
            return _LentSocket(socket.socket(family, kind, protocol))
        except OSError:
            return _NO_SOCKET

    def take_line(self, line: bytes) -> int | None:
        """Take one line of a head, and stop as soon as all that matters is known.

        The status line decides: what comes after a 2xx is of no interest, and of other answers only `Retry-After` is.
        An interim response (RFC 9110 §15.2) is not the answer; 101 is none that was asked for, so it is final here.
        """
        if self._at_status_line:
            match = _STATUS_LINE.match(line)
            status = int(match[1]) if match else 0
            self._at_status_line = False
            if not 100 <= status < 200 or status == 101:  # noqa: PLR2004
                self.status = status or None
            return _STOP if 200 <= status < 300 else None  # noqa: PLR2004
        if not line.strip():
            self._at_status_line = True
            return None if self.status is None else _STOP
        if self.status is not None and (found := _RETRY_AFTER.match(line)):
            self.retry_after = found[1].decode("latin-1").strip()
        return None

    def take_body(self, _: bytes) -> int:
        """Take nothing."""
        return _STOP


def _is_public(family: int, peer: tuple[Any, ...]) -> bool:
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return False
    has_zone = family == socket.AF_INET6 and peer[3] != 0
    return not has_zone and is_public_unicast(ip_address(peer[0]))


def perform(handle: pycurl.Curl, answer: Answer) -> str | None:
    """Send, and return the kind of fault, None if the receiver answered."""
    try:
        handle.perform()
    except pycurl.error as error:
        code = error.args[0]
    else:
        code = pycurl.E_OK
    return _fault(code, handle, answer) if answer.status is None else None


def _fault(code: int, handle: pycurl.Curl, answer: Answer) -> str:
    if code == pycurl.E_COULDNT_CONNECT and answer.has_blocked and not answer.has_allowed:
        return "blocked_address"
    if code in {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST} and _are_descriptors_short():
        return BUSY
    if code == pycurl.E_COULDNT_CONNECT and handle.getinfo(pycurl.OS_ERRNO) == errno.ECONNREFUSED:
        return "refused"
    return _FAULTS.get(code, "internal")


def _are_descriptors_short() -> bool:
    """Tell whether a look-up or a connection may have failed for want of descriptors, of which libcurl says nothing."""
    try:
        with contextlib.ExitStack() as opened:
            for _ in range(_DESCRIPTORS_OF_A_TRY):
                opened.enter_context(socket.socket())
    except OSError as error:
        return error.errno in _OUT_OF_RESOURCES
    return False


class Handles:
    """libcurl's handles: made anew when none is idle, used by one try at a time, bounded in number."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MAX_HANDLES)
        self._idle: deque[pycurl.Curl] = deque()

    def take(self) -> pycurl.Curl | None:
        """Return a handle, None when all are in use."""
        if not self._places.acquire(blocking=False):
            return None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return pycurl.Curl()
        except pycurl.error:
            self._places.release()
            return None

    def give_back(self, handle: pycurl.Curl) -> None:
        """Take a handle back from a try that is over.

        libcurl looks up IPv4 and IPv6 in two threads of the handle. One that hangs would keep the next try from
        looking up anything, so a handle that may have one, for it has noted no time for the look-up, is closed. That
        waits for them.
        """
        if handle.getinfo(pycurl.NAMELOOKUP_TIME) > 0:
            if len(self._idle) < MAX_IDLE_HANDLES:
                handle.reset()
                self._idle.append(handle)
                self._places.release()
            else:
                self._close(handle)
            return
        try:
            # A daemon: a look-up that hangs must not keep the process from ending.
            threading.Thread(target=self._close, args=(handle,), name="callback look-up", daemon=True).start()
        except RuntimeError:
            handle.setopt(_QUICK_EXIT, 1)
            self._close(handle)

    def _close(self, handle: pycurl.Curl) -> None:
        handle.close()
        self._places.release()
