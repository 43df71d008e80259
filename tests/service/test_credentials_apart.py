"""Many callers at once: each one's token reaches Vonage on that caller's own requests, and on no others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from werkzeug.test import Client

from tests.fakes import FakeClock, FakeSender
from tests.world import REQUEST, bearer
from ttsprompt.bootstrap import Parts, build_app
from ttsprompt.config import load_settings

CALLERS = 200
ANY_UUID = "00000000-0000-0000-0000-000000000000"


class Vonage(ThreadingHTTPServer):
    """Takes every call; a call's uuid tells whom it is to, so that later requests can be told apart."""

    request_queue_size = CALLERS
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, str | None]] = []
        """Method, the number it is about, and the credential of each request."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(body["to"][0]["number"])

    def do_GET(self) -> None:
        self._answer(self.path.rpartition("/")[2])

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.path.rpartition("/")[2])

    def _answer(self, number: str) -> None:
        assert isinstance(self.server, Vonage)
        self.server.seen.append((self.command, number, self.headers["Authorization"]))
        content = json.dumps({"uuid": number, "status": "ringing"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def vonage() -> Iterator[Vonage]:
    server = Vonage()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_two_hundred_callers_at_once_each_use_their_own_token(vonage: Vonage, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{vonage.server_port}"
    settings = load_settings({"CALL_STORE": f"sqlite:///{tmp_path}/calls.db", "VONAGE_API_URL": url})
    clock = FakeClock()
    app = build_app(settings, Parts(clock=clock, sender=FakeSender(clock)))
    together = threading.Barrier(CALLERS)

    def caller(number: str) -> tuple[str, str]:
        """Place a call, look at it, cancel it."""
        client = Client(lambda environ, start: app(Request(environ))(environ, start))
        headers = bearer(clock, application_id=f"684027bc-a2e7-48b1-b4bd-{number}")

        def ask(method: str, path: str, **options: Any) -> Any:
            # So many writers at once are too many for one file: some are told to come again.
            while (response := client.open(path, method=method, headers=headers, **options)).status_code == 503:
                pass
            assert response.status_code == 200, response.text
            return response.json

        together.wait(30)
        path = f"/call/{ask('POST', '/call', json=REQUEST | {'to': number})['tid']}"
        ask("GET", path)
        ask("DELETE", path)
        return number, headers["Authorization"]

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = dict(pool.map(caller, [f"4479705{n:05}" for n in range(CALLERS)]))

    assert len(set(callers.values())) == CALLERS
    assert sorted(number for method, number, _ in vonage.seen if method == "POST") == sorted(callers)
    assert {method for method, *_ in vonage.seen} == {"POST", "GET", "PUT"}
    # A call whose uuid could not be stored is looked up by one that no call has.
    mine = [(callers[number], token) for _, number, token in vonage.seen if number != ANY_UUID]
    assert [token for _, token in mine] == [own for own, _ in mine]
