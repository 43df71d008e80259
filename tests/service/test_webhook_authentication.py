"""Who may move a call: the token in the URL, the step that was asked, and Vonage's signature if there is a secret."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt import api_jws
from werkzeug.test import TestResponse

from tests.world import World, fields_logged, json_of, make_world, query_of, tid_of

SECRET = "signature-secret-of-the-account-" * 2


@pytest.fixture
def signed(tmp_path: Path) -> World:
    return make_world(tmp_path, VONAGE_SIGNATURE_SECRET=SECRET)


def paths(world: World) -> dict[str, str]:
    order = world.voice.orders[-1]
    token = query_of(order.event_url)["token"]
    tid = tid_of(order)
    return {
        "answer": f"/answer/{tid}?token={token}",
        "input": f"/input/{tid}?token={token}&step=1",
        "event": f"/event/{tid}?token={token}",
    }


@pytest.mark.parametrize("route", ["answer", "input", "event"])
@pytest.mark.parametrize("token", ["", "x", "\ud800", "é" * 43, "A" * 43])
def test_a_wrong_token_looks_like_an_unknown_call_and_writes_nothing(world: World, route: str, token: str) -> None:
    tid = world.place()
    before = world.store.get(tid).version
    right = query_of(world.voice.orders[-1].event_url)["token"]
    body = {"status": "completed", "duration": "9", "dtmf": {"digits": "1234"}}
    quoted = token.encode("utf-8", "replace").decode()
    wrong = world.client.post(paths(world)[route].replace(right, quoted), json=body)
    unknown = world.client.post(paths(world)[route].replace(tid, "0" * 8 + tid[8:]), json=body)

    assert wrong.status_code == unknown.status_code == 404
    assert wrong.data == unknown.data
    assert world.store.get(tid).version == before


@pytest.mark.parametrize("route", ["answer", "input", "event"])
@pytest.mark.parametrize("left_out", ["token", "step"])
def test_a_webhook_that_lacks_what_the_url_carries_is_not_found(world: World, route: str, left_out: str) -> None:
    world.place()
    path, _, query = paths(world)[route].partition("?")
    rest = "&".join(part for part in query.split("&") if not part.startswith(left_out))
    response = world.client.post(f"{path}?{rest}", json={"status": "answered", "dtmf": "1234"})

    assert response.status_code == (404 if rest != query else 204 if route == "event" else 200)
    assert world.outcomes == []


def test_the_token_of_another_call_is_a_wrong_token(world: World) -> None:
    world.place()
    other = query_of(world.voice.orders[-1].event_url)["token"]
    tid = world.place()
    response = world.client.post(f"/event/{tid}?token={other}", json={"status": "completed"})

    assert response.status_code == 404
    assert world.outcomes == []


@pytest.mark.parametrize("uuid", ["x", None, 7, "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_the_uuid_in_a_body_neither_selects_nor_refuses(world: World, uuid: Any) -> None:
    world.place()
    body = {"status": "busy", "uuid": uuid, "call_uuid": uuid, "conversation_uuid": uuid}

    assert world.webhook(world.voice.orders[-1].event_url, body).status_code == 204
    assert [outcome["reason"] for outcome in world.outcomes] == ["busy"]


@pytest.mark.parametrize("step", ["0", "2", "999", "-1", "1.0", "1e0", "x", "", "١", "1&step=2&x="])
def test_a_step_that_was_not_asked_is_not_found(world: World, step: str) -> None:
    tid = world.place()
    before = world.store.get(tid).version
    response = world.key("1234", world.input_url.replace("step=1", f"step={step}"))

    if step.startswith("1&"):
        assert response.status_code == 200  # the first of two counts
    else:
        assert response.status_code == 404
        assert world.store.get(tid).version == before


def signature(world: World, body: bytes | None, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    payload: dict[str, Any] = {"iat": int(world.clock.now().timestamp()), "jti": "1", "iss": "Vonage"}
    if body is not None:
        payload["payload_hash"] = hashlib.sha256(body).hexdigest()
    return jwt.encode(payload | claims, secret if algorithm != "none" else "", algorithm=algorithm)


def without_a_time(body: bytes) -> str:
    return jwt.encode({"payload_hash": hashlib.sha256(body).hexdigest()}, SECRET, algorithm="HS256")


def send(world: World, body: bytes, token: str | None, route: str = "event") -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = paths(world)[route]
    return world.client.post(path, data=body, content_type="application/json", headers=headers).status_code


BUSY = b'{"status":"busy","uuid":"x"}'


def test_a_signed_webhook_is_taken(signed: World) -> None:
    signed.place()

    assert send(signed, BUSY, signature(signed, BUSY)) == 204
    assert [outcome["reason"] for outcome in signed.outcomes] == ["busy"]


@pytest.mark.parametrize(
    "claim", [{"jti": 5}, {"sub": 7}, {"nbf": "x"}, {"exp": "x"}, {"exp": 1}, {"iss": []}, {"aud": 3}], ids=str
)
def test_a_claim_that_no_rule_needs_turns_no_webhook_away(signed: World, claim: dict[str, Any]) -> None:
    """Vonage does not ask again after a 401."""
    signed.place()
    token = api_jws.encode(
        json.dumps({**json.loads(_payload(signature(signed, BUSY))), **claim}).encode(), SECRET, algorithm="HS256"
    )

    assert send(signed, BUSY, token) == 204


def _payload(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


def test_more_than_one_blank_may_stand_before_the_token(signed: World) -> None:
    signed.place()

    assert send(signed, BUSY, f"  {signature(signed, BUSY)}") == 204


def test_the_hash_may_be_of_the_compact_form(signed: World) -> None:
    signed.place()
    body = '{ "status": "busy",\n "detail": "é" }'.encode()
    compact = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()

    assert send(signed, body, signature(signed, compact)) == 204


@pytest.mark.parametrize("late_s", [-300, 300])
def test_a_signature_is_good_for_five_minutes_by_our_clock_whatever_the_machines_says(
    signed: World, late_s: int
) -> None:
    signed.clock.advance(100 * 365 * 86400)
    signed.place()
    now = int(signed.clock.now().timestamp())
    token = signature(signed, BUSY, iat=now - late_s, aud="somebody else", exp=int(time.time()) - 200)

    assert send(signed, BUSY, token) == 204


def test_what_is_not_signed_as_it_should_be_is_refused(signed: World) -> None:
    signed.place()
    tokens = {
        "missing": None,
        "garbage": "a.b.c",
        "another secret": signature(signed, BUSY, secret="another-secret-of-the-account-.." * 2 + ""),
        "another body": signature(signed, BUSY + b" tampered"),
        "no hash": signature(signed, None),
        "hash of another type": signature(signed, None, payload_hash=7),
        "hash that is no text": signature(signed, None, payload_hash="\ud800"),
        "too old": signature(signed, BUSY, iat=int(signed.clock.now().timestamp()) - 301),
        "from the future": signature(signed, BUSY, iat=int(signed.clock.now().timestamp()) + 301),
        "no time": signature(signed, BUSY, iat=None),
        "no claim of a time": without_a_time(BUSY),
        "a time that is none": signature(signed, BUSY, iat=True),
        "unsigned": signature(signed, BUSY, algorithm="none"),
        "another algorithm": signature(signed, BUSY, algorithm="HS384"),
    }

    assert {name: send(signed, BUSY, token) for name, token in tokens.items()} == dict.fromkeys(tokens, 401)
    for route, body in (("input", b'{"dtmf":"1234"}'), ("answer", b"{}")):
        assert send(signed, body, None, route) == 401
        assert send(signed, body, signature(signed, body + b" "), route) == 401
    assert signed.outcomes == []


def test_a_refused_webhook_is_logged_with_what_was_wrong_and_without_the_url(
    signed: World, caplog: pytest.LogCaptureFixture
) -> None:
    signed.place()
    send(signed, BUSY, "a.b.c")

    (fields,) = fields_logged(caplog, "webhook_refused")
    assert fields.keys() == {"detail"}
    assert fields["detail"]


def test_on_get_only_signature_and_age_count(signed: World) -> None:
    def get(token: str) -> TestResponse:
        return signed.client.get(paths(signed)["answer"], headers={"Authorization": f"Bearer {token}"})

    signed.place()
    now = int(signed.clock.now().timestamp())
    wrong = {
        "garbage": "a.b.c",
        "another secret": signature(signed, None, secret="another-secret-of-the-account-.." * 2),
        "too old": signature(signed, None, iat=now - 301),
        "from the future": signature(signed, None, iat=now + 301),
    }

    assert {name: get(token).status_code for name, token in wrong.items()} == dict.fromkeys(wrong, 401)
    assert signed.client.get(paths(signed)["answer"]).status_code == 401
    response = get(signature(signed, None))
    assert response.status_code == 200
    assert [action["action"] for action in json_of(response)] == ["talk", "input"]


def test_a_right_signature_does_not_replace_the_token(signed: World) -> None:
    tid = signed.place()
    headers = {"Authorization": f"Bearer {signature(signed, BUSY)}"}
    response = signed.client.post(
        f"/event/{tid}?token=wrong", data=BUSY, content_type="application/json", headers=headers
    )

    assert response.status_code == 404


def test_an_error_event_is_logged_and_changes_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    tid = world.place()
    before = world.store.get(tid).version
    body = {"reason": "Syntax error in NCCO for 447970513607", "conversation_uuid": "CON-x", "timestamp": "x"}

    assert world.webhook(world.voice.orders[-1].event_url, body).status_code == 204
    assert [record.levelname for record in caplog.records if record.msg == "vonage_error_event"] == ["ERROR"]
    assert [line["tid"] for line in fields_logged(caplog, "vonage_error_event")] == [tid]
    assert world.store.get(tid).version == before


def test_an_error_event_for_what_is_no_tid_does_not_put_it_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    response = world.client.post(f"/event/{'A' * 3000}?token=x", json={"reason": "x"})

    assert response.status_code == 204
    assert fields_logged(caplog, "vonage_error_event") == [{"reason": "x"}]


def test_a_webhook_that_is_refused_is_logged_without_its_url(signed: World, caplog: pytest.LogCaptureFixture) -> None:
    """With a wrong secret every webhook is refused, and every call expires: the log says why."""
    signed.place()
    event_url = signed.voice.orders[-1].event_url

    for url in (event_url, signed.input_url, event_url.replace("/event/", "/answer/")):
        assert signed.webhook(url, {"status": "completed"}).status_code == 401
    assert len(fields_logged(caplog, "webhook_refused")) == 3
    assert all(record.levelname == "WARNING" for record in caplog.records if record.msg == "webhook_refused")
    logged = repr([record.__dict__ for record in caplog.records])
    assert query_of(event_url)["token"] not in logged
    assert "/event/" not in logged


def test_a_webhook_whose_record_cannot_be_read_is_asked_for_again(world: World, tmp_path: Path) -> None:
    """By Vonage, soon, and by then a version may be back that knows the word."""
    world.place()
    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection, connection:
        connection.execute("UPDATE calls SET document = replace(document, '\"placed\"', '\"word of a later version\"')")

    for response in (world.key("1234"), world.event("completed"), world.event("answered")):
        assert (response.status_code, json_of(response)["code"]) == (503, "store_unavailable")
        assert response.headers["Retry-After"] == "1"
