"""Whom the operator lets call, and where to: refused before anything is stored or dialled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.world import APPLICATION_ID, World, json_of, make_world
from ttsprompt.config import SettingsError, load_settings

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
    ("countries", "number", "allowed"),
    [
        ("CA", "+1 800 555 0100", True),  # a number of all of +1
        ("JM", "+1 800 555 0100", True),
        ("DE", "+1 800 555 0100", False),
        ("GB", "447700900001", True),  # of no range that is known
        ("JE", "447700900001", True),
        ("FR", "447700900001", False),
        ("GB", "447781123456", False),  # Guernsey's alone
    ],
)
def test_a_number_that_no_single_country_claims_passes_by_its_calling_code(
    tmp_path: Path, countries: str, number: str, allowed: bool
) -> None:
    world = make_world(tmp_path, ALLOWED_COUNTRIES=countries)

    assert refused(world, "country_not_allowed", to=number) is not allowed


@pytest.mark.parametrize(
    "number",
    [
        "449098790000",  # premium rate, GB
        "19002345678",  # premium rate, US
        "491801123456",  # shared cost, DE
        "447012345678",  # personal, GB
        "398991234567",  # premium rate and one digit too many, IT
        "4990012345678",
        "35860012345678",
        "870773111632",  # Inmarsat
        "881612345678",  # Globalstar and Iridium
        "882341234567",  # international networks
        "80012345678",
    ],
)
def test_numbers_that_cost_more_than_others_are_never_called(world: World, number: str) -> None:
    assert refused(world, "number_not_allowed", to=number)


@pytest.mark.parametrize(("number", "kind"), [("449098790000", "premium rate"), ("491801123456", "shared cost")])
def test_a_refusal_names_the_kind_of_the_number_in_words(world: World, number: str, kind: str) -> None:
    assert f": {kind}." in json_of(world.post_call(to=number))["detail"]


@pytest.mark.parametrize("number", ["443001234567", "41581234567", "46101234567"])
def test_a_companys_own_number_is_called_unless_the_operator_says_otherwise(tmp_path: Path, number: str) -> None:
    assert not refused(make_world(tmp_path / "1"), "", to=number)
    assert refused(make_world(tmp_path / "2", REFUSED_NUMBER_TYPES="uan"), "number_not_allowed", to=number)


def test_numbers_of_no_country_are_refused_whatever_the_operator_says(tmp_path: Path) -> None:
    world = make_world(tmp_path, REFUSED_NUMBER_TYPES="none")

    assert refused(world, "number_not_allowed", to="881612345678")
    assert not refused(world, "", to="449098790000")


def test_a_number_may_be_kept_from_being_called_however_it_is_written(tmp_path: Path) -> None:
    world = make_world(tmp_path, REFUSED_NUMBERS=f"+{BRITISH}, 4915112345678")

    assert refused(world, "number_not_allowed", to="+44 7970 513607")
    assert refused(world, "number_not_allowed", to="491511234567800")  # the network drops what is too much
    assert json_of(world.post_call(dry_run=True, to=BRITISH))["code"] == "number_not_allowed"
    assert not refused(world, "", to="447970513608")


def test_numbers_that_are_refused_are_not_shown_by_settings_or_faults(tmp_path: Path) -> None:
    assert BRITISH not in repr(load_settings({"REFUSED_NUMBERS": BRITISH}))
    assert BRITISH not in repr(load_settings({"REFUSED_NUMBERS": BRITISH}).admission)
    with pytest.raises(SettingsError) as raised:
        load_settings({"REFUSED_NUMBERS": f"00{BRITISH}"})
    assert BRITISH not in str(raised.value)


def test_one_phone_has_one_number_however_it_is_written(tmp_path: Path) -> None:
    world = make_world(tmp_path, MAX_CALLS_PER_NUMBER="1/600s")

    assert world.post_call(to="+44 7970 513607").status_code == 200
    assert world.post_call(to="+44-7970-513607").status_code == 429
    assert world.post_call(to="+44 07970 513607").status_code == 422
    assert world.call(json_of(world.post_call(to="(44) 7970.513608"))["tid"]).to == "447970513608"
    assert world.voice.orders[-1].to == "447970513608"


def test_surplus_digits_make_no_other_phone_of_it(tmp_path: Path) -> None:
    """Germany's numbers may have 15 digits, and the network drops those that it does not need."""
    world = make_world(tmp_path, MAX_CALLS_PER_NUMBER="1/600s")

    assert world.post_call(to="4915112345678").status_code == 200
    assert world.post_call(to="49151123456789").status_code == 429
    assert world.post_call(to="491511234567800").status_code == 429
    assert world.post_call(to="4915112345679").status_code == 200


@pytest.mark.parametrize(
    ("to", "code"), [(GERMAN, "country_not_allowed"), ("449098790000", "number_not_allowed"), (BRITISH, None)]
)
def test_a_dry_run_is_refused_as_the_request_would_be(tmp_path: Path, to: str, code: str | None) -> None:
    world = make_world(tmp_path, ALLOWED_COUNTRIES="GB")
    response = world.post_call({}, dry_run=True, to=to)

    assert response.json is not None
    assert (response.status_code, response.json.get("code")) == ((200, None) if code is None else (403, code))
