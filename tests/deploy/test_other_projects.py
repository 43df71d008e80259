"""Other ways into the cloud: by hand, and into a project where something is already."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.commands import blocks
from tests.deploy.google.cloud import NUMBER
from tests.deploy.project import L, P, Project
from tests.deploy.test_commands import needs_gcloud

pytestmark = [needs_gcloud, pytest.mark.timeout(1800)]


def test_the_commands_to_deploy_by_hand_lead_to_a_service_that_sweeps(tmp_path: Path) -> None:
    """In a new organisation, where the default account may do nothing."""
    project = Project(tmp_path)
    (by_hand,) = blocks("docs/operations.md", "Deploying by hand")
    # What the page asks for: where a command fails, wait and repeat it.
    patient = "".join(f"{line} || {{ sleep 200; {line}; }}\n" for line in by_hand.splitlines())
    project.sh(patient)
    with_traffic = project.sh(f"sleep 200; curl --silent --fail https://ttsprompt-{NUMBER}.us-central1.run.app/").stdout
    project.sh("gcloud scheduler jobs run expire-stale-calls --location=us-central1 --project=my-project")
    project.sh(f"curl --silent https://ttsprompt-{NUMBER}.us-central1.run.app/event/x?token=secret")
    project.machine.stop()
    cloud = project.cloud
    public = {
        each["name"]
        for each in cloud.under(f"{L}/services")
        if cloud.may("allUsers", "run.routes.invoke", f"{L}/services/{each['name']}")
    }

    assert cloud.unknown == []
    assert '"name": "ttsprompt"' in with_traffic
    assert cloud.get(f"{L}/jobs/expire-stale-calls")["_run"][1]["status"] == {}
    assert cloud.get(f"{P}/databases/(default)")["_indexed"]
    assert public == {"ttsprompt"}
    assert not [entry for entry in cloud.entries if "token=secret" in str(entry)]
    assert project.service()["template"]["env"]["ALLOWED_APPLICATIONS"] == "00000000-0000-4000-8000-000000000000"


def test_a_database_of_another_kind_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    project = Project(tmp_path)
    name = f"{P}/databases/(default)"
    project.cloud.put(name, {"name": name, "type": "DATASTORE_MODE", "databaseEdition": "STANDARD"})
    project.checkout.configure(ALLOWED_APPLICATIONS="all")
    refused = project.make("bootstrap", check=False)
    project.machine.stop()

    assert refused.returncode != 0
    assert "FIRESTORE_DATABASE=ttsprompt" in refused.stderr
    assert project.cloud.under(f"{P}/secrets") == []
