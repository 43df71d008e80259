"""What is allowed in a request, but likely not meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ttsprompt.domain.model import MachineDetection
from ttsprompt.domain.timing import MAX_INPUT_TIMEOUT_S, without_tags
from ttsprompt.errors import FieldFault

if TYPE_CHECKING:
    # It brings pydantic, which costs a cold start more than all the rest, and no webhook needs it.
    from ttsprompt.call_request import CallRequest

LANGUAGES: Final = frozenset(
    "ar bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-DE el-GR en-AU en-GB en-GB-WLS en-IN en-US en-ZA es-ES es-MX "
    "es-US eu-ES fi-FI fil-PH fr-CA fr-FR he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP ko-KR ml-IN nb-NO nl-NL no-NO "
    "pl-PL pt-BR pt-PT ro-RO ru-RU sk-SK sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN yue-CN".lower().split()
)
"""Vonage's languages as far as we know them (docs/vonage.md §2.1); it may have more, so an unknown one is no fault."""

SECONDS_TO_BEGIN: Final = 2
SECONDS_A_DIGIT: Final = 0.5


def find_warnings(request: CallRequest) -> list[FieldFault]:
    """Return what the caller should look at again."""
    warnings = []
    # A PIN of one digit is meant to be told: "press 1 to acknowledge".
    if len(request.pin_code) > 1:
        warnings += [
            FieldFault(name, "contains_pin", "The text says the PIN to whoever picks up.")
            for name in ("text", "failed_text", "silence_text")
            if request.pin_code in _digits_run_together(getattr(request, name) or "")
        ]
    if request.language.lower() not in LANGUAGES:
        warnings.append(FieldFault("language", "unknown_language", "Vonage may not know this language."))
    # At the longest there is nothing to warn of that the caller could fix.
    if request.input_timeout < min(SECONDS_TO_BEGIN + SECONDS_A_DIGIT * len(request.pin_code), MAX_INPUT_TIMEOUT_S):
        message = "This is short for a PIN of this length: digits that come later count as another try."
        warnings.append(FieldFault("input_timeout", "short", message))
    if request.machine_detection is not None:
        warnings.append(FieldFault("machine_detection", *_COSTS[request.machine_detection]))
    return warnings


_SILENCE: Final = "Whoever picks up hears nothing for up to 5 s, until Vonage has made up its mind."
_COSTS: Final = {
    MachineDetection.HANGUP: (
        "silence",
        f"{_SILENCE} A person whom it takes for a machine is hung up on. Free of charge.",
    ),
    MachineDetection.CONTINUE: ("silence", f"{_SILENCE} Free of charge; notice keeps nobody waiting."),
    MachineDetection.NOTICE: ("charged", "Vonage charges for each call with this form. Nobody is kept waiting."),
}
"""What each form of machine detection costs the person called, and the caller (docs/vonage.md §1.1)."""


def _digits_run_together(text: str) -> str:
    """Return a text without what a voice leaves out between digits: tags, blanks, punctuation."""
    return re.sub(r"(?<=[0-9])[\W_]+(?=[0-9])", "", without_tags(text))
