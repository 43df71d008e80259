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
while True:
    # The same key each time: however often this is sent, one phone rings once.
    response = requests.post(f"{os.environ['BASE_URL']}/call", json=call, headers=headers, timeout=30)
    if response.status_code not in {409, 429, 503}:
        break
    time.sleep(int(response.headers.get("Retry-After", "1")))
print(response.json())
