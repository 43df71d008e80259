"""Receive the outcome: pip install flask standardwebhooks; set SIGNING_SECRET; flask --app receive_callback run."""

import os

from flask import Flask, Response, request
from standardwebhooks import Webhook

app = Flask(__name__)
seen: set[str] = set()  # in real life: your database, with the tids that you were given


@app.post("/callback")
def callback() -> Response:
    try:
        Webhook(os.environ["SIGNING_SECRET"]).verify(request.get_data(), dict(request.headers), json_parse=False)
    except Exception:  # whatever is wrong with it, it is not ours
        return Response(status=401)
    if request.headers["webhook-id"] not in seen:  # it may come more than once
        seen.add(request.headers["webhook-id"])
        fields = request.get_json() if request.is_json else request.form
        print("confirmed" if fields["status"] == "ok" else "not confirmed", fields["tid"], fields["reason"], flush=True)
    return Response(status=204)
