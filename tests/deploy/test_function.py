"""One function's deployment by its script, in a project that is ready for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.google.cloud import PROJECT
from tests.deploy.project import L, Project
from tests.deploy.test_commands import needs_gcloud

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


def deploy(project: Project, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return project.sh("bash deploy/function.sh ttsprompt", check=check, PROJECT=PROJECT, ENV="prod")


def test_a_file_without_secrets_takes_away_those_that_the_function_has(project: Project) -> None:
    before = project.service()["template"]["secrets"]
    project.checkout.configure(ALLOWED_APPLICATIONS="all", SECRETS="")
    deploy(project)

    assert before.keys() == {"CALLBACK_SIGNING_SECRETS"}
    assert project.service()["template"]["secrets"] == {}
