"""What would be run in the cloud, as far as it can be shown without one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import OUR_SETTINGS
from tests.deploy.commands import BUILD, ROOT, SCRIPTS, of_build, of_pages, of_scripts, run_script, steps
from ttsprompt.config import load_settings

needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="the Cloud SDK is needed")
FUNCTIONS = {"ttsprompt": "ttsprompt", "expire-stale-calls": "expire_stale_calls", "setup": "setup"}


@needs_gcloud
def test_gcloud_itself_understands_every_command(tmp_path: Path) -> None:
    commands = [*of_build(), *of_scripts(tmp_path), *of_pages()]
    (tmp_path / "commands.json").write_text(json.dumps([{"command_string": command} for command in commands]))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={tmp_path}/commands.json"],
        capture_output=True,
        text=True,
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path / "config")},
        timeout=100,
        check=False,
    )
    results = json.loads(done.stdout)

    assert len(commands) > 50
    assert len(results) == len(set(commands))
    assert [(result["command_string"], result["error_message"]) for result in results if not result["success"]] == []


@needs_gcloud
def test_only_what_the_functions_import_is_uploaded(tmp_path: Path) -> None:
    done = subprocess.run(
        ["gcloud", "meta", "list-files-for-upload"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path)},
        timeout=100,
        check=True,
    )
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "ttsprompt").rglob("*.py")}

    assert set(done.stdout.split()) == {"main.py", "requirements.txt"} | modules


def flags(step: str) -> dict[str, str]:
    return {name: value for name, _, value in (argument.partition("=") for argument in steps()[step])}


def environment(step: str) -> dict[str, str]:
    pairs = flags(step)["--set-env-vars"].removeprefix("^;^").split(";")
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_starts_with_the_settings_it_is_deployed_with(function: str) -> None:
    given = environment(function)
    platform = {"K_SERVICE": function, "FUNCTION_TARGET": FUNCTIONS[function]}

    assert flags(function)["--entry-point"] == FUNCTIONS[function]
    assert f"def {FUNCTIONS[function]}(request: Request)" in (ROOT / "main.py").read_text()
    assert given.keys() - {"THREADS"} <= set(OUR_SETTINGS)
    assert load_settings({**given, **platform}).call_store == "firestore"


def test_only_the_public_function_is_public() -> None:
    assert {name for name in FUNCTIONS if "--allow-unauthenticated" in flags(name)} == {"ttsprompt"}
    assert {name for name in FUNCTIONS if "--no-allow-unauthenticated" in flags(name)} == set(FUNCTIONS) - {"ttsprompt"}


def test_the_base_url_is_known_before_the_first_deployment() -> None:
    given = environment("ttsprompt")

    assert given["BASE_URL"] == "https://ttsprompt-123456789012.us-central1.run.app"
    assert "BASE_URL=https://ttsprompt-$PROJECT_NUMBER.${_REGION}.run.app" in BUILD["options"]["env"]


def test_an_instance_has_a_thread_for_every_request_that_it_is_sent() -> None:
    assert environment("ttsprompt")["THREADS"] == flags("ttsprompt")["--concurrency"]


def test_nothing_is_deployed_before_the_checks_and_the_smoke_test_comes_after_all_functions() -> None:
    order = list(steps())

    assert order[0] == "check"
    assert steps()["check"] == ["bash", ".ci/run"]
    assert max(map(order.index, (*FUNCTIONS, "run-setup"))) < order.index("smoke-test") < order.index("monitoring")


def test_secrets_come_from_the_secret_manager_and_are_nowhere_in_the_build() -> None:
    assert flags("ttsprompt")["--set-secrets"] == "CALLBACK_SIGNING_SECRETS=ttsprompt-callback-signing-secrets:latest"
    assert not re.search(r"wh(sec|sk)_", (ROOT / "cloudbuild.yaml").read_text())


def recorder(folder: Path, *, answers: str) -> Path:
    """Put a `gcloud` into a folder that notes its arguments and knows every resource."""
    folder.mkdir()
    script = folder / "gcloud"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {folder}/asked\necho {shlex.quote(answers)}\n')
    script.chmod(0o755)
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_asks_nothing_and_changes_nothing(script: str, tmp_path: Path) -> None:
    folder = recorder(tmp_path / "bin", answers="")

    assert "gcloud " in run_script(script, folder, DRY_RUN="1")
    assert not (folder / "asked").exists()


def test_a_second_run_makes_nothing_anew(tmp_path: Path) -> None:
    """Where everything is there already, it is updated; only the dashboard, which nothing refers to, is made again."""
    folder = recorder(tmp_path / "bin", answers="ttsprompt-webhook-urls")
    for script in SCRIPTS:
        run_script(script, folder)
    asked = (folder / "asked").read_text().splitlines()
    created = [command for command in asked if " create " in command]

    assert created == ["monitoring dashboards create --config-from-file=deploy/dashboard.json"]
    assert sum("policies update" in command for command in asked) == len(list((ROOT / "deploy/alerts").iterdir()))
    assert any("scheduler jobs update http expire-stale-calls" in command for command in asked)
    assert any("--update-exclusion=" in command for command in asked)
    assert not any("secrets versions add" in command for command in asked)


def test_deploying_without_saying_who_may_use_it_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "deploy", "PROJECT=my-project", "DRY_RUN=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "ALLOWED_APPLICATIONS" in done.stderr


def test_the_job_sweeps_each_minute_as_an_account_that_may_do_nothing_else(tmp_path: Path) -> None:
    (job,) = [command for command in of_scripts(tmp_path) if "scheduler jobs" in command]
    words = shlex.split(job)
    grants = [command for command in of_scripts(tmp_path) if "ttsprompt-scheduler@" in command and "role=" in command]

    assert "--schedule=* * * * *" in words
    assert "--oidc-service-account-email=ttsprompt-scheduler@my-project.iam.gserviceaccount.com" in words
    assert [
        re.findall(r"--role=(\S+)", grant) for grant in grants if "serviceAccount:ttsprompt-scheduler" in grant
    ] == [["roles/run.invoker"]]
