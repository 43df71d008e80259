"""Who a caller is: whoever Vonage accepts the token of. The service has no keys, so only Vonage can tell."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from ttsprompt.domain.events import CallEnded
from ttsprompt.domain.model import hash_token
from ttsprompt.ports import Clock, VoiceApi

REMEMBERED_S: Final = 60
MOST_REMEMBERED: Final = 1000
NO_UUID: Final = "00000000-0000-0000-0000-000000000000"
"""Asked for when Vonage's uuid is not known: a token that is good gets 404."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The caller's Vonage application token: for this request only, never stored, never logged."""

    application_id: str
    token: str = field(repr=False)


@dataclass(slots=True, eq=False)
class Authority:
    """Asks Vonage, and remembers acceptance by the token's hash for a minute."""

    voice: VoiceApi
    clock: Clock
    _accepted: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, credential: Credential, uuid: str | None = None) -> CallEnded | None:
        """Return if Vonage accepts the token: how the call ended, if Vonage was asked and says that it has.

        Without a uuid, one that no call has is asked for: 404 shows that the token is good (docs/vonage.md §1.5).

        Raises:
            UnauthenticatedError: Vonage does not accept the token.
            VendorUnreachableError: Vonage gave no answer that tells.
        """
        key = hash_token(credential.token)
        now = self.clock.monotonic()
        with self._lock:
            if self._accepted.get(key, now) > now:
                return None
        ending = self.voice.look_up(uuid or NO_UUID, credential.token)
        with self._lock:
            self._accepted.pop(key, None)
            while len(self._accepted) >= MOST_REMEMBERED:
                self._accepted.pop(next(iter(self._accepted)))
            self._accepted[key] = now + REMEMBERED_S
        return ending
