"""The state, the clock and the front door: which API is on, who asks, what they may, and whose turn it is."""

from __future__ import annotations

import base64
import json
import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.deploy.google.proxy import Reply, Request
from tests.deploy.google.roles import permissions
from tests.deploy.log_filter import matches

PROJECT: Final = "my-project"
NUMBER: Final = "123456789012"
OWNER: Final = "user:owner@example.com"
START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

# How late Google is, in seconds. What is not measured in public reports is taken at its worst.
API_ON: Final = 30
ACCOUNT_EXISTS: Final = 60  # "could take 60 seconds or more"
BINDING_WORKS: Final = 150  # "typically 2 minutes, potentially 7 minutes or longer"
METRIC_EXISTS: Final = 600  # "it could take up to 10 minutes to become available"

_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
}


class GoogleError(Exception):
    """An error as Google's APIs answer it."""

    def __init__(self, code: int, message: str, *, status: str | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        error = {"code": code, "message": message, "status": status or _STATUS[code]}
        if reason:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
        self.reply = Reply(code, json.dumps({"error": error}).encode())


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been let in: who asks for what."""

    request: Request
    principal: str
    body: dict[str, Any]

    @property
    def mask(self) -> list[str]:
        return [name for name in self.request.query.get("updateMask", "").split(",") if name]


Handler = Callable[..., Any]
_ROUTES: list[tuple[str, str, re.Pattern[str], str, Handler]] = []


def route(api: str, method: str, path: str, permission: str = "") -> Callable[[Handler], Handler]:
    """Register a handler `(cloud, call, *groups)`; `{p}` is the project, a group `on` what it is asked of."""

    def register(handler: Handler) -> Handler:
        pattern = path.replace("{p}", f"projects/{PROJECT}")
        _ROUTES.append((f"{api}.googleapis.com", method, re.compile(pattern), permission, handler))
        return handler

    return register


@dataclass
class Cloud:
    """One organisation with one project in it, new and empty."""

    new_organisation: bool = True  # no Editor for default accounts
    domain_restricted_sharing: bool = False  # no allUsers
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)  # when a resource was made
    bindings: dict[str, dict[tuple[str, str], datetime]] = field(default_factory=dict)
    etags: dict[str, int] = field(default_factory=dict)
    apis: dict[str, datetime] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    now: datetime = START
    front: Callable[[Request], Reply] | None = None  # answers for run.app
    checks_pass: bool = True  # what `.ci/run` comes to
    under_way: int = 0  # how many updates of a function are refused yet, since another one is not done
    runtime: Any = None
    machine: Any = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.resources[f"projects/{PROJECT}/sinks/_Default"] = {
            "name": "_Default",
            "destination": f"logging.googleapis.com/projects/{PROJECT}/locations/global/buckets/_Default",
            "filter": 'NOT LOG_ID("cloudaudit.googleapis.com/activity")',
            "exclusions": [{"name": "somebody-elses", "filter": 'resource.type="gce_instance"'}],
        }
        self.bindings[f"projects/{PROJECT}"] = {("roles/owner", OWNER): START - timedelta(days=1)}

    # The clock.

    def advance(self, seconds: float) -> None:
        with self.lock:
            self.now += timedelta(seconds=seconds)

    def age(self, when: datetime) -> float:
        return (self.now - when).total_seconds()

    def timestamp(self) -> str:
        return self.now.isoformat().replace("+00:00", "Z")

    # Resources.

    def put(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        self.since.setdefault(name, self.now)
        self.resources[name] = resource
        return resource

    def create(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        if name in self.resources:
            raise GoogleError(409, f"Resource '{name}' already exists.")
        return self.put(name, resource)

    def get(self, name: str) -> dict[str, Any]:
        try:
            return self.resources[name]
        except KeyError:
            raise GoogleError(404, f"Resource '{name}' was not found.") from None

    def delete(self, name: str) -> dict[str, Any]:
        self.get(name)
        del self.resources[name], self.since[name]
        self.bindings.pop(name, None)
        return {}

    def under(self, parent: str) -> list[dict[str, Any]]:
        """Return the resources of one collection, oldest first."""
        return [value for name, value in self.resources.items() if re.fullmatch(re.escape(parent) + r"/[^/]+", name)]

    # Who may what.

    def may(self, principal: str, permission: str, *resources: str) -> bool:
        for resource in (f"projects/{PROJECT}", *resources):
            for (role, member), since in self.bindings.get(resource, {}).items():
                works = self.age(since) >= BINDING_WORKS or principal == OWNER
                if member in {principal, "allUsers"} and works and permission in permissions(role):
                    return True
        return False

    def require(self, principal: str, permission: str, *resources: str) -> None:
        if not self.may(principal, permission, *resources):
            where = resources[-1] if resources else f"projects/{PROJECT}"
            raise GoogleError(403, f"Permission '{permission}' denied on resource '{where}' (or it may not exist).")

    def member_exists(self, member: str) -> bool:
        kind, _, email = member.partition(":")
        if kind != "serviceAccount" or not email.endswith(f"@{PROJECT}.iam.gserviceaccount.com"):
            return True
        name = f"projects/{PROJECT}/serviceAccounts/{email}"
        return name in self.resources and self.age(self.since[name]) >= ACCOUNT_EXISTS

    def policy(self, resource: str) -> dict[str, Any]:
        roles: dict[str, list[str]] = {}
        for role, member in self.bindings.get(resource, {}):
            roles.setdefault(role, []).append(member)
        return {
            "version": 1,
            "etag": base64.b64encode(f"{self.etags.get(resource, 0):06d}".encode()).decode(),
            "bindings": [{"role": role, "members": members} for role, members in roles.items()],
        }

    def set_policy(self, resource: str, policy: dict[str, Any]) -> dict[str, Any]:
        if policy.get("etag") not in {None, self.policy(resource)["etag"]}:
            raise GoogleError(409, "There were concurrent policy changes.", status="ABORTED")
        pairs = [(each["role"], member) for each in policy.get("bindings", []) for member in each.get("members", [])]
        known = self.bindings.get(resource, {})
        for pair in pairs:
            permissions(pair[0])
            if pair not in known and not self.member_exists(pair[1]):
                raise GoogleError(400, f"Service account {pair[1].partition(':')[2]} does not exist.")
            if pair[1] == "allUsers" and self.domain_restricted_sharing:
                raise GoogleError(
                    400,
                    "One or more users named in the policy do not belong to a permitted customer.",
                    status="FAILED_PRECONDITION",
                )
        self.bindings[resource] = {pair: known.get(pair, self.now) for pair in pairs}
        self.etags[resource] = self.etags.get(resource, 0) + 1
        return self.policy(resource)

    # Logs.

    def keep(self, service: str, log: str, line: dict[str, Any]) -> None:
        """Note a line of a service unless an exclusion of the `_Default` sink drops it."""
        entry = {
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
            "logName": f"projects/{PROJECT}/logs/run.googleapis.com%2F{log}",
            "timestamp": self.timestamp(),
            **line,
        }
        with self.lock:
            exclusions = self.resources[f"projects/{PROJECT}/sinks/_Default"]["exclusions"]
            if not any(matches(each["filter"], entry) for each in exclusions):
                self.entries.append(entry)

    # The front door.

    def answer(self, request: Request) -> Reply:
        if request.host.endswith(".run.app") and self.front is not None:
            return self.front(request)
        with self.lock:
            try:
                body = self._api(request)
            except GoogleError as error:
                return error.reply
            except Exception as error:  # noqa: BLE001 - a fault of the stand-in's, which its tests are to see
                self.unknown.append("".join(traceback.format_exception(error)))
                return GoogleError(400, f"The stand-in failed: {error!r}").reply
            if isinstance(body, Reply):
                return body
            shown = {name: value for name, value in body.items() if not name.startswith("_")}  # the rest is ours
            return Reply(200, json.dumps(shown).encode())

    def _api(self, request: Request) -> Any:
        host = re.sub(r"^(us-central1-|www\.)(?=\w+\.googleapis|googleapis)", "", request.host)
        self.asked.append(f"{request.method} {host}{request.path}")
        for api, method, pattern, permission, handler in _ROUTES:
            found = pattern.fullmatch(request.path) if (api, method) == (host, request.method) else None
            if found is None:
                continue
            is_json = request.headers.get("Content-Type", "").startswith("application/json")
            principal = self.principal(request) if permission else ""
            self._check_api(host)
            if request.headers.get("X-Goog-User-Project"):  # the project that pays is asked whether it may be used
                self.require(self.principal(request), "serviceusage.services.use")
            if permission:
                on = found.groupdict().get("on")
                self.require(principal, permission, *([on] if on else []))
            return handler(self, Call(request, principal, request.json() if is_json else {}), *found.groups())
        self.unknown.append(f"{request.method} https://{request.host}{request.path} {request.body[:300]!r}")
        raise GoogleError(400, f"The stand-in does not know {request.method} {request.host}{request.path}.")

    def principal(self, request: Request) -> str:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not token.startswith(("user:", "serviceAccount:")):
            raise GoogleError(401, "Request had invalid authentication credentials.")
        return token

    def _check_api(self, host: str) -> None:
        if host in {"serviceusage.googleapis.com", "metadata.googleapis.com"}:
            return
        if host not in self.apis or self.age(self.apis[host]) < API_ON:
            raise GoogleError(
                403,
                f"{host} API has not been used in project {PROJECT} before or it is disabled. Enable it by visiting "
                f"https://console.developers.google.com/apis/api/{host}/overview?project={PROJECT} then retry. If you "
                "enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
                reason="SERVICE_DISABLED",
            )


def done(name: str, response: dict[str, Any]) -> dict[str, Any]:
    """Return a long-running operation that has ended."""
    kind = {"@type": "type.googleapis.com/google.protobuf.Struct"}
    return {"name": name, "done": True, "response": {**kind, **response}, "metadata": {}}
