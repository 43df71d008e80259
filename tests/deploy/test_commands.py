"""What would be run in the cloud, as far as it can be shown without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.commands import BUILD, FUNCTIONS, ROOT, SCRIPTS, of_pages, of_scripts, run_script
from tests.deploy.project import Checkout
from ttsprompt.config import SETTING_NAMES

needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="the Cloud SDK is needed")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("checkout") / "ttsprompt")
    made.configure(ALLOWED_APPLICATIONS="all", ALERT_EMAIL="ops@example.com")
    return made


@needs_gcloud
def test_gcloud_itself_understands_every_command(checkout: Checkout, tmp_path: Path) -> None:
    commands = [*of_scripts(checkout.folder, tmp_path), *of_pages()]
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

    assert len(commands) > 80
    assert len(results) == len(set(commands))
    assert [(result["command_string"], result["error_message"]) for result in results if not result["success"]] == []


_ZIP = """
import sys
sys.path[:0] = [sys.argv[1] + "/lib", sys.argv[1] + "/lib/third_party"]
from googlecloudsdk.command_lib.functions import source_util
print(source_util.CreateSourcesZipFile(sys.argv[2], "."))
"""


@needs_gcloud
def test_only_what_the_functions_import_is_uploaded(tmp_path: Path) -> None:
    """By the archive that `gcloud functions deploy` makes; `meta list-files-for-upload` reads the list otherwise."""
    asked = "value[separator=' '](installation.sdk_root,basic.python_location)"
    info = subprocess.run(["gcloud", "info", f"--format={asked}"], capture_output=True, text=True, check=True)
    root, python = info.stdout.split()
    made = subprocess.run([python, "-c", _ZIP, root, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(made.stdout.strip()) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "ttsprompt").rglob("*.py")}

    assert names == {"main.py", "requirements.txt"} | modules


def steps() -> list[str]:
    return [step["id"] for step in BUILD["steps"]]


def test_each_function_is_deployed_once_and_its_entry_point_is_there(checkout: Checkout, tmp_path: Path) -> None:
    deployed = {step["args"][1] for step in BUILD["steps"] if step["args"][0] == "deploy/function.sh"}

    assert deployed == set(FUNCTIONS)
    for function in FUNCTIONS:
        command = run_script("function", tmp_path, function, root=checkout.folder, DRY_RUN="1")
        (entry,) = re.findall(r"--entry-point=(\w+)", command)
        assert f"def {entry}(request: Request)" in (ROOT / "main.py").read_text()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("configured", [{}, {"CONCURRENCY": "23"}], ids=["by default", "as configured"])
def test_an_instance_has_a_thread_for_every_request_that_it_is_sent(
    function: str, configured: dict[str, str], changed: Checkout, tmp_path: Path
) -> None:
    changed.configure(ALLOWED_APPLICATIONS="all", ALERT_EMAIL="ops@example.com", **configured)
    printed = run_script("function", tmp_path, function, root=changed.folder, DRY_RUN="1")
    (sent,) = re.findall(r"--concurrency=(\d+) ", printed)
    (threads,) = re.findall(r"^# THREADS: '(\d+)'$", printed, re.MULTILINE)

    assert int(threads) >= int(sent)
    if function == "ttsprompt":
        assert threads == sent == configured.get("CONCURRENCY", sent)


def test_webhook_urls_are_kept_out_of_the_logs_first_and_alerts_come_last() -> None:
    order = steps()

    assert order[0] == "logs"
    assert max(map(order.index, (*FUNCTIONS, "run-setup", "schedule"))) < order.index("smoke-test")
    assert order[-1] == "monitoring"


def test_no_secret_is_in_any_file_of_the_deployment() -> None:
    files = [ROOT / "cloudbuild.yaml", *(path for path in (ROOT / "deploy").rglob("*") if path.is_file())]

    assert len(files) > 20
    assert [
        path.name for path in files if re.search(r"wh(sec|sk)_[A-Za-z0-9+/]{8}|PRIVATE KEY", path.read_text())
    ] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_asks_nothing_and_changes_nothing(script: str, checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/asked\n")
    (tmp_path / "gcloud").chmod(0o755)
    function = ["ttsprompt"] if script == "function" else []

    assert "gcloud " in run_script(script, tmp_path, *function, root=checkout.folder, DRY_RUN="1")
    assert not (tmp_path / "asked").exists()


def deploy(checkout: Checkout, **variables: str) -> subprocess.CompletedProcess[str]:
    arguments = [f"{name}={value}" for name, value in ({"ENV": "prod", "PROJECT": "my-project"} | variables).items()]
    return subprocess.run(
        ["make", "deploy", *arguments],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.fixture
def changed(checkout: Checkout) -> Iterator[Checkout]:
    yield checkout
    checkout.configure(ALLOWED_APPLICATIONS="all", ALERT_EMAIL="ops@example.com")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ALLOWED_APPLICATIONS": ""}, "ALLOWED_APPLICATIONS=all for everybody"),
        ({}, "ALLOWED_APPLICATIONS=all for everybody"),
        ({"ALLOWED_APPLICATIONS": "all", "ALLOWED_COUNTRY": "GB"}, "ALLOWED_COUNTRY is no setting"),
        ({"ALLOWED_APPLICATIONS": "all", "PATH": "/"}, "PATH is no setting"),
        ({"ALLOWED_APPLICATIONS": "all", "SECRETS": "CALLBACK_SIGNING_SECRETS=keys:latest"}, "pin the versions"),
        ({"ALLOWED_APPLICATIONS": "all", "allowed_countries": "GB"}, "this is not NAME=value"),
        ({"ALLOWED_APPLICATIONS": " "}, "ALLOWED_APPLICATIONS=all for everybody"),
        ({"ALLOWED_APPLICATIONS": ","}, "ALLOWED_APPLICATIONS=all for everybody"),
        ({"ALLOWED_APPLICATIONS": "all", "PUBLIC": "no-invoker-chek"}, "PUBLIC is allUsers or no-invoker-check"),
        ({"ALLOWED_APPLICATIONS": "all", "BASE_URL": "http://calls.example.com"}, "BASE_URL begins with https://"),
        ({"ALLOWED_APPLICATIONS": "all", "LOG_LEVEL": "WARNING"}, "LOG_LEVEL is INFO or DEBUG"),
    ],
)
def test_a_file_that_does_not_say_what_must_be_said_is_refused(
    settings: dict[str, str], named: str, changed: Checkout, tmp_path: Path
) -> None:
    changed.configure(**settings)
    refused = deploy(changed, DRY_RUN="1")

    assert refused.returncode != 0
    assert named in refused.stderr
    # Nor by a trigger, which submits cloudbuild.yaml without our script.
    with pytest.raises(subprocess.CalledProcessError) as by_trigger:
        run_script("function", tmp_path, "ttsprompt", root=changed.folder, DRY_RUN="1")
    assert named in by_trigger.value.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SECRETS", "CALLBACK_SIGNING_SECRETS=keys:latest"),
        ("SECRETS", "CALLBACK_SIGNING_SECRETS=keys"),
        ("SECRETS", "CALLBACK_SIGNING_SECRETS=keys:1, VONAGE_SIGNATURE_SECRET=vonage:1"),
        ("SECRETS", "keys:1"),
        ("ALERT_EMAIL", "ops@example.com,boss@example.com"),
        ("ALERT_EMAIL", "ops"),
        ("NOTIFICATION_CHANNELS", "123"),
        ("MIN_INSTANCES", "one"),
        ("MIN_INSTANCES", "11"),
        ("MAX_INSTANCES", ""),
        ("CONCURRENCY", "0"),
        ("RETENTION_DAYS", "30d"),
        ("REGION", "us_central1"),
        ("MEMORY", "1.5Gi"),
        ("MEMORY", "512 Mi"),
        ("ALERT_EMAIL", '"ops@example.com"'),
        ("REFUSED_NUMBERS", "# none yet"),
        ("MIN_INSTANCES", "1  # no cold start"),
        ("ALLOWED_COUNTRIES", "GB # for now"),
    ],
)
@pytest.mark.parametrize("script", ["bootstrap", "deploy", "function"])
def test_a_value_of_another_shape_is_refused_before_anything_is_done(
    script: str, setting: str, value: str, changed: Checkout, tmp_path: Path
) -> None:
    changed.configure(**{"ALLOWED_APPLICATIONS": "all", setting: value})
    function = ["ttsprompt"] if script == "function" else []
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_script(script, tmp_path, *function, root=changed.folder, DRY_RUN="1")

    assert refused.value.stdout == ""
    assert setting in refused.value.stderr
    assert "deploy/env/prod.env" in refused.value.stderr


@pytest.mark.parametrize("name", ["Prod", "../prod", "a b", "prod.eu", "x" * 64])
def test_a_deployments_name_is_one_that_a_label_may_have(name: str, checkout: Checkout, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_script("bootstrap", tmp_path, root=checkout.folder, DRY_RUN="1", ENV=name)

    assert "lower-case letters" in refused.value.stderr


def test_settings_of_every_shape_that_google_takes_are_taken(changed: Checkout, tmp_path: Path) -> None:
    changed.configure(
        ALLOWED_APPLICATIONS="all",
        REGION="northamerica-northeast1",
        CPU="0.583",
        MEMORY="1Gi",
        MIN_INSTANCES="2",
        SECRETS="A_KEY=projects/other/secrets/a-key_2:12,B=b:1",
        NOTIFICATION_CHANNELS="projects/my-project/notificationChannels/1,projects/my-project/notificationChannels/2",
        RETENTION_DAYS="",
    )

    for script in ("bootstrap", "deploy"):
        assert "gcloud " in run_script(script, tmp_path, root=changed.folder, DRY_RUN="1")


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (
            "https://calls.example.com/",
            "host=calls.example.com,project_id=my-project --protocol=https --port=443 --path=/ ",
        ),
        ("https://calls.example.com:8443/a", "project_id=my-project --protocol=https --port=8443 --path=/a/ "),
    ],
)
def test_an_address_may_have_a_last_slash_a_port_and_a_path(
    url: str, asked: str, changed: Checkout, tmp_path: Path
) -> None:
    changed.configure(ALLOWED_APPLICATIONS=" all ", BASE_URL=url)
    deployed = run_script("function", tmp_path, "ttsprompt", root=changed.folder, DRY_RUN="1")

    assert f"# BASE_URL: '{url.rstrip('/')}'\n" in deployed
    assert "# ALLOWED_APPLICATIONS: 'all'\n" in deployed
    assert asked in run_script("monitoring", tmp_path, root=changed.folder, DRY_RUN="1").replace("\\", "")


def test_what_belongs_into_the_file_is_refused_on_the_command_line(checkout: Checkout) -> None:
    refused = deploy(checkout, ALLOWED_APPLICATIONS="a", DRY_RUN="1")

    assert refused.returncode != 0
    assert "deploy/env/prod.env" in refused.stderr


def test_without_the_projects_number_nothing_is_deployed(changed: Checkout, tmp_path: Path) -> None:
    """The address is made of it."""
    (tmp_path / "gcloud").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/asked\nexit 1\n")
    (tmp_path / "gcloud").chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError):
        run_script("function", tmp_path, "ttsprompt", root=changed.folder)

    assert (tmp_path / "asked").read_text() == "projects describe my-project --format=value(projectNumber)\n"


def test_a_folder_with_changes_is_not_deployed(changed: Checkout) -> None:
    (changed.folder / "main.py").write_text("# half a thought\n")
    refused = deploy(changed)
    (changed.folder / "main.py").write_text((ROOT / "main.py").read_text())

    assert refused.returncode != 0
    assert "Commit first" in refused.stderr


def test_every_setting_is_printed_with_where_it_comes_from(checkout: Checkout) -> None:
    printed = deploy(checkout, DRY_RUN="1").stdout

    assert re.search(r"^ALLOWED_APPLICATIONS +all +deploy/env/prod.env$", printed, re.MULTILINE)
    assert re.search(r"^MAX_CALLS_PER_NUMBER +5/600s +default$", printed, re.MULTILINE)


def test_the_committed_file_must_be_filled_in_before_it_can_be_used() -> None:
    """Who may use a deployment is stated, never left open."""
    assert re.search(r"^ALLOWED_APPLICATIONS=$", (ROOT / "deploy/env/prod.env").read_text(), re.MULTILINE)


def test_the_threat_table_has_the_limit_that_a_deployment_has() -> None:
    (limit,) = re.findall(
        r"^MAX_CALLS_PER_NUMBER=(.+)$", (ROOT / "deploy/defaults/service.env").read_text(), re.MULTILINE
    )

    assert f"`MAX_CALLS_PER_NUMBER` (`{limit}` in a deployment, off elsewhere)" in (ROOT / "SECURITY.md").read_text()


NOT_IN_A_FILE = {
    "CALL_STORE": "always Firestore",
    "GOOGLE_CLOUD_PROJECT": "PROJECT",
    "CALLBACK_SIGNING_SECRETS": "in SECRETS",
    "VONAGE_SIGNATURE_SECRET": "in SECRETS",
    "STALE_AFTER": "for tests and demos only",
    "ALLOW_PRIVATE_CALLBACKS": "for tests and demos only",
    "COMMIT": "what is deployed",
}


def test_a_deployments_file_may_have_every_setting_of_the_service() -> None:
    offered = re.findall(r"^([A-Z_]+)=", (ROOT / "deploy/defaults/service.env").read_text(), re.MULTILINE)

    assert sorted(offered) == sorted(set(SETTING_NAMES) - NOT_IN_A_FILE.keys())
