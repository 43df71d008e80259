"""What is allowed in a request, but likely not meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from ttsprompt.call_request import CallRequest
from ttsprompt.domain.model import MachineDetection
from ttsprompt.domain.spoken_text import has_digits_in_a_row, has_stray_ssml
from ttsprompt.domain.timing import MAX_INPUT_TIMEOUT_S, without_tags
from ttsprompt.errors import FieldFault

SECONDS_TO_BEGIN: Final = 2
SECONDS_A_DIGIT: Final = 0.5

STRAY_SSML: Final = "Tags and entities are read out, unless the whole text is inside <speak>...</speak>."
DIGITS: Final = (
    "Digits in a row are read as one number. For one digit at a time write 1, 2, 3, or in SSML "
    '<say-as interpret-as="digits">123</say-as>.'
)


def find_warnings(request: CallRequest, languages: Collection[str]) -> list[FieldFault]:
    """Return what the caller should look at again.

    Args:
        request: what is asked for.
        languages: those that Vonage is known to have. It may have more, so another is no fault.
    """
    warnings = [fault for name, text in _texts(request) for fault in _text_warnings(name, text, request.pin_code)]
    if request.language.lower() not in {language.lower() for language in languages}:
        warnings.append(FieldFault("language", "unknown_language", "Vonage may not know this language."))
    # At the longest there is nothing to warn of that the caller could fix.
    if request.input_timeout < min(SECONDS_TO_BEGIN + SECONDS_A_DIGIT * len(request.pin_code), MAX_INPUT_TIMEOUT_S):
        message = "This is short for a PIN of this length: digits that come later count as another try."
        warnings.append(FieldFault("input_timeout", "short", message))
    if request.machine_detection is not None:
        warnings.append(FieldFault("machine_detection", *COSTS[request.machine_detection]))
    return warnings


_SILENCE: Final = "Whoever picks up hears nothing for up to 5 s, until Vonage has made up its mind."
COSTS: Final = {
    MachineDetection.HANGUP: (
        "silence",
        f"{_SILENCE} A person whom it takes for a machine is hung up on. Free of charge.",
    ),
    MachineDetection.CONTINUE: ("silence", f"{_SILENCE} Free of charge; notice keeps nobody waiting."),
    MachineDetection.NOTICE: ("charged", "Vonage charges for each call with this form. Nobody is kept waiting."),
}
"""What each form of machine detection costs the person called, and the caller (docs/vonage.md §1.1)."""


def _texts(request: CallRequest) -> Iterator[tuple[str, str]]:
    for name in type(request).model_fields:
        text = getattr(request, name)
        if name.endswith("text") and text is not None:
            yield name, text


def _text_warnings(name: str, text: str, pin: str) -> Iterator[FieldFault]:
    if has_stray_ssml(text):
        yield FieldFault(name, "ssml_outside_speak", STRAY_SSML)
    # A PIN of one digit is meant to be told: "press 1 to acknowledge". Whoever hears `bye_text` has keyed the PIN.
    if len(pin) > 1 and name != "bye_text" and pin in _digits_run_together(text):
        yield FieldFault(name, "contains_pin", "The text says the PIN to whoever picks up.")
    elif has_digits_in_a_row(text):
        yield FieldFault(name, "digits_in_a_row", DIGITS)


def _digits_run_together(text: str) -> str:
    """Return a text without what a voice leaves out between digits: tags, blanks, punctuation."""
    return re.sub(r"(?<=[0-9])[\W_]+(?=[0-9])", "", without_tags(text))
