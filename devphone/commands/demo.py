"""`make demo`: one call through the real service, with no account and no network."""

from __future__ import annotations

import queue
import shlex
import time
from typing import Any, Final

import httpx

from devphone.callee.numbers import CALLEE, CALLER, PIN
from devphone.callee.script import parse_callee
from devphone.commands.screen import Screen
from devphone.happenings import CallbackReceived
from devphone.processes.emulator import EmulatorError
from devphone.processes.pair import Pair, make_phone, running_pair
from devphone.processes.service import StartError
from devphone.processes.switchboard import Switchboard
from devphone.vendor.tokens import Application, make_application

DEMO_SPEED: Final = 4
DEMO_LIMIT_S: Final = 60
SCRIPT: Final = "1111,1234"


def demo(store: str, speed: float = DEMO_SPEED) -> int:
    """Place one call to a callee who keys a wrong PIN, then the right one; return the exit code."""
    screen = Screen()
    application = make_application()
    phone = make_phone(application, parse_callee(SCRIPT), speed)
    callbacks: queue.SimpleQueue[CallbackReceived] = queue.SimpleQueue()
    phone.timeline.listen(screen.show)
    phone.timeline.listen(lambda x: callbacks.put(x) if isinstance(x, CallbackReceived) else None)
    screen.title("Set-up")
    try:
        with running_pair(phone, store) as pair:
            screen.pairs(pair.facts())
            tid = _place(pair, application, screen)
            return _judge(tid, callbacks.get(timeout=DEMO_LIMIT_S), screen)
    except queue.Empty:
        return screen.failed(f"no callback came within {DEMO_LIMIT_S} s")
    except (StartError, EmulatorError, RuntimeError, httpx.HTTPError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return screen.failed("interrupted")


def request(board: Switchboard) -> dict[str, Any]:
    """Return a request for a call that uses most of what there is."""
    return {
        "to": CALLEE,
        "from": CALLER,
        "text": "Hello. Please enter your PIN.",
        "failed_text": "That was not right. Please try again.",
        "bye_text": "Thank you, goodbye.",
        "pin_code": PIN,
        "callback": f"{board.url}/callback?shop=7",
    }


def as_curl(url: str, fields: dict[str, Any]) -> str:
    """Return a request as a command for a shell, with its secrets as variables there."""
    lines = [f"curl {url}/call", '-H "Authorization: Bearer $TTSPROMPT_TOKEN"']
    for name, value in fields.items():
        lines.append("-d pin_code=$PIN" if name == "pin_code" else f"--data-urlencode {shlex.quote(f'{name}={value}')}")
    return " \\\n  ".join(lines)


def _place(pair: Pair, application: Application, screen: Screen) -> str:
    phone, service, board = pair.board.phone, pair.service, pair.board
    fields = request(board)
    screen.title("The request")
    print(as_curl(service.url, fields), flush=True)
    screen.title("The call")
    headers = {"Authorization": f"Bearer {application.token()}"}
    screen.say(phone.pace.seconds(), "you", f"POST /call for {CALLEE}, PIN ••••")
    response = httpx.post(f"{service.url}/call", data=fields, headers=headers, timeout=30, trust_env=False)
    if response.status_code != 200:  # noqa: PLR2004 - the only good status
        msg = f"POST /call was answered {response.status_code}: {response.text}\n{service.printed()[-2000:]}"
        raise RuntimeError(msg)
    tid: str = response.json()["tid"]
    screen.say(phone.pace.seconds(), "service", f"answers you → 200, tid {tid}")
    return tid


def _judge(tid: str, callback: CallbackReceived, screen: Screen) -> int:
    fields = callback.fields
    # The receiver's line of the timeline is printed by another thread.
    time.sleep(0.1)
    screen.callback(callback)
    expected = {"tid": tid, "to": CALLEE, "status": "ok", "reason": "pin_matched", "attempts": "2"}
    wrong = [
        f"{name} is {fields.get(name)}, not {value}" for name, value in expected.items() if fields.get(name) != value
    ]
    if callback.verified is not True:
        wrong.append("the signature is not verified")
    if callback.id != tid:
        wrong.append("webhook-id is not the tid")
    if wrong:
        return screen.failed("; ".join(wrong))
    print(screen.colour("\nThe right person picked up.", "32"), flush=True)
    screen.title("Next")
    screen.pair("make run", "keeps both running: take the call yourself, in the browser, or ring it from a shell")
    screen.pair("make test", "installs what tests need, and runs all tests")
    screen.pair("README.md", "“Deploy it”: the same in a Google Cloud project of yours, with a Vonage account")
    return 0
