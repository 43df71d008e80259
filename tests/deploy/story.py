"""One deployment's life, for tests to look at what was there after each act."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.deploy.commands import ROOT, blocks
from tests.deploy.google.cloud import NUMBER, OWNER, PROJECT, START
from tests.deploy.project import P, Project

ALERTS = {path.stem for path in (ROOT / "deploy/alerts").iterdir()}
APPLICATIONS = "5f1d6a0e-1111-4000-8000-000000000001,5f1d6a0e-1111-4000-8000-000000000002"
SECRETS = (
    "CALLBACK_SIGNING_SECRETS=ttsprompt-callback-signing-secrets:1,VONAGE_SIGNATURE_SECRET=vonage-signature-secret:1"
)
SECRET = f"{P}/secrets/ttsprompt-callback-signing-secrets"
BY_HAND = f"{P}/notificationChannels/77"
BASE_URL = f"https://ttsprompt-{NUMBER}.us-central1.run.app"

DEPLOYER = "user:deployer@example.com"
DEPLOYERS_ROLES = {
    P: ("cloudbuild.builds.editor", "logging.viewer", "serviceusage.serviceUsageConsumer"),
    f"buckets/{PROJECT}-ttsprompt-source": ("storage.objectAdmin", "storage.legacyBucketReader"),
    f"{P}/serviceAccounts/ttsprompt-check@{PROJECT}.iam.gserviceaccount.com": ("iam.serviceAccountUser",),
    f"{P}/serviceAccounts/ttsprompt-build@{PROJECT}.iam.gserviceaccount.com": ("iam.serviceAccountUser",),
}
"""Of somebody who deploys for the second time, and is not the owner."""


@dataclass
class Story:
    """The project, what was printed, and what was there after each act."""

    project: Project
    printed: dict[str, str]
    after: dict[str, dict[str, dict[str, Any]]]

    def under(self, act: str, collection: str) -> list[dict[str, Any]]:
        return [each for name, each in self.after[act].items() if name.rpartition("/")[0] == collection]

    def note(self, act: str, printed: str) -> None:
        self.printed[act] = printed
        self.after[act] = copy.deepcopy(self.project.cloud.resources)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Live through one deployment's life."""
    project = Project(tmp_path_factory.mktemp("story"))
    told = Story(project, {}, {})
    cloud = project.cloud
    cloud.put(SECRET, {"name": SECRET})  # somebody was interrupted before the key itself was made
    project.checkout.configure(ALLOWED_APPLICATIONS="all", ALERT_EMAIL="ops@example.com")
    told.note("bootstrap", project.make("bootstrap").stdout)

    cloud.checks_pass = False
    told.note("failing checks", project.make("deploy", check=False).stdout)
    cloud.checks_pass = True
    told.note("deploy", project.make("deploy").stdout)

    cloud.put(BY_HAND, {"name": BY_HAND, "type": "pagerduty"})
    project.policies()["internal-errors"]["notificationChannels"].append(BY_HAND)
    project.checkout.release("9.9.9")
    (another_secret,) = [each for each in blocks("docs/operations.md", "Chores") if "secrets create" in each]
    project.sh(another_secret, VONAGE_SIGNATURE_SECRET="s3cret")
    project.checkout.configure(
        ALLOWED_APPLICATIONS=APPLICATIONS,
        ALLOWED_COUNTRIES="GB,DE",
        ALERT_EMAIL="ops@example.com",
        MIN_INSTANCES="1",
        SECRETS=SECRETS,
        CALLBACK_RETRY_SCHEDULE="60,300",
    )
    (rollback,) = [each for each in blocks("docs/operations.md", "3 a.m.") if "update-traffic" in each]
    project.sh(rollback)
    told.note("rollback", "")
    told.note("second bootstrap", project.make("bootstrap").stdout)
    project.machine.operator = DEPLOYER
    for resource, roles in DEPLOYERS_ROLES.items():
        for role in roles:
            cloud.bindings.setdefault(resource, {})[f"roles/{role}", DEPLOYER] = START
    told.note("second deploy", project.make("deploy", CHECK="skip").stdout)
    project.machine.operator = OWNER
    yield told
    project.machine.stop()
