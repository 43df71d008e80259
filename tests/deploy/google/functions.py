"""Cloud Functions v2 and Cloud Scheduler."""

from __future__ import annotations

import re
from typing import Any

from tests.deploy.google.cloud import NUMBER, PROJECT, Call, Cloud, GoogleError, done, route
from tests.deploy.google.proxy import Request
from tests.deploy.google.run import REGION, add_revision, id_token, new_service, service_name, urls

P = f"projects/{PROJECT}"
L = f"{P}/locations/{REGION}"
DEPLOYS_FOR = 60  # seconds


@route("cloudfunctions", "GET", rf"/v2/{L}/runtimes", "cloudfunctions.runtimes.list")
def runtimes(cloud: Cloud, call: Call) -> Any:
    return {"runtimes": [{"name": f"python3{n}", "environment": "GEN_2", "stage": "GA"} for n in (11, 12, 13)]}


@route("cloudfunctions", "GET", rf"/v2/({P}/locations/[\w-]+/functions/[\w-]+)", "cloudfunctions.functions.get")
def get_function(cloud: Cloud, call: Call, name: str) -> Any:
    function = cloud.get(name)
    if not name.startswith(L):  # what a test says is there
        return function
    service = cloud.get(service_name(name.rpartition("/")[2]))
    all_traffic = service["traffic"] == [{"latestRevision": True, "percent": 100}]
    return {**function, "serviceConfig": {**function["serviceConfig"], "allTrafficOnLatestRevision": all_traffic}}


@route("cloudfunctions", "GET", rf"/v[12]/{P}/locations", "cloudfunctions.locations.list")
def locations(cloud: Cloud, call: Call) -> Any:
    return {"locations": [{"name": L, "locationId": REGION}]}


@route("cloudfunctions", "GET", rf"/v2/{L}/functions", "cloudfunctions.functions.list")
def list_functions(cloud: Cloud, call: Call) -> Any:
    return {"functions": [get_function(cloud, call, each["name"]) for each in cloud.under(f"{L}/functions")]}


@route("cloudfunctions", "GET", rf"/v2/{P}/locations/-/functions", "cloudfunctions.functions.list")
def list_functions_everywhere(cloud: Cloud, call: Call) -> Any:
    return {"functions": [value for name, value in cloud.resources.items() if "/functions/" in name]}


@route("cloudfunctions", "POST", rf"/v2/{L}/functions:generateUploadUrl", "cloudfunctions.functions.sourceCodeSet")
def upload_url(cloud: Cloud, call: Call) -> Any:
    name = f"source-{len(cloud.uploads)}.zip"
    bucket = f"gcf-v2-uploads-{NUMBER}-{REGION}"
    return {
        "uploadUrl": f"https://storage.googleapis.com/signed/{bucket}/{name}",
        "storageSource": {"bucket": bucket, "object": name},
    }


@route("storage", "PUT", r"/signed/([\w.-]+)/(.+)")
def signed_upload(cloud: Cloud, call: Call, bucket: str, name: str) -> Any:
    cloud.uploads[f"gs://{bucket}/{name}"] = call.request.body
    return {}


@route("cloudfunctions", "POST", rf"/v2/{L}/functions", "cloudfunctions.functions.create")
def create_function(cloud: Cloud, call: Call) -> Any:
    short = call.request.query["functionId"]
    if f"{L}/functions/{short}" in cloud.resources:
        raise GoogleError(409, f"Function {short} already exists.")
    return _deploy(cloud, call, short, call.body)


@route("cloudfunctions", "PATCH", rf"/v2/{L}/functions/([\w-]+)", "cloudfunctions.functions.update")
def update_function(cloud: Cloud, call: Call, short: str) -> Any:
    """Only what the mask names changes: traffic that was pinned stays pinned unless the mask says otherwise."""
    old = cloud.get(f"{L}/functions/{short}")
    if cloud.under_way:
        cloud.under_way -= 1
        raise GoogleError(409, "unable to queue the operation", status="ABORTED")
    new: dict[str, Any] = {**old, "buildConfig": dict(old["buildConfig"]), "serviceConfig": dict(old["serviceConfig"])}
    for path in call.mask:
        part, _, field = re.sub(r"_(\w)", lambda found: found[1].upper(), path).partition(".")
        if field:
            new[part][field] = call.body.get(part, {}).get(field)
        else:
            new[part] = call.body.get(part)
    return _deploy(cloud, call, short, new)


def _deploy(cloud: Cloud, call: Call, short: str, function: dict[str, Any]) -> Any:
    build, config = function["buildConfig"], function["serviceConfig"]
    default = f"{NUMBER}-compute@developer.gserviceaccount.com"
    account = config.get("serviceAccountEmail") or default
    builder = (build.get("serviceAccount") or default).rpartition("/")[2]
    for each in {account, builder}:
        cloud.require(call.principal, "iam.serviceAccounts.actAs", f"{P}/serviceAccounts/{each}")
    operation = f"{L}/operations/deploy-{short}-{len(cloud.asked)}"
    try:
        for permission in (
            "logging.logEntries.create",
            "storage.objects.get",
            "artifactregistry.repositories.uploadArtifacts",
        ):
            cloud.require(f"serviceAccount:{builder}", permission)
        if build.get("dockerRepository"):
            cloud.get(build["dockerRepository"])
        _release(cloud, short, function, account)
    except GoogleError as error:
        cloud.put(operation, {"name": operation, "done": True, "error": {"code": 3, "message": str(error)}})
        return cloud.get(operation)
    cloud.advance(DEPLOYS_FOR)
    return cloud.put(operation, done(operation, {}) | {"metadata": {}})


def _release(cloud: Cloud, short: str, function: dict[str, Any], account: str) -> None:
    build, config = function["buildConfig"], function["serviceConfig"]
    source = build["source"]["storageSource"]
    template = {
        "env": config.get("environmentVariables") or {},
        "secrets": {
            each["key"]: (each["secret"], each["version"]) for each in config.get("secretEnvironmentVariables") or []
        },
        "account": account,
        "target": build["entryPoint"],
        "source": cloud.uploads[f"gs://{source['bucket']}/{source['object']}"],
        "labels": function.get("labels") or {},
        "concurrency": config.get("maxInstanceRequestConcurrency", 1),
        "timeout": config.get("timeoutSeconds", 60),
        "max": config.get("maxInstanceCount", 100),
    }
    name = service_name(short)
    service = cloud.resources.get(name) or new_service(short)
    add_revision(cloud, service, template)
    if config.pop("allTrafficOnLatestRevision", None):
        service["traffic"] = [{"latestRevision": True, "percent": 100}]
    cloud.put(name, service)
    config |= {"service": name, "uri": urls(short)[1]}
    cloud.put(
        f"{L}/functions/{short}",
        {**function, "name": f"{L}/functions/{short}", "environment": "GEN_2", "state": "ACTIVE"},
    )


@route("cloudfunctions", "DELETE", rf"/v2/({P}/locations/[\w-]+)/functions/([\w-]+)", "cloudfunctions.functions.delete")
def delete_function(cloud: Cloud, call: Call, location: str, short: str) -> Any:
    cloud.delete(f"{location}/functions/{short}")
    name = f"{location}/operations/delete-{short}-{len(cloud.asked)}"
    return cloud.put(name, done(name, {}) | {"metadata": {}})


@route("cloudfunctions", "GET", rf"/v2/({P}/locations/[\w-]+/operations/[\w-]+)", "cloudfunctions.operations.get")
def operation(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.get(name)


@route("cloudscheduler", "POST", rf"/v1/{L}/jobs", "cloudscheduler.jobs.create")
def create_job(cloud: Cloud, call: Call) -> Any:
    _may_act(cloud, call)
    return cloud.create(call.body["name"], {**call.body, "state": "ENABLED"})


@route("cloudscheduler", "PATCH", rf"/v1/({L}/jobs/[\w-]+)", "cloudscheduler.jobs.update")
def update_job(cloud: Cloud, call: Call, name: str) -> Any:
    _may_act(cloud, call)
    return cloud.put(name, {**cloud.get(name), **{field: call.body[field] for field in call.body if field != "name"}})


def _may_act(cloud: Cloud, call: Call) -> None:
    email = call.body.get("httpTarget", {}).get("oidcToken", {}).get("serviceAccountEmail")
    if email:
        cloud.require(call.principal, "iam.serviceAccounts.actAs", f"{P}/serviceAccounts/{email}")


@route("cloudscheduler", "GET", rf"/v1/({P}/locations/[\w-]+/jobs/[\w-]+)", "cloudscheduler.jobs.get")
def get_job(cloud: Cloud, call: Call, name: str) -> Any:
    """The result of a run shows some seconds after it was asked for."""
    job = cloud.get(name)
    finished, result = job.get("_run", (None, {}))
    if finished is not None and cloud.age(finished) >= 5:
        job |= result
    return job


@route("cloudscheduler", "DELETE", rf"/v1/({P}/locations/[\w-]+/jobs/[\w-]+)", "cloudscheduler.jobs.delete")
def delete_job(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.delete(name)


@route("cloudscheduler", "POST", rf"/v1/({L}/jobs/[\w-]+):run", "cloudscheduler.jobs.run")
def run_job(cloud: Cloud, call: Call, name: str) -> Any:
    job = cloud.get(name)
    target = job["httpTarget"]
    url = target["uri"]
    token = target.get("oidcToken", {})
    bearer = "Bearer " + id_token(f"serviceAccount:{token.get('serviceAccountEmail')}", token.get("audience", url))
    host, _, path = url.removeprefix("https://").partition("/")
    assert cloud.front is not None
    reply = cloud.front(
        Request(host, target.get("httpMethod", "POST"), f"/{path}", {}, {"Authorization": bearer} if token else {}, b"")
    )
    status = {200: {}, 401: {"code": 16}, 403: {"code": 7}, 404: {"code": 5}}.get(reply.status, {"code": 13})
    if status:
        cloud.entries.append(
            {
                "resource": {"type": "cloud_scheduler_job", "labels": {"job_id": name.rpartition("/")[2]}},
                "logName": f"{P}/logs/cloudscheduler.googleapis.com%2Fexecutions",
                "severity": "ERROR",
                "timestamp": cloud.timestamp(),
                "jsonPayload": {"status": reply.status},
            }
        )
    job["_run"] = (cloud.now, {"status": status, "lastAttemptTime": cloud.timestamp()})
    return job


@route("cloudscheduler", "POST", rf"/v1/({L}/jobs/[\w-]+):(pause|resume)", "cloudscheduler.jobs.pause")
def pause_job(cloud: Cloud, call: Call, name: str, verb: str) -> Any:
    return cloud.put(name, {**cloud.get(name), "state": "PAUSED" if verb == "pause" else "ENABLED"})
