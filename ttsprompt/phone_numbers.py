"""Telephone numbers: what is judged is what is used.

A number is read once into the digits that are validated, limited, stored, dialled and echoed. They are libphonenumber's
own E.164 form, so that two ways of writing one number never count as two (https://www.itu.int/rec/T-REC-E.164).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

from ttsprompt.domain.spoken_text import INVISIBLE

MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 15
"""With the country code (E.164, section 6)."""

INTERNATIONAL: Final = "001"
"""libphonenumber's region of numbers that belong to no country: satellite and other global networks."""

TRUNK_PREFIXES: Final = ("00", "01", "06", "0", "1", "8")
"""What is dialled before a number within some country, and what some numbers had before their plan changed."""

DIALLED_ABROAD: Final = "011"
"""What North America dials before a country code; most others dial 00."""

_PUNCTUATION: Final = frozenset("-.()\t")

_MESSAGES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), message)
    for pattern, message in (
        (r"(tel|callto|sips?):", "Write the number alone, without tel: or the like before it."),
        (r"\D*\Z", "This must be a telephone number: its digits, country code first."),
        (r"[0-9+]+\Z", "The + of a telephone number stands once, at its front."),
        (r"[\d+]+\Z", "Write the digits of a telephone number as 0 to 9."),
        (
            r"[*#]|.*\d(x|ext|[;,#])",
            "Write one number alone, without a code before it or a second number; an extension is a field of its own.",
        ),
        (r".*[^\W\d_]", "Write a telephone number in digits: letters are not read."),
        (
            rf".*({INVISIBLE}|[\x00-\x1f\x7f-\x9f])",
            "There is an invisible character or a line break in this telephone number: type it anew.",
        ),
        (r"", "Only digits, blanks and + - . ( ) may stand in a telephone number."),
    )
)
"""What to say of a text without its punctuation that is no number: the first that matches."""


class NumberFaultError(ValueError):
    """The text is no number that can be dialled from abroad; tells in a sentence what to write instead."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a number may cost, and where it leads.

    Args:
        kinds: libphonenumber's types, in lower case: its own, and that of what it is with surplus digits cut off.
        regions: the countries it may belong to, by ISO code: one, if a single one claims it, else all of its calling
            code; `INTERNATIONAL` alone, if it belongs to none.
        reached: the digits of whoever is reached, without surplus ones; the same as the number's if it is not known.
    """

    kinds: frozenset[str]
    regions: frozenset[str]
    reached: str


def read_number(text: str) -> str:
    """Return a number's digits, country code first.

    A `+` at the front, blanks, `-`, `.`, `(` and `)` are dropped.

    Raises:
        NumberFaultError: it cannot be dialled as it stands; the message never quotes it.
    """
    digits, has_plus = _digits(text)
    if digits.startswith("00") or (digits.startswith(DIALLED_ABROAD) and _is_valid(digits[len(DIALLED_ABROAD) :])):
        raise NumberFaultError("Write + in place of what is dialled to call abroad (00, 011), then the country code.")
    if digits.startswith("0"):
        raise NumberFaultError(
            "This is a number as dialled within its country: put the country code in front, in most countries without "
            "the 0."
        )
    hint = "" if has_plus else " If this is a number as dialled within its country, put the country code in front."
    outside = f"A number has {MIN_DIGITS} to {MAX_DIGITS} digits with its country code; this has {len(digits)}.{hint}"
    if len(digits) < MIN_DIGITS:
        raise NumberFaultError(outside)
    try:
        number = phonenumbers.parse(f"+{digits}")
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise NumberFaultError(f"There is no country code that these digits begin with.{hint}") from None
        raise NumberFaultError(outside) from None
    fault = _trunk_prefix_fault(number, digits)
    if fault is not None:
        raise NumberFaultError(fault)
    if len(digits) > MAX_DIGITS:
        raise NumberFaultError(outside)
    fault = _length_fault(number)
    if fault is not None:
        raise NumberFaultError(fault + hint)
    return digits


def judge(digits: str) -> Judgement:
    """Return what is known of a number that `read_number` returned.

    Networks take the digits they need and drop the rest, so a number is also what it is with surplus digits cut off.
    """
    number = phonenumbers.parse(f"+{digits}")
    reached = _reached(digits) or number
    kinds = (phonenumbers.number_type(one) for one in (number, reached))
    names = frozenset(phonenumbers.PhoneNumberType.to_string(kind).lower() for kind in kinds)
    return Judgement(names, _regions(reached), _e164(reached))


def _digits(text: str) -> tuple[str, bool]:
    """Return the digits of a text, and whether a plus stands before them."""
    kept = "".join(char for char in text if char not in _PUNCTUATION and unicodedata.category(char) != "Zs")
    digits = kept.removeprefix("+")
    if not re.fullmatch(r"[0-9]+", digits, re.ASCII):
        raise NumberFaultError(next(message for pattern, message in _MESSAGES if pattern.match(kept)))
    return digits, kept != digits


def _trunk_prefix_fault(number: PhoneNumber, digits: str) -> str | None:
    """Find what is dialled only within the country. libphonenumber drops it silently, and a network may not."""
    code = str(number.country_code)
    given, national = digits.removeprefix(code), _e164(number).removeprefix(code)
    if given != national:
        if given.endswith(national):
            return _leave_out(given.removesuffix(national), code)
        if national.endswith(given):
            return f"This lacks the area code: without it, it is dialled only within its part of +{code}."
        return (
            f"This is a number as dialled within its country: from abroad, other digits stand after +{code}. "
            "Argentina's mobile numbers have a 9 there, and no 15."
        )
    kept = _kept_trunk_prefix(number, given)
    return None if kept is None else _leave_out(kept, code)


def _kept_trunk_prefix(number: PhoneNumber, national: str) -> str | None:
    """Return what libphonenumber left in though it is no part of the number: the rest has no length that it expects."""
    if phonenumbers.is_valid_number(number):
        return None
    plan = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(number.country_code or 0), None)
    if plan is not None and plan.general_desc is not None and plan.national_prefix_for_parsing:
        dialled = re.match(plan.national_prefix_for_parsing, national)
        # Numbers of a new range may begin like the prefix; they have the shape of the country's numbers, though.
        if dialled and dialled[0] and not re.fullmatch(plan.general_desc.national_number_pattern or "", national):
            return plan.national_prefix or dialled[0]
    code = str(number.country_code)
    could_be = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    for prefix in (code, "0") if could_be else (code, *TRUNK_PREFIXES):
        if national.startswith(prefix) and _is_valid(code + national.removeprefix(prefix)):
            return prefix
    return code if not could_be and national.startswith(code) and _is_possible(national) else None


def _leave_out(prefix: str, code: str) -> str:
    if prefix == code:
        return f"Leave out the second {code}: the country code stands twice."
    return f"Leave out the {prefix} after the country code {code}: it is dialled only within the country."


def _length_fault(number: PhoneNumber) -> str | None:
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.IS_POSSIBLE:
            return None
        case ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            return "This lacks the area code: it can be dialled only nearby."
        case ValidationResult.TOO_SHORT:
            size = "short"
        case ValidationResult.TOO_LONG:
            size = "long"
        case _:
            return f"No number of the country code {number.country_code} has so many digits."
    return f"This is too {size} for a number of the country code {number.country_code}."


def _reached(digits: str) -> PhoneNumber | None:
    """Return the longest number in use that the digits begin with."""
    for end in range(len(digits), MIN_DIGITS - 1, -1):
        number = _valid(digits[:end])
        if number is not None:
            return number
    return None


def _regions(number: PhoneNumber) -> frozenset[str]:
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    claimed = [one for one in regions if phonenumbers.is_valid_number_for_region(number, one)]
    return frozenset(claimed if len(claimed) == 1 else regions)


def _is_possible(digits: str) -> bool:
    number = _parsed(digits)
    return number is not None and phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _is_valid(digits: str) -> bool:
    return _valid(digits) is not None


def _valid(digits: str) -> PhoneNumber | None:
    number = _parsed(digits)
    in_use = number is not None and phonenumbers.is_valid_number(number) and _e164(number) == digits
    return number if in_use else None


def _parsed(digits: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return None


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
