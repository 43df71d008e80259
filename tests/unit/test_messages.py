"""What people get wrong, and what they are told: each message says what is wrong and what to send instead.

The numbers' messages are in `test_phone_numbers.py`, the private keys' in `test_private_key.py`.
"""

# ruff: noqa: E501 - a row is a line

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.world import APPLICATION_ID, REQUEST, World, bearer, json_of, make_world

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
HEADER = "Authorization: Bearer <Vonage application JWT>"
NO_JWT = "The credential is not a JWT, which has three parts with two dots between them: "
NOT_JSON = "The body is not valid JSON: "
LATIN = "some bytes are of another encoding, such as Latin-1"
OBJECT = 'The body must be a JSON object: {"to": "...", ...}.'
ONE = "(line 1, column {})."

BODIES: tuple[tuple[bytes, str, int, str], ...] = (
    # the content type
    (b"", JSON, 400, "The body is empty: send the fields of the call as JSON or as a form."),
    (b" \n", FORM, 400, "The body is empty: send the fields of the call as JSON or as a form."),
    (b"", "", 400, "The body is empty: send the fields of the call as JSON or as a form."),
    (b'{"to": "1"}', FORM, 422, f"The body looks like JSON but was sent as a form: add Content-Type: {JSON}."),
    (
        b'\xef\xbb\xbf{"to": "1"}',
        FORM,
        422,
        f"The body looks like JSON but was sent as a form: add Content-Type: {JSON}.",
    ),
    (b'\n [{"to": "1"}]', FORM, 422, f"The body looks like JSON but was sent as a form: add Content-Type: {JSON}."),
    (b'{"to": "1"}', "", 415, f"The body has no content type: add Content-Type: {JSON}."),
    (b"to=1", "", 415, f"The body has no content type: add Content-Type: {JSON} or {FORM}."),
    (b"to=1&from=2", JSON, 400, f"The body looks like a form but was sent as JSON: add Content-Type: {FORM}."),
    (
        *(b"--x--", "multipart/form-data; boundary=x", 415),
        f"A multipart form is not read: send the fields as {FORM} (curl: -d, not -F) or as {JSON}.",
    ),
    (b"x", "text/plain", 415, f"The body must be {JSON} or {FORM}."),
    # the encoding
    (b'{"text": "\xe9"}', JSON, 400, f"The body is not UTF-8: {LATIN} (line 1, column 11)."),
    (b'{\n"text": "gr\xfc\xdfe"}', JSON, 400, f"The body is not UTF-8: {LATIN} (line 2, column 12)."),
    ('{"to": "1"}'.encode("utf-16"), JSON, 400, f"The body is not UTF-8: {LATIN} (line 1, column 1)."),
    (b"text=%E9", FORM, 400, f"The form is not UTF-8: {LATIN}."),
    (b"text=\xe9", FORM, 400, f"The form is not UTF-8: {LATIN}."),
    # the syntax of JSON
    (b'{"to": "1",}', JSON, 400, f"{NOT_JSON}leave out the comma before the closing bracket {ONE.format(12)}"),
    (b'{"a": [1, ]}', JSON, 400, f"{NOT_JSON}leave out the comma before the closing bracket {ONE.format(11)}"),
    (b'{"a": 1,, "b": 2}', JSON, 400, f"{NOT_JSON}there is a comma too many {ONE.format(9)}"),
    (
        *(b"{'to': '1'}", JSON, 400),
        f"{NOT_JSON}names and texts stand in double quotes, not in single ones {ONE.format(2)}",
    ),
    (
        *(b"{\"to\": '1'}", JSON, 400),
        f"{NOT_JSON}names and texts stand in double quotes, not in single ones {ONE.format(8)}",
    ),
    ('{“to”: "1"}'.encode(), JSON, 400, f'{NOT_JSON}names and texts stand in plain double quotes (") {ONE.format(2)}'),
    (b'{to: "1"}', JSON, 400, f"{NOT_JSON}names stand in double quotes {ONE.format(2)}"),
    (b'{"to": abc}', JSON, 400, f"{NOT_JSON}texts stand in double quotes {ONE.format(8)}"),
    (b'{"pin_code": $PIN}', JSON, 400, f"{NOT_JSON}texts stand in double quotes {ONE.format(14)}"),
    (b'{"to": +447700900008}', JSON, 400, f"{NOT_JSON}a telephone number stands in double quotes {ONE.format(8)}"),
    (b'{"to": 44 7700 900008}', JSON, 400, f"{NOT_JSON}a telephone number stands in double quotes {ONE.format(11)}"),
    (
        *(b'{"pin_code": 0123}', JSON, 400),
        f"{NOT_JSON}a number that begins with 0, such as a PIN, stands in double quotes {ONE.format(15)}",
    ),
    (b'{"a": True}', JSON, 400, f"{NOT_JSON}true, false and null are written in small letters {ONE.format(7)}"),
    (b'{"a": None}', JSON, 400, f"{NOT_JSON}true, false and null are written in small letters {ONE.format(7)}"),
    (b'{"a": 1} // one', JSON, 400, f"{NOT_JSON}something follows after the end of the object {ONE.format(10)}"),
    (b'{"a": 1, // one\n"b": 2}', JSON, 400, f"{NOT_JSON}JSON has no comments {ONE.format(10)}"),
    (b'{"a": "b" # one\n}', JSON, 400, f"{NOT_JSON}JSON has no comments {ONE.format(11)}"),
    (b'{"a": "b"; "c": 1}', JSON, 400, f"{NOT_JSON}fields are parted by commas, not by semicolons {ONE.format(10)}"),
    (b'{"a" = "b"}', JSON, 400, f"{NOT_JSON}a colon stands between a name and its value {ONE.format(6)}"),
    (b'{"a" "b"}', JSON, 400, f"{NOT_JSON}a colon is missing {ONE.format(6)}"),
    (b'{"a": 1,\n"b": 2,\n"c" 3}', JSON, 400, f"{NOT_JSON}a colon is missing (line 3, column 5)."),
    (b'{"a": @}', JSON, 400, f"{NOT_JSON}a value is expected {ONE.format(7)}"),
    (
        *(b'{"a": "b\n', JSON, 400),
        f"{NOT_JSON}write a line break in a text as \\n, and no other control character {ONE.format(9)}",
    ),
    (b'{"a": , "b": 1}', JSON, 400, f"{NOT_JSON}a value is missing {ONE.format(7)}"),
    (
        *(b'{"a": "say "hi""}', JSON, 400),
        f'{NOT_JSON}a comma is missing, or a quote inside a text is not written as \\" {ONE.format(13)}',
    ),
    (
        *(b'{"a": "b"\n "c": "d"}', JSON, 400),
        f'{NOT_JSON}a comma is missing, or a quote inside a text is not written as \\" (line 2, column 2).',
    ),
    (
        *(b'{"text": "a\nb"}', JSON, 400),
        f"{NOT_JSON}write a line break in a text as \\n, and no other control character {ONE.format(12)}",
    ),
    (b'{"text": "a\\x"}', JSON, 400, f"{NOT_JSON}write a backslash in a text as \\\\ {ONE.format(12)}"),
    (b'{"to": "1', JSON, 400, f"{NOT_JSON}a text that begins here has no closing quote {ONE.format(8)}"),
    (b'{"to": "1"', JSON, 400, f"{NOT_JSON}it ends too early {ONE.format(11)}"),
    (b"{}{}", JSON, 400, f"{NOT_JSON}something follows after the end of the object {ONE.format(3)}"),
    (b'{"a": NaN}', JSON, 400, f"{NOT_JSON}NaN and Infinity are not numbers in JSON."),
    (b'{"a": ' + b"9" * 5000 + b"}", JSON, 400, f"{NOT_JSON}a number has thousands of digits."),
    (b"[" * 60_000, JSON, 400, f"{NOT_JSON}it is nested too deeply."),
    (b'{"to": "1", "to": "2"}', JSON, 400, "The body gives a field more than once: to."),
    (b'{"a": 0, "to": "1", "to": "2"}', JSON, 400, "The body gives a field more than once: to."),
    (b'{"73946182055": 1, "73946182055": 2}', JSON, 400, "The body gives a field more than once."),
    (b"[]", JSON, 400, OBJECT),
    (b'"447700900008"', JSON, 400, OBJECT),
    (b"null", JSON, 400, OBJECT),
    (b"&".join(b"f%d=1" % n for n in range(300)), FORM, 400, "The form has more than 200 fields."),
)

HEADERS: tuple[tuple[dict[str, str], int, str], ...] = (
    ({}, 401, f"Send {HEADER}, or private_key and app_id in the body."),
    ({"Authorization": "Basic eDp5"}, 401, f"An API key and secret (Basic) place no calls. The header must be: {HEADER}."),
    ({"Authorization": "Bearer "}, 401, f"Nothing follows the word Bearer. The header must be: {HEADER}. Was a variable empty?"),
    ({"Authorization": "eyJh.eyJh.c2ln"}, 401, f"The word Bearer is missing before the token. The header must be: {HEADER}."),
    ({"Authorization": "eyJhbGciOiJSUzI1NiJ9"}, 401, f"The word Bearer is missing before the token. The header must be: {HEADER}."),
    ({"Authorization": "eyJh.eyJh.c2ln x"}, 401, f"The header must be: {HEADER}."),
    ({"Authorization": "Token"}, 401, f"The header must be: {HEADER}."),
    ({"Authorization": "Token x"}, 401, f"The header must be: {HEADER}."),
    ({"Authorization": "Bearer Bearer x.y.z"}, 401, f'{NO_JWT}the word "Bearer" stands twice in the header.'),
    ({"Authorization": "Bearer $VONAGE_JWT"}, 401, f"{NO_JWT}it looks like the name of a variable that was not filled in."),
    ({"Authorization": 'Bearer "x.y.z"'}, 401, f"{NO_JWT}it stands in quotes, as a program shows a text. Send what is between them."),
    ({"Authorization": "Bearer b'x.y.z'"}, 401, f"{NO_JWT}it stands in quotes, as a program shows a text. Send what is between them."),
    ({"Authorization": "Bearer 1a2b3c4d"}, 401, f"{NO_JWT}this has one. An API key or secret is no JWT; make one of your Vonage application."),
    ({"Authorization": "Bearer x.y"}, 401, f"{NO_JWT}this has 2. Was it cut, or joined with something?"),
    ({"Authorization": "Bearer x.y.z"}, 401, "The credential is not a JWT: its second part is not a JSON object in base64url."),
    ({"Idempotency-Key": ""}, 400, "The Idempotency-Key is empty: send a new UUID, or leave the header out."),
    ({"Idempotency-Key": '""'}, 400, "The Idempotency-Key is empty: send a new UUID, or leave the header out."),
    ({"Idempotency-Key": '" "'}, 400, "The Idempotency-Key is empty: send a new UUID, or leave the header out."),
    ({"Idempotency-Key": "a, b"}, 400, "There must be one Idempotency-Key, without a comma."),
    ({"Idempotency-Key": '"a,b"'}, 400, "There must be one Idempotency-Key, without a comma."),
    ({"Idempotency-Key": "x" * 256}, 400, "The Idempotency-Key may have at most 255 characters, of printable ASCII."),
    ({"Idempotency-Key": "schl\u00fcssel"}, 400, "The Idempotency-Key may have at most 255 characters, of printable ASCII."),
    ({"Idempotency-Key": "a\tb"}, 400, "The Idempotency-Key may have at most 255 characters, of printable ASCII."),
    ({"Content-Encoding": "gzip"}, 415, "A body with a Content-Encoding is not read: send it uncompressed."),
    ({"Content-Encoding": "identity, br"}, 415, "A body with a Content-Encoding is not read: send it uncompressed."),
)  # fmt: skip

NO_TEXT = "This must be text; in JSON, a string in double quotes."
NO_SPEECH = "This must say something: a letter or a digit at least."
SSML = "This begins as SSML but is not well formed: "
FIELDS: tuple[tuple[str, Any, str], ...] = (
    ("to", 447700900008, NO_TEXT),
    ("pin_code", 1234, NO_TEXT),
    ("pin_code", "12 34", "This must consist of the digits 0 to 9."),
    ("pin_code", "", "This field is required."),
    ("text", "...", NO_SPEECH),
    ("text", "<speak></speak>", NO_SPEECH),
    ("text", "x" * 1501, "This must have at most 1500 characters."),
    ("text", "<speak>a & b</speak>", f"{SSML}a character may not stand here; & is written &amp; and < is written &lt; {ONE.format(11)}"),
    ("text", "<SPEAK>a</SPEAK>", f"{SSML}the text must be inside one <speak> element; write it in lower case {ONE.format(1)}"),
    ("text", "<!-- a --><speak>b</speak>", f"{SSML}comments, declarations and instructions are not read; leave out the one at character 1."),
    ("text", "bell \x07 rings", "This must be text without control characters."),
    ("machine_detection", "true", "This must be hangup, continue or notice."),
    ("attempts", "3", "This must be a whole number; in JSON, without quotes."),
    ("attempts", 3.5, "This must be a whole number; in JSON, without quotes."),
    ("attempts", 0, "This must be 1 or more."),
    ("attempts", 11, "This must be 10 or less."),
    ("premium", "yes", "This must be true or false; in JSON, without quotes."),
    ("language", "en_US", "This must be a BCP-47 tag such as en-US."),
    ("reject_code", "12", "This and pin_code must not begin with each other."),
    ("from", REQUEST["to"], "This must not be the number that is called."),
    ("callback_method", "PUT", "This must be GET or POST."),
    ("callback", "http://localhost:3000/", "This must be a public address, not one of this machine or a private network."),
    ("pincode", "1234", "There is no such field. Did you mean pin_code?"),
    ("qqq", "1234", "There is no such field."),
    ("12345", "1234", "There is no such field. Does the content type fit the body?"),
)  # fmt: skip

QUERIES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/call?dry_run=true", "There is no query parameter dry_run here. The fields of a call go into the body."),
    ("POST", "/call?%64ry_run", "There is no query parameter dry_run here. The fields of a call go into the body."),
    ("POST", "/call?%22=1", "There is no such query parameter here. The fields of a call go into the body."),
    ("GET", "/call/6a2827c9-4c68-46fc-b179-115f055dc0eb?verbose=1", "There is no query parameter verbose here."),
    ("DELETE", "/call/6a2827c9-4c68-46fc-b179-115f055dc0eb?force", "There is no query parameter force here."),
)


METHODS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/call", "This path takes POST."),
    ("PUT", "/call/x", "This path takes DELETE, GET or HEAD."),
    ("POST", "/", "This path takes GET or HEAD."),
)


@pytest.mark.parametrize(("method", "path", "message"), METHODS)
def test_a_wrong_method_is_told_the_right_ones(world: World, method: str, path: str, message: str) -> None:
    assert told(world.client.open(path, method=method), 405) == message


def told(response: TestResponse, status: int) -> str:
    assert response.status_code == status, response.text
    return str(json_of(response)["detail"])


@pytest.mark.parametrize(("body", "content_type", "status", "message"), BODIES)
def test_what_is_wrong_with_a_body(world: World, body: bytes, content_type: str, status: int, message: str) -> None:
    response = world.client.post("/call", data=body, content_type=content_type, headers=bearer(world.clock))

    assert told(response, status) == message
    assert world.records() == []


@pytest.mark.parametrize(("headers", "status", "message"), HEADERS)
def test_what_is_wrong_with_a_header(world: World, headers: dict[str, str], status: int, message: str) -> None:
    credential = {} if status == 401 else bearer(world.clock)

    assert told(world.post_call(credential | headers), status) == message
    assert world.voice.orders == []


@pytest.mark.parametrize("encoding", ["", "identity", "IDENTITY", "identity, identity"])
def test_a_body_that_says_that_it_is_not_encoded_is_read(world: World, encoding: str) -> None:
    assert world.post_call(bearer(world.clock) | {"Content-Encoding": encoding}).status_code == 200


@pytest.mark.parametrize(("setting", "status"), [("true", 200), ("false", 422)])
def test_a_private_callback_is_taken_where_the_setting_allows_it(tmp_path: Path, setting: str, status: int) -> None:
    world = make_world(tmp_path, ALLOW_PRIVATE_CALLBACKS=setting)

    assert world.post_call(callback="http://127.0.0.1:3000/").status_code == status


@pytest.mark.parametrize(("field", "value", "message"), FIELDS)
def test_what_is_wrong_with_a_field(world: World, field: str, value: Any, message: str) -> None:
    response = world.post_call(**{field: value})
    (fault,) = json_of(response)["errors"]
    name = f"{fault['field']}: " if fault["field"] else ""

    assert fault["message"] == message
    assert told(response, 422) == name + message


@pytest.mark.parametrize(("method", "path", "message"), QUERIES)
def test_what_is_wrong_with_a_query(world: World, method: str, path: str, message: str) -> None:
    response = world.client.open(path, method=method, json=REQUEST, headers=bearer(world.clock))

    assert told(response, 400) == message
    assert world.voice.orders == []


def test_the_detail_is_the_first_message_and_counts_the_others(world: World) -> None:
    detail = told(world.post_call(to="+44 07700 900008"), 422)
    assert detail == "to: Leave out the 0 after the country code 44: it is dialled only within the country."

    assert told(world.post_call(attempts=0, style=-1), 422) == (
        "attempts: This must be 1 or more. There is 1 more fault; see errors."
    )
    assert told(world.post_call(attempts=0, style=-1, premium="x"), 422) == (
        "attempts: This must be 1 or more. There are 2 more faults; see errors."
    )


def messages() -> Iterator[str]:
    for table in (BODIES, HEADERS, FIELDS, QUERIES):
        for row in table:
            yield str(row[-1])


def test_messages_are_prose() -> None:
    said = list(messages())

    assert len(said) > 50
    for message in said:
        assert re.match(r"[A-Z]", message), message
        assert message[-1] in ".?", message
        assert len(message) < 200, message
        assert not re.search(r"\b(please|sorry|invalid|illegal|failed)\b", message, re.IGNORECASE), message


@pytest.mark.parametrize("names", [21, 4000])
def test_of_many_unknown_fields_twenty_are_named_and_the_rest_is_counted(world: World, names: int) -> None:
    body = REQUEST | {f"q{n}": 1 for n in range(names)}
    response = world.post_call(**body)
    faults = json_of(response)["errors"]

    assert [fault["field"] for fault in faults] == [*(f"q{n}" for n in range(20)), ""]
    assert faults[-1]["message"] == f"There are {names - 20} more fields that do not exist."
    assert len(response.data) < 4000


def test_a_body_of_names_alone_costs_no_more_than_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for what was meant takes long."""
    import difflib  # noqa: PLC0415 - what it is asked is the point here alone

    asked: list[str] = []
    real = difflib.get_close_matches

    def counted(word: str, *args: Any, **options: Any) -> list[str]:
        asked.append(word)
        return real(word, *args, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    world.client.post(
        "/call",
        data=json.dumps({"x" * 40 + str(n): 1 for n in range(1000)}),
        content_type=JSON,
        headers=bearer(world.clock),
    )

    assert 0 < len(asked) <= 20


@pytest.mark.parametrize("spelling", ['"K1"', "K1", " K1 "])
def test_a_key_in_quotes_is_the_same_key(world: World, spelling: str) -> None:
    first = world.post_call(bearer(world.clock) | {"Idempotency-Key": "K1"})
    again = world.post_call(bearer(world.clock) | {"Idempotency-Key": spelling})

    assert json_of(again) == json_of(first)
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["x", "x" * 255, '"', "order 4711", '"' + "x" * 255 + '"', "~!@#$%^&*()"])
def test_a_key_of_printable_ascii_is_taken(world: World, key: str) -> None:
    assert world.post_call(bearer(world.clock) | {"Idempotency-Key": key}).status_code == 200


def test_a_key_that_comes_twice_is_refused(world: World) -> None:
    headers = [*bearer(world.clock).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    response = world.client.post("/call", json=REQUEST, headers=headers)

    assert response.status_code == 400
    assert world.voice.orders == []


def test_a_tid_is_found_in_any_case(world: World) -> None:
    tid = world.place()
    headers = bearer(world.clock)

    assert json_of(world.client.get(f"/call/{tid.upper()}", headers=headers))["tid"] == tid
    assert world.webhook(world.input_url.replace(tid, tid.upper()), {"dtmf": {"digits": "1234"}}).status_code == 200
    assert json_of(world.client.get(f"/call/{tid}", headers=headers))["status"] == "ok"


def test_an_application_is_the_same_in_any_case(world: World) -> None:
    tid = world.place()

    headers = bearer(world.clock, application_id=APPLICATION_ID.upper())
    assert world.client.get(f"/call/{tid}", headers=headers).status_code == 200
