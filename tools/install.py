"""Makes a virtual environment from pinned requirements, and tells how far it has come. Run by make.

`python tools/install.py .venv/ready requirements-dev.txt --onto .venv/running` adds to what is installed, where that is
whole; otherwise the environment is made anew. The file named first is written when everything is there.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NoReturn, TextIO

POLL_S: Final = 0.2
PLAIN_EVERY_S: Final = 5.0
WIDEST_NAME: Final = 30
LAST_LINES: Final = 12
PIP: Final = ("-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--no-deps", "--progress-bar", "off")
PIP_CHANGES: Final = "\nInstalling collected packages"
"""What pip prints before it changes anything; until then it gets, and builds elsewhere."""
TIDIES_UP_S: Final = 5.0
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REMEDIES: Final = {
    r"DO NOT MATCH THE HASHES": (
        "What the package index serves is not what is pinned. Is it a mirror that builds packages itself?"
    ),
    r"No space left on device": "The disk is full.",
    r"No matching distribution|Failed to establish|Connection|Temporary failure|timed out|ProxyError|SSLError": (
        "Is the package index in reach? Behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL."
    ),
    r"subprocess-exited-with-error|Failed building": (
        "A package has no ready-made build for this Python and machine. Take another Python: make PYTHON=python3.12"
    ),
}
"""What to do, by what pip says; the first that fits."""


class InstallError(Exception):
    """It cannot be installed; the text says why, and what to do."""


class Progress:
    """One line that moves on a terminal; elsewhere a line every few seconds."""

    def __init__(self, out: TextIO, began_s: float) -> None:
        self._out = out
        self._began_s = began_s
        self._is_terminal = out.isatty()
        self._next_s = began_s + PLAIN_EVERY_S

    def show(self, what: str, now_s: float) -> None:
        """Tell what is being done, if it is time to."""
        line = f"  {what}, {now_s - self._began_s:.0f} s"
        if self._is_terminal:
            print(f"\r{line}\033[K", end="", file=self._out, flush=True)
        elif now_s >= self._next_s:
            self._next_s = now_s + PLAIN_EVERY_S
            print(line, file=self._out, flush=True)

    def end(self) -> None:
        """Leave the line that moves."""
        if self._is_terminal:
            print("\r\033[K", end="", file=self._out, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Install; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stamp", type=Path, help="written when everything is there; its folder is the environment")
    parser.add_argument("requirements", type=Path, help="pinned, with hashes")
    parser.add_argument(
        "--onto", type=Path, metavar="STAMP", help="what is installed already, and is all pinned here too"
    )
    parser.add_argument("--editable", type=Path, metavar="FOLDER", help="a package of this repository")
    options = parser.parse_args(arguments)
    for each in SIGNALS:
        signal.signal(each, _interrupt)
    try:
        install(options.stamp, options.requirements, onto=options.onto, editable=options.editable)
    except (InstallError, OSError) as error:
        print(f"\nNot installed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"\nInterrupted. {interrupt}", file=sys.stderr)
        return 130
    return 0


def install(stamp: Path, requirements: Path, *, onto: Path | None, editable: Path | None) -> None:
    """Install what is required, and a folder's package, and leave the stamp.

    Raises:
        InstallError: the text says why, and what the same command does next.
        KeyboardInterrupt: likewise.
    """
    folder, began_s = stamp.parent, time.monotonic()
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise InstallError(f"{sys.executable} lacks venv: apt-get install python{version}-venv (Debian, Ubuntu).")
    pins = re.findall(r"^[\w.-]+==", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    print(f"Installing up to {len(pins)} packages ({requirements}) into {folder}, this once …", flush=True)
    # The stamps go first, so that what is broken off half-way is not taken for whole, and is made anew.
    adds = onto is not None and onto.exists() and not stamp.exists()
    stamp.unlink(missing_ok=True)
    if onto is not None:
        onto.unlink(missing_ok=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        run = _Runner(log, folder, Progress(sys.stdout, began_s))
        try:
            if not adds:
                run([sys.executable, "-m", "venv", "--clear", str(folder)], "making the environment")
            python = str(folder / "bin" / "python")
            run([python, *PIP, "--require-hashes", "-r", str(requirements)], _Pip(folder, len(pins)))
            if editable is not None:
                local = ["--no-index", "--no-build-isolation", "--editable", str(editable)]
                run([python, *PIP, *local], f"installing {editable}")
        except (InstallError, KeyboardInterrupt) as error:
            again = "The same command again begins anew."
            if adds and onto is not None and PIP_CHANGES not in run.printed():
                onto.touch()
                again = f"What was in {folder} is still whole; the same command again adds to it."
            raise type(error)(f"{error} {again}".lstrip()) from error
    for each in (onto, stamp):
        if each is not None:
            each.touch()
    print(f"Installed in {time.monotonic() - began_s:.0f} s.", flush=True)


class _Pip:
    """How far pip has come: it tells what it gets; what it has installed is seen in the environment."""

    def __init__(self, folder: Path, pins: int) -> None:
        self._folder = folder
        self._pins = pins
        self._before = self._installed()

    def doing(self, printed: str) -> str:
        """Return what it is at, by what it has printed."""
        of = self._pins - len(re.findall(r"^Ignoring ", printed, re.MULTILINE))
        there = len(re.findall(r"^Requirement already satisfied", printed, re.MULTILINE))
        if PIP_CHANGES in printed:
            return f"installing {min(there + self._installed() - self._before, of)} of {of}"
        got = re.findall(r"^(?:Collecting|Requirement already satisfied:|Processing) (\S+)", printed, re.MULTILINE)
        name = re.split(r"==|-\d", got[-1].rpartition("/")[2])[0][:WIDEST_NAME] if got else "packages"
        return f"getting {min(len(got), of)} of {of}: {name}"

    def _installed(self) -> int:
        return sum(1 for _ in self._folder.glob("lib/python*/site-packages/*.dist-info"))


class _Runner:
    """Runs commands, in a log that they share."""

    def __init__(self, log: TextIO, folder: Path, progress: Progress) -> None:
        self._log = log
        self._folder = folder
        self._progress = progress

    def __call__(self, command: list[str], doing: str | _Pip) -> None:
        # In a session of its own, so that what it starts ends with it, and not before it.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while process.poll() is None:
                now = doing if isinstance(doing, str) else doing.doing(self.printed())
                self._progress.show(now, time.monotonic())
                time.sleep(POLL_S)
        except BaseException:
            _stop(process)
            raise
        finally:
            self._progress.end()
        if process.returncode != 0:
            raise InstallError(self._why(command))

    def printed(self) -> str:
        """Return what the commands have printed."""
        # The one position in the file is the processes', too, which append there.
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def _why(self, command: list[str]) -> str:
        printed = self.printed()
        lines = printed.splitlines()
        said = [line for line in lines if line.startswith(("ERROR:", "error:", "Error:"))] or lines
        told = "".join(f"  {line}\n" for line in said[-LAST_LINES:])
        remedies = [text for what, text in REMEDIES.items() if re.search(what, printed)][:1]
        log = self._folder / "install.log"
        with contextlib.suppress(OSError):  # the disk may be full
            log.write_text(printed, encoding="utf-8")
            remedies.append(f"All that was said is in {log}.")
        return f"{' '.join(command[:4])} … failed:\n{told}{' '.join(remedies)}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    # pip tidies up when it is interrupted; whoever does not end, or is left by it, is killed.
    for each in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, each)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TIDIES_UP_S)


def _interrupt(*_: object) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # the next ones leave the tidying up alone
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
