"""A caller who sends a private key instead of a token: as if the token had been made of it, and nothing of it kept."""

from __future__ import annotations

from typing import Any, Final

import jwt
import pytest

from devphone.vendor.tokens import make_application
from tests.world import REQUEST, World, json_of

APPLICATION: Final = make_application()
KEY: Final = {"app_id": APPLICATION.id.upper(), "private_key": APPLICATION.private_key}


def faults(world: World, **fields: Any) -> list[tuple[str, str, str]]:
    response = world.post_call({}, **fields)

    assert response.status_code == 422
    return [(fault["field"], fault["code"], fault["message"]) for fault in json_of(response)["errors"]]


def test_the_call_is_placed_with_a_token_of_that_application(world: World) -> None:
    response = world.post_call({}, **KEY)

    assert response.status_code == 200
    (token,) = world.voice.tokens
    claims = jwt.decode(token, APPLICATION.public_key, algorithms=["RS256"])
    assert claims["application_id"] == KEY["app_id"]


def test_a_token_of_the_same_application_sees_the_call_whatever_case_its_id_was_in(world: World) -> None:
    tid = json_of(world.post_call({}, **KEY))["tid"]

    assert world.call(tid).application_id == APPLICATION.id


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(("given", "missing"), [("app_id", "private_key"), ("private_key", "app_id")])
def test_of_key_and_application_neither_goes_without_the_other(
    world: World, given: str, missing: str, dry_run: bool
) -> None:
    given_alone = {given: KEY[given]}

    assert faults(world, dry_run=dry_run, **given_alone) == [(missing, "required", "This field is required.")]
    assert world.voice.orders == []


@pytest.mark.parametrize(
    ("key", "is_faulty"),
    [("nonsense", True), ("", True), (7, True), ("x" * 20_000, True), (APPLICATION.private_key, False)],
    ids=["no key", "empty", "a number", "too long", "a key"],
)
def test_what_is_wrong_with_a_key_is_told_once_with_all_the_rest(world: World, key: Any, is_faulty: bool) -> None:
    told = faults(world, **KEY | {"private_key": key, "to": "12"})

    assert sorted(field for field, _, _ in told) == [*(["private_key"] if is_faulty else []), "to"]


def test_a_form_may_carry_the_key_and_values_that_are_text(world: World) -> None:
    fields = {**REQUEST, **KEY, "attempts": "2", "premium": "true"}
    response = world.client.post("/call", data=fields)

    assert response.status_code == 200, response.text
    assert world.call(json_of(response)["tid"]).attempts_allowed == 2
