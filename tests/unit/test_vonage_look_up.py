"""What Vonage's answer to a look-up says of a token: two statuses accept it, two refuse it, no other says a thing."""

from __future__ import annotations

import pytest

from tests.raw_server import Script, answering, raw_servers, resetting, silent
from tests.world import fields_logged
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.errors import TtsPromptError, UnauthenticatedError, VendorUnreachableError
from ttsprompt.service.authority import NO_UUID
from ttsprompt.vonage.voice import VonageVoiceApi

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhcHBsaWNhdGlvbl9pZCI6ImEifQ.c2lnbmF0dXJl"
ENDED = b'{"uuid":"u","status":"busy"}'
UNDER_WAY = b'{"uuid":"u","status":"ringing"}'

ACCEPT, REFUSE = (200, 404), (401, 403)
NEITHER = sorted({*range(200, 600)} - {*ACCEPT, *REFUSE})


@pytest.fixture
def asked() -> list[bytes]:
    return []


def look_up(
    status: int, body: bytes = ENDED, *headers: str, uuid: str = "u", asked: list[bytes] | None = None
) -> object:
    """Return what a look-up comes to: how the call ended, None, or the class of the error."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    with raw_servers() as start:
        server = start(answering("\r\n".join(lines).encode(), body))
        try:
            return VonageVoiceApi(f"http://127.0.0.1:{server.port}", "ttsprompt/test").look_up(uuid, TOKEN)
        except TtsPromptError as error:
            return type(error)
        finally:
            if asked is not None:
                asked += server.received


def test_a_call_that_vonage_shows_accepts_the_token_and_tells_its_end() -> None:
    assert look_up(200) == CallEnded(EndStatus.BUSY)
    assert look_up(200, UNDER_WAY) is None
    assert look_up(200, b"<html>") is None


def test_a_call_that_vonage_does_not_have_accepts_the_token_and_tells_nothing() -> None:
    assert look_up(404) is None
    assert look_up(404, b"") is None


@pytest.mark.parametrize("status", REFUSE)
def test_a_refused_token_is_refused_whatever_comes_with_it(status: int) -> None:
    assert look_up(status) is UnauthenticatedError


@pytest.mark.parametrize("status", NEITHER)
def test_no_other_status_lets_anybody_in(status: int) -> None:
    assert look_up(status) is VendorUnreachableError


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_lets_nobody_in(status: int) -> None:
    with raw_servers() as start:
        elsewhere = start(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
        assert look_up(status, b"", f"Location: http://127.0.0.1:{elsewhere.port}/") is VendorUnreachableError
        assert elsewhere.received == []


@pytest.mark.parametrize(
    "script", [silent(b""), resetting(b""), silent(b"HTTP/1.1 200 OK\r\n"), answering(b"what?\r\n\r\n")]
)
def test_no_answer_lets_nobody_in(script: Script) -> None:
    with raw_servers() as start:
        server = start(script)
        voice = VonageVoiceApi(f"http://127.0.0.1:{server.port}", "ttsprompt/test", read_timeout_s=0.3)
        with pytest.raises(VendorUnreachableError):
            voice.look_up("u", TOKEN)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answering(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n"), "does not accept the token"),
        (answering(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n"), "answered 502"),
        (resetting(b""), "did not answer in time"),
    ],
    ids=["refused", "a status of another kind", "no answer"],
)
def test_the_caller_is_told_what_came_of_the_look_up(script: Script, words: str) -> None:
    with raw_servers() as start:
        voice = VonageVoiceApi(f"http://127.0.0.1:{start(script).port}", "ttsprompt/test")
        with pytest.raises(TtsPromptError, match=words):
            voice.look_up("u", TOKEN)


def test_what_is_no_uuid_stays_one_part_of_the_path(asked: list[bytes]) -> None:
    look_up(404, uuid="a/../b?c", asked=asked)

    assert asked[0].startswith(b"GET /v1/calls/a%2F..%2Fb%3Fc HTTP/1.1\r\n")


def test_the_very_token_is_shown_and_the_call_is_asked_for(asked: list[bytes]) -> None:
    look_up(404, uuid=NO_UUID, asked=asked)

    (request,) = asked
    assert request.startswith(f"GET /v1/calls/{NO_UUID} HTTP/1.1\r\n".encode())
    assert f"\r\nAuthorization: Bearer {TOKEN}\r\n".encode() in request


@pytest.mark.parametrize(("status", "is_logged"), [(400, False), (429, False), (499, False), (500, True), (503, True)])
def test_only_what_is_vonages_own_trouble_is_logged(
    status: int, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten such lines in five minutes wake somebody up; what an odd token leads to is anybody's to write."""
    assert look_up(status) is VendorUnreachableError

    logged = fields_logged(caplog, "vonage_exchange_failed")
    assert logged == ([{"failure": "status", "http_status": status}] if is_logged else [])
