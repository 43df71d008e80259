"""The service beside the phone, as somebody at the page uses it. The application's key never leaves this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from devphone import strict_json
from devphone.clients import PickClient
from devphone.happenings import Party, RequestAnswered, RequestPosted, Swept
from devphone.pace import Pace
from devphone.timeline import Timeline

PATIENCE_S: Final = 40
"""Longer than the service waits for a Vonage that says nothing."""
SWEEP_PATIENCE_S: Final = 120
MAX_SHOWN: Final = 2000


class DeskError(Exception):
    """The service gives no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Desk:
    """`token` makes an application's JWT; `sweeper_url` is where the scheduled function listens."""

    service_url: str
    sweeper_url: str
    token: Callable[[], str] = field(repr=False)

    async def place(
        self, content: bytes, idempotency_key: str | None, pick: PickClient, timeline: Timeline, pace: Pace
    ) -> httpx.Response:
        """Send `POST /call` with the application's token, and note both ways on the timeline.

        Raises:
            DeskError: there was no answer.
        """
        fields = _value(content)
        number = str(fields.get("to", "")) if isinstance(fields, dict) else ""
        url = f"{self.service_url}/call"
        timeline.add(RequestPosted(at_s=pace.seconds(), url=url, number=number, body=fields))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token()}"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        began = time.monotonic()
        response = await _post(pick, url, PATIENCE_S, content=content, headers=headers)
        body = _value(response.content)
        told = body if isinstance(body, dict) else {}
        tid, code = (told[name] if isinstance(told.get(name), str) else None for name in ("tid", "code"))
        answered = RequestAnswered(
            at_s=pace.seconds(),
            tid=tid,
            number=number,
            status=response.status_code,
            seconds=_since(began),
            code=code,
            body=body,
        )
        timeline.add(answered)
        return response

    async def sweep(self, pick: PickClient, timeline: Timeline, pace: Pace) -> dict[str, int]:
        """Have what is due looked after, as Cloud Scheduler would; return the counts.

        Raises:
            DeskError: there was no answer, or not a good one.
        """
        began = time.monotonic()
        response = await _post(pick, self.sweeper_url, SWEEP_PATIENCE_S)
        answer = _value(response.content)
        counts = answer if isinstance(answer, dict) else {}
        if response.status_code != httpx.codes.OK or not all(isinstance(count, int) for count in counts.values()):
            raise DeskError(f"The sweep was answered {response.status_code}.")
        swept = Swept(
            at_s=pace.seconds(), from_=Party.YOU, status=response.status_code, counts=counts, seconds=_since(began)
        )
        timeline.add(swept)
        return counts


async def _post(pick: PickClient, url: str, timeout_s: float, **options: Any) -> httpx.Response:
    try:
        return await pick().post(url, timeout=timeout_s, **options)
    except httpx.HTTPError as error:
        raise DeskError(f"The service gives no answer: {error or type(error).__name__}") from None


def _value(content: bytes) -> Any:
    try:
        return strict_json.loads(content)
    except ValueError:
        return content[:MAX_SHOWN].decode("utf-8", "replace")


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)
