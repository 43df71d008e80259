"""`python -m devphone` and `serve`: what they print works as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import jwt
import pytest

from devphone.commands.cli import main
from devphone.processes.service import ROOT


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a command in a folder of its own; give what it prints before it waits."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "devphone", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if line.startswith(("Running until", "The phone:", "Failed")):
                    break
            yield printed
        finally:
            process.terminate()
            process.communicate(timeout=20)


def shell(script: str) -> str:
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def exports(printed: str) -> str:
    return "\n".join(line for line in printed.splitlines() if line.startswith("export "))


def test_what_run_prints_works_as_it_is_and_is_the_same_after_a_restart(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        with started(tmp_path, "run", "--port", "0", "--phone-port", "0", "--callee", "1234") as printed:
            (command,) = re.findall(r"^curl .*?'$", printed, re.DOTALL | re.MULTILINE)
            assert re.search(r'"tid": ?"[0-9a-f-]{36}"', shell(command))
            asked = 'curl -s "$TTSPROMPT_URL/call/00000000-0000-0000-0000-000000000000" -H "Authorization: Bearer '
            assert "not_found" in shell(f'{exports(printed)}\n{asked}$TTSPROMPT_TOKEN"')
            claims = jwt.decode(
                shell(f'{exports(printed)}\necho "$TTSPROMPT_TOKEN"').strip(), options={"verify_signature": False}
            )
            assert claims["exp"] - claims["iat"] == 24 * 60 * 60
            assert "BEGIN PRIVATE KEY" in shell(f'{exports(printed)}\ncat "$VONAGE_PRIVATE_KEY"')
            assert "<title>Dev phone" in httpx.get(printed.split()[-1], trust_env=False).text
            ids.append(shell(f'{exports(printed)}\necho "$VONAGE_APPLICATION_ID $TTSPROMPT_PUBLIC_KEY"'))
            assert '"severity"' not in printed
            (ring,) = re.findall(r"^TTSPROMPT_URL=.* call .*--wait$", printed, re.MULTILINE)
            client = f'ttsprompt() {{ PYTHONPATH={ROOT}/client {sys.executable} -m ttsprompt_client "$@"; }}'
            ring = re.sub(r"\S*ttsprompt call", "ttsprompt call", ring)
            assert '"reason": "pin_matched"' in shell(f"{client}\n{ring}")

    assert ids[0] == ids[1]
    assert "severity" in (tmp_path / ".devphone" / "service.log").read_text()


def test_serve_says_what_a_service_needs(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as printed:
        said = shell(f'{exports(printed)}\necho "$VONAGE_API_URL $VONAGE_SIGNATURE_SECRET $CALLBACK_SIGNING_SECRETS"')
        url, signature_secret, signing_secrets = said.split()

        assert httpx.get(f"{url}/devphone/calls", trust_env=False).json() == []
        assert len(signature_secret) == 64
        assert re.fullmatch(r"whsec_.{44},whsk_.{44}", signing_secrets)


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_damaged_state_is_a_failure_in_words(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state.json").write_text("{")

    assert main([command, "--state", str(tmp_path)]) == 1
    assert "state.json is damaged" in capsys.readouterr().out


def test_a_port_that_is_taken_is_a_failure_in_words(tmp_path: Path) -> None:
    with started(tmp_path, "serve", "--port", "0") as printed:
        port = printed.rpartition(":")[2].strip().strip("/")
        with started(tmp_path, "run", "--port", "0", "--phone-port", port) as refused:
            assert f"port {port}" in refused.splitlines()[-1]
