"""The first hour of a deployment, lived through in a network where the service's address and a receiver's lead here.

`gcloud` and the scripts meet the stand-in for Google, the deployed functions the dev phone in Vonage's place, and
callbacks go to a public address. What a person types is taken from the pages where it stands there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from vonage_jwt import JwtClient

from tests.deploy.commands import ROOT, blocks
from tests.deploy.google.proxy import _Handler
from tests.deploy.project import Project
from tests.deploy.story import BASE_URL
from tests.network import Names

HOST: Final = BASE_URL.removeprefix("https://")
RECEIVER: Final = "8.8.4.4"
PHONE_PORT: Final = 7000
CALLBACK: Final = "http://receiver.example/callback?own=1"


@dataclass
class Receiver:
    """A customer's server at a public address, which answers as it is told and keeps each request as it came."""

    status: int = 204
    requests: list[bytes] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(self.requestline.encode() + b"\r\n" + bytes(self.headers) + body)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextlib.contextmanager
def listening(
    address: tuple[str, int], handler: type[BaseHTTPRequestHandler], pem: Path | None = None
) -> Iterator[None]:
    server = ThreadingHTTPServer(address, handler)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Hour:
    """A person with a Vonage account, an empty project, and the pages."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.machine = self.project.machine
        self.ca = self.machine._proxy.ca
        self.receiver = Receiver()
        self.settings: dict[str, str] = {}
        self.phone: subprocess.Popen[str] | None = None

    @property
    def application(self) -> str:
        return self.settings["VONAGE_APPLICATION_ID"]

    @property
    def key(self) -> Path:
        return self.project.checkout.folder / self.settings["VONAGE_PRIVATE_KEY"]

    def configure(self, **more: str) -> None:
        self.project.checkout.configure(
            ALLOWED_APPLICATIONS=self.application,
            ALERT_EMAIL="ops@example.com",
            VONAGE_API_URL=f"http://127.0.0.1:{PHONE_PORT}",
            **more,
        )

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        Names().set({HOST: [["127.0.0.1"]], "receiver.example": [[RECEIVER]]})
        front = type("Front", (_Handler,), {"answer": staticmethod(self.machine._answer), "host": HOST})
        with (
            listening(("127.0.0.1", 443), front, self.ca.with_name("both.pem")),
            listening((RECEIVER, 80), self.receiver.handler()),
        ):
            self.start_phone()
            try:
                yield
            finally:
                assert self.phone is not None
                self.phone.terminate()
                self.phone.wait(timeout=20)
                self.machine.stop()

    def start_phone(self) -> None:
        """The dev phone says what a Vonage account would: an application, its key."""
        self.phone = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "devphone",
                "serve",
                "--port",
                str(PHONE_PORT),
                "--speed",
                "20",
                "--callee",
                "1111,1234",
            ],
            cwd=self.project.checkout.folder,
            env={**os.environ, "SSL_CERT_FILE": str(self.ca), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.phone.stdout is not None
        for line in self.phone.stdout:
            if match := re.match(r"\s*export (\w+)=(.*)", line):
                self.settings[match[1]] = match[2].strip("'\"")
            if "VONAGE_PRIVATE_KEY" in self.settings and "VONAGE_APPLICATION_ID" in self.settings:
                break

    def client(self, arguments: str, *, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run the client's command as it would be after `pip install ./client`."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "client"),
            "REQUESTS_CA_BUNDLE": str(self.ca),
            "TTSPROMPT_URL": BASE_URL,
            "VONAGE_APPLICATION_ID": self.application,
            "VONAGE_PRIVATE_KEY": str(self.key),
        }
        command = f"{sys.executable} -c 'from ttsprompt_client.cli import run; run()' {arguments}"
        done = subprocess.run(
            command, shell=True, env=environment, input=stdin, capture_output=True, timeout=120, check=False
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def call(self, number: str, options: str = "") -> tuple[str, dict[str, Any]]:
        """Place a call and wait for its outcome; return what was told meanwhile, and the outcome."""
        asked = f"call --to {number} --from +447700900999 --text 'Key your PIN' --pin 1234 --wait --json {options}"
        _, results, progress = self.client(asked)
        return progress, json.loads(results)

    def verify(self, *keys: str) -> list[int]:
        """Say for each key whether it verifies what the receiver got last: 0 if it does."""
        return [self.client(f"verify --key {key}", stdin=self.receiver.requests[-1])[0] for key in keys]

    def about(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.project.sh(f"curl --silent {BASE_URL}/").stdout)
        return found

    def ask(self, what: str) -> tuple[int, dict[str, Any]]:
        """Send a request as docs/api.md shows it; return status and body."""
        token = JwtClient(self.application, self.key.read_text()).generate_application_jwt().decode()
        command = f"curl --silent -w '\\n%{{http_code}}' {what} -H 'Authorization: Bearer {token}'"
        body, _, status = self.project.sh(command).stdout.rpartition("\n")
        return int(status), json.loads(body)

    def night(self, *words: str) -> str:
        """Run the one block of the night's chapter that has these words, as somebody would paste it."""
        (block,) = [each for each in blocks("docs/operations.md", "3 a.m.") if all(word in each for word in words)]
        done = self.project.sh(block)
        return done.stdout + done.stderr

    def chore(self, *words: str) -> None:
        (block,) = [each for each in blocks("docs/operations.md", "Chores") if all(word in each for word in words)]
        self.project.sh(block)


def hour() -> dict[str, Any]:
    """Live through it; return what was seen, by what was done."""
    seen: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        person = Hour(Path(folder))
        project = person.project
        with person.around():
            seen["bootstrap of the committed file"] = project.make("bootstrap").stdout
            person.configure()
            project.make("bootstrap")
            seen["deploy"] = project.make("deploy").stdout
            seen["about"] = person.about()
            (old_key,) = seen["about"]["callback_public_keys"]
            seen["doctor"] = person.client("doctor")
            person.receiver.status = 500
            seen["first call"] = person.call("+447700900123", f"--callback {CALLBACK} --reference first")
            tid = seen["first call"][1]["tid"]
            seen["story"] = project.sh(story_of(tid)).stdout
            person.receiver.status = 204
            seen["redelivery"] = person.ask(f"-X POST {BASE_URL}/call/{tid}/redeliver")
            seen["received"] = list(person.receiver.requests)
            seen["verified"] = person.verify(old_key)
            seen["fetched"] = person.ask(f"'{BASE_URL}/call/{tid}?wait=50'")
            seen["erased"] = person.ask(f"-X POST {BASE_URL}/call/{tid}/erase")

            person.chore("whsk_")
            person.configure(SECRETS="CALLBACK_SIGNING_SECRETS=ttsprompt-callback-signing-secrets:2")
            project.make("deploy", CHECK="skip")
            seen["both keys"] = person.about()["callback_public_keys"]
            person.call("+447700900124", f"--callback {CALLBACK}")
            seen["verified by both"] = person.verify(*seen["both keys"])
            person.chore(".both")
            person.configure(SECRETS="CALLBACK_SIGNING_SECRETS=ttsprompt-callback-signing-secrets:3")
            project.make("deploy", CHECK="skip")
            seen["new key"] = person.about()["callback_public_keys"]
            person.call("+447700900125", f"--callback {CALLBACK}")
            seen["verified by old and new"] = person.verify(*seen["both keys"])

            person.night("update-traffic")
            seen["rolled back"] = person.about()
            seen["stop after rollback"] = person.night("ALLOWED_APPLICATIONS=00000000")
            seen["call after that"] = person.call("+447700900126")
            person.night("jobs pause")
            seen["stopped"] = project.sh(f"curl --silent -o /dev/null -w '%{{http_code}}' {BASE_URL}/").stdout
            seen["unknown"] = project.cloud.unknown
    return seen


def story_of(tid: str) -> str:
    """Return the command for one call's story."""
    (block,) = [each for each in blocks("docs/operations.md", "3 a.m.") if "jsonPayload.tid" in each]
    return re.sub(r'(?<=jsonPayload.tid=")[^"]+', tid, block)
