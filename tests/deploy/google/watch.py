"""Logging and Monitoring."""

from __future__ import annotations

import re
from typing import Any

from tests.deploy.google.cloud import METRIC_EXISTS, PROJECT, Call, Cloud, GoogleError, route
from tests.deploy.log_filter import matches

P = f"projects/{PROJECT}"


@route("logging", "GET", r"/v2/({p}/sinks/[\w-]+)", "logging.sinks.get")
@route("logging", "GET", r"/v2/({p}/metrics/[\w-]+)", "logging.logMetrics.get")
@route("monitoring", "GET", r"/v3/({p}/alertPolicies/\w+)", "monitoring.alertPolicies.get")
@route("monitoring", "GET", r"/v3/({p}/uptimeCheckConfigs/[\w-]+)", "monitoring.uptimeCheckConfigs.get")
@route("monitoring", "GET", r"/v1/({p}/dashboards/\w+)", "monitoring.dashboards.get")
def get(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.get(name)


@route("logging", "PATCH", r"/v2/({p}/sinks/[\w-]+)", "logging.sinks.update")
def update_sink(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(name, {**cloud.get(name), **{field: call.body[field] for field in call.mask}})


@route("logging", "GET", r"/v2/{p}/metrics", "logging.logMetrics.list")
def metrics(cloud: Cloud, call: Call) -> Any:
    return {"metrics": cloud.under(f"{P}/metrics")}


@route("logging", "POST", r"/v2/{p}/metrics", "logging.logMetrics.create")
def create_metric(cloud: Cloud, call: Call) -> Any:
    return cloud.create(f"{P}/metrics/{call.body['name']}", call.body)


@route("logging", "PUT", r"/v2/({p}/metrics/[\w-]+)", "logging.logMetrics.update")
def update_metric(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(name, call.body)


@route("logging", "POST", r"/v2/entries:list", "logging.logEntries.list")
def entries(cloud: Cloud, call: Call) -> Any:
    """Answer with the lines that the filter asks for; gcloud adds the time itself."""
    query = re.sub(r'\s*(AND )?timestamp>="[^"]*"', "", call.body.get("filter", ""))
    found = [entry for entry in cloud.entries if matches(query, entry)]
    return {"entries": found if call.body.get("orderBy") == "timestamp asc" else found[::-1]}


@route("monitoring", "GET", r"/v3/{p}/alertPolicies", "monitoring.alertPolicies.list")
def policies(cloud: Cloud, call: Call) -> Any:
    return {"alertPolicies": cloud.under(f"{P}/alertPolicies")}


@route("monitoring", "POST", r"/v3/{p}/alertPolicies", "monitoring.alertPolicies.create")
def create_policy(cloud: Cloud, call: Call) -> Any:
    _metrics_exist(cloud, call.body)
    name = f"{P}/alertPolicies/{1000 + len(cloud.since)}"
    return cloud.create(
        name, {"enabled": True, **call.body, "name": name, "mutationRecord": {"mutateTime": cloud.timestamp()}}
    )


@route("monitoring", "PATCH", r"/v3/({p}/alertPolicies/\w+)", "monitoring.alertPolicies.update")
def update_policy(cloud: Cloud, call: Call, name: str) -> Any:
    """Without a mask the policy becomes what is given, and nothing else."""
    _metrics_exist(cloud, call.body)
    old = cloud.get(name)
    new = {**old, **{field: call.body[field] for field in call.mask}} if call.mask else call.body
    return cloud.put(name, {"enabled": True, **new, "name": name, "mutationRecord": {"mutateTime": cloud.timestamp()}})


def _metrics_exist(cloud: Cloud, policy: dict[str, Any]) -> None:
    for channel in policy.get("notificationChannels", []):
        cloud.get(channel)
    for metric in re.findall(r'metric\.type="logging\.googleapis\.com/user/([\w-]+)', _filters(policy)):
        name = f"{P}/metrics/{metric}"
        if name not in cloud.resources or cloud.age(cloud.since[name]) < METRIC_EXISTS:
            raise GoogleError(
                404,
                f'Cannot find metric(s) that match type = "logging.googleapis.com/user/{metric}". If a metric was '
                "created recently, it could take up to 10 minutes to become available. Please try again soon.",
            )


def _filters(policy: dict[str, Any]) -> str:
    return "\n".join(
        kind.get(field, "")
        for condition in policy["conditions"]
        for kind in condition.values()
        if isinstance(kind, dict)
        for field in ("filter", "denominatorFilter")
    )


@route("monitoring", "GET", r"/v3/{p}/notificationChannels", "monitoring.notificationChannels.list")
def channels(cloud: Cloud, call: Call) -> Any:
    return {"notificationChannels": cloud.under(f"{P}/notificationChannels")}


@route("monitoring", "POST", r"/v3/{p}/notificationChannels", "monitoring.notificationChannels.create")
def create_channel(cloud: Cloud, call: Call) -> Any:
    name = f"{P}/notificationChannels/{1000 + len(cloud.since)}"
    return cloud.create(name, {"enabled": True, **call.body, "name": name})


@route("monitoring", "GET", r"/v3/{p}/uptimeCheckConfigs", "monitoring.uptimeCheckConfigs.list")
def uptime_checks(cloud: Cloud, call: Call) -> Any:
    return {"uptimeCheckConfigs": cloud.under(f"{P}/uptimeCheckConfigs")}


@route("monitoring", "POST", r"/v3/{p}/uptimeCheckConfigs", "monitoring.uptimeCheckConfigs.create")
def create_uptime_check(cloud: Cloud, call: Call) -> Any:
    name = f"{P}/uptimeCheckConfigs/check-{len(cloud.since)}"
    return cloud.create(name, {**call.body, "name": name})


@route("monitoring", "PATCH", r"/v3/({p}/uptimeCheckConfigs/[\w-]+)", "monitoring.uptimeCheckConfigs.update")
def update_uptime_check(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.put(name, {**call.body, "name": name})


@route("monitoring", "GET", r"/v1/{p}/dashboards", "monitoring.dashboards.list")
def dashboards(cloud: Cloud, call: Call) -> Any:
    return {"dashboards": cloud.under(f"{P}/dashboards")}


@route("monitoring", "POST", r"/v1/{p}/dashboards", "monitoring.dashboards.create")
def create_dashboard(cloud: Cloud, call: Call) -> Any:
    name = call.body.get("name") or f"{P}/dashboards/{1000 + len(cloud.since)}"
    name = name.replace("projects/-", P).replace(f"projects/{PROJECT}", P)
    return cloud.create(name, {**call.body, "name": name, "etag": "etag0"})


@route("monitoring", "PATCH", r"/v1/({p}/dashboards/[\w-]+)", "monitoring.dashboards.update")
def update_dashboard(cloud: Cloud, call: Call, name: str) -> Any:
    old = cloud.get(name)
    if call.body.get("etag") != old["etag"]:
        raise GoogleError(409, "The etag is stale.", status="ABORTED")
    return cloud.put(name, {**call.body, "name": name, "etag": f"{old['etag']}+"})


@route("monitoring", "DELETE", r"/v1/({p}/dashboards/[\w-]+)", "monitoring.dashboards.delete")
def delete_dashboard(cloud: Cloud, call: Call, name: str) -> Any:
    return cloud.delete(name)
