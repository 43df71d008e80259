"""`make` makes its environments with tools/install.py: tried with packages made here, and no network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "tools" / "install.py"
RUNNING, READY = ".venv/running", ".venv/ready"
"""The stamps, as in the Makefile."""
TO_RUN = (RUNNING, "requirements-running.txt", "--editable", "client")
TO_TEST = (READY, "requirements-dev.txt", "--onto", RUNNING, "--editable", "client")
PATIENT_S = 60
METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: a-test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
BACKEND = f"METADATA, WHEEL = {METADATA.format('client')!r}, {WHEEL!r}\n"
BACKEND += """
import os, socket, zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    if os.environ.get("BUILD") == "fails":
        raise SystemExit("no compiler")
    if os.environ.get("BUILD") == "hangs":
        socket.create_connection(("127.0.0.1", int(os.environ["TELL"]))).recv(1)
    name = "client-1.0-py3-none-any.whl"
    info = "client-1.0.dist-info"
    with zipfile.ZipFile(Path(folder, name), "w") as wheel:
        wheel.writestr("client.pth", str(Path.cwd()))
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def make_wheel(folder: Path, name: str) -> str:
    """Make a package that holds one module; return its pin."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": METADATA.format(name),
        f"{info}/WHEEL": WHEEL,
    }
    digest = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    files[f"{info}/RECORD"] = "".join(f"{path},sha256={digest[path]},\n" for path in digest) + f"{info}/RECORD,,\n"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Folder:
    """A repository as the Makefile's is, with packages of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made_before = path / ".venv" / "made-before"
        """Put into the environment; gone when that is made anew."""

    def command(self, stamp: str, *arguments: str) -> list[str]:
        return [sys.executable, str(INSTALL), stamp, *arguments]

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        return (
            own
            | {
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": "wheels",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            | more
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=self.environment(environment),
            capture_output=True,
            text=True,
            timeout=PATIENT_S,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(*arguments),
            cwd=self.path,
            env=self.environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def has(self, module: str) -> bool:
        python = self.path / ".venv" / "bin" / "python"
        return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0

    def is_there(self, stamp: str) -> bool:
        return (self.path / stamp).exists()


def listening() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENT_S)
    return listener


@pytest.fixture(scope="module")
def installed_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What runs it is installed; what that printed."""
    path = tmp_path_factory.mktemp("installed")
    (path / "wheels").mkdir()
    to_run, to_test = (make_wheel(path / "wheels", name) for name in ("to-run", "to-test"))
    (path / "requirements-running.txt").write_text(to_run)
    (path / "requirements-dev.txt").write_text(to_run + to_test)
    (path / "client").mkdir()
    (path / "client" / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (path / "client" / "backend.py").write_text(BACKEND)
    done = Folder(path).run(*TO_RUN)
    assert done.returncode == 0, done.stdout + done.stderr
    return path, done.stdout


@pytest.fixture
def folder(installed_once: tuple[Path, str], tmp_path: Path) -> Folder:
    """Return a folder in which what runs it is installed."""
    shutil.copytree(installed_once[0], tmp_path / "copy", symlinks=True)
    copy = Folder(tmp_path / "copy")
    copy.made_before.touch()
    return copy


def test_the_first_line_says_what_is_installed_where_and_the_last_that_it_is_done(
    installed_once: tuple[Path, str],
) -> None:
    path, printed = installed_once
    lines = printed.splitlines()

    assert lines[0] == "Installing up to 1 packages (requirements-running.txt) into .venv, this once …"
    assert lines[-1].startswith("Installed in ")
    assert Folder(path).is_there(RUNNING)
    assert Folder(path).has("to_run")
    assert Folder(path).has("backend"), "the editable package's folder is on the path"


def test_a_second_install_adds_to_the_first(folder: Folder) -> None:
    done = folder.run(*TO_TEST)

    assert done.returncode == 0, done.stdout + done.stderr
    assert folder.has("to_run")
    assert folder.has("to_test")
    assert folder.made_before.exists()
    assert (folder.path / RUNNING).stat().st_mtime_ns <= (folder.path / READY).stat().st_mtime_ns, (
        "or make runs it again"
    )


def test_an_install_that_fails_says_why_and_what_to_do_and_leaves_the_first_whole(folder: Folder) -> None:
    """Nothing was changed yet, so `make demo` has nothing to install, and the same command again only adds."""
    wheel = folder.path / "wheels" / "to_test-1.0-py3-none-any.whl"
    wheel.rename(folder.path / "away.whl")
    failed = folder.run(*TO_TEST)

    assert failed.returncode == 1
    assert "Not installed." in failed.stderr
    assert "ERROR: No matching distribution found for to-test==1.0" in failed.stderr
    assert "Is the package index in reach?" in failed.stderr
    assert "still whole; the same command again adds to it." in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.splitlines()) < 10
    assert "No matching distribution" in (folder.path / ".venv" / "install.log").read_text()
    assert folder.is_there(RUNNING)
    assert not folder.is_there(READY)

    (folder.path / "away.whl").rename(wheel)
    assert folder.run(*TO_TEST).returncode == 0
    assert folder.made_before.exists()


def test_a_package_that_is_not_what_was_pinned_is_not_installed(folder: Folder) -> None:
    (folder.path / "requirements-dev.txt").write_text(f"to-test==1.0 --hash=sha256:{'0' * 64}\n")
    failed = folder.run(*TO_TEST)

    assert failed.returncode == 1
    assert "What the package index serves is not what is pinned." in failed.stderr
    assert not folder.has("to_test")


def test_an_install_that_fails_half_way_is_not_taken_for_whole(folder: Folder) -> None:
    failed = folder.run(*TO_TEST, BUILD="fails")

    assert failed.returncode == 1
    assert "error: metadata-generation-failed" in failed.stderr
    assert "no compiler" in (folder.path / ".venv" / "install.log").read_text()
    assert failed.stderr.rstrip().endswith("The same command again begins anew.")
    assert not folder.is_there(RUNNING)
    assert not folder.is_there(READY)


def test_an_interrupted_install_leaves_no_stamp_and_no_process_and_the_same_command_again_works(folder: Folder) -> None:
    with listening() as listener:
        port = str(listener.getsockname()[1])
        with folder.running(*TO_TEST, BUILD="hangs", TELL=port) as process:
            builder, _ = listener.accept()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENT_S)

    assert process.returncode == 130
    assert told.strip() == "Interrupted. The same command again begins anew."
    assert not folder.is_there(RUNNING)
    assert not folder.is_there(READY)
    with builder:
        builder.settimeout(PATIENT_S)
        assert builder.recv(1) == b"", "it has ended"

    assert folder.run(*TO_TEST).returncode == 0
    assert not folder.made_before.exists()
    assert folder.has("to_run")
    assert folder.has("to_test")


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGHUP])
def test_an_install_interrupted_before_it_changes_anything_leaves_the_first_whole(
    folder: Folder, name: signal.Signals
) -> None:
    with (
        listening() as index,
        folder.running(*TO_TEST, PIP_FIND_LINKS=f"http://127.0.0.1:{index.getsockname()[1]}/") as process,
    ):
        connection, _ = index.accept()
        with connection:  # which is never answered
            process.send_signal(name)
            _, told = process.communicate(timeout=PATIENT_S)

    assert process.returncode == 130
    assert told.strip().startswith("Interrupted. What was in .venv is still whole")
    assert folder.is_there(RUNNING)
    assert not folder.is_there(READY)
    assert folder.has("to_run")


def test_a_python_without_venv_is_one_line_that_says_what_to_install(folder: Folder) -> None:
    """As Debian's is, until python3-venv is installed."""
    lacks = "import runpy, sys; sys.modules['ensurepip'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", lacks, str(INSTALL), *TO_RUN],
        cwd=folder.path,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=False,
    )

    assert done.returncode == 1
    [line] = (done.stdout + done.stderr).strip().splitlines()
    assert "lacks venv: apt-get install python3." in line
    assert folder.is_there(RUNNING)
