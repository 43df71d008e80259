"""Who wins when one thread ends a try that another one is about to carry on."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import pytest

from ttsprompt.net.attempt import Attempt, AttemptOverError


def an_attempt() -> Attempt:
    return Attempt(time.monotonic() + 60)


def a_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    return ours, theirs


def test_nothing_is_sent_after_the_try_was_given_up() -> None:
    attempt = an_attempt()

    assert attempt.cut_unless_sending()
    with pytest.raises(AttemptOverError):
        attempt.begin_sending()
    assert not attempt.may_have_sent


def test_a_try_that_sends_is_not_given_up_by_half() -> None:
    attempt = an_attempt()
    attempt.begin_sending()

    assert not attempt.cut_unless_sending()
    attempt.begin_sending()
    assert attempt.may_have_sent


def test_a_cut_stops_what_is_being_sent_and_does_not_forget_it() -> None:
    attempt = an_attempt()
    attempt.begin_sending()

    attempt.cut()

    with pytest.raises(AttemptOverError):
        attempt.begin_sending()
    assert attempt.may_have_sent


def test_no_connection_is_begun_after_the_end() -> None:
    attempt = an_attempt()
    attempt.cut()

    with pytest.raises(AttemptOverError):
        attempt.connect(pytest.fail)


def test_a_connection_made_too_late_is_closed() -> None:
    attempt = an_attempt()
    ours, theirs = a_pair()

    def connect() -> socket.socket:
        attempt.cut()
        return ours

    with theirs, pytest.raises(AttemptOverError):
        attempt.connect(connect)
    assert ours.fileno() == -1


def test_a_cut_ends_the_connection_for_both_sides() -> None:
    attempt = an_attempt()
    ours, theirs = a_pair()
    with ours, theirs:
        attempt.connect(lambda: ours)

        attempt.cut()

        assert (theirs.recv(1), ours.recv(1)) == (b"", b"")
        attempt.close()


def test_a_cut_throws_away_what_a_flood_has_left() -> None:
    attempt = an_attempt()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.socket()
        # More than is read in one piece.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        ours.connect(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.send(b"x" * 65536)
        attempt.connect(lambda: ours)

        attempt.cut()

        with contextlib.suppress(ConnectionResetError):
            assert ours.recv(1) == b""
        attempt.close()


@pytest.mark.parametrize("has_data", [False, True])
def test_a_cut_of_a_connection_that_the_peer_has_reset_is_no_error(*, has_data: bool) -> None:
    attempt = an_attempt()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours:
        attempt.connect(lambda: ours)
        if has_data:
            theirs.sendall(b"x")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()

        attempt.cut()

        attempt.close()


def test_a_cut_reaches_a_socket_that_tls_has_taken_over() -> None:
    """TLS detaches the socket object: its descriptor lives on in another one."""
    attempt = an_attempt()
    ours, theirs = a_pair()
    attempt.connect(lambda: ours)
    with socket.socket(fileno=ours.detach()), theirs:
        attempt.cut()

        assert theirs.recv(1) == b""
        attempt.close()


def test_after_it_was_closed_a_cut_touches_no_connection() -> None:
    attempt = an_attempt()
    ours, theirs = a_pair()
    with ours, theirs:
        attempt.connect(lambda: ours)
        attempt.close()
        attempt.cut()

        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
