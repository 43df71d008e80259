"""`python -m devphone call`, for people and for scripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devphone.callee.directory import Directory
from devphone.callee.script import parse_callee
from devphone.commands.one_call import Options, call
from devphone.pace import Pace
from devphone.phone import Phone
from devphone.processes.service import Service, free_port
from devphone.processes.switchboard import Switchboard

FIELDS = {"to": "+44 7700 900050", "from": "447700900999", "text": "PIN, please", "pin_code": "73946182"}
PAIR = "http://127.0.0.1:1"


@pytest.fixture
def board() -> Iterator[Switchboard]:
    switchboard = Switchboard(Phone(pace=Pace(60), directory=Directory(parse_callee("busy"))), free_port())
    switchboard.start()
    yield switchboard
    switchboard.stop()


def scripted(options: Options, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = call(options)
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


def test_a_call_shows_its_timeline_and_its_callback(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(Options(FIELDS, callee="1111,73946182", speed=60)) == 0

    shown = capsys.readouterr().out
    for expected in (
        "asks for a call to 447700900050",
        "callee    keys ••••",
        "/input step 2 → 200",
        "attempts          2",
        "signature         verified",
    ):
        assert expected in shown
    assert "73946182" not in shown


def test_a_script_gets_the_same_as_json_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    code, result = scripted(Options(FIELDS, callee="73946182", speed=60, as_json=True), capsys)

    assert (code, result["fault"], result["answer"]["status"]) == (0, None, 200)
    tid = result["answer"]["body"]["tid"]
    assert (result["callback"]["id"], result["callback"]["verified"]) == (tid, True)
    assert (result["callback"]["fields"]["status"], result["callback"]["answer"]) == ("ok", 204)
    text = json.dumps(result)
    assert "73946182" not in text
    webhooks = [line["url"].partition("token=")[2] for line in result["timeline"] if line["kind"] == "webhook_sent"]
    assert webhooks
    assert {token[0] for token in webhooks} == {"…"}


def test_a_callback_that_is_refused_first_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    fields = FIELDS | {"to": "447700900017", "pin_code": "1234"}

    code, result = scripted(Options(fields, speed=60, as_json=True), capsys)
    answers = [line["answer"] for line in result["timeline"] if line["kind"] == "callback_received"]
    assert (code, answers) == (0, [500, 500, 204])


def test_a_running_pair_can_be_used(board: Switchboard, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "VONAGE_API_URL": board.url,
        "ALLOW_PRIVATE_CALLBACKS": "true",
        "CALL_STORE": f"sqlite:///{tmp_path}/calls.db",
    }
    service = Service(settings, log=tmp_path / "service.log")
    service.start()
    try:
        asked = Options(FIELDS, service=service.url, phone=f"{board.url}/", as_json=True)
        code, result = scripted(asked, capsys)
    finally:
        service.stop()

    assert (code, result["callback"]["fields"]["reason"], result["callback"]["verified"]) == (0, "busy", None)
    assert [line["kind"] for line in result["timeline"]][:2] == ["call_requested", "call_rang"]


def test_a_request_that_is_refused_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code, result = scripted(Options(FIELDS | {"attempts": "99"}, speed=60, as_json=True), capsys)

    assert (code, result["answer"]["status"], result["callback"]) == (1, 422, None)
    assert "attempts" in result["fault"]


def test_a_phone_that_is_down_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, result = scripted(Options(FIELDS, service=PAIR, phone=PAIR, as_json=True), capsys)

    assert code == 1
    assert result["fault"].startswith("the phone gives no answer at http://127.0.0.1:1/")


def test_a_service_that_is_down_is_named(board: Switchboard, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = scripted(Options(FIELDS, service=PAIR, phone=board.url, as_json=True), capsys)

    assert code == 1
    assert result["fault"].startswith("the service gives no answer at http://127.0.0.1:1/call")


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, b"<html>hello</html>", "POST /call was answered 200: <html>hello</html>"),
        (200, b'["tid"]', 'POST /call was answered 200: ["tid"]'),
        (200, b'{"tid": 7}', 'POST /call was answered 200: {"tid": 7}'),
        (200, b'{"tid": "t"}', "no callback was taken within 0.3 s"),
    ],
)
def test_a_service_that_answers_nonsense_is_quoted(
    board: Switchboard, capsys: pytest.CaptureFixture[str], status: int, body: bytes, fault: str
) -> None:
    with stranger(status, body) as url:
        asked = Options(FIELDS, service=url, phone=board.url, wait_s=0.3, as_json=True)
        code, result = scripted(asked, capsys)

    assert (code, result["fault"]) == (1, fault)


@pytest.mark.parametrize("body", [b"hello", b"[1]", b'[{"line": 1}]', b"{}x"])
def test_a_phone_that_is_none_is_not_believed(capsys: pytest.CaptureFixture[str], body: bytes) -> None:
    with stranger(200, body) as url:
        code, result = scripted(Options(FIELDS, service=url, phone=url, as_json=True), capsys)

    assert code == 1
    assert result["fault"].startswith("the phone's timeline is not one")


@contextmanager
def stranger(status: int, body: bytes) -> Iterator[str]:
    """A server that answers everything with one reply."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name the library looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
