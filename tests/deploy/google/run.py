"""Cloud Run: services, their revisions, traffic, and the front that lets requests in."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

from tests.deploy.google.cloud import NUMBER, PROJECT, Call, Cloud, GoogleError, route
from tests.deploy.google.proxy import Reply, Request

P = f"projects/{PROJECT}"
REGION = "us-central1"
GCLOUD = "32555940559.apps.googleusercontent.com"


def service_name(service: str) -> str:
    return f"{P}/locations/{REGION}/services/{service}"


def urls(service: str) -> tuple[str, str]:
    """Return the deterministic address and the other one, which is what `status.url` says."""
    return f"https://{service}-{NUMBER}.{REGION}.run.app", f"https://{service}-x7k2p3q4ra-uc.a.run.app"


def new_service(service: str) -> dict[str, Any]:
    traffic = [{"latestRevision": True, "percent": 100}]
    return {"name": service, "template": {}, "traffic": traffic, "annotations": {}, "revisions": [], "generation": 0}


def add_revision(cloud: Cloud, service: dict[str, Any], template: dict[str, Any]) -> None:
    """Make a revision and start it.

    Raises:
        GoogleError: the container did not start; traffic stays where it is.
    """
    revision = f"{service['name']}-{len(service['revisions']) + 1:05d}-abc"
    environment: dict[str, str] = dict(template["env"])
    for name, (secret, version) in template["secrets"].items():
        environment[name] = secret_value(cloud, template["account"], secret, version)
    environment |= {"K_SERVICE": service["name"], "FUNCTION_TARGET": template["target"]}
    environment["CALL_STORE"] = cloud.runtime.database(has_database(cloud, template))
    failed = cloud.runtime.start(service["name"], revision, template["source"], environment)
    if failed is not None:
        raise GoogleError(
            400, f"Could not create or update Cloud Run service: the container failed to start.\n{failed}"
        )
    service["template"] = template
    service["revisions"].append({"name": revision, **copy.copy(template)})
    service["generation"] += 1


def has_database(cloud: Cloud, template: dict[str, Any]) -> bool:
    """Tell whether the functions could use their database: it is there, of the right kind, and their account may."""
    database = cloud.resources.get(f"{P}/databases/{template['env'].get('FIRESTORE_DATABASE', '(default)')}", {})
    kind = database.get("type"), database.get("databaseEdition", "STANDARD")
    needed = "datastore.indexes.update" if template["target"] == "setup" else "datastore.entities.get"
    return kind == ("FIRESTORE_NATIVE", "STANDARD") and cloud.may(f"serviceAccount:{template['account']}", needed)


def secret_value(cloud: Cloud, account: str, secret: str, version: str) -> str:
    from tests.deploy.google.basics import secret_version  # noqa: PLC0415

    name = f"{P}/secrets/{secret}"
    if not cloud.may(f"serviceAccount:{account}", "secretmanager.versions.access", name):
        raise GoogleError(
            403, f"Permission denied on secret: {name}/versions/{version} for Revision service account {account}."
        )
    return cloud.uploads[secret_version(cloud, name, version)].decode()


def serving(service: dict[str, Any]) -> str:
    """Return the revision that has the traffic; ours is never split."""
    (part,) = [part for part in service["traffic"] if part.get("percent")]
    return str(part.get("revisionName") or service["revisions"][-1]["name"])


def rendered(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service as the Knative API shows it."""
    template, latest = service["template"], service["revisions"][-1]["name"]
    env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in template["env"].items()]
    for name, (secret, version) in template["secrets"].items():
        env.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": version}}})
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": service["name"],
            "namespace": NUMBER,
            "generation": service["generation"],
            "resourceVersion": f"v{service['generation']}",
            "labels": {"cloud.googleapis.com/location": REGION, **template["labels"]},
            "annotations": {**service["annotations"], "run.googleapis.com/urls": json.dumps(urls(service["name"]))},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {"autoscaling.knative.dev/maxScale": str(template["max"])}},
                "spec": {
                    "containerConcurrency": template["concurrency"],
                    "timeoutSeconds": template["timeout"],
                    "serviceAccountName": template["account"],
                    "containers": [
                        {"image": f"us-docker.pkg.dev/{PROJECT}/x/{service['name']}:1", "env": env, "resources": {}}
                    ],
                },
            },
            "traffic": service["traffic"],
        },
        "status": {
            "observedGeneration": service["generation"],
            "conditions": [
                {"type": kind, "status": "True"} for kind in ("Ready", "ConfigurationsReady", "RoutesReady")
            ],
            "latestReadyRevisionName": latest,
            "latestCreatedRevisionName": latest,
            "traffic": [{"revisionName": latest, **part} for part in service["traffic"]],
            "url": urls(service["name"])[1],
            "address": {"url": urls(service["name"])[1]},
        },
    }


_K8S = rf"/apis/serving.knative.dev/v1/namespaces/(?:{PROJECT}|{NUMBER})"


@route("run", "GET", rf"{_K8S}/services/([\w-]+)", "run.services.get")
def get_service(cloud: Cloud, call: Call, service: str) -> Any:
    return rendered(cloud.get(service_name(service)))


@route("run", "GET", rf"{_K8S}/services", "run.services.list")
def list_services(cloud: Cloud, call: Call) -> Any:
    return {
        "kind": "ServiceList",
        "items": [rendered(each) for each in cloud.under(f"{P}/locations/{REGION}/services")],
    }


@route("run", "GET", rf"{_K8S}/revisions", "run.revisions.list")
def list_revisions(cloud: Cloud, call: Call) -> Any:
    wanted = call.request.query.get("labelSelector", "").partition("=")[2].strip()
    items = []
    for service in cloud.under(f"{P}/locations/{REGION}/services"):
        if wanted in {"", service["name"]}:
            items += [_rendered_revision(service, each) for each in reversed(service["revisions"])]
    return {"kind": "RevisionList", "metadata": {}, "items": items}


@route("run", "GET", rf"{_K8S}/revisions/([\w-]+)", "run.revisions.get")
def get_revision(cloud: Cloud, call: Call, name: str) -> Any:
    for service in cloud.under(f"{P}/locations/{REGION}/services"):
        for each in service["revisions"]:
            if each["name"] == name:
                return _rendered_revision(service, each)
    raise GoogleError(404, f"Revision {name} was not found.")


def _rendered_revision(service: dict[str, Any], revision: dict[str, Any]) -> dict[str, Any]:
    active = "True" if revision["name"] == serving(service) else "False"
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": revision["name"],
            "namespace": NUMBER,
            "creationTimestamp": "2026-03-02T09:00:00Z",
            "labels": {"serving.knative.dev/service": service["name"], **revision["labels"]},
            "annotations": {"serving.knative.dev/creator": "somebody"},
        },
        "spec": {"serviceAccountName": revision["account"], "containers": [{"image": "x"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Active", "status": active}]},
    }


@route("run", "PUT", rf"{_K8S}/services/([\w-]+)", "run.services.update")
def replace_service(cloud: Cloud, call: Call, service: str) -> Any:
    """Apply what our commands change: traffic, the environment, and whether the invoker is checked."""
    known = cloud.get(service_name(service))
    spec = call.body["spec"]
    env = spec["template"]["spec"]["containers"][0].get("env", [])
    template = known["template"]
    plain = {each["name"]: each.get("value", "") for each in env if "valueFrom" not in each}
    if plain != template["env"]:
        cloud.require(call.principal, "iam.serviceAccounts.actAs", f"{P}/serviceAccounts/{template['account']}")
        add_revision(cloud, known, {**template, "env": plain})
    known["traffic"] = [{k: v for k, v in part.items() if k != "tag"} for part in spec["traffic"]]
    for part in known["traffic"]:
        if part.get("revisionName") not in {None, *(each["name"] for each in known["revisions"])}:
            raise GoogleError(400, f"Revision '{part['revisionName']}' was not found.")
    annotations = call.body["metadata"].get("annotations", {})
    if annotations.get("run.googleapis.com/invoker-iam-disabled") != known["annotations"].get(
        "run.googleapis.com/invoker-iam-disabled"
    ):
        cloud.require(call.principal, "run.services.setIamPolicy")
    known["annotations"] = {k: v for k, v in annotations.items() if k != "run.googleapis.com/urls"}
    known["generation"] += 1
    return rendered(known)


def id_token(principal: str, audience: str) -> str:
    """Return an OIDC token, whose signature is nobody's."""
    parts = (
        {"alg": "none"},
        {"principal": principal, "aud": audience, "email": principal.partition(":")[2], "exp": 2**33},
    )
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


def read_id_token(token: str) -> tuple[str, str]:
    """Return a token's principal and audience; empty if it is none."""
    try:
        payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return "", ""
    return payload["principal"], payload["aud"]


class Front:
    """What answers at run.app: checks who calls, notes the request, and hands it to the revision with the traffic."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, request: Request) -> Reply:
        with self._cloud.lock:
            service = self._service(request.host)
            refused = Reply(404, b"no such service") if service is None else self._refused(request, service)
            revision = "" if service is None or refused else serving(service)
            is_public = service is not None and self._is_public(service)
        reply = refused or self._set_up(service) or self._cloud.runtime.ask(revision, request, is_public=is_public)
        if service is not None:
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            self._cloud.keep(
                service["name"],
                "requests",
                {
                    "severity": "WARNING" if reply.status >= 400 else "INFO",
                    "httpRequest": {
                        "requestMethod": request.method,
                        "requestUrl": f"https://{request.host}{request.path}" + (f"?{query}" if query else ""),
                        "status": reply.status,
                    },
                },
            )
        return reply

    def _set_up(self, service: dict[str, Any] | None) -> Reply | None:
        """The first change of a field in a new database is ABORTED."""
        if service is None or service["name"] != "setup":
            return None
        database = self._cloud.get(f"{P}/databases/{service['template']['env'].get('FIRESTORE_DATABASE', '(default)')}")
        if not database.get("_touched"):
            database["_touched"] = True
            return Reply(503, b'{"status": 503, "code": "store_unavailable"}')
        database["_indexed"] = True
        return None

    def _service(self, host: str) -> dict[str, Any] | None:
        for service in self._cloud.under(f"{P}/locations/{REGION}/services"):
            if f"https://{host}" in urls(service["name"]) and service["revisions"]:
                return service
        return None

    def _refused(self, request: Request, service: dict[str, Any]) -> Reply | None:
        name = service_name(service["name"])
        if self._is_public(service):
            return None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return Reply(403, b"Forbidden: the request was not authenticated.")
        principal, audience = read_id_token(token)
        theirs = {GCLOUD} if principal.startswith("user:") else set()  # people's tokens may be for gcloud itself
        if audience.rstrip("/") not in {*urls(service["name"]), *theirs}:
            return Reply(401, b"Unauthorized: the access token could not be verified.")
        if not self._cloud.may(principal, "run.routes.invoke", name):
            return Reply(403, b"Forbidden: your client does not have permission.")
        return None

    def _is_public(self, service: dict[str, Any]) -> bool:
        disabled = service["annotations"].get("run.googleapis.com/invoker-iam-disabled")
        return disabled == "True" or self._cloud.may("allUsers", "run.routes.invoke", service_name(service["name"]))
