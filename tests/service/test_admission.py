"""Whom the operator lets call, and where to: refused before anything is stored or dialled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.world import APPLICATION_ID, World, make_world

GERMAN, BRITISH, AMERICAN, CANADIAN, JAMAICAN = (
    "4930123456",
    "447970513607",
    "12125550100",
    "14165550100",
    "18765550100",
)


def refused(world: World, code: str, **fields: Any) -> bool:
    response = world.post_call(**fields)
    assert response.json is not None
    if response.status_code == 200:
        return False
    assert (response.status_code, response.json["code"]) == (403, code)
    assert world.voice.orders == []
    assert world.records() == []
    return True


def test_applications_may_be_restricted(tmp_path: Path) -> None:
    other = "11111111-2222-3333-4444-555555555555"

    assert refused(make_world(tmp_path / "1", ALLOWED_APPLICATIONS=other), "application_not_allowed")
    assert not refused(make_world(tmp_path / "2", ALLOWED_APPLICATIONS=f"{other}, {APPLICATION_ID.upper()}"), "")


@pytest.mark.parametrize(
    ("countries", "number", "allowed"),
    [
        ("GB", BRITISH, True),
        ("gb, de", GERMAN, True),
        ("GB", GERMAN, False),
        ("US", AMERICAN, True),
        ("US", CANADIAN, False),
        ("US", JAMAICAN, False),
        ("CA,JM", CANADIAN, True),
        ("GB", "999123456789", False),
    ],
)
def test_countries_may_be_restricted_and_plus_one_is_told_apart(
    tmp_path: Path, countries: str, number: str, allowed: bool
) -> None:
    world = make_world(tmp_path, ALLOWED_COUNTRIES=countries)
    if number.startswith("999"):
        assert world.post_call(to=number).status_code in {403, 422}
    else:
        assert refused(world, "country_not_allowed", to=number) is not allowed


@pytest.mark.parametrize(
    "number",
    [
        "449098790000",  # premium rate, GB
        "19002345678",  # premium rate, US
        "491801123456",  # shared cost, DE
        "870773111632",  # Inmarsat
        "881612345678",  # Globalstar and Iridium
        "882341234567",  # international networks
    ],
)
def test_numbers_that_cost_more_than_others_are_never_called(world: World, number: str) -> None:
    assert refused(world, "number_not_allowed", to=number)


def test_a_dry_run_says_what_would_be_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path, ALLOWED_COUNTRIES="GB")

    def codes(number: str) -> list[str]:
        response = world.post_call({}, dry_run=True, to=number)
        assert response.json is not None
        return [warning["code"] for warning in response.json["warnings"]]

    assert codes(GERMAN) == ["country_not_allowed"]
    assert codes("449098790000") == ["number_not_allowed"]
    assert codes(BRITISH) == []
