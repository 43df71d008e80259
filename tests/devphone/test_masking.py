"""What an onlooker may see."""

from __future__ import annotations

from devphone.masking import shown


def test_secrets_are_masked_however_deep_they_are() -> None:
    value = {
        "pin_code": "1234",
        "body": [{"dtmf": {"digits": "99"}, "private_key": "-----BEGIN PRIVATE KEY-----"}],
        "Authorization": "Bearer x",
        "to": "447700900000",
    }

    assert shown(value) == {
        "pin_code": "••••",
        "body": [{"dtmf": {"digits": "••"}, "private_key": "•" * 20}],
        "Authorization": "••••••••",
        "to": "447700900000",
    }


def test_a_pin_of_the_wrong_type_is_masked_too() -> None:
    assert shown({"pin_code": 1234}) == {"pin_code": "••••"}


def test_that_nothing_was_keyed_stays_visible() -> None:
    assert shown([{"digits": ""}, {"digits": None}]) == [{"digits": ""}, {"digits": None}]


def test_a_token_is_cut_from_its_url_and_the_rest_stays() -> None:
    assert shown("http://a.example/input/1?token=AbC-_9&step=2") == "http://a.example/input/1?token=…&step=2"
