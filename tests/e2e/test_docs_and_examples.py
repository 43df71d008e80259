"""Every snippet of docs/api.md, README's request and every example run, against a real service."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devphone.processes.service import Service, free_port
from tests.e2e.conftest import SIGNING_SECRET, Stack, wait_for

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", API, re.DOTALL)


def section(title: str) -> str:
    return API.partition(f"## {title}")[2].partition("\n## ")[0]


def shell(script: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_curl_snippets_do_what_the_page_says(stack: Stack) -> None:
    place, status, wait, cancel, redeliver, erase = snippets("sh")
    environment = {"BASE_URL": stack.service.url, "VONAGE_JWT": stack.application.token()}
    request = stack.request()
    stack.script(request, "1111,1234")
    place = place.replace("447970513607", request["to"]).replace("https://example.com/callback", request["callback"])
    place = place.replace("5f0c1c9e", f"{int(request['to']) % 16**8:08x}")

    tid = shell(place, **environment)["tid"]
    assert shell(place, **environment)["tid"] == tid
    assert stack.outcome(tid)["status"] == "ok"
    shown = wait_for(lambda: (c := shell(status, TID=tid, **environment))["delivery"]["tries"] and c)
    documented = json.loads(snippets("json")[1])
    assert shown.keys() == documented.keys()
    assert [line["event"] for line in documented["timeline"]][:3] == [line["event"] for line in shown["timeline"]][:3]
    assert shell(redeliver, TID=tid, **environment)["delivery"]["state"] == "delivered"
    for ask in (wait, cancel):
        assert shell(ask, TID=tid, **environment)["status"] == "ok"
    assert shell(erase, TID=tid, **environment)["to"] is None


def test_the_readmes_request_is_pushed_and_fetched_as_it_says(stack: Stack) -> None:
    place, fetch = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)
    environment = {"BASE_URL": stack.service.url, "VONAGE_JWT": stack.application.token()}
    request = stack.request()
    stack.script(request, "1234")
    assert "447970513607" in place
    assert "https://example.com/callback" in place
    place = place.replace("447970513607", request["to"]).replace("https://example.com/callback", request["callback"])

    tid = shell(place, **environment)["tid"]
    assert shell(fetch, TID=tid, **environment)["status"] == "ok"
    assert stack.outcome(tid)["reason"] == "pin_matched"


@pytest.mark.parametrize("page", ["docs/api.md", "docs/errors.md"])
def test_the_documented_problem_is_the_one_that_comes(stack: Stack, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (documented,) = [
        json.loads(found) for found in re.findall(r"```json\n(\{[^`]*?urn:ttsprompt.*?)```", text, re.DOTALL)
    ]

    assert stack.post(stack.request(pin_code="12a4")).json() == documented


def test_the_python_snippet_makes_a_token_that_vonage_takes(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private.key").write_text(stack.application.private_key)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"app_id": stack.application.id}
    exec(snippets("python")[0], names)  # the page's own code

    headers = {"Authorization": f"Bearer {names['VONAGE_JWT']}"}
    assert httpx.post(f"{stack.service.url}/call", json=stack.request(), headers=headers).status_code == 200


def test_the_python_snippets_verify_what_we_sign(stack: Stack) -> None:
    _, shared, public = snippets("python")
    names: dict[str, Any] = {}
    exec(public, names)  # the page's own code
    key, new_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    whpk = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    now = str(int(time.time()))
    headers = {
        "webhook-id": "x",
        "webhook-timestamp": now,
        "webhook-signature": " ".join(
            ["v1,c2ln"] + ["v1a," + base64.b64encode(k.sign(f"x.{now}.body".encode())).decode() for k in (new_key, key)]
        ),
    }
    names["verify"]("body", headers, whpk)
    with pytest.raises(ValueError, match="not signed"):
        names["verify"]("Body", headers, whpk)
    with pytest.raises(ValueError, match="too old"):
        names["verify"]("body", headers | {"webhook-timestamp": "1"}, whpk)

    tid = stack.play("1234")["tid"]
    (callback,) = [x for x in httpx.get(f"{stack.board.url}/devphone/callbacks").json() if tid in x["body"]]
    exec(shared, {"secret": SIGNING_SECRET, "body": callback["body"], "headers": callback["headers"]})


def test_the_page_names_every_reason_and_field() -> None:
    from ttsprompt.call_request import CallRequest  # noqa: PLC0415 - one test needs it
    from ttsprompt.domain.verdict import Reason  # noqa: PLC0415

    for name in [*Reason, *(field.alias or name for name, field in CallRequest.model_fields.items())]:
        assert f"`{name}`" in API, name


def environment_of(stack: Stack, request: dict[str, Any]) -> dict[str, str]:
    return {
        "BASE_URL": stack.service.url,
        "APP_ID": stack.application.id,
        "VONAGE_JWT": stack.application.token(),
        "CALLBACK": request["callback"],
        "TO": request["to"],
        "FROM": request["from"],
    }


def command(name: str) -> list[str]:
    if name.endswith(".mjs"):
        if shutil.which("node") is None:
            pytest.skip("the Node examples need node")  # a user's machine may lack it; CI fails then
        return ["node", str(EXAMPLES / name)]
    return ["bash" if name.endswith(".sh") else sys.executable, str(EXAMPLES / name)]


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("place_call.*")))
def test_each_example_places_a_call(stack: Stack, tmp_path: Path, example: str) -> None:
    request = stack.request()
    stack.script(request, "1234")
    (tmp_path / "private.key").write_text(stack.application.private_key)
    done = subprocess.run(
        command(example),
        cwd=tmp_path,
        env=os.environ | environment_of(stack, request),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    tid = json.loads(done.stdout.replace("'", '"'))["tid"]
    assert stack.outcome(tid)["status"] == "ok"


@contextmanager
def receiver(example: str, port: int, key: str) -> Iterator[subprocess.Popen[str]]:
    run = command(example)
    if example.endswith(".py"):
        run = [sys.executable, "-m", "flask", "--app", str(EXAMPLES / example), "run", "--port", str(port)]
    process = subprocess.Popen(
        run,
        env=os.environ | {"SIGNING_KEY": key, "PORT": str(port), "PYTHONPATH": str(ROOT / "client")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wait_for(lambda: answers(port))
    yield process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def answers(port: int) -> bool:
    try:
        return httpx.post(f"http://127.0.0.1:{port}/callback", trust_env=False).status_code == 401
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("receive_callback.*")))
@pytest.mark.parametrize("callback_format", ["form", "json"])
@pytest.mark.parametrize("kind", ["public", "shared"])
def test_each_example_receives_a_verified_callback(stack: Stack, example: str, callback_format: str, kind: str) -> None:
    """A deployment signs with a key of its own, whose public half `GET /` shows; a shared secret is the exception."""
    (public,) = httpx.get(f"{stack.service.url}/", trust_env=False).json()["callback_public_keys"]
    port = free_port()
    with receiver(example, port, public if kind == "public" else SIGNING_SECRET) as process:
        callback = f"http://127.0.0.1:{port}/callback"
        request = stack.request(callback=callback, callback_format=callback_format)
        stack.script(request, "1234")
        tid = stack.post(request).json()["tid"]
        assert process.stdout is not None
        line = process.stdout.readline()
        while "confirmed" not in line:
            line = process.stdout.readline()

    assert line.split() == ["confirmed", tid, "pin_matched"]


def test_the_examples_are_short() -> None:
    assert all(len(path.read_text().splitlines()) < 40 for path in EXAMPLES.iterdir() if path.is_file())


def test_a_service_is_of_no_use_without_its_function(tmp_path: Path) -> None:
    """The examples' service is the real one: a wrong target does not start."""
    with pytest.raises(Exception, match="did not start"):
        Service({}, target="nothing", log=tmp_path / "service.log").start()
