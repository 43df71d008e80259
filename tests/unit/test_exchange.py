"""An exchange step by step: what ends it, which addresses get a socket, what becomes of its handle."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pycurl
import pytest

from ttsprompt.callbacks import exchange
from ttsprompt.callbacks.exchange import MAX_HANDLES, MAX_IDLE_HANDLES, Answer, Handles, perform

CONNECTING = 0
"""libcurl's only purpose of a socket."""

STOP, GO_ON = 0, None
"""What a callback of libcurl's returns."""

QUICK_EXIT = 322
"""`CURLOPT_QUICK_EXIT` in curl.h."""


def answer(*, allow_private: bool = False) -> Answer:
    return Answer(allow_private)


# The head


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_success_ends_the_exchange_at_its_status_line(status: int) -> None:
    of_receiver = answer()

    assert of_receiver.take_line(f"HTTP/1.1 {status} X\r\n".encode()) == STOP
    assert of_receiver.status == status


@pytest.mark.parametrize("status", [101, 300, 404, 503])
def test_another_answer_ends_with_its_head(status: int) -> None:
    of_receiver = answer()

    assert of_receiver.take_line(f"HTTP/1.1 {status} X\r\n".encode()) is GO_ON
    assert of_receiver.take_line(b"Retry-After: 7\r\n") is GO_ON
    assert of_receiver.take_line(b"\r\n") == STOP
    assert (of_receiver.status, of_receiver.retry_after) == (status, "7")


@pytest.mark.parametrize("status", [100, 103, 199])
def test_an_interim_response_ends_nothing(status: int) -> None:
    of_receiver = answer()

    assert of_receiver.take_line(f"HTTP/1.1 {status} X\r\n".encode()) is GO_ON
    assert of_receiver.take_line(b"\r\n") is GO_ON
    assert of_receiver.status is None
    assert of_receiver.take_line(b"HTTP/1.1 200 OK\r\n") == STOP


# The addresses

PUBLIC_V6 = "2606:4700::1111"
PRIVATE = ("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("family", "peer"),
    [
        (socket.AF_INET, ("10.0.0.1", 443)),
        (socket.AF_INET6, ("::1", 443, 0, 0)),
        (socket.AF_INET6, (PUBLIC_V6, 443, 0, 3)),  # a zone makes it one of this machine's network
        (socket.AF_UNIX, ("/run/docker.sock",)),
        (socket.AF_UNIX, ("8.8.8.8",)),
    ],
)
def test_what_is_no_public_address_gets_no_socket(family: int, peer: tuple[Any, ...]) -> None:
    of_receiver = answer()

    assert of_receiver.open_socket(CONNECTING, (family, socket.SOCK_STREAM, 0, peer)) == pycurl.SOCKET_BAD
    assert (of_receiver.has_blocked, of_receiver.has_allowed) == (True, False)


@pytest.mark.parametrize(
    ("family", "peer"), [(socket.AF_INET, ("8.8.8.8", 443)), (socket.AF_INET6, (PUBLIC_V6, 443, 0, 0))]
)
def test_a_public_address_gets_a_socket_of_its_family(family: int, peer: tuple[Any, ...]) -> None:
    of_receiver = answer()

    opened = of_receiver.open_socket(CONNECTING, (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, peer))

    assert not isinstance(opened, int)
    with socket.socket(fileno=os.dup(opened.fileno())) as copy:
        assert copy.family == family
    assert (of_receiver.has_blocked, of_receiver.has_allowed) == (False, True)


def test_a_private_address_gets_a_socket_where_that_is_allowed() -> None:
    of_receiver = answer(allow_private=True)

    opened = of_receiver.open_socket(CONNECTING, (socket.AF_INET, socket.SOCK_STREAM, 0, PRIVATE))

    assert not isinstance(opened, int)


def test_a_lent_socket_is_closed_when_it_is_dropped() -> None:
    """pycurl works with a duplicate of it."""
    opened: Any = answer(allow_private=True).open_socket(CONNECTING, (socket.AF_INET, socket.SOCK_STREAM, 0, PRIVATE))
    descriptor = opened.fileno()
    os.fstat(descriptor)

    del opened

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


# The fault


def test_a_fault_that_has_no_word_is_internal() -> None:
    with closing(pycurl.Curl()) as handle:
        handle.setopt(pycurl.URL, "http://127.0.0.1:1")
        handle.setopt(pycurl.PROXY, "")
        handle.setopt(pycurl.INTERFACE, "if!none-such")
        handle.setopt(pycurl.TIMEOUT_MS, 10_000)

        assert perform(handle, answer()) == "internal"


# The handles


class StandIn:
    """A handle that says how long its look-up took, and whose end a test can hold back."""

    def __init__(self, look_up_s: float) -> None:
        self.look_up_s = look_up_s
        self.is_reset = False
        self.options: list[tuple[int, int]] = []
        self.may_end, self.is_closed = threading.Event(), threading.Event()

    def getinfo(self, what: int) -> float:
        assert what == pycurl.NAMELOOKUP_TIME
        return self.look_up_s

    def setopt(self, option: int, value: int) -> None:
        self.options.append((option, value))
        self.may_end.set()

    def reset(self) -> None:
        self.is_reset = True

    def close(self) -> None:
        assert self.may_end.wait(10)
        self.is_closed.set()


def stand_in(look_up_s: float) -> Any:
    return StandIn(look_up_s)


@pytest.fixture
def handles() -> Handles:
    return Handles()


def is_a_place_free(handles: Handles) -> bool:
    return handles.take() is not None


def take_all(handles: Handles) -> None:
    for _ in range(MAX_HANDLES):
        assert is_a_place_free(handles)
    assert not is_a_place_free(handles)


def test_so_many_handles_are_kept_and_the_others_closed(handles: Handles) -> None:
    take_all(handles)
    used = [stand_in(look_up_s=0.001) for _ in range(MAX_IDLE_HANDLES + 1)]
    for one in used:
        one.may_end.set()

    for one in used:
        handles.give_back(one)

    assert [one.is_closed.is_set() for one in used] == [False] * MAX_IDLE_HANDLES + [True]
    assert [one.is_reset for one in used] == [True] * MAX_IDLE_HANDLES + [False]
    again = [handles.take() for _ in used]
    assert set(map(id, again[:MAX_IDLE_HANDLES])) == set(map(id, used[:MAX_IDLE_HANDLES]))
    assert isinstance(again[-1], pycurl.Curl)
    assert not is_a_place_free(handles)


def test_a_handle_that_cannot_be_made_takes_no_place(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> pycurl.Curl:
        raise pycurl.error(pycurl.E_FAILED_INIT)

    with monkeypatch.context() as failing:
        failing.setattr(pycurl, "Curl", fail)
        assert [handles.take() for _ in range(MAX_HANDLES + 1)] == [None] * (MAX_HANDLES + 1)

    take_all(handles)


def test_a_handle_whose_look_up_may_hang_is_closed_behind_the_try(handles: Handles) -> None:
    take_all(handles)
    hanging, before = stand_in(look_up_s=0.0), set(threading.enumerate())

    handles.give_back(hanging)

    (closing_thread,) = [one for one in set(threading.enumerate()) - before if one.name == "callback look-up"]
    assert closing_thread.daemon, "the process could not end before the look-up does"
    assert not is_a_place_free(handles)
    hanging.may_end.set()
    closing_thread.join(10)
    assert hanging.is_closed.is_set()
    assert is_a_place_free(handles)


def test_where_no_thread_can_be_had_the_look_up_is_not_waited_for(
    handles: Handles, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    take_all(handles)
    hanging = stand_in(look_up_s=0.0)
    monkeypatch.setattr(exchange, "threading", SimpleNamespace(Thread=NoThread))

    handles.give_back(hanging)

    assert hanging.options == [(QUICK_EXIT, 1)]
    assert hanging.is_closed.is_set()
    assert is_a_place_free(handles)
