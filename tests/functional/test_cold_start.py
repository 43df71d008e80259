"""A cold start is somebody waiting on the phone: a webhook loads nothing slow that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.builders import PIN, TOKEN, a_call
from ttsprompt.domain.model import Phase
from ttsprompt.stores.sqlite import open_sqlite
from ttsprompt.web.routes import ROUTES, Who

ROOT = Path(__file__).parents[2]
SLOW = ("pydantic", "requests", "jwt", "cryptography", "phonenumbers", "vonage_jwt", "standardwebhooks", "grpc")
TID = "00000000-0000-4000-8000-000000000000"
CALL = a_call(callback=None, now=datetime.now(UTC))
PATHS = [
    route.path.format(tid=TID) + "?token=x&step=1"
    for route in ROUTES
    if route.who is Who.VONAGE and route.method == "POST"
]

SCRIPT = f"""
import json, sys
import functions_framework
client = functions_framework.create_app("ttsprompt", "main.py").test_client()
for path in {PATHS!r}:
    assert client.post(path, json={{"dtmf": "1", "status": "answered"}}).status_code == 404
keyed = client.post("/input/{CALL.tid}?token={TOKEN}&step=1", json={{"dtmf": {{"digits": "{PIN}"}}}})
assert [action["action"] for action in keyed.json] == ["talk"]
assert client.post("/event/{CALL.tid}?token={TOKEN}", json={{"status": "busy"}}).status_code == 204
print(json.dumps([name for name in {SLOW!r} if name in sys.modules]), file=sys.stderr)
"""


def test_a_webhook_on_the_embedded_store_loads_nothing_slow(tmp_path: Path) -> None:
    store, _ = open_sqlite(f"sqlite:///{tmp_path}/calls.db")
    store.create(CALL)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"CALL_STORE": f"sqlite:///{tmp_path}/calls.db", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(done.stderr.splitlines()[-1]) == []
    assert store.get(CALL.tid).call.phase is Phase.SETTLED
