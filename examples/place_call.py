"""Place a call: pip install requests vonage; set BASE_URL, APP_ID, CALLBACK, TO, FROM; private.key lies beside this."""

import os
import time
import uuid
from pathlib import Path

import requests
from vonage import Auth, Vonage

vonage = Vonage(Auth(application_id=os.environ["APP_ID"], private_key=Path("private.key").read_text()))
headers = {
    "Authorization": vonage.http_client.auth.create_jwt_auth_string().decode(),
    "Idempotency-Key": str(uuid.uuid4()),
}
call = {
    "to": os.environ["TO"],
    "from": os.environ["FROM"],
    "text": "This is the on-call desk. Enter your PIN, please.",
    "pin_code": "1234",
    "callback": os.environ["CALLBACK"],
}
for _ in range(5):
    # The same key each time: however often this is sent, one phone rings once.
    try:
        response = requests.post(f"{os.environ['BASE_URL']}/call", json=call, headers=headers, timeout=30)
    except requests.RequestException:
        time.sleep(1)
        continue
    answer = response.json()
    if answer.get("code") not in {"in_progress", "vendor_rate_limited", "vendor_unreachable", "store_unavailable"}:
        break
    time.sleep(int(response.headers["Retry-After"]))
else:
    raise SystemExit("no answer, five times")
print(answer)  # {'tid': …}, or a problem; after vendor_unclear it has both: the outcome will be reported
