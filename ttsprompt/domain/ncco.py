"""What Vonage is told to do, as NCCOs: JSON arrays of actions (docs/vonage.md §2). Keys are Vonage's camelCase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ttsprompt.domain.model import Call, Phase, Prompts, State
from ttsprompt.domain.verdict import Entry, reason_of_entries

Ncco = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WebhookUrls:
    """The URLs that Vonage calls for one call; `token` is what makes them unguessable."""

    base_url: str
    tid: str
    token: str = field(repr=False)

    def answer(self) -> str:
        """Where Vonage fetches the first NCCO with ANSWER_MODE=webhook."""
        return self._url("answer")

    def event(self) -> str:
        """Where Vonage reports the call's progress."""
        return self._url("event")

    def input(self, step: int) -> str:
        """Where Vonage posts the keys that answer question number `step`."""
        return f"{self._url('input')}&step={step}"

    def _url(self, name: str) -> str:
        return f"{self.base_url}/{name}/{self.tid}?token={quote(self.token)}"


def opening(call: Call, urls: WebhookUrls) -> Ncco:
    """Return what an answered call hears first: the text and the open question; nothing once decided or over."""
    if call.verdict is not None or call.state is State.ENDED or call.prompts is None:
        return []
    return _ask(call, call.prompts, call.prompts.text, call.current_step, urls)


def reply(call: Call, step: int, urls: WebhookUrls) -> Ncco:
    """Return what follows the answer to question `step`, from its stored judgement; so a repeat gets the same."""
    if call.state is State.ENDED or call.prompts is None or step > len(call.entries):
        return []
    prompts = call.prompts
    entry = call.entries[step - 1]
    if entry is Entry.RIGHT:
        return [_talk(prompts, prompts.bye_text)] if prompts.bye_text else []
    decided_here = reason_of_entries(call.entries[:step], call.attempts_allowed) is not None
    decided_elsewhere = call.verdict is not None and reason_of_entries(call.entries, call.attempts_allowed) is None
    if decided_here or decided_elsewhere:
        return []
    return _ask(call, prompts, _after(entry, prompts), step + 1, urls)


def _after(entry: Entry, prompts: Prompts) -> str:
    """Return what is spoken before the next question; nobody who said nothing hears that it was wrong."""
    match entry:
        case Entry.WRONG:
            return prompts.failed_text or prompts.text
        case Entry.SILENCE:
            return prompts.silence_text or prompts.text
        case _:
            return prompts.text


def was_asked(call: Call, step: int) -> bool:
    """Tell whether Vonage can know question `step`. A settled call has no open question, so any step may be late."""
    return step >= 1 and (call.phase is Phase.SETTLED or step <= call.current_step)


def _ask(call: Call, prompts: Prompts, text: str, step: int, urls: WebhookUrls) -> Ncco:
    """Speak and listen. With bargeIn the next action must be an input (docs/vonage.md §2.1), and keys count at once."""
    return [
        {**_talk(prompts, text), "bargeIn": True},
        {
            "action": "input",
            "type": ["dtmf"],
            "dtmf": {"maxDigits": call.max_digits, "timeOut": call.input_timeout_s, "submitOnHash": True},
            "eventUrl": [urls.input(step)],
            "eventMethod": "POST",
        },
    ]


def _talk(prompts: Prompts, text: str) -> dict[str, Any]:
    talk: dict[str, Any] = {"action": "talk", "text": text, "language": prompts.language}
    if prompts.style is not None:
        talk["style"] = prompts.style
    if prompts.premium is not None:
        talk["premium"] = prompts.premium
    return talk
