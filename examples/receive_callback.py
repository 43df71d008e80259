"""Receive the outcome: pip install flask ./client; set SIGNING_KEY; flask --app receive_callback run.

SIGNING_KEY is the service's whpk_… (GET / shows it), or the shared whsec_….
"""

import os

from flask import Flask, Response, request

from ttsprompt_client import VerificationError, verify

app = Flask(__name__)
seen: set[str] = set()  # in real life: your database, with the tids that you were given


@app.post("/callback")
def callback() -> Response:
    try:
        outcome = verify(request.headers, request.get_data(), os.environ["SIGNING_KEY"])
    except VerificationError:
        return Response(status=401)
    if outcome.tid not in seen:  # it may come more than once
        seen.add(outcome.tid)
        print("confirmed" if outcome.is_ok else "not confirmed", outcome.tid, outcome.reason, flush=True)
    return Response(status=204)
