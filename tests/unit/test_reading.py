"""Reads are cut when their time is over, one thread for all of them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fakes import no_thread_left
from ttsprompt.web.reading import Watcher


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        theirs.settimeout(30)
        yield ours, theirs


def test_a_read_that_lasts_too_long_ends_and_the_answer_can_still_be_written(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    watcher = Watcher(0.05)
    watch = watcher.begin(ours)

    assert ours.recv(1) == b""
    assert watcher.end(watch)
    ours.sendall(b"408")
    assert theirs.recv(3) == b"408"


def test_a_read_is_cut_that_begins_when_nothing_has_been_watched_for_a_while() -> None:
    watcher = Watcher(0.05)
    for _ in range(2):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(30)
            watch = watcher.begin(ours)
            assert ours.recv(1) == b""
            assert watcher.end(watch)


def test_a_read_that_was_in_time_is_left_alone_afterwards(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    watcher = Watcher(1)
    watch = watcher.begin(ours)
    assert not watcher.end(watch)

    # Another one has outlasted its time since.
    other, _ = both = socket.socketpair()
    late = watcher.begin(other)
    assert other.recv(1) == b""
    assert watcher.end(late)
    for one in both:
        one.close()
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_many_reads_share_a_thread_and_end_in_the_order_of_their_beginning() -> None:
    before = threading.active_count()
    watcher = Watcher(1)
    pairs = [socket.socketpair() for _ in range(20)]
    watches = [watcher.begin(ours) for ours, _ in pairs]
    in_time = watches[::2]
    assert not any(watcher.end(watch) for watch in in_time)

    assert all(ours.recv(1) == b"" for ours, _ in pairs[1::2])
    assert all(watcher.end(watch) for watch in watches[1::2])
    assert threading.active_count() == before + 1
    assert not watcher._watches
    for both in pairs:
        for one in both:
            one.close()


def test_a_read_ends_in_its_own_time_though_others_begin_all_the_while() -> None:
    watcher = Watcher(0.2)
    pairs = [socket.socketpair() for _ in range(10)]
    (first, _), *others = pairs
    watch = watcher.begin(first)
    first.settimeout(0.1)
    for other, _ in others:
        with contextlib.suppress(TimeoutError):
            assert first.recv(1) == b""
            break
        watcher.begin(other)

    assert watcher.end(watch)
    for both in pairs:
        for one in both:
            one.close()


def test_a_connection_that_has_gone_stops_no_other() -> None:
    watcher = Watcher(0.05)
    (gone, far), (ours, theirs) = socket.socketpair(), socket.socketpair()
    watcher.begin(gone)
    gone.close()
    watch = watcher.begin(ours)

    assert ours.recv(1) == b""
    assert watcher.end(watch)
    for one in (far, ours, theirs):
        one.close()


def test_a_read_has_its_time_and_the_thread_that_watches_keeps_no_process_alive(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    began = time.monotonic()
    watcher = Watcher(30)
    watch = watcher.begin(pair[0])

    assert 30 <= watch.ends_at - began < 31
    assert watcher._thread is not None
    assert (watcher._thread.name, watcher._thread.daemon) == ("reading", True)
    assert not watcher.end(watch)


def test_a_read_for_which_there_is_no_thread_is_cut_by_the_next_one(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = pair
    watcher = Watcher(0.05)
    with no_thread_left():
        watch = watcher.begin(ours)
    other, peer = socket.socketpair()
    with other, peer:
        watcher.end(watcher.begin(other))

        assert ours.recv(1) == b""
    assert watcher.end(watch)
