"""Ending a call at Vonage."""

from __future__ import annotations

import logging
from typing import Final

from ttsprompt.domain.model import Call
from ttsprompt.errors import VendorError
from ttsprompt.ports import Clock, VoiceApi

log = logging.getLogger(__name__)

HANG_UP_AGAIN_S: Final = 2.0
"""In the first seconds of a call Vonage may answer 400 to a hang-up (docs/vonage.md §1.5)."""


def hang_up(voice: VoiceApi, clock: Clock, call: Call, token: str) -> None:
    """Ask Vonage to end a call, and once more if it is too early.

    A call that is gone is done, as is one that has ended and cannot be hung up; any other failure is logged.
    """
    if call.uuid is None:
        return
    try:
        status = voice.hang_up(call.uuid, token)
        if status == 400 and call.ended_at is None:  # noqa: PLR2004 - the clearest name
            clock.sleep(HANG_UP_AGAIN_S)
            status = voice.hang_up(call.uuid, token)
    except VendorError as error:
        log.error("hang_up_failed", extra={"fields": {"tid": call.tid, "code": error.code}})
        return
    nothing_left = {404} if call.ended_at is None else {400, 404}
    if status not in nothing_left and not 200 <= status <= 299:  # noqa: PLR2004 - the range is the definition of success
        log.error("hang_up_failed", extra={"fields": {"tid": call.tid, "http_status": status}})
