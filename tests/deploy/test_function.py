"""One function's deployment by its script, in a project that is ready for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.commands import FUNCTIONS, ROOT, blocks
from tests.deploy.google.cloud import PROJECT
from tests.deploy.project import L, P, Project
from tests.deploy.test_commands import needs_gcloud

JOB_THERE = f"{P}/locations/europe-west1/jobs/expire-stale-calls"
pytestmark = [needs_gcloud, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("function"))
    made.bootstrapped()
    made.checkout.configure(ALLOWED_APPLICATIONS="all")
    deploy(made)
    yield made
    made.machine.stop()


@pytest.fixture
def project(ready: Project) -> Iterator[Project]:
    yield ready
    ready.checkout.configure(ALLOWED_APPLICATIONS="all")
    assert ready.cloud.unknown == []


def deploy(project: Project, name: str = "prod", *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return project.sh("bash deploy/function.sh ttsprompt", check=check, PROJECT=PROJECT, ENV=name)


def test_a_file_without_secrets_takes_away_those_that_the_function_has(project: Project) -> None:
    before = project.service()["template"]["secrets"]
    project.checkout.configure(ALLOWED_APPLICATIONS="all", SECRETS="")
    deploy(project)

    assert before.keys() == {"CALLBACK_SIGNING_SECRETS"}
    assert project.service()["template"]["secrets"] == {}


@pytest.fixture
def moved(project: Project) -> Iterator[Project]:
    """REGION was another one before, and what is there runs on."""
    cloud, there = project.cloud, f"{P}/locations/europe-west1"
    for function in FUNCTIONS:
        name = f"{there}/functions/{function}"
        cloud.put(name, {"name": name, "environment": "GEN_2", "state": "ACTIVE", "labels": {}})
    cloud.put(JOB_THERE, {"name": JOB_THERE, "state": "ENABLED"})
    somebody_elses = f"{there}/functions/their-ttsprompt"
    cloud.put(somebody_elses, {"name": somebody_elses, "environment": "GEN_2", "state": "ACTIVE"})
    yield project
    for name in [name for name in cloud.resources if name.startswith(there)]:
        cloud.delete(name)


def test_what_is_left_in_another_region_is_told_with_the_lines_that_delete_it(moved: Project) -> None:
    told = deploy(moved).stderr
    lines = [line for line in told.splitlines() if line.startswith("gcloud ")]
    moved.sh("\n".join(lines))

    assert "WARNING" in told
    assert len(lines) == 4
    assert [name for name in moved.cloud.resources if "europe-west1" in name and "/operations/" not in name] == [
        f"{P}/locations/europe-west1/functions/their-ttsprompt"
    ]


def test_what_was_stopped_in_another_region_keeps_this_one_from_being_deployed(moved: Project) -> None:
    moved.cloud.get(JOB_THERE)["state"] = "PAUSED"
    refused = deploy(moved, check=False)

    assert refused.returncode == 2
    assert "Somebody has stopped everything" in refused.stderr
    assert "europe-west1" in refused.stderr


def test_a_deployment_waits_for_another_one_that_is_under_way(project: Project) -> None:
    revisions = len(project.service()["revisions"])
    project.cloud.under_way = 1
    told = deploy(project).stderr

    assert "Not yet" in told
    assert len(project.service()["revisions"]) == revisions + 1


def test_stopping_everything_cancels_a_deployment_that_would_open_it_again(project: Project) -> None:
    cloud, job = project.cloud, f"{L}/jobs/expire-stale-calls"
    cloud.put(job, {"name": job, "state": "ENABLED"})
    for name, status in (("under-way", "WORKING"), ("ended", "SUCCESS")):
        cloud.put(f"{L}/builds/{name}", {"id": name, "status": status, "createTime": cloud.timestamp()})
    (stop,) = [block for block in blocks("docs/operations.md", "3 a.m.") if "jobs pause" in block]
    assert "jobs pause" in stop.splitlines()[0], "after which no deployment begins"
    project.sh(stop)
    paused = cloud.get(job)["state"]
    cloud.delete(job)

    assert paused == "PAUSED"
    assert [build["status"] for build in cloud.under(f"{L}/builds")] == ["CANCELLED", "SUCCESS"]


def test_a_function_that_does_not_start_is_not_deployed_again_and_again(project: Project) -> None:
    """What its log says may look like something that time heals."""
    (project.checkout.folder / "main.py").write_text("raise SystemExit('this does not exist: permission, conflict')")
    refused = deploy(project, check=False)
    (project.checkout.folder / "main.py").write_text((ROOT / "main.py").read_text())

    assert refused.returncode == 2
    assert "this does not exist" in refused.stderr
    assert "Not yet" not in refused.stderr


def test_a_deployment_of_another_name_is_refused_until_somebody_wants_it(project: Project) -> None:
    project.checkout.configure("staging", ALLOWED_APPLICATIONS="all")
    before = project.cloud.get(f"{L}/functions/ttsprompt")["labels"]["env"]
    refused = deploy(project, "staging", check=False)
    (on_purpose,) = [line for line in refused.stderr.splitlines() if line.startswith("gcloud ")]
    project.sh(on_purpose)
    deploy(project, "staging")
    after = project.cloud.get(f"{L}/functions/ttsprompt")["labels"]["env"]
    project.sh(on_purpose)
    deploy(project)

    assert (before, refused.returncode, after) == ("prod", 2, "staging")
    assert "is the deployment prod, not staging." in refused.stderr
