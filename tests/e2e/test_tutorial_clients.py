"""The tutorial's examples, run as they stand but for URL and numbers, by the clients they were written for."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from vonage import Auth, Vonage

from tests.e2e.conftest import Stack

ROOT = Path(__file__).parents[2]

CURL = """
curl -s -X "POST" "{url}/call" \
--data-urlencode "private_key=`cat private.key`" \
-d "app_id={app_id}" \
-d "to={to}" \
-d "from=447520616161" \
-d "text='Enter the PIN'" \
-d "pin_code=1234" \
-d "callback={callback}" \
-d "callback_method={method}" \
-d "bye_text='Thank You'" \
-d "failed_text='Try again'"
"""

PYTHON = """
# you need the Nexmo client lib to generate your JWT
import nexmo
import requests

client = nexmo.Client(application_id=APP_ID, private_key=PRIVATE_KEY, key='dummy', secret='dummy')
headers = client._Client__headers()
data = {
'to': 'TO_NUMBER',
'from': 'CALLERID_NUMBER',
'text': 'Enter the pin',
'pin_code' : '1234',
'callback' : 'https://example.com/callback',
'callback_method' : 'post',
'bye_text' : 'thankyou',
'failed_text' : 'try again'
}
response = requests.post("https://910e9mcan2.execute-api.us-east-1.amazonaws.com/api/call", json=data, headers=headers)
"""


@pytest.mark.parametrize("method", ["post", "get"])
def test_the_curl_example_places_a_call(stack: Stack, tmp_path: Path, method: str) -> None:
    request = stack.request()
    stack.script(request, "1234")
    (tmp_path / "private.key").write_text(stack.application.private_key)
    command = CURL.format(
        url=stack.service.url,
        app_id=stack.application.id,
        to=request["to"],
        callback=request["callback"],
        method=method,
    )
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)

    outcome = stack.outcome(json.loads(done.stdout)["tid"])
    assert (outcome["to"], outcome["status"]) == (request["to"], "ok")
    assert ("own" in outcome) == (method == "get")


def test_the_python_example_places_a_call_with_the_client_of_its_time(stack: Stack) -> None:
    request = stack.request()
    stack.script(request, "1234")
    example = (
        PYTHON.replace("TO_NUMBER", request["to"])
        .replace("CALLERID_NUMBER", request["from"])
        .replace("https://example.com/callback", request["callback"])
        .replace("https://910e9mcan2.execute-api.us-east-1.amazonaws.com/api", stack.service.url)
    )
    credential = f"APP_ID={stack.application.id!r}\nPRIVATE_KEY={stack.application.private_key!r}\n"
    script = f"{credential}{example}\nprint(response.text)"
    python = ROOT / ".venv-nexmo" / "bin" / "python"
    assert python.exists(), f"run: {shlex.quote(sys.executable)} … make .venv-nexmo/ready"
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert stack.outcome(json.loads(done.stdout)["tid"])["status"] == "ok"


def test_todays_vonage_library_makes_a_token_that_is_taken(stack: Stack) -> None:
    client = Vonage(Auth(application_id=stack.application.id, private_key=stack.application.private_key))
    header = client.http_client.auth.create_jwt_auth_string()
    request = stack.request()
    stack.script(request, "1234")
    response = stack.post(request, headers={"Authorization": header.decode()})

    assert stack.outcome(response.json()["tid"])["status"] == "ok"
