"""One deployment's life against the stand-in for Google: made, deployed, changed by hand, rolled back, deployed again.

Everything is judged by what is there in the end. The stand-in is slow and strict where Google is: APIs, accounts, roles
and metrics exist minutes after they were made, a new database aborts the first change of a field, an update of an alert
takes away what it does not name, and traffic that was rolled back stays so.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.deploy.commands import ROOT, blocks
from tests.deploy.google.cloud import PROJECT
from tests.deploy.project import L, P
from tests.deploy.story import ALERTS, APPLICATIONS, BASE_URL, BY_HAND, DEPLOYERS_ROLES, SECRET, Story, story
from tests.deploy.test_commands import needs_gcloud
from ttsprompt import __version__
from ttsprompt.config import load_settings

__all__ = ["story"]  # a fixture
pytestmark = [needs_gcloud, pytest.mark.timeout(1800)]


def test_nothing_was_asked_of_google_that_nobody_has_thought_about(story: Story) -> None:
    assert story.project.cloud.unknown == []


def test_the_database_is_native_protected_recoverable_and_backed_up_daily(story: Story) -> None:
    database = story.after["bootstrap"][f"{P}/databases/(default)"]

    assert database["type"] == "FIRESTORE_NATIVE"
    assert database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED"
    assert database["pointInTimeRecoveryEnablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    (schedule,) = story.under("second bootstrap", f"{P}/databases/(default)/backupSchedules")
    assert (schedule["dailyRecurrence"], schedule["retention"]) == ({}, "604800s")


def test_a_secret_whose_making_was_interrupted_gets_its_key_and_no_second_one(story: Story) -> None:
    assert len(story.under("bootstrap", f"{SECRET}/versions")) == 1
    assert len(story.under("second bootstrap", f"{SECRET}/versions")) == 1
    assert re.fullmatch(rb"whsk_[A-Za-z0-9+/]{43}=", story.project.cloud.uploads[f"{SECRET}/versions/1"])


def test_checks_that_fail_are_seen_and_keep_everything_from_being_deployed(story: Story) -> None:
    assert f"{L}/functions/ttsprompt" not in story.after["failing checks"]
    assert f"{L}/functions/ttsprompt" in story.after["deploy"]


def test_the_checks_run_as_an_account_that_may_write_logs_and_read_its_source_and_nothing_else(story: Story) -> None:
    ran = [line for line in story.project.cloud.asked if line.startswith("STEP check ")]

    assert len(ran) == 2
    assert all(f"as ttsprompt-check@{PROJECT}.iam.gserviceaccount.com" in line for line in ran)
    granted = {
        (resource, role)
        for resource, pairs in story.project.cloud.bindings.items()
        for role, member in pairs
        if "ttsprompt-check@" in member
    }
    bucket = f"buckets/{PROJECT}-ttsprompt-source"
    assert granted == {(P, "roles/logging.logWriter"), (bucket, "roles/storage.objectViewer")}


def test_whoever_deploys_sees_what_the_build_says(story: Story) -> None:
    for step in (
        "logs",
        "ttsprompt",
        "expire-stale-calls",
        "setup",
        "run-setup",
        "schedule",
        "smoke-test",
        "monitoring",
    ):
        assert f'Step "{step}":' in story.printed["deploy"], step


def test_no_call_secret_is_ever_in_a_request_log_and_others_exclusions_stay(story: Story) -> None:
    cloud = story.project.cloud
    first_function = next(
        i for i, line in enumerate(cloud.asked) if "functions?" in line or line.endswith("/functions")
    )
    excluded = next(
        i for i, line in enumerate(cloud.asked) if line.startswith("PATCH") and line.endswith("/sinks/_Default")
    )

    assert excluded < first_function
    assert any("/call" in entry.get("httpRequest", {}).get("requestUrl", "") for entry in cloud.entries)
    assert [entry for entry in cloud.entries if "token=" in json.dumps(entry)] == []
    names = [each["name"] for each in story.after["second deploy"][f"{P}/sinks/_Default"]["exclusions"]]
    assert sorted(names) == ["somebody-elses", "ttsprompt-webhook-urls"]


def test_index_exemption_and_ttl_are_set_up_although_the_new_database_aborts_the_first_change(story: Story) -> None:
    assert story.after["deploy"][f"{P}/databases/(default)"]["_indexed"]


def test_the_sweep_was_seen_to_run_with_its_own_account(story: Story) -> None:
    job = story.after["deploy"][f"{L}/jobs/expire-stale-calls"]

    assert job["_run"][1]["status"] == {}
    assert job["schedule"] == "* * * * *"
    assert job["httpTarget"]["oidcToken"]["serviceAccountEmail"].startswith("ttsprompt-scheduler@")
    invokers = story.project.cloud.bindings[f"{L}/services/expire-stale-calls"]
    assert {role for role, member in invokers} == {"roles/run.invoker"}
    assert story.project.roles("scheduler") == set()


def test_only_the_public_function_is_public(story: Story) -> None:
    services = {each["name"] for each in story.under("deploy", f"{L}/services")}
    public = {
        name
        for name in services
        for role, member in story.project.cloud.bindings.get(f"{L}/services/{name}", {})
        if member == "allUsers"
    }

    assert services == {"ttsprompt", "expire-stale-calls", "setup"}
    assert public == {"ttsprompt"}


def test_every_alert_reaches_somebody(story: Story) -> None:
    (channel,) = story.under("second bootstrap", f"{P}/notificationChannels")[:1]
    policies = story.under("deploy", f"{P}/alertPolicies")

    assert channel["labels"] == {"email_address": "ops@example.com"}
    assert {each["userLabels"]["ttsprompt"] for each in policies} == ALERTS
    assert all(each["notificationChannels"] == [channel["name"]] for each in policies)


def test_the_service_is_looked_at_from_outside(story: Story) -> None:
    (check,) = story.under("second deploy", f"{P}/uptimeCheckConfigs")

    assert check["monitoredResource"]["labels"]["host"] == BASE_URL.removeprefix("https://")
    not_reachable = story.project.policies()["not-reachable"]
    assert BASE_URL.removeprefix("https://") in json.dumps(not_reachable)


def test_a_second_deployment_leaves_alerts_that_have_not_changed_alone(story: Story) -> None:
    """An alert on absence forgets what it has seen when it is modified."""
    old = {each["name"]: each["mutationRecord"] for each in story.under("deploy", f"{P}/alertPolicies")}
    new = {each["name"]: each["mutationRecord"] for each in story.under("second deploy", f"{P}/alertPolicies")}

    assert old == new


def test_a_channel_that_somebody_has_added_to_an_alert_stays(story: Story) -> None:
    assert BY_HAND in story.project.policies()["internal-errors"]["notificationChannels"]
    assert len(story.project.policies()["internal-errors"]["notificationChannels"]) == 2


def test_an_alert_that_has_changed_is_updated_and_keeps_its_channels(story: Story) -> None:
    project = story.project
    alert = project.checkout.folder / "deploy/alerts/internal-errors.json"
    alert.write_text(alert.read_text().replace("An internal error", "Something is wrong"))
    project.sh("bash deploy/monitoring.sh", PROJECT=PROJECT, ENV="prod")
    policy = project.policies()["internal-errors"]

    assert policy["conditions"][0]["displayName"] == "Something is wrong"
    assert BY_HAND in policy["notificationChannels"]
    assert len(policy["notificationChannels"]) == 2


def test_the_dashboard_is_the_same_one_after_a_second_deployment(story: Story) -> None:
    (first,) = story.under("deploy", f"{P}/dashboards")
    (second,) = story.under("second deploy", f"{P}/dashboards")

    assert first["name"] == second["name"]
    assert first["etag"] != second["etag"]


def test_the_deployment_after_a_rollback_is_served(story: Story) -> None:
    rolled_back = story.after["rollback"][f"{L}/services/ttsprompt"]["traffic"]
    service = story.after["second deploy"][f"{L}/services/ttsprompt"]

    assert rolled_back == [{"revisionName": "ttsprompt-00001-abc", "percent": 100}]
    assert service["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert f"{BASE_URL} is ttsprompt {__version__}," in story.printed["deploy"]
    assert f"{BASE_URL} is ttsprompt 9.9.9," in story.printed["second deploy"]


def environment(story: Story, act: str, function: str) -> dict[str, str]:
    return dict(story.after[act][f"{L}/services/{function}"]["template"]["env"])


def test_all_functions_have_the_settings_of_the_file_and_what_is_empty_is_the_services_default(story: Story) -> None:
    shared = {
        "ALLOWED_APPLICATIONS": APPLICATIONS,
        "ALLOWED_COUNTRIES": "GB,DE",
        "CALLBACK_RETRY_SCHEDULE": "60,300",
        "BASE_URL": BASE_URL,
        "CALL_STORE": "firestore",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }

    assert environment(story, "deploy", "ttsprompt")["ALLOWED_APPLICATIONS"] == "all"
    assert "CALLBACK_RETRY_SCHEDULE" not in environment(story, "deploy", "ttsprompt")
    for function in ("ttsprompt", "expire-stale-calls", "setup"):
        assert environment(story, "second deploy", function).items() >= (shared.items() - {("CALL_STORE", "firestore")})


def test_secrets_are_pinned_and_the_set_up_has_none(story: Story) -> None:
    template = story.after["second deploy"][f"{L}/services/ttsprompt"]["template"]

    assert template["secrets"] == {
        "CALLBACK_SIGNING_SECRETS": ("ttsprompt-callback-signing-secrets", "1"),
        "VONAGE_SIGNATURE_SECRET": ("vonage-signature-secret", "1"),
    }
    assert story.after["second deploy"][f"{L}/services/setup"]["template"]["secrets"] == {}


def test_the_commit_is_known_and_the_source_is_compiled_for_good(story: Story) -> None:
    function = story.after["second deploy"][f"{L}/functions/ttsprompt"]
    commit = story.project.sh("git rev-parse --short=12 HEAD").stdout.strip()

    assert function["labels"]["commit"] == environment(story, "second deploy", "ttsprompt")["COMMIT"] == commit
    assert function["buildConfig"]["environmentVariables"]["SOURCE_DATE_EPOCH"].isdigit()
    assert f"Deployed: {commit} as prod" in story.printed["second deploy"]


def test_images_and_sources_do_not_pile_up(story: Story) -> None:
    repository = story.after["deploy"][f"{L}/repositories/ttsprompt"]
    bucket = story.after["deploy"][f"buckets/{PROJECT}-ttsprompt-source"]

    assert story.after["deploy"][f"{L}/functions/ttsprompt"]["buildConfig"]["dockerRepository"].endswith("/ttsprompt")
    assert {each["action"].title() for each in repository["cleanupPolicies"].values()} == {"Delete", "Keep"}
    assert bucket["lifecycle"]["rule"][0]["condition"]["age"] == 30


def test_a_second_run_makes_nothing_twice(story: Story) -> None:
    def names(act: str, collection: str) -> set[str]:
        return {each.get("name", each.get("email", "")) for each in story.under(act, f"{P}/{collection}")}

    for collection in ("databases", "serviceAccounts", "alertPolicies", "metrics", "dashboards", "uptimeCheckConfigs"):
        assert names("deploy", collection) == names("second deploy", collection), collection
    assert len(names("second deploy", "notificationChannels")) == 2  # the e-mail's, and the one made by hand


def test_the_build_has_the_roles_that_the_page_lists(story: Story) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    (row,) = re.findall(r"^\| `ttsprompt-build` \|.*$", page, re.MULTILINE)

    assert story.project.roles("build") == {f"roles/{name}" for name in re.findall(r"`([a-z]+\.[\w.]+)`", row)}


def test_the_page_lists_what_somebody_needs_who_deploys_and_is_not_the_owner(story: Story) -> None:
    (listed,) = re.findall(
        r"For `make deploy` you need (.*?)\n\n", (ROOT / "docs/operations.md").read_text(), re.DOTALL
    )
    given = {f"roles/{role}" for roles in DEPLOYERS_ROLES.values() for role in roles}

    assert set(re.findall(r"`(roles/[\w.]+)`", listed)) == given
    assert f"It is at {BASE_URL}\n" in story.printed["second deploy"]


def test_a_service_that_cannot_use_its_database_does_not_pass_the_smoke_test(story: Story) -> None:
    project = story.project
    member = f"serviceAccount:ttsprompt-run@{PROJECT}.iam.gserviceaccount.com"
    bound = project.cloud.bindings[P].pop(("roles/datastore.user", member))
    project.checkout.configure(ALLOWED_APPLICATIONS="all")
    project.sh("bash deploy/function.sh ttsprompt", PROJECT=PROJECT, ENV="prod")
    failed = project.sh("bash deploy/smoke-test.sh", check=False, PROJECT=PROJECT, ENV="prod")
    project.cloud.bindings[P]["roles/datastore.user", member] = bound

    assert failed.returncode != 0
    assert "503" in failed.stderr


def test_where_bindings_for_everybody_are_forbidden_the_check_is_switched_off_instead(story: Story) -> None:
    project = story.project
    cloud = project.cloud
    cloud.domain_restricted_sharing = True
    cloud.bindings[f"{L}/services/ttsprompt"] = {}
    refused = project.sh("bash deploy/function.sh ttsprompt", check=False, PROJECT=PROJECT, ENV="prod")
    project.checkout.configure(ALLOWED_APPLICATIONS="all", PUBLIC="no-invoker-check")
    project.sh("bash deploy/function.sh ttsprompt", PROJECT=PROJECT, ENV="prod")
    cloud.domain_restricted_sharing = False

    assert "permitted customer" in refused.stderr
    assert project.sh("bash deploy/smoke-test.sh", PROJECT=PROJECT, ENV="prod").returncode == 0


def test_without_that_setting_the_check_is_switched_on_again(story: Story) -> None:
    """Otherwise the service would stay open when its binding is removed."""
    project = story.project
    disabled = "run.googleapis.com/invoker-iam-disabled"
    before = project.service()["annotations"].get(disabled)
    project.checkout.configure(ALLOWED_APPLICATIONS="all")
    project.sh("bash deploy/function.sh ttsprompt", PROJECT=PROJECT, ENV="prod")
    project.sh("bash deploy/smoke-test.sh", PROJECT=PROJECT, ENV="prod")

    assert before == "True"
    assert project.service()["annotations"].get(disabled) in {None, "False"}


def test_another_commit_than_was_deployed_does_not_pass_the_smoke_test(story: Story) -> None:
    about, live = story.project.sh(f"curl --silent {BASE_URL}/").stdout, environment_now(story).get("COMMIT")
    failed = story.project.sh(
        "bash deploy/smoke-test.sh", check=False, PROJECT=PROJECT, ENV="prod", COMMIT="000000000000"
    )

    assert json.loads(about).get("commit") == live
    assert failed.returncode != 0
    assert "not the commit 000000000000" in failed.stderr


def night(story: Story, *words: str) -> str:
    """Run the one block of the page's night chapter that has these words, as somebody would paste it."""
    (block,) = [each for each in blocks("docs/operations.md", "3 a.m.") if all(word in each for word in words)]
    return story.project.sh(block).stdout


def test_at_night_it_is_seen_what_is_live(story: Story) -> None:
    printed = night(story, "functions list")

    assert story.project.service()["revisions"][-1]["name"] in printed
    assert story.project.service()["template"]["labels"]["commit"] in printed
    assert '"version": "9.9.9"' in printed


def test_at_night_the_story_of_one_call_is_read(story: Story) -> None:
    tid = "6a2827c9-4c68-46fc-b179-115f055dc0eb"
    line = {"message": "call_settled", "tid": tid, "status": "error", "reason": "busy"}
    for payload in (line, line | {"tid": "another", "reason": "no_answer"}):
        story.project.cloud.keep("ttsprompt", "stdout", {"severity": "INFO", "jsonPayload": payload})
    printed = night(story, tid)

    assert "call_settled\terror\tbusy" in printed
    assert "no_answer" not in printed


def test_at_night_customers_are_kept_out_and_all_new_calls_stopped_in_one_command(story: Story) -> None:
    night(story, "ALLOWED_COUNTRIES")
    restricted = environment_now(story)
    night(story, "ALLOWED_APPLICATIONS=00000000")

    assert (restricted["ALLOWED_APPLICATIONS"], restricted["ALLOWED_COUNTRIES"]) == (APPLICATIONS, "GB,DE")
    assert environment_now(story)["ALLOWED_APPLICATIONS"] == "00000000-0000-0000-0000-000000000000"
    assert environment_now(story)["BASE_URL"] == BASE_URL


def test_at_night_a_number_is_kept_from_being_called_in_one_command(story: Story) -> None:
    night(story, "REFUSED_NUMBERS")

    assert load_settings(environment_now(story)).refused_numbers == {"447700900001", "4930123456"}
    # It is the number of the smoke test, which must not keep such a deployment from being finished.
    assert story.project.sh("bash deploy/smoke-test.sh", PROJECT=PROJECT, ENV="prod").returncode == 0


def environment_now(story: Story) -> dict[str, str]:
    return dict(story.project.service()["template"]["env"])


def test_at_night_everything_is_stopped_and_goes_on_again(story: Story) -> None:
    cloud, project = story.project.cloud, story.project
    public = ("roles/run.invoker", "allUsers")
    cloud.bindings[f"{L}/services/ttsprompt"][public] = cloud.now
    night(story, "jobs pause")
    stopped = cloud.get(f"{L}/jobs/expire-stale-calls")["state"], public in cloud.bindings[f"{L}/services/ttsprompt"]
    deployed = project.sh("bash deploy/function.sh ttsprompt", check=False, PROJECT=PROJECT, ENV="prod")
    still_closed = public not in cloud.bindings[f"{L}/services/ttsprompt"]
    night(story, "jobs resume")
    goes_on = cloud.get(f"{L}/jobs/expire-stale-calls")["state"], public in cloud.bindings[f"{L}/services/ttsprompt"]

    assert (stopped, goes_on) == (("PAUSED", False), ("ENABLED", True))
    assert (deployed.returncode, still_closed) == (2, True)
    assert "Somebody has stopped everything" in deployed.stderr
    assert project.service("setup")["traffic"] == [{"latestRevision": True, "percent": 100}]


def test_at_night_a_backup_is_restored_beside_what_is_there(story: Story) -> None:
    name = f"{L}/backups/0f5b2f6e-8f1c-4a9e-9c54-0d1f5e7a2c11"
    database = f"{P}/databases/(default)"
    backup = {"name": name, "database": database, "state": "READY", "snapshotTime": story.project.cloud.timestamp()}
    story.project.cloud.put(name, backup)

    assert name in night(story, "databases restore")
    assert story.project.cloud.get(f"{P}/databases/restored")["restoredFrom"] == name
    assert database in story.project.cloud.resources
    story.project.checkout.configure(ALLOWED_APPLICATIONS="all", FIRESTORE_DATABASE="restored")
    assert "databases update --project=my-project --database='restored'" in story.project.make("bootstrap").stderr


def test_the_signing_key_is_rotated_as_the_page_says(story: Story) -> None:
    rotate, *_ = [each for each in blocks("docs/operations.md", "Chores") if "whsk_" in each]
    (disable,) = [each for each in blocks("docs/operations.md", "Chores") if "disable" in each]
    story.project.sh(rotate)
    first, second = (story.project.cloud.uploads[f"{SECRET}/versions/{n}"].decode() for n in (1, 2))
    story.project.sh(disable)
    # As printed, a year later: nothing is added to a key that is not there.
    again = story.project.sh(rotate, check=False)

    assert re.fullmatch(re.escape(first) + r",whsk_[A-Za-z0-9+/]{43}=", second)
    assert story.project.cloud.get(f"{SECRET}/versions/1")["state"] == "DISABLED"
    assert "DISABLED state" in again.stderr
    assert f"{SECRET}/versions/3" not in story.project.cloud.uploads


def test_a_failing_schedule_is_looked_into_as_the_page_says(story: Story) -> None:
    commands = blocks("docs/operations.md", "Alerts")

    assert commands
    for block in commands:
        assert "expire-stale-calls" in story.project.sh(block).stdout
