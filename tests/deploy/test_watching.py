"""What `monitoring.sh` makes of the alerts, channels and checks that are there already."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.commands import ROOT
from tests.deploy.google.cloud import NUMBER, PROJECT, START
from tests.deploy.project import P, Project
from tests.deploy.test_commands import needs_gcloud

pytestmark = [needs_gcloud, pytest.mark.timeout(600)]
OLD, NEW, BY_HAND, LABELLED = (f"{P}/notificationChannels/{number}" for number in (1, 2, 3, 4))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("watching"))
    project.bootstrapped()
    cloud = project.cloud
    for path in (ROOT / "deploy/metrics").iterdir():
        name = f"{P}/metrics/ttsprompt-{path.stem}"
        cloud.put(name, {"name": name})
        cloud.since[name] = START
    ours = {"type": "email", "userLabels": {"ttsprompt": "alerts"}}
    cloud.put(OLD, {**ours, "name": OLD, "labels": {"email_address": "old.ops@example.com"}})
    cloud.put(BY_HAND, {"name": BY_HAND, "type": "pagerduty"})
    cloud.put(LABELLED, {"name": LABELLED, "type": "slack", "userLabels": {"ttsprompt": "alerts"}})
    watch(project, ALERT_EMAIL="old.ops@example.com")
    project.policies()["internal-errors"]["notificationChannels"].append(BY_HAND)
    yield project
    assert cloud.unknown == []
    project.machine.stop()


def watch(project: Project, **settings: str) -> str:
    project.checkout.configure(ALLOWED_APPLICATIONS="all", **settings)
    return project.sh("bash deploy/monitoring.sh", PROJECT=PROJECT, ENV="prod").stderr


def told(project: Project, alert: str) -> set[str]:
    return set(project.policies()[alert].get("notificationChannels", []))


def test_the_address_before_is_told_until_bootstrap_has_made_a_channel_of_the_new_one(watched: Project) -> None:
    said = watch(watched, ALERT_EMAIL="ops@example.com")

    assert told(watched, "store-errors") == {OLD, LABELLED}
    assert "make bootstrap" in said


def test_an_address_that_is_no_longer_in_the_file_is_not_told_any_more(watched: Project) -> None:
    channel = {"type": "email", "userLabels": {"ttsprompt": "alerts"}, "labels": {"email_address": "ops@example.com"}}
    watched.cloud.put(NEW, {**channel, "name": NEW})
    watch(watched, ALERT_EMAIL="ops@example.com")

    assert told(watched, "store-errors") == {NEW, LABELLED}
    assert told(watched, "internal-errors") == {NEW, LABELLED, BY_HAND}


def test_a_channel_that_is_named_is_told_whoever_made_it(watched: Project) -> None:
    watch(watched, ALERT_EMAIL="ops@example.com", NOTIFICATION_CHANNELS=OLD)

    assert told(watched, "store-errors") == {OLD, NEW, LABELLED}


def test_without_an_address_nobody_is_told_but_by_channels_made_by_hand(watched: Project) -> None:
    watch(watched)

    assert told(watched, "store-errors") == {LABELLED}
    assert told(watched, "internal-errors") == {LABELLED, BY_HAND}


def test_the_uptime_check_follows_a_path_and_a_port(watched: Project) -> None:
    def checks() -> list[tuple[str, str, int]]:
        found = watched.cloud.under(f"{P}/uptimeCheckConfigs")
        return [
            (e["monitoredResource"]["labels"]["host"], e["httpCheck"]["path"], e["httpCheck"]["port"]) for e in found
        ]

    host = f"ttsprompt-{NUMBER}.us-central1.run.app"
    before = checks()
    watch(watched, BASE_URL=f"https://{host}:8443/calls")
    moved = checks()
    watched.cloud.asked.clear()
    watch(watched, BASE_URL=f"https://{host}:8443/calls")

    assert (before, moved) == ([(host, "/", 443)], [(host, "/calls/", 8443)])
    assert [line for line in watched.cloud.asked if "uptimeCheckConfigs" in line and not line.startswith("GET")] == []


def test_an_etag_may_have_any_letters_of_base64(watched: Project) -> None:
    (dashboard,) = watched.cloud.under(f"{P}/dashboards")
    dashboard["etag"] = "a/b+c="
    watch(watched)

    assert [each["displayName"] for each in watched.cloud.under(f"{P}/dashboards")] == ["ttsprompt"]
