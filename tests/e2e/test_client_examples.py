"""The examples that ring people from a shell, a monitor or a build, run as they stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from devphone.processes.service import free_port
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.test_client import dialled, people

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def environment(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """Return what the examples want to be set, with the client on the path."""
    command = tmp_path / "ttsprompt"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m ttsprompt_client "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "client"),
        "TTSPROMPT_URL": stack.service.url,
        "VONAGE_APPLICATION_ID": stack.application.id,
        "VONAGE_PRIVATE_KEY": stack.application.private_key,  # as a build has it: a secret's text
        "FROM": "447520616161",
    }


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_the_on_call_script_wakes_the_second_when_the_first_is_busy(
    stack: Stack, tmp_path: Path, environment: dict[str, str]
) -> None:
    busy, right = stack.request(), stack.request()
    stack.script(busy, "busy")
    stack.script(right, "1234")
    command = ["bash", str(EXAMPLES / "on_call.sh"), str(people(tmp_path, busy, right)), "The database is down"]

    first, again = (run([*command, f"incident-{busy['to']}"], environment) for _ in range(2))

    assert "somebody has taken over" in first.stdout, first.stdout + first.stderr
    assert (first.returncode, again.returncode) == (0, 0)
    assert [dialled(stack, r["to"]) for r in (busy, right)] == [1, 1]


def test_the_list_of_people_is_one(stack: Stack, environment: dict[str, str]) -> None:
    """Its numbers are the dev phone's test numbers: Ada is busy, and Grace keys the PIN."""
    command = ["bash", str(EXAMPLES / "on_call.sh"), str(EXAMPLES / "people.toml"), "This is a test"]

    done = run(command, environment | {"ADA_PIN": "1234"})

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 Ada: error: busy" in done.stdout
    assert "2 Grace: ok" in done.stdout


@contextmanager
def started(name: str, environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def listens(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code > 0
    except httpx.HTTPError:
        return False


def test_alertmanagers_alert_rings_and_its_repeats_do_not(
    stack: Stack, tmp_path: Path, environment: dict[str, str]
) -> None:
    request = stack.request()
    stack.script(request, "1234")
    port = free_port()
    # As Alertmanager sends it (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
    group = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="Disk {request["to"]}"}}',
        "status": "firing",
        "receiver": "phone",
        "groupLabels": {"alertname": "Disk full"},
        "alerts": [{"status": "firing", "labels": {}, "startsAt": "2026-11-23T09:00:00Z", "fingerprint": "ab"}],
    }
    given = environment | {"PEOPLE": str(people(tmp_path, request)), "PORT": str(port)}
    with started("alertmanager_ladder.py", given):
        wait_for(lambda: listens(f"http://127.0.0.1:{port}/"))
        answers = [
            httpx.post(f"http://127.0.0.1:{port}/", json=group, timeout=60, trust_env=False).status_code
            for _ in range(2)
        ]

    assert answers == [204, 204]
    assert dialled(stack, request["to"]) == 1


def test_alertmanager_is_configured_to_hand_its_alerts_over() -> None:
    configuration = yaml.safe_load((EXAMPLES / "alertmanager.yml").read_text())

    (receiver,) = configuration["receivers"]
    assert receiver["name"] == configuration["route"]["receiver"]
    assert receiver["webhook_configs"][0]["url"] == "http://127.0.0.1:5001/"
    assert '"5001"' in (EXAMPLES / "alertmanager_ladder.py").read_text()


@pytest.mark.parametrize(("callee", "code"), [("1234", 0), ("1,2,3", 1)])
def test_a_deployment_waits_for_a_yes(stack: Stack, environment: dict[str, str], callee: str, code: int) -> None:
    workflow: Any = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    step = workflow["jobs"]["ask"]["steps"][-1]
    request = stack.request()
    stack.script(request, callee)
    given = {"TO": request["to"], "PIN": "1234", "GITHUB_RUN_NUMBER": "7", "GITHUB_RUN_ATTEMPT": "1"}
    given |= {"GITHUB_RUN_ID": request["to"]}
    assert step["env"].keys() - given.keys() <= environment.keys()

    done = run(["bash", "-c", step["run"]], environment | given)

    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout.splitlines()[1])["status"] == ("ok" if code == 0 else "failed")
    assert workflow["jobs"]["deploy"]["needs"] == "ask"


@pytest.mark.parametrize("how", ["poll", "push"])
def test_the_outcome_is_fetched_or_sent(stack: Stack, environment: dict[str, str], how: str) -> None:
    request = stack.request()
    stack.script(request, "1234")
    port = free_port()
    given = {"TO": request["to"], "PORT": str(port), "CALLBACK": f"http://127.0.0.1:{port}/callback"}
    with started("poll_or_push.py", environment | given, how) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        while "Outcome" not in line:
            line = process.stdout.readline()
            assert line, "it ended"

    assert "status='ok'" in line
