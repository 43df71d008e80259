"""The functions, started from exactly the files that are uploaded, with nothing but their own requirements."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from devphone.processes.service import free_port
from tests.deploy.commands import ROOT, run_script
from tests.deploy.project import Checkout
from tests.e2e.conftest import wait_for

ENVIRONMENT: Final = ROOT / ".venv-uploaded"
"""Has only what the functions require; make installs it."""


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the uploaded files."""
    if not (ENVIRONMENT / "ready").exists():
        pytest.skip("run: make .venv-uploaded/ready")  # pytest was run by hand; `make test` makes it first
    folder = tmp_path_factory.mktemp("uploaded")
    names = [
        "main.py",
        "requirements.txt",
        *(str(path.relative_to(ROOT)) for path in (ROOT / "ttsprompt").rglob("*.py")),
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@contextmanager
def running(folder: Path, target: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [ENVIRONMENT / "bin/functions-framework", "--target", target, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "CALL_STORE": f"sqlite:///{folder}/calls.db",
            "BASE_URL": f"http://127.0.0.1:{port}",
        },
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def smoke_test(folder: Path, url: str) -> str:
    """Run the smoke test of a deployment at an address, without its pauses."""
    checkout = Checkout(folder)
    checkout.configure(ALLOWED_APPLICATIONS="all", BASE_URL=url)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    return run_script("smoke-test", programs, root=checkout.folder)


def test_all_three_functions_work_from_the_uploaded_files_alone(uploaded: Path, tmp_path: Path) -> None:
    with running(uploaded, "setup") as url:
        assert httpx.post(url, trust_env=False).json()["result"] == "ok"
    with running(uploaded, "ttsprompt") as url:
        assert "answers webhooks as it should" in smoke_test(tmp_path / "good", url)
        with pytest.raises(subprocess.CalledProcessError):
            smoke_test(tmp_path / "bad", f"{url}/elsewhere")
        assert httpx.get(f"{url}/openapi.json", trust_env=False).json()["openapi"] == "3.1.0"
    with running(uploaded, "expire_stale_calls") as url:
        assert httpx.post(url, trust_env=False).json()["expired"] == 0


def test_bytecode_fits_although_the_image_resets_the_files_times(tmp_path: Path) -> None:
    """The buildpack compiles with `compileall -f -q .`; what is deployed says how that checks whether it fits."""
    (flag,) = re.findall(r"--set-build-env-vars=(SOURCE_DATE_EPOCH=\d+) ", (ROOT / "deploy/function.sh").read_text())
    (tmp_path / "module.py").write_text("VALUE = 1\n")
    compiled = [sys.executable, "-m", "compileall", "-f", "-q", "."]
    subprocess.run(compiled, cwd=tmp_path, env=dict([flag.split("=")]), check=True)
    os.utime(tmp_path / "module.py", (1, 1))
    used = subprocess.run(
        [sys.executable, "-v", "-c", "import module"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(r"module\.cpython-\d+\.pyc matches .*module\.py", used.stderr)
