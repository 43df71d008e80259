"""What each role allows, as far as the stand-in asks (https://cloud.google.com/iam/docs/roles-permissions)."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

ROLES: Final[dict[str, tuple[str, ...]]] = {
    # Owners make ID tokens and act as accounts of theirs; the rest is everything.
    "roles/owner": (".*",),
    "roles/editor": (r"(?!.*setIamPolicy|secretmanager.versions.access).*",),
    "roles/artifactregistry.writer": (r"artifactregistry.repositories.(get|list|uploadArtifacts|downloadArtifacts)",),
    "roles/artifactregistry.reader": (r"artifactregistry.repositories.(get|list|downloadArtifacts)",),
    "roles/cloudbuild.builds.builder": (
        r"artifactregistry.repositories.(get|list|uploadArtifacts|downloadArtifacts)",
        "logging.logEntries.create",
        r"storage.objects.(get|list|create|delete)",
        r"cloudbuild.builds.(get|list|create|update)",
    ),
    "roles/cloudbuild.builds.editor": (r"cloudbuild.builds.*", "resourcemanager.projects.get"),
    "roles/cloudfunctions.developer": (
        r"cloudfunctions.functions.(get|list|create|update|delete|call|invoke|sourceCodeSet|sourceCodeGet)",
        r"cloudfunctions.(operations|runtimes|locations).*",
        "serviceusage.services.get",
        "resourcemanager.projects.get",
    ),
    "roles/cloudscheduler.admin": (r"cloudscheduler\..*", "resourcemanager.projects.get"),
    "roles/datastore.indexAdmin": (r"datastore.indexes.*", r"datastore.databases.getMetadata"),
    "roles/datastore.user": (r"datastore.entities.*", r"datastore.databases.(get|getMetadata)"),
    "roles/iam.serviceAccountOpenIdTokenCreator": ("iam.serviceAccounts.getOpenIdToken",),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.(actAs|get|list)",),
    "roles/logging.configWriter": (r"logging.(sinks|logMetrics|exclusions).*", "resourcemanager.projects.get"),
    "roles/logging.logWriter": ("logging.logEntries.create",),
    "roles/logging.viewer": (r"logging.(logEntries.list|sinks.(get|list)|logMetrics.(get|list))",),
    "roles/monitoring.alertPolicyEditor": (r"monitoring.alertPolicies.*",),
    "roles/monitoring.dashboardEditor": (r"monitoring.dashboards.*",),
    "roles/monitoring.notificationChannelViewer": (r"monitoring.notificationChannels.(get|list)",),
    "roles/monitoring.uptimeCheckConfigEditor": (r"monitoring.uptimeCheckConfigs.*",),
    "roles/run.admin": (r"run\..*", "resourcemanager.projects.get"),
    "roles/run.invoker": (r"run.(routes|jobs).(invoke|run)",),
    "roles/secretmanager.secretAccessor": ("secretmanager.versions.access", "resourcemanager.projects.get"),
    "roles/serviceusage.serviceUsageConsumer": (r"serviceusage.(quotas|services).(get|list|use)",),
    "roles/storage.legacyBucketReader": ("storage.buckets.get", "storage.objects.list"),
    "roles/storage.objectAdmin": (r"storage.objects.*", "resourcemanager.projects.get"),
    "roles/storage.objectViewer": (r"storage.objects.(get|list)", "resourcemanager.projects.get"),
}


class _Granted:
    """The permissions of a role."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._pattern = re.compile("|".join(f"(?:{each})" for each in patterns))

    def __contains__(self, permission: str) -> bool:
        return self._pattern.fullmatch(permission) is not None


@cache
def permissions(role: str) -> _Granted:
    """Return what a role allows.

    Raises:
        KeyError: the role is not one that is granted anywhere in this project.
    """
    return _Granted(ROLES[role])
