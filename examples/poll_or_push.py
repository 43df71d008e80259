"""The outcome, fetched or sent: pip install flask ./client; python poll_or_push.py poll, or push (CALLBACK, PORT)."""

import os
import sys

from flask import Flask, Response, request

from ttsprompt_client import CallFields, Client, verify

client = Client(os.environ["TTSPROMPT_URL"], os.environ["VONAGE_APPLICATION_ID"], os.environ["VONAGE_PRIVATE_KEY"])
call: CallFields = {"to": os.environ["TO"], "from_": os.environ["FROM"], "text": "Enter your PIN.", "pin_code": "1234"}


def poll() -> None:
    """Needs no server of yours: this waits as long as the call takes."""
    print(client.call(**call))


def push() -> None:
    """Needs a URL that the service can reach: place the call, and be told."""
    keys = client.about()["callback_public_keys"]
    app = Flask(__name__)

    @app.post("/callback")
    def told() -> Response:
        print(verify(request.headers, request.get_data(), keys), flush=True)  # in real life: after the tid was noted
        return Response(status=204)

    client.place(**call, callback=os.environ["CALLBACK"])
    app.run(port=int(os.environ["PORT"]))  # if the call is faster, the callback comes again


if __name__ == "__main__":
    {"poll": poll, "push": push}[sys.argv[1]]()
