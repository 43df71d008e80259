"""The API's description makes clients that work: two generators' output is imported and used, against a running app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import openapi_generator_cli
import pytest
from flask import Request
from werkzeug.serving import make_server

from tests.world import REQUEST, World, bearer, make_world
from ttsprompt.errors import VendorUnclearError
from ttsprompt.ports import CallOrder

JAR = Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
UNCLEAR = "447970513699"
SECONDS = 110


def run(*command: str, cwd: Path) -> str:
    """Run a command, with what is installed beside this Python at hand."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout, done.stdout
    return done.stdout


@dataclass
class Running:
    """The service behind a socket, with a scripted outside; `folder` holds its description, and a client."""

    world: World
    url: str
    folder: Path

    def use(self, script: str) -> None:
        """Run a client's program, and hold what it saw against what happened."""
        token = bearer(self.world.clock)["Authorization"].removeprefix("Bearer ")
        known = f"URL, TOKEN, REQUEST, UNCLEAR = {self.url!r}, {token!r}, {REQUEST!r}, {UNCLEAR!r}\n"
        (self.folder / "use.py").write_text("import json\n" + known + script, encoding="utf-8")

        seen: dict[str, Any] = json.loads(run(sys.executable, "use.py", cwd=self.folder))

        placed, unclear = self.world.records()
        assert seen == {
            "dry_run": self.world.call(placed).length_timer_s,
            "placed": placed,
            "call": [placed, REQUEST["to"], "placed", None, ["created", "placed"]],
            "cancelled": ["error", "cancelled"],
            "unknown": "not_found",
            "wrong": ["invalid_fields", "pin_code", "invalid_pin"],
            "unclear": [504, "vendor_unclear", unclear],
        }
        assert self.world.voice.hung_up == [self.world.voice.uuid]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    apps: list[World] = []
    server = make_server("127.0.0.1", 0, lambda environ, start: apps[0].app(Request(environ))(environ, start))
    url = f"http://127.0.0.1:{server.server_port}"
    world = make_world(tmp_path / "service", BASE_URL=url)
    world.voice.meanwhile = unclear_for_one
    apps.append(world)
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "openapi.json").write_bytes(world.client.get("/openapi.json").data)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Running(world, url, folder)
    server.shutdown()
    thread.join()
    server.server_close()


def unclear_for_one(order: CallOrder) -> None:
    if order.to == UNCLEAR:
        raise VendorUnclearError("Vonage gave no clear answer.")


OPENAPI_GENERATOR = """
import openapi_client as made

calls = made.CallsApi(made.ApiClient(made.Configuration(host=URL, access_token=TOKEN)))

def place(**fields):
    return calls.place_call(call_request=made.CallRequest.from_dict(REQUEST | fields)).actual_instance

def refused(ask):
    try:
        ask()
    except made.ApiException as error:
        return error

seen = {"dry_run": place(dry_run=True).length_timer, "placed": place().tid}
call = calls.get_call(tid=seen["placed"])
seen["call"] = [call.tid, call.to, call.state.value, call.status, [line.event for line in call.timeline]]
cancelled = calls.cancel_call(tid=seen["placed"])
seen["cancelled"] = [cancelled.status.value, cancelled.reason.value]
seen["unknown"] = refused(lambda: calls.get_call(tid="00000000-0000-0000-0000-000000000000")).data.code
wrong = refused(lambda: calls.place_call(call_request=made.CallRequest.model_construct(**REQUEST | {"pin_code": "x"})))
seen["wrong"] = [wrong.data.code, wrong.data.errors[0].var_field, wrong.data.errors[0].code]
unclear = refused(lambda: place(to=UNCLEAR))
seen["unclear"] = [unclear.status, unclear.data.code, unclear.data.tid]
print(json.dumps(seen))
"""


def test_the_client_that_openapi_generator_makes_works(running: Running) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("openapi-generator needs Java")  # a user's machine may lack it; CI fails then
    run(java, "-jar", str(JAR), "generate", "-g", "python", "-i", "openapi.json", "-o", ".", cwd=running.folder)

    running.use(OPENAPI_GENERATOR)


OPENAPI_PYTHON_CLIENT = """
from made import AuthenticatedClient, models
from made.api.calls import cancel_call, get_call, place_call

client = AuthenticatedClient(base_url=URL, token=TOKEN)

def place(**fields):
    return place_call.sync_detailed(client=client, body=models.CallRequest.from_dict(REQUEST | fields))

seen = {
    "dry_run": place(dry_run=True).parsed.length_timer,
    "placed": place(attempts=3, premium=False, style=None).parsed.tid,
}
call = get_call.sync(seen["placed"], client=client)
seen["call"] = [call.tid, call.to, call.state.value, call.status, [line.event for line in call.timeline]]
cancelled = cancel_call.sync(seen["placed"], client=client)
seen["cancelled"] = [cancelled.status.value, cancelled.reason.value]
seen["unknown"] = get_call.sync("00000000-0000-0000-0000-000000000000", client=client).code
wrong = place(pin_code="x").parsed
seen["wrong"] = [wrong.code, wrong.errors[0].field, wrong.errors[0].code]
unclear = place(to=UNCLEAR)
seen["unclear"] = [unclear.status_code, unclear.parsed.code, unclear.parsed.tid]
print(json.dumps(seen))
"""


def test_the_client_that_openapi_python_client_makes_works(running: Running) -> None:
    run(
        *("openapi-python-client", "generate", "--path", "openapi.json", "--output-path", "made", "--meta", "none"),
        cwd=running.folder,
    )

    running.use(OPENAPI_PYTHON_CLIENT)


@pytest.mark.parametrize("language", ["typescript-fetch", "go", "java", "csharp"])
def test_clients_of_other_languages_are_made_with_every_operation_and_the_tid_of_a_problem(
    language: str, running: Running
) -> None:
    """They are made here, and neither compiled nor run."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("openapi-generator needs Java")  # a user's machine may lack it; CI fails then
    run(java, "-jar", str(JAR), "generate", "-g", language, "-i", "openapi.json", "-o", "made", cwd=running.folder)
    made = {
        path.stem.lower().replace("_", ""): path.read_text(encoding="utf-8")
        for path in running.folder.glob("made/**/*")
        if path.suffix in {".ts", ".go", ".java", ".cs"} and "test" not in str(path.relative_to(running.folder)).lower()
    }
    api = next(text.lower() for stem, text in made.items() if stem in {"callsapi", "apicalls"})
    problem = next(text.lower() for stem, text in made.items() if stem in {"problem", "modelproblem"})
    described = json.loads((running.folder / "openapi.json").read_bytes())["paths"].values()
    operations = {each["operationId"] for item in described for each in item.values() if each.get("tags") == ["calls"]}

    assert len(operations) >= 5
    assert {name for name in operations if name.lower() not in api} == set()
    assert "tid" in problem
