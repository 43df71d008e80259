"""Telephone numbers: read once, into what is judged, stored, dialled and echoed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from ttsprompt.phone_numbers import INTERNATIONAL, NumberFaultError, judge, read_number

LEAVE_OUT = r"^Leave out the {} after the country code {}: it is dialled only within the country\.$"
NATIONAL = "If this is a number as dialled within its country, put the country code in front."


@pytest.mark.parametrize(
    "text",
    [
        "447700900008",
        "+447700900008",
        "+44 7700 900008",
        " + 44 7700 900008 ",
        "+44-7700-900008",
        "(447700) 900008",
        "(+44) 7700 900008",
        "+44.7700.900008",
        "+44\u00a07700\u202f900008",
    ],
)
def test_a_plus_blanks_and_punctuation_are_dropped(text: str) -> None:
    assert read_number(text) == "447700900008"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # a trunk prefix
        ("+44 07970 123456", LEAVE_OUT.format(0, 44)),
        ("+44 (0)20 7946 0958", LEAVE_OUT.format(0, 44)),
        ("+49 0151 12345678", LEAVE_OUT.format(0, 49)),
        ("+7 8 912 345 67 89", LEAVE_OUT.format(8, 7)),
        ("+52 1 55 1234 5678", LEAVE_OUT.format(1, 52)),
        ("+36 06 20 123 4567", LEAVE_OUT.format("06", 36)),
        ("+375 8 029 491 19 11", LEAVE_OUT.format("80", 375)),
        ("+55 0 15 11 91234 5678", LEAVE_OUT.format("015", 55)),
        ("+30 0 210 123 4567", LEAVE_OUT.format(0, 30)),
        ("+1 0 415 555 0100", LEAVE_OUT.format(0, 1)),
        ("+44 0 1234 5678", LEAVE_OUT.format(0, 44)),
        ("+57 0 321 1234567", LEAVE_OUT.format(0, 57)),
        ("+39 0 848 123456", LEAVE_OUT.format(0, 39)),
        ("+1 1 415 555 0100", r"^Leave out the second 1: the country code stands twice\.$"),
        ("+44 44 7700 900008", r"^Leave out the second 44: the country code stands twice\.$"),
        ("+30 30 210 123 4567", r"^Leave out the second 30: the country code stands twice\.$"),
        (
            "+54 11 15 5123 4567",
            r"from abroad, other digits stand after \+54\. Argentina's mobile numbers have a 9 there",
        ),
        # a number that is not dialled from abroad so
        ("00447700900008", r"^Write \+ in place of what is dialled to call abroad \(00, 011\)"),
        ("+00447700900008", r"^Write \+ in place of what is dialled to call abroad \(00, 011\)"),
        ("0011 44 7970 123456", r"^Write \+ in place of what is dialled to call abroad \(00, 011\)"),
        ("011 44 20 7946 0958", r"^Write \+ in place of what is dialled to call abroad \(00, 011\)"),
        ("07700 900008", "^This is a number as dialled within its country: put the country code in front"),
        ("011 234 5678", "^This is a number as dialled within its country: put the country code in front"),
        ("415 555 0100", f"^This is too short for a number of the country code 41. {NATIONAL}$"),
        ("5550100", NATIONAL),
        ("8 912 345 67 89", f"^There is no country code that these digits begin with. {NATIONAL}$"),
        ("999999999999", "^There is no country code that these digits begin with."),
        ("+999 9999 99999", "^There is no country code that these digits begin with.$"),
        ("+1 253 0000", "^This lacks the area code: it can be dialled only nearby.$"),
        ("+378 883456", r"^This lacks the area code: without it, it is dialled only within its part of \+378\.$"),
        # length
        ("+1 234", "^A number has 7 to 15 digits with its country code; this has 4.$"),
        ("+44 2345", "^A number has 7 to 15 digits with its country code; this has 6.$"),
        ("+49 30 1234 5678 9012", "^A number has 7 to 15 digits with its country code; this has 16.$"),
        ("1" * 60_000, "this has 60000"),
        ("+33 1 23 45", "^This is too short for a number of the country code 33.$"),
        ("+44 7970 123 456 78", "^This is too long for a number of the country code 44.$"),
        ("+378 549 886 377", "^No number of the country code 378 has so many digits.$"),
        # characters
        ("tel:+447700900008", "^Write the number alone, without tel: or the like before it.$"),
        ("SIP:447700900008@example.com", "^Write the number alone, without tel: or the like before it.$"),
        ("Example Ltd", "^This must be a telephone number: its digits, country code first.$"),
        ("", "^This must be a telephone number: its digits, country code first.$"),
        (" + ", "^This must be a telephone number: its digits, country code first.$"),
        ("+1 800 FLOWERS 1", "^Write a telephone number in digits: letters are not read.$"),
        ("+1 415 555 0100 x12", "an extension is a field of its own.$"),
        ("+1 415 555 0100 ext. 12", "an extension is a field of its own.$"),
        ("+1 415 555 0100;ext=12", "an extension is a field of its own.$"),
        ("+1 415 555 0100, +1 415 555 0101", "^Write one number alone, .*or a second number;"),
        ("*31#447700900008", "^Write one number alone, .*a code before it"),
        ("++14155550102", r"^The \+ of a telephone number stands once, at its front.$"),
        ("14155550102+", r"^The \+ of a telephone number stands once, at its front.$"),
        ("١٤١٥٥٥٥٠١٠٢", "^Write the digits of a telephone number as 0 to 9.$"),
        ("+１４１５５５５０１０２", "^Write the digits of a telephone number as 0 to 9.$"),
        ("14155550102\n", "^There is an invisible character or a line break in this telephone number: type it anew.$"),
        ("\u202a+14155550102\u202c", "^There is an invisible character or a line break"),
        ("14155\x000102", "^There is an invisible character or a line break"),
        ("+44 20/7946 0958", r"^Only digits, blanks and \+ - \. \( \) may stand in a telephone number.$"),
        ("+44\u20117700\u2011900008", r"^Only digits, blanks and \+ - \. \( \) may stand in a telephone number.$"),
    ],
)
def test_the_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(NumberFaultError, match=message):
        read_number(text)


@pytest.mark.parametrize(
    "number",
    [
        "390612345678",  # Italy's 0 is part of the number
        "393391234567",
        "2250123456789",  # so is that of the Ivory Coast
        "3780549886377",
        "24106031234",
        "5491151234567",
        "525512345678",
        "78005553535",
        "447700900001",  # of no known range, yet possible
        "13202345678",
        "61491570006",
    ],
)
def test_an_international_number_is_read_as_it_stands(number: str) -> None:
    assert read_number(f"+{number}") == number


def e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")


LOCAL_ONLY = "13101234"
"""Canada's 310 numbers are dialled without an area code; there is no way to call them from abroad."""


def examples() -> Iterator[tuple[str, int, int, str]]:
    """Return (region, type, country code, digits) of all of libphonenumber's examples that we can dial."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and len(e164(number)) >= 7 and e164(number) != LOCAL_ONLY:
                yield region, kind, number.country_code or 0, e164(number)


EXAMPLES = tuple(examples())


def accepts(text: str) -> bool:
    try:
        read_number(text)
    except NumberFaultError:
        return False
    return True


def test_there_are_examples_of_every_country() -> None:
    assert len(EXAMPLES) > 1000
    assert {region for region, *_ in EXAMPLES} >= phonenumbers.SUPPORTED_REGIONS - {"AC", "TA"}


def test_every_example_is_read_as_it_stands_and_with_punctuation() -> None:
    for _, _, code, digits in EXAMPLES:
        national = digits.removeprefix(str(code))
        for text in (digits, f"+{digits}", f"+{code} ({national[:2]}) {national[2:4]}-{national[4:]}", f" {digits}."):
            assert read_number(text) == digits


def test_every_example_as_libphonenumber_prints_it_is_read_alike() -> None:
    for _, _, _, digits in EXAMPLES:
        number = phonenumbers.parse(f"+{digits}")
        printed = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        if not re.search(r"[^0-9 +.()-]", printed):
            assert read_number(printed) == digits


def test_no_example_is_taken_with_its_trunk_prefix() -> None:
    """Else the same phone would have two numbers, each with a limit of its own."""
    tried = 0
    for region, _, code, digits in EXAMPLES:
        plan = PhoneMetadata.metadata_for_region(region)
        assert plan is not None
        for prefix in {plan.national_prefix, "0"} - {None}:
            text = f"+{code} {prefix} {digits.removeprefix(str(code))}"
            longer = re.sub("[^0-9]", "", text)
            as_library = phonenumbers.parse(text)
            if phonenumbers.is_valid_number(as_library) and e164(as_library) == longer:
                continue  # then these digits are another number, in use as such
            tried += 1
            with pytest.raises(NumberFaultError, match=r"^Leave out the |^A number has 7 to 15|lacks|too long|so many"):
                read_number(text)
    assert tried > 1500


def test_what_is_read_is_librarys_own_form_of_it_whatever_was_added_or_cut() -> None:
    read = 0
    for _, _, code, digits in EXAMPLES[::3]:
        national = digits.removeprefix(str(code))
        mutants = [f"{code}{national[cut:]}" for cut in (1, 2)] + [digits[:-cut] for cut in (1, 2)]
        mutants += [digits + more for more in ("0", "12", "012")] + [f"{code}{more}{national}" for more in range(10)]
        for text in filter(accepts, mutants):
            number = phonenumbers.parse(f"+{text}")
            assert read_number(text) == text == e164(number)
            assert phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
            read += 1
    assert read > len(EXAMPLES[::3])


DEAR = {"premium_rate", "shared_cost", "personal_number"}


def test_an_example_is_of_its_kind_and_stays_of_it_with_surplus_digits() -> None:
    still_dear = 0
    for _, kind, _, digits in EXAMPLES:
        name = PhoneNumberType.to_string(kind).lower()
        kinds = judge(digits).kinds
        assert kinds in ({name}, {"fixed_line_or_mobile"}) or name == "fixed_line_or_mobile"
        for surplus in ("0", "7", "11", "99", "501"):
            longer = digits + surplus
            if not (name in DEAR and accepts(longer)):
                continue
            if judge(longer).kinds & DEAR:
                still_dear += 1
            else:  # one digit more is a number of another kind: Japan's 060
                assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{longer[: len(digits) + 1]}"))
                assert digits.startswith("8160")
    assert still_dear > 100


@pytest.mark.parametrize(
    ("number", "kinds"),
    [
        ("398991234567", {"premium_rate", "unknown"}),
        ("4990012345678", {"premium_rate", "unknown"}),
        ("35860012345678", {"premium_rate", "unknown"}),
        ("447012345678", {"personal_number"}),
        ("443001234567", {"uan"}),
        ("41581234567", {"uan"}),
        ("46101234567", {"uan"}),
        ("447700900001", {"unknown"}),
        ("447970123456", {"mobile"}),
    ],
)
def test_a_number_is_also_what_it_is_with_surplus_digits_cut_off(number: str, kinds: set[str]) -> None:
    assert judge(read_number(number)).kinds == kinds


@pytest.mark.parametrize(
    ("number", "regions"),
    [
        ("447970123456", {"GB"}),
        ("447781123456", {"GG"}),
        ("441534123456", {"JE"}),
        ("14165550100", {"CA"}),
        ("18765550100", {"JM"}),
        ("77012345678", {"KZ"}),
        ("390669812345", {"VA"}),
        ("39066981234567", {"VA"}),  # with surplus digits
        ("4930123456", {"DE"}),
        ("447700900001", {"GB", "GG", "IM", "JE"}),
        ("870773111632", {INTERNATIONAL}),
        ("80012345678", {INTERNATIONAL}),
        ("8823456789012", {INTERNATIONAL}),
    ],
)
def test_a_number_belongs_to_the_country_that_claims_it_or_to_all_of_its_code(number: str, regions: set[str]) -> None:
    assert judge(read_number(number)).regions == regions


@pytest.mark.parametrize(
    ("number", "reached"),
    [
        ("4915112345678", "4915112345678"),
        ("49302345678901", "49302345678901"),  # in use, for all that is known
        ("398991234567", "39899123456"),
        ("447700900001", "447700900001"),
    ],
)
def test_who_is_reached_is_told_without_surplus_digits(number: str, reached: str) -> None:
    assert judge(read_number(number)).reached == reached


def test_a_toll_free_number_belongs_to_all_of_its_calling_code() -> None:
    assert {"US", "CA", "JM"} <= judge(read_number("+1 800 555 0100")).regions
