from __future__ import annotations

import re
from pathlib import Path

import phonenumbers
import pytest

from devphone.callee.numbers import NUMBERS
from devphone.vendor.habits import Habit

PAGE = (Path(__file__).parents[2] / "docs" / "devphone.md").read_text()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_test_number_is_possible_and_of_the_range_for_drama(number: str) -> None:
    assert phonenumbers.is_possible_number(phonenumbers.parse(f"+{number}"))
    assert re.fullmatch("447700900[0-9]{3}", number)


def test_the_page_lists_every_test_number_with_what_it_does() -> None:
    assert dict(re.findall(r"^\| `(447700900\d{3})` \| (.*?) \|", PAGE, re.MULTILINE)) == {
        number: reserved.what for number, reserved in NUMBERS.items()
    }


def test_the_page_lists_every_habit() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE)) - set(NUMBERS) == {str(h) for h in Habit}
