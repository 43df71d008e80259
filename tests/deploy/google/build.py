"""Cloud Build: runs the steps of a submitted build, as its account, in what was uploaded."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any, Final

from tests.deploy.google.cloud import NUMBER, PROJECT, Call, Cloud, GoogleError, route

P = f"projects/{PROJECT}"
CHECKS_TAKE: Final = 400  # seconds
_BUILT_IN: Final = {"PROJECT_ID": PROJECT, "PROJECT_NUMBER": NUMBER, "LOCATION": "us-central1"}


@route("cloudbuild", "POST", r"/v1/{p}/locations/([\w-]+)/builds", "cloudbuild.builds.create")
def create_build(cloud: Cloud, call: Call, location: str) -> Any:
    build: dict[str, Any] = dict(call.body)
    values = _BUILT_IN | build.get("substitutions", {})
    unused = [
        name
        for name in call.body.get("substitutions", {})
        if not re.search(rf"\$\{{?{name}\b", str(build["steps"]) + str(build.get("options")))
    ]
    if unused:
        raise GoogleError(400, f"key {unused[0]!r} in the substitution data is not matched in the template")
    account = substituted(build["serviceAccount"], values)
    cloud.require(call.principal, "iam.serviceAccounts.actAs", account)
    email = account.rpartition("/")[2]
    identity = f"{len(cloud.since):08d}-0000-4000-8000-000000000000"
    build |= {
        "id": identity,
        "projectId": PROJECT,
        "status": "WORKING",
        "createTime": cloud.timestamp(),
        "serviceAccount": account,
        "substitutions": values,
        "logUrl": f"https://console.cloud.google.com/cloud-build/builds/{identity}?project={NUMBER}",
    }
    name = f"{P}/locations/{location}/builds/{identity}"
    cloud.put(name, build)
    threading.Thread(target=_run, args=(cloud, build, email, values), daemon=True).start()
    return {"name": f"operations/{identity}", "metadata": {"build": {**build, "name": name}}}


@route("cloudbuild", "GET", r"/v1/({p}/locations/[\w-]+/builds/[\w-]+)", "cloudbuild.builds.get")
def get_build(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.get(name)


@route("cloudbuild", "GET", r"/v1/{p}/locations/([\w-]+)/builds", "cloudbuild.builds.list")
def list_builds(cloud: Cloud, call: Call, location: str) -> Any:
    wanted = re.findall(r'status="(\w+)"', call.request.query.get("filter", ""))
    builds = cloud.under(f"{P}/locations/{location}/builds")[::-1]
    return {"builds": [build for build in builds if not wanted or build["status"] in wanted]}


@route("cloudbuild", "POST", r"/v1/({p}/locations/[\w-]+/builds/[\w-]+):cancel", "cloudbuild.builds.update")
def cancel_build(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(name, {**cloud.get(name), "status": "CANCELLED"})


@route("cloudbuild", "GET", r"/v1/({p}/locations/[\w-]+)/defaultServiceAccount", "cloudbuild.builds.get")
def default_account(cloud: Cloud, call: Call, location: str) -> Any:
    account = f"{P}/serviceAccounts/{NUMBER}-compute@developer.gserviceaccount.com"
    return {"name": f"{location}/defaultServiceAccount", "serviceAccountEmail": account}


def substituted(text: str, values: dict[str, str]) -> str:
    """Replace `$NAME` and `${NAME}`; `$$` stands for a dollar sign.

    Raises:
        GoogleError: a name that is none.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name = found[1] or found[2]
        if name not in values:
            raise GoogleError(
                400, f"generic::invalid_argument: key in the template {name!r} is not a valid built-in substitution"
            )
        return substituted(values[name], values)

    return re.sub(r"\$\$|\$\{(\w+)\}|\$([A-Z_]\w*)", value, text)


def _run(cloud: Cloud, build: dict[str, Any], email: str, values: dict[str, str]) -> None:
    """Run the steps; the first that fails ends the build."""
    try:
        ended = _steps(cloud, build, email, values)
    except Exception as error:  # noqa: BLE001 - whatever it is, the build has failed
        _say(cloud, build, f"ERROR: {error}")
        ended = False
    with cloud.lock:
        build |= {"status": "SUCCESS" if ended else "FAILURE", "finishTime": cloud.timestamp()}


def _steps(cloud: Cloud, build: dict[str, Any], email: str, values: dict[str, str]) -> bool:
    member = f"serviceAccount:{email}"
    source = build["source"]["storageSource"]
    with cloud.lock:
        if build["options"]["logging"] != "CLOUD_LOGGING_ONLY":
            raise GoogleError(
                400, "if 'build.service_account' is specified, the build must use CLOUD_LOGGING_ONLY or a bucket"
            )
        cloud.require(member, "storage.objects.get", f"buckets/{source['bucket']}")
        writes_logs = cloud.may(member, "logging.logEntries.create")
    folder = cloud.machine.new_folder("workspace")
    with tarfile.open(fileobj=io.BytesIO(cloud.uploads[f"gs://{source['bucket']}/{source['object']}"])) as archive:
        archive.extractall(folder, filter="data")
    options = dict(each.split("=", 1) for each in build["options"].get("env", []))
    environment = {name: substituted(value, values) for name, value in options.items()}
    for step in build["steps"]:
        command = [step["entrypoint"], *(substituted(each, values) for each in step["args"])]
        cloud.asked.append(f"STEP {step['id']} as {email} on {step['name']}: {' '.join(command)}")
        if command[-1] == ".ci/run":  # has tests of its own
            cloud.advance(CHECKS_TAKE)
            ended = cloud.checks_pass
        else:
            ended = _step(cloud, build, step["id"], command, folder, email, environment, writes_logs=writes_logs)
        if not ended:
            return False
    return True


def _step(
    cloud: Cloud,
    build: dict[str, Any],
    step: str,
    command: list[str],
    folder: Path,
    email: str,
    environment: dict[str, str],
    *,
    writes_logs: bool,
) -> bool:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=cloud.machine.environment(email) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if writes_logs:
                _say(cloud, build, f'Step "{step}": {line.rstrip()}')
    return process.wait() == 0


def _say(cloud: Cloud, build: dict[str, Any], text: str) -> None:
    with cloud.lock:
        cloud.entries.append(
            {
                "resource": {"type": "build", "labels": {"build_id": build["id"]}},
                "logName": f"{P}/logs/cloudbuild",
                "severity": "INFO",
                "timestamp": cloud.timestamp(),
                "textPayload": text,
            }
        )
