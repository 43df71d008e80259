"""The public function as the real framework serves it: routes, methods, bodies, and problem+json for every error."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fakes import FakeClock
from tests.world import REQUEST, bearer, json_of, make_world

MAIN = Path(__file__).parents[2] / "main.py"
TID = "6a2827c9-4c68-46fc-b179-115f055dc0eb"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("CALL_STORE", f"sqlite:///{tmp_path}/calls.db")
    # Nothing listens there: these tests never get as far as a phone call.
    monkeypatch.setenv("VONAGE_API_URL", "http://127.0.0.1:9")
    created: Flask = functions_framework.create_app("ttsprompt", str(MAIN))
    return created


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as client:
        yield client


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem: dict[str, Any] = response.json or {}
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem.keys() >= {"type", "title", "detail", "errors"}
    return problem


def credential() -> dict[str, str]:
    clock = FakeClock()
    return bearer(clock, exp=int(time.time()) + 900)


def test_the_root_says_what_this_is(client: FlaskClient) -> None:
    response = client.get("/")

    assert response.json is not None
    assert response.json["name"] == "ttsprompt"
    assert response.json["callback_public_keys"] == []


def test_the_root_says_which_commit_was_deployed_if_the_operator_says(tmp_path: Path) -> None:
    assert "commit" not in json_of(make_world(tmp_path / "1").client.get("/"))
    assert json_of(make_world(tmp_path / "2", COMMIT="1f3c9a2b7d04").client.get("/"))["commit"] == "1f3c9a2b7d04"


@pytest.mark.parametrize(
    "path", ["/nothing", "/call/x/y/z", "/robots.txt", "/favicon.ico", "/answer", "/x//call", "/CALL"]
)
def test_an_unknown_path_is_a_problem(client: FlaskClient, path: str) -> None:
    assert_problem(client.post(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/call", "POST"),
        ("PUT", "/call", "POST"),
        ("PATCH", f"/event/{TID}", "POST"),
        ("GET", f"/event/{TID}", "POST"),
        ("GET", f"/input/{TID}", "POST"),
        ("DELETE", f"/answer/{TID}", "GET, HEAD, POST"),
        ("BREW", "/call", "POST"),
    ],
)
def test_a_wrong_method_says_which_are_right(client: FlaskClient, method: str, path: str, allow: str) -> None:
    response = client.open(path, method=method)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed"),
        (b"[]", "application/json", 400, "malformed"),
        (b"", "application/json", 400, "malformed"),
        (b'{"to": NaN}', "application/json", 400, "malformed"),
        (b'{"to": "1", "to": "2"}', "application/json", 400, "malformed"),
        (b"[" * 60_000, "application/json", 400, "malformed"),
        (b'{"to": ' + b"9" * 5000 + b"}", "application/json", 400, "malformed"),
        (b"\xff\xfe\xfd", "application/json", 400, "malformed"),
        (b"to=%ff", "application/x-www-form-urlencoded", 400, "malformed"),
        (b"\xff=1", "application/x-www-form-urlencoded", 400, "malformed"),
        (b"&".join(b"f%d=1" % n for n in range(300)), "application/x-www-form-urlencoded", 400, "malformed"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b"--x--", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
        (b" " * 65_537, "application/json", 413, "too_large"),
        (b"{}", "application/json", 401, "unauthenticated"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(
    client: FlaskClient, body: bytes, content_type: str, status: int, code: str
) -> None:
    assert_problem(client.post("/call", data=body, content_type=content_type), status, code)


@pytest.mark.parametrize("path", ["/call", "/nothing", "/", f"/event/{TID}"])
def test_a_body_over_the_cap_is_refused_on_every_path_without_being_kept(client: FlaskClient, path: str) -> None:
    response = client.post(path, data=b"x" * 300_000, content_type="application/json")

    assert_problem(response, 413, "too_large")


def test_a_chunked_body_over_the_cap_is_refused(client: FlaskClient) -> None:
    response = client.post(
        "/call",
        input_stream=io.BytesIO(b" " * 200_000),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert_problem(response, 413, "too_large")


def test_a_body_that_ends_early_is_malformed(client: FlaskClient) -> None:
    response = client.post(
        "/call", input_stream=io.BytesIO(b"{"), content_type="application/json", headers={"Content-Length": "100"}
    )

    assert_problem(response, 400, "malformed")


def test_any_charset_parameter_is_accepted(client: FlaskClient) -> None:
    response = client.post("/call", data=b"{}", content_type='application/json; charset="utf-8"', headers=credential())

    assert_problem(response, 422, "invalid_fields")


def test_every_fault_of_a_body_is_reported_at_once(client: FlaskClient) -> None:
    body = REQUEST | {"to": 447970513607, "pin_code": "12a4", "attempts": 11, "txet": "x"}
    problem = assert_problem(client.post("/call", json=body, headers=credential()), 422, "invalid_fields")

    assert {(error["field"], error["code"]) for error in problem["errors"]} == {
        ("to", "wrong_type"),
        ("pin_code", "invalid_pin"),
        ("attempts", "out_of_range"),
        ("txet", "unknown_field"),
    }
    (unknown,) = [error["message"] for error in problem["errors"] if error["field"] == "txet"]
    assert "Did you mean text?" in unknown
    assert "12a4" not in str(problem)


def test_json_that_was_sent_as_a_form_is_a_fault_of_no_field(client: FlaskClient) -> None:
    form = "application/x-www-form-urlencoded"
    response = client.post("/call", data='{"to": "1"}', content_type=form, headers=credential())
    [fault] = assert_problem(response, 422, "invalid_fields")["errors"]

    assert (fault["field"], fault["code"]) == ("", "unknown_field")


def test_a_repeated_form_field_is_a_fault(client: FlaskClient) -> None:
    body = "to=447970513607&to=447970513608&text=x"
    response = client.post("/call", data=body, content_type="application/x-www-form-urlencoded", headers=credential())
    problem = assert_problem(response, 422, "invalid_fields")

    assert {"field": "to", "code": "repeated", "message": "This field is given more than once."} in problem["errors"]


@pytest.mark.parametrize("body", ['{"pin_code": "73946182055"}', "73946182055=1&73946182055=2", "73946182055"])
def test_a_body_that_is_taken_for_a_fields_name_is_not_repeated(client: FlaskClient, body: str) -> None:
    """As curl sends JSON when it is not told the content type."""
    response = client.post("/call", data=body, content_type="application/x-www-form-urlencoded", headers=credential())
    problem = assert_problem(response, 422, "invalid_fields")

    assert "" in {error["field"] for error in problem["errors"]}
    assert "73946182055" not in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer not.a.jwt"},
        {"Authorization": "Bearer e30.e30."},
        bearer(FakeClock(), application_id=None),
        bearer(FakeClock(), application_id=17),
        bearer(FakeClock(), exp=1_700_000_000),
        bearer(FakeClock(), iat=1_700_000_000),
        bearer(FakeClock(), exp="1700000000"),
        bearer(FakeClock(), application_id="not-a-uuid"),
        bearer(FakeClock(), application_id="x" * 3000),
        bearer(FakeClock(), application_id=TID + "\x00"),
    ],
)
def test_a_credential_that_cannot_be_valid_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/call", json=REQUEST, headers=headers)

    assert_problem(response, 401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_gives_a_claim_twice_is_refused(client: FlaskClient) -> None:
    """We would take one for the application, and Vonage perhaps the other."""
    parts = ('{"alg":"RS256"}', '{"application_id":"mine","application_id":"yours"}', "signature")
    token = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    response = client.post("/call", json=REQUEST, headers={"Authorization": f"Bearer {token}"})

    assert_problem(response, 401, "unauthenticated")


def test_the_other_credential_header_goes_first(client: FlaskClient) -> None:
    headers = {"X-Vonage-Authorization": credential()["Authorization"], "Authorization": "Basic dXNlcjpwYXNz"}

    assert_problem(client.post("/call", json=REQUEST, headers=headers), 503, "vendor_unreachable")


@pytest.mark.parametrize("key", ["private.key", "/etc/passwd", "garbage", "-----BEGIN PRIVATE KEY-----\nx", "x.key"])
def test_a_private_key_that_is_none_is_a_fault_of_its_field(client: FlaskClient, key: str) -> None:
    body = REQUEST | {"private_key": key, "app_id": TID}
    problem = assert_problem(client.post("/call", json=body), 422, "invalid_fields")

    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("private_key", "invalid_private_key")]


@pytest.mark.parametrize(
    ("key", "faulty"), [("nonsense", ["private_key", "to"]), (7, ["private_key", "to"]), ("", ["private_key", "to"])]
)
def test_what_is_wrong_with_the_key_is_told_with_all_the_rest(
    client: FlaskClient, key: object, faulty: list[str]
) -> None:
    response = client.post("/call", json=REQUEST | {"to": "12", "private_key": key, "app_id": TID})

    assert response.json is not None
    assert sorted(error["field"] for error in response.json["errors"]) == faulty


def test_nothing_is_kept_of_a_call_that_could_not_be_placed(client: FlaskClient, tmp_path: Path) -> None:
    import sqlite3  # noqa: PLC0415

    response = client.post("/call", json=REQUEST, headers=credential())

    assert_problem(response, 503, "vendor_unreachable")
    assert response.headers["Retry-After"]
    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/answer/{TID}?token=x", {}),
        (f"/input/{TID}?token=x&step=1", {"dtmf": {"digits": "1"}}),
        (f"/event/{TID}?token=x", {"status": "answered"}),
        (f"/event/{TID}?token=x", {"status": "human"}),
        (f"/event/{TID}?token=x", {"status": "machine"}),
        (f"/event/{TID}", {"status": "completed"}),
        ("/event/not-a-uuid?token=x", {"status": "completed"}),
        ("/event/..?token=x", {"status": "completed"}),
    ],
)
def test_a_webhook_of_an_unknown_call_is_not_found(client: FlaskClient, path: str, body: dict[str, Any]) -> None:
    assert_problem(client.post(path, json=body), 404, "not_found")


@pytest.mark.parametrize("status", ["started", "ringing", "transfer", "something new", None, 7, ["busy"]])
def test_an_event_that_changes_nothing_is_taken_unseen(client: FlaskClient, status: Any) -> None:
    response = client.post(f"/event/{TID}?token=x", json={"status": status, "more": {"unknown": [1]}})

    assert (response.status_code, response.data) == (204, b"")


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"\x00", b'{"dtmf": '])
def test_a_webhook_whose_body_is_no_object_is_malformed(client: FlaskClient, body: bytes) -> None:
    for path in (f"/event/{TID}?token=x", f"/input/{TID}?token=x&step=1"):
        assert_problem(client.post(path, data=body, content_type="application/json"), 400, "malformed")


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"exp": True}, {"exp": 10**400}, {"iat": "soon"}, {"nbf": None}])
def test_what_only_vonage_can_judge_of_a_token_is_left_to_it(client: FlaskClient, claims: dict[str, Any]) -> None:
    headers = bearer(FakeClock(), **{"exp": int(time.time()) + 900, **claims})

    assert_problem(client.post("/call", json=REQUEST, headers=headers), 503, "vendor_unreachable")


@pytest.mark.parametrize("dtmf", [["1"], True, {"digits": ["1"]}, {"digits": {}}])
def test_keys_that_are_no_text_are_malformed(client: FlaskClient, dtmf: Any) -> None:
    assert_problem(client.post(f"/input/{TID}?token=x&step=1", json={"dtmf": dtmf}), 400, "malformed")


def test_answers_are_not_cached_or_sniffed(client: FlaskClient) -> None:
    for response in (client.get("/"), client.get("/nothing"), client.get("/robots.txt"), client.post("/call")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_service_refuses_to_start_with_every_fault_in_one_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER_MODE", "later")
    monkeypatch.setenv("LOG_LEVEL", "chatty")

    with pytest.raises(SystemExit, match=r"(?s)ANSWER_MODE must be.*LOG_LEVEL must be"):
        functions_framework.create_app("ttsprompt", str(MAIN))


def test_a_body_that_breaks_the_servers_own_parser_is_malformed(client: FlaskClient) -> None:
    class BrokenChunks(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ArithmeticError("whatever the server raises")

    response = client.post(
        "/call",
        input_stream=BrokenChunks(b"ZZ"),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert_problem(response, 400, "malformed")


# The private functions


def private(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("CALL_STORE", f"sqlite:///{tmp_path}/calls.db")
    created: Flask = functions_framework.create_app(name, str(MAIN))
    return created.test_client()


@pytest.mark.parametrize(("name", "methods"), [("expire_stale_calls", ["POST"]), ("setup", ["GET", "POST"])])
def test_a_private_function_tells_what_it_did_by_its_methods_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, methods: list[str]
) -> None:
    client = private(name, tmp_path, monkeypatch)

    for method in methods:
        response = client.open("/", method=method)
        assert (response.status_code, response.content_type) == (200, "application/json")
        if name == "setup":
            assert response.json == {"result": "ok", "pending": []}
        else:
            counts = ("expired", "delivered", "retrying", "undeliverable", "errors", "remaining")
            assert response.json == dict.fromkeys(counts, 0)
    for method in {"GET", "PUT", "DELETE"} - set(methods):
        response = client.open("/", method=method)
        assert_problem(response, 405, "method_not_allowed")
        assert response.headers["Allow"] == ", ".join(methods)


@pytest.mark.parametrize("name", ["expire_stale_calls", "setup"])
def test_a_private_function_answers_a_body_over_the_cap_and_a_broken_store_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert_problem(private(name, tmp_path, monkeypatch).post("/", data=b"x" * 65_537), 413, "too_large")
    assert_problem(private(name, tmp_path / "none", monkeypatch).post("/"), 503, "store_unavailable")
