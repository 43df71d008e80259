"""Watches, while a test runs, for secrets where none may be: logs of all levels, documents, errors, answers.

What is secret is learnt where the service itself handles it: tokens, PINs and typed keys go through `keyed_mac`. JWTs
and private keys are known by their looks. What is delivered to callbacks is in the document, as the very bytes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from ttsprompt import errors
from ttsprompt.domain import verdict
from ttsprompt.logs import QUIET_LIBRARIES
from ttsprompt.service import calls
from ttsprompt.stores import compare_and_set
from ttsprompt.web import problems

LOOKS: Final = {
    "a JWT": re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]"),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY|MII[CEJ][\w+/]{20}"),
    "a webhook token": re.compile(r"token=(?!dry-run)[\w-]{20}"),
}
OTHERS: Final = ("httpx", "httpcore", "uvicorn", "playwright")
"""Libraries of the dev phone, which plays Vonage and so has the tokens; none of the service's."""

DRY_RUN_TOKEN: Final = "dry-run"

SHORTEST_KEYS: Final = 4
"""Fewer digits are everywhere."""


def by_itself(keys: str) -> str:
    """Return a pattern of keys that are not a part of a UUID, a time, a price or a longer number."""
    return rf"(?<![\w.:+-]){re.escape(keys)}(?![\w.:+-])"


class Canaries:
    """The secrets of one test, the last of them, and where any was seen."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._secrets: deque[re.Pattern[str]] = deque(maxlen=40)
        self._lock = threading.Lock()

    def learn(self, token: str, keys: str) -> None:
        """Remember what is secret; the token that a dry run shows is not."""
        if token != DRY_RUN_TOKEN:
            self._remember(token, re.escape(token))
        if len(keys) >= SHORTEST_KEYS:
            self._remember(keys, by_itself(keys))

    def _remember(self, secret: str, pattern: str) -> None:
        with self._lock:
            if len(secret) >= SHORTEST_KEYS and not any(known.pattern == pattern for known in self._secrets):
                self._secrets.append(re.compile(pattern))

    def look(self, where: str, text: str) -> None:
        """Note any secret in `text`."""
        with self._lock:
            secrets = list(self._secrets)
        self.leaks += [f"{name} in {where}: {text}" for name, look in LOOKS.items() if look.search(text)]
        self.leaks += [f"{secret.pattern} in {where}: {text}" for secret in secrets if secret.search(text)]


@contextmanager
def watching() -> Iterator[Canaries]:
    """Watch this process, until the end of the block; what libraries would log at DEBUG too."""
    canaries = Canaries()
    levels = {name: logging.getLogger(name).level for name in ("", *QUIET_LIBRARIES)}
    with ExitStack() as stack:
        for name in levels:
            logging.getLogger(name).setLevel(logging.DEBUG if name == "" else logging.NOTSET)
        for owner in (verdict, calls):
            stack.enter_context(_before(owner, "keyed_mac", canaries.learn))
        stack.enter_context(_before(logging.Logger, "handle", lambda _, record: _look_at(record, canaries)))
        for module in (compare_and_set,):
            stack.enter_context(
                _after(module, "to_document", lambda document: canaries.look("a document", str(document)))
            )
        # Every answer passes here.
        stack.enter_context(
            _after(problems, "_never_kept", lambda answer: _look_at_answer(answer.get_data(as_text=True), canaries))
        )
        stack.enter_context(
            _before(
                errors.TtsPromptError,
                "__init__",
                lambda _, *words, **named: canaries.look("an error", f"{words} {named}"),
            )
        )
        yield canaries
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def noting_assertions() -> Iterator[list[str]]:
    """Note each assertion of a test that the service logs as a fault of its own: the test would pass without it."""
    swallowed: list[str] = []

    def look(_: logging.Logger, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, AssertionError):
            swallowed.append(f"{record.getMessage()}: {fault!r}")

    with _before(logging.Logger, "handle", look):
        yield swallowed


def _look_at(record: logging.LogRecord, canaries: Canaries) -> None:
    if record.name.partition(".")[0] in OTHERS:
        return
    fault = "" if record.exc_info is None else repr(record.exc_info[1])
    canaries.look("the log", f"{record.name}: {record.getMessage()} {getattr(record, 'fields', '')} {fault}")


def _look_at_answer(body: str, canaries: Canaries) -> None:
    # What Vonage is to play is a list, and has the token in its URLs. The API's description has examples of keys.
    if not body.startswith(("[", '{"openapi"')):
        canaries.look("an answer", body)


def _before(owner: Any, name: str, look: Callable[..., None]) -> Any:
    original = getattr(owner, name)

    def looking(*args: Any, **kwargs: Any) -> Any:
        look(*args, **kwargs)
        return original(*args, **kwargs)

    return patch.object(owner, name, looking)


def _after(owner: Any, name: str, look: Callable[[Any], None]) -> Any:
    original = getattr(owner, name)

    def looking(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        look(result)
        return result

    return patch.object(owner, name, looking)
