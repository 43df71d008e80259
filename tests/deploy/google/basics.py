"""APIs, accounts, roles, secrets, repositories, buckets and databases."""

from __future__ import annotations

import base64
from typing import Any

from tests.deploy.google.cloud import NUMBER, PROJECT, Call, Cloud, GoogleError, done, route

P = f"projects/{PROJECT}"


@route("serviceusage", "POST", r"/v1/{p}/services/([\w.]+):enable", "serviceusage.services.enable")
def enable(cloud: Cloud, call: Call, api: str) -> Any:
    return _enable(cloud, [api])


@route("serviceusage", "POST", r"/v1/{p}/services:batchEnable", "serviceusage.services.enable")
def enable_many(cloud: Cloud, call: Call) -> Any:
    return _enable(cloud, call.body["serviceIds"])


def _enable(cloud: Cloud, apis: list[str]) -> Any:
    """Compute Engine brings its default account along; only old organisations make it an Editor."""
    for api in apis:
        cloud.apis.setdefault(api, cloud.now)
    if "compute.googleapis.com" in apis:
        email = f"{NUMBER}-compute@developer.gserviceaccount.com"
        cloud.put(f"{P}/serviceAccounts/{email}", {"email": email})
        if not cloud.new_organisation:
            cloud.bindings[P]["roles/editor", f"serviceAccount:{email}"] = cloud.now
    return done("operations/enable", {})


@route("serviceusage", "GET", r"/v1/{p}/services/([\w.]+)", "serviceusage.services.get")
def api_state(cloud: Cloud, call: Call, api: str) -> Any:
    return {"name": f"projects/{NUMBER}/services/{api}", "state": "ENABLED" if api in cloud.apis else "DISABLED"}


@route("cloudresourcemanager", "GET", r"/v1/{p}", "resourcemanager.projects.get")
def project(cloud: Cloud, call: Call) -> Any:
    return {"projectNumber": NUMBER, "projectId": PROJECT, "lifecycleState": "ACTIVE", "name": PROJECT}


@route("cloudresourcemanager", "POST", r"/v1/(?P<on>{p}):getIamPolicy", "resourcemanager.projects.getIamPolicy")
@route("iam", "POST", r"/v1/(?P<on>{p}/serviceAccounts/[^/:]+):getIamPolicy", "iam.serviceAccounts.getIamPolicy")
@route("secretmanager", "GET", r"/v1/(?P<on>{p}/secrets/[^/:]+):getIamPolicy", "secretmanager.secrets.getIamPolicy")
@route("run", "GET", r"/v1/(?P<on>{p}/locations/[\w-]+/services/[^/:]+):getIamPolicy", "run.services.getIamPolicy")
def get_policy(cloud: Cloud, call: Call, resource: str) -> Any:
    _exists(cloud, resource)
    return cloud.policy(resource)


@route("cloudresourcemanager", "POST", r"/v1/(?P<on>{p}):setIamPolicy", "resourcemanager.projects.setIamPolicy")
@route("iam", "POST", r"/v1/(?P<on>{p}/serviceAccounts/[^/:]+):setIamPolicy", "iam.serviceAccounts.setIamPolicy")
@route("secretmanager", "POST", r"/v1/(?P<on>{p}/secrets/[^/:]+):setIamPolicy", "secretmanager.secrets.setIamPolicy")
@route("run", "POST", r"/v1/(?P<on>{p}/locations/[\w-]+/services/[^/:]+):setIamPolicy", "run.services.setIamPolicy")
def set_policy(cloud: Cloud, call: Call, resource: str) -> Any:
    _exists(cloud, resource)
    return cloud.set_policy(resource, call.body["policy"])


def _exists(cloud: Cloud, resource: str) -> None:
    if resource == P:
        return
    cloud.get(resource)
    if "/serviceAccounts/" in resource and not cloud.member_exists("serviceAccount:" + resource.rpartition("/")[2]):
        raise GoogleError(404, f"Service account {resource} does not exist.")


@route("iam", "GET", r"/v1/{p}/serviceAccounts", "iam.serviceAccounts.list")
def accounts(cloud: Cloud, call: Call) -> Any:
    return {"accounts": cloud.under(f"{P}/serviceAccounts")}


@route("iam", "GET", r"/v1/({p}/serviceAccounts/[^/:]+)", "iam.serviceAccounts.get")
@route("secretmanager", "GET", r"/v1/({p}/secrets/[^/:]+)", "secretmanager.secrets.get")
@route(
    "artifactregistry", "GET", r"/v1/({p}/locations/[\w-]+/repositories/[\w-]+)", "artifactregistry.repositories.get"
)
@route("firestore", "GET", r"/v1/({p}/databases/[^/]+)", "datastore.databases.getMetadata")
@route("firestore", "GET", r"/v1/({p}/locations/[\w-]+/backups/[^/]+)", "datastore.backups.get")
def get(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.get(name)


@route("iam", "GET", r"/v1/projects/-/serviceAccounts/([^/:]+)", "iam.serviceAccounts.get")
def get_account(cloud: Cloud, call: Call, email: str) -> Any:
    return cloud.get(f"{P}/serviceAccounts/{email}")


@route("iam", "POST", r"/v1/{p}/serviceAccounts", "iam.serviceAccounts.create")
def create_account(cloud: Cloud, call: Call) -> Any:
    email = f"{call.body['accountId']}@{PROJECT}.iam.gserviceaccount.com"
    name = f"{P}/serviceAccounts/{email}"
    return cloud.create(name, {"name": name, "email": email, "projectId": PROJECT, **call.body["serviceAccount"]})


@route("secretmanager", "GET", r"/v1/{p}/secrets", "secretmanager.secrets.list")
def secrets(cloud: Cloud, call: Call) -> Any:
    return {"secrets": cloud.under(f"{P}/secrets")}


@route("secretmanager", "POST", r"/v1/{p}/secrets", "secretmanager.secrets.create")
def create_secret(cloud: Cloud, call: Call) -> Any:
    name = f"{P}/secrets/{call.request.query['secretId']}"
    return cloud.create(name, {**call.body, "name": name})


@route("secretmanager", "POST", r"/v1/({p}/secrets/[^/:]+):addVersion", "secretmanager.versions.add")
def add_version(cloud: Cloud, call: Call, secret: str) -> Any:
    cloud.get(secret)
    name = f"{secret}/versions/{len(cloud.under(f'{secret}/versions')) + 1}"
    cloud.uploads[name] = base64.b64decode(call.body["payload"]["data"])
    version = {
        "name": name,
        "state": "ENABLED",
        "createTime": cloud.timestamp(),
        "clientSpecifiedPayloadChecksum": True,
    }
    return cloud.create(name, version)


@route("secretmanager", "GET", r"/v1/({p}/secrets/[^/:]+)/versions", "secretmanager.versions.list")
def versions(cloud: Cloud, call: Call, secret: str) -> Any:
    cloud.get(secret)
    return {"versions": cloud.under(f"{secret}/versions")[::-1]}


@route("secretmanager", "GET", r"/v1/(?P<on>{p}/secrets/[^/:]+)/versions/(\w+):access", "secretmanager.versions.access")
def access_version(cloud: Cloud, call: Call, secret: str, version: str) -> Any:
    name = secret_version(cloud, secret, version)
    return {"name": name, "payload": {"data": base64.b64encode(cloud.uploads[name]).decode()}}


@route("secretmanager", "POST", r"/v1/({p}/secrets/[^/:]+/versions/\d+):disable", "secretmanager.versions.disable")
def disable_version(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(name, {**cloud.get(name), "state": "DISABLED"})


def secret_version(cloud: Cloud, secret: str, version: str) -> str:
    """Return a version's name; `latest` is the newest, enabled or not.

    Raises:
        GoogleError: there is none, or it is disabled.
    """
    cloud.get(secret)
    newest = str(len(cloud.under(f"{secret}/versions")))
    name = f"{secret}/versions/{newest if version == 'latest' else version}"
    if cloud.get(name)["state"] != "ENABLED":
        raise GoogleError(400, f"Secret Version [{name}] is in DISABLED state.", status="FAILED_PRECONDITION")
    return name


@route("artifactregistry", "POST", r"/v1/({p}/locations/[\w-]+)/repositories", "artifactregistry.repositories.create")
def create_repository(cloud: Cloud, call: Call, location: str) -> Any:
    name = f"{location}/repositories/{call.request.query['repositoryId']}"
    return done(f"{location}/operations/1", cloud.create(name, {**call.body, "name": name}))


@route(
    "artifactregistry",
    "PATCH",
    r"/v1/({p}/locations/[\w-]+/repositories/[\w-]+)",
    "artifactregistry.repositories.update",
)
def update_repository(cloud: Cloud, call: Call, name: str) -> Any:
    chosen = {field: call.body.get(field) for field in call.mask}
    return cloud.put(name, {**cloud.get(name), **chosen})


@route("storage", "POST", r"/storage/v1/b", "storage.buckets.create")
def create_bucket(cloud: Cloud, call: Call) -> Any:
    return cloud.create(f"buckets/{call.body['name']}", {**call.body, "kind": "storage#bucket"})


@route("storage", "GET", r"/storage/v1/b/([\w.-]+)")
def get_bucket(cloud: Cloud, call: Call, name: str) -> Any:
    cloud.require(cloud.principal(call.request), "storage.buckets.get", f"buckets/{name}")
    return cloud.get(f"buckets/{name}")


@route("storage", "GET", r"/storage/v1/b", "storage.buckets.list")
def buckets(cloud: Cloud, call: Call) -> Any:
    return {"items": cloud.under("buckets")}


@route("storage", "PATCH", r"/storage/v1/b/([\w.-]+)", "storage.buckets.update")
def update_bucket(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(f"buckets/{name}", {**cloud.get(f"buckets/{name}"), **call.body})


@route("storage", "GET", r"/storage/v1/b/([\w.-]+)/iam", "storage.buckets.getIamPolicy")
def bucket_policy(cloud: Cloud, call: Call, name: str) -> Any:
    cloud.get(f"buckets/{name}")
    return cloud.policy(f"buckets/{name}")


@route("storage", "PUT", r"/storage/v1/b/([\w.-]+)/iam", "storage.buckets.setIamPolicy")
def set_bucket_policy(cloud: Cloud, call: Call, name: str) -> Any:
    cloud.get(f"buckets/{name}")
    return cloud.set_policy(f"buckets/{name}", call.body)


@route("storage", "POST", r"/(?:resumable/)?upload/storage/v1/b/([\w.-]+)/o")
def upload(cloud: Cloud, call: Call, bucket: str) -> Any:
    """Take an upload in two parts: what it is, and its bytes."""
    cloud.require(cloud.principal(call.request), "storage.objects.create", f"buckets/{bucket}")
    cloud.get(f"buckets/{bucket}")
    boundary, _, rest = call.request.body.lstrip().partition(b"\n")
    data = rest.split(b"\n" + boundary.strip())[1].split(b"\n\n", 1)[1]
    name = call.request.query["name"]
    cloud.uploads[f"gs://{bucket}/{name}"] = data
    return {"bucket": bucket, "name": name, "generation": "1", "size": str(len(data))}


@route("storage", "GET", r"/storage/v1/b/([\w.-]+)/o/(.+)", "storage.objects.get")
def get_object(cloud: Cloud, call: Call, bucket: str, name: str) -> Any:
    if f"gs://{bucket}/{name}" not in cloud.uploads:
        raise GoogleError(404, f"No such object: {bucket}/{name}")
    return {"bucket": bucket, "name": name, "generation": "1"}


@route("firestore", "POST", r"/v1/{p}/databases", "datastore.databases.create")
def create_database(cloud: Cloud, call: Call) -> Any:
    name = f"{P}/databases/{call.request.query['databaseId']}"
    return done(f"{name}/operations/1", cloud.create(name, {**call.body, "name": name}))


@route("firestore", "PATCH", r"/v1/({p}/databases/[^/]+)", "datastore.databases.update")
def update_database(cloud: Cloud, call: Call, name: str) -> Any:
    chosen = {field: call.body.get(field) for field in call.mask}
    return done(f"{name}/operations/1", cloud.put(name, {**cloud.get(name), **chosen}))


@route("firestore", "POST", r"/v1/{p}/databases:restore", "datastore.databases.create")
def restore_database(cloud: Cloud, call: Call) -> Any:
    name = f"{P}/databases/{call.body['databaseId']}"
    backup = cloud.get(call.body["backup"])
    unprotected = {"deleteProtectionState": "DELETE_PROTECTION_DISABLED"}
    unprotected["pointInTimeRecoveryEnablement"] = "POINT_IN_TIME_RECOVERY_DISABLED"
    source = cloud.get(backup["database"])
    database = cloud.create(name, {**source, **unprotected, "name": name, "restoredFrom": backup["name"]})
    return done(f"{name}/operations/1", database)


@route("firestore", "GET", r"/v1/{p}/locations/-/backups", "datastore.backups.list")
@route("firestore", "GET", r"/v1/{p}/locations/[\w-]+/backups", "datastore.backups.list")
def backups(cloud: Cloud, call: Call) -> Any:
    return {"backups": [value for name, value in cloud.resources.items() if "/backups/" in name]}


@route("firestore", "GET", r"/v1/({p}/databases/[^/]+)/backupSchedules", "datastore.backupSchedules.list")
def schedules(cloud: Cloud, call: Call, database: str) -> Any:
    return {"backupSchedules": cloud.under(f"{database}/backupSchedules")}


@route("firestore", "POST", r"/v1/({p}/databases/[^/]+)/backupSchedules", "datastore.backupSchedules.create")
def create_schedule(cloud: Cloud, call: Call, database: str) -> Any:
    recurrence = next(name for name in ("dailyRecurrence", "weeklyRecurrence") if name in call.body)
    for each in cloud.under(f"{database}/backupSchedules"):
        if recurrence in each:
            raise GoogleError(409, f"The database has a {recurrence} already.")
    name = f"{database}/backupSchedules/{recurrence}"
    return cloud.create(name, {**call.body, "name": name})
