"""A network of its own for code under test: every address leads to this machine, and names are what a test says.

A child process in a network namespace and a mount namespace of its own: `connect` and look-ups are the system's, so
code runs there as it does in production, and an address that it should not have connected to is really reached.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC_V6: Final = ("2606:4700::1111", "2606:4700::1001")
"""Where a server can listen on one address of IPv6 alone; of IPv4 it can on any."""

UNREACHABLE: Final = ("9.9.9.9", "2620:fe::9")
"""No route leads there."""

NO_ANSWER: Final = ("no A", "no AAAA")
"""Among the addresses of a name: a question for these is never answered."""

_ROOT: Final = Path(__file__).parents[1]
_RESOLVER: Final = "127.0.0.53"
_FILES: Final = {
    "/etc/resolv.conf": f"nameserver {_RESOLVER}\noptions timeout:2 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}


class NetworkUnavailableError(Exception):
    """This machine lets us make no namespaces, or lacks the commands."""


class Network:
    """The child, seen from outside.

    Raises:
        NetworkUnavailableError: there can be none here.
    """

    def __init__(self) -> None:
        as_user = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--net", "--mount", *as_user, "--", sys.executable, "-m", "tests.network"]
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the network
        try:
            self._child = subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed
            )
        except FileNotFoundError:
            raise NetworkUnavailableError("there is no `unshare`") from None
        try:
            self.run(os.getpid)
        except (EOFError, BrokenPipeError):
            reason = self.printed().strip()
            self.close()
            raise NetworkUnavailableError(reason) from None

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a module's function inside and return what it returns; what it raises fails the test."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        pickle.dump((function, args, kwargs), self._child.stdin)
        self._child.stdin.flush()
        value, error = pickle.load(self._child.stdout)
        assert error is None, error
        return value  # type: ignore[no-any-return]

    def printed(self) -> str:
        """Return what the child has written to standard error so far: log lines and stray tracebacks."""
        self._printed.seek(0)
        return self._printed.read()

    def close(self) -> None:
        """End the child."""
        self._child.kill()
        self._child.communicate()
        self._printed.close()


class Names:
    """A DNS server. `answers` has for each name a list of addresses for each look-up, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.questions: list[tuple[str, str]] = []
        self._asked: Counter[tuple[str, str]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_RESOLVER, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def set(self, answers: dict[str, list[list[str]]]) -> None:
        """Forget what was; names end with a dot or not, as they are asked for."""
        self.answers = answers
        self.questions = []
        self._asked.clear()

    def _run(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            answer = self._answer(question)
            if answer is not None:
                self._socket.sendto(answer, client)

    def _answer(self, question: bytes) -> bytes | None:
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii"))
            at += 1 + question[at]
        name = ".".join(labels).lower()
        kind = {1: "A", 28: "AAAA"}.get(struct.unpack("!H", question[at + 1 : at + 3])[0], "other")
        self.questions.append((name, kind))
        head, body = question[:2], question[12 : at + 5]
        if name not in self.answers or kind == "other":
            return head + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + body
        look_ups = self.answers[name]
        addresses = look_ups[min(self._asked[name, kind], len(look_ups) - 1)]
        self._asked[name, kind] += 1
        if f"no {kind}" in addresses:
            return None
        family = socket.AF_INET if kind == "A" else socket.AF_INET6
        found = [
            socket.inet_pton(family, one)
            for one in addresses
            if one not in NO_ANSWER and (":" in one) == (kind == "AAAA")
        ]
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", 1 if kind == "A" else 28, 1, 0, len(packed)) + packed for packed in found
        )
        return head + struct.pack("!HHHHH", 0x8180, 1, len(found), 0, 0) + body + records


def _make_network() -> None:
    """Every address is this machine's own; the resolver is ours."""
    commands = [
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo",
        "-6 route add local ::/0 dev lo",
        *(f"-6 address add {one}/128 dev lo nodad" for one in PUBLIC_V6),
        *(f"{'-6 ' if ':' in one else ''}route add unreachable {one} table local" for one in UNREACHABLE),
    ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    with tempfile.TemporaryDirectory() as folder:
        for place, text in _FILES.items():
            copy = Path(folder, Path(place).name)
            copy.write_text(text)
            if Path(place).exists():
                subprocess.run(["mount", "--bind", copy, place], check=True)


def _serve() -> None:
    # What prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _make_network()
    while True:
        try:
            function, args, kwargs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        result: tuple[Any, str | None]
        try:
            result = function(*args, **kwargs), None
        except Exception:  # noqa: BLE001 - told outside
            result = None, traceback.format_exc()
        pickle.dump(result, answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
