"""The functions, started from exactly the files that are uploaded, with nothing but their own requirements."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from devphone.processes.service import free_port
from tests.deploy.commands import ROOT, run_script
from tests.deploy.test_commands import needs_gcloud
from tests.e2e.conftest import wait_for


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the uploaded files and an environment that has only what the functions require."""
    folder = tmp_path_factory.mktemp("uploaded")
    config = {**os.environ, "CLOUDSDK_CONFIG": str(folder / "config")}
    names = subprocess.run(
        ["gcloud", "meta", "list-files-for-upload"], cwd=ROOT, env=config, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    pip = [str(folder / ".venv/bin/python"), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
    subprocess.run([*pip, "-r", "requirements.txt"], cwd=folder, check=True, timeout=110)
    return folder


@contextmanager
def running(folder: Path, target: str) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [folder / ".venv/bin/functions-framework", "--target", target, "--host", "127.0.0.1", "--port", str(port)],
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


@needs_gcloud
def test_all_three_functions_work_from_the_uploaded_files_alone(uploaded: Path) -> None:
    with running(uploaded, "setup") as url:
        assert httpx.post(url, trust_env=False).json()["result"] == "ok"
    with running(uploaded, "ttsprompt") as url:
        assert "The dry run names" in run_script("smoke-test", uploaded, BASE_URL=url)
        with pytest.raises(subprocess.CalledProcessError):
            run_script("smoke-test", uploaded, BASE_URL=f"{url}/elsewhere")
        assert httpx.get(f"{url}/openapi.json", trust_env=False).json()["openapi"] == "3.1.0"
    with running(uploaded, "expire_stale_calls") as url:
        assert httpx.post(url, trust_env=False).json()["expired"] == 0
