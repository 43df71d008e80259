"""Alerts, metrics and the exclusion, held against lines that the service prints when it is in that very trouble."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from devphone.processes.service import free_port
from tests.deploy.commands import ROOT
from tests.deploy.log_filter import entry_of, matches
from tests.raw_server import answering, raw_servers
from tests.service import test_log_events as log_events
from tests.world import World, bearer, make_world
from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.errors import StoreUnavailableError, VendorRefusedError, VendorUnclearError
from ttsprompt.logs import configure_logging
from ttsprompt.ports import CallbackResponse
from ttsprompt.service.sweep import Sweep
from ttsprompt.vonage.voice import VonageVoiceApi
from ttsprompt.web.problems import STATUSES

DEPLOY = ROOT / "deploy"
METRICS = {path.stem: json.loads(path.read_text()) for path in sorted((DEPLOY / "metrics").glob("*.json"))}
ALERTS = {path.stem: json.loads(path.read_text()) for path in sorted((DEPLOY / "alerts").glob("*.json"))}
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text())
EXCLUSION = (DEPLOY / "request-log-exclusion.filter").read_text()
_USER_METRIC = re.compile(r"logging\.googleapis\.com/user/ttsprompt-([\w-]+)")


def log_filter(alert: str) -> str:
    """Return the filter of the log lines that an alert counts, or waits for."""
    (condition,) = ALERTS[alert]["conditions"]
    if "conditionMatchedLog" in condition:
        return str(condition["conditionMatchedLog"]["filter"])
    (kind,) = condition.keys() - {"displayName"}
    metric = _USER_METRIC.search(condition[kind]["filter"])
    assert metric is not None
    return str(METRICS[metric[1]]["filter"])


class Raising:
    """A store that fails."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> Any:
            raise StoreUnavailableError

        return fail


def sweep(world: World) -> None:
    webhooks = world.app.webhooks
    Sweep(store=world.store, deliveries=webhooks.deliveries, clock=world.clock, policy=webhooks.policy).run()


def gives_up(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=410)]
    world.place()
    world.event("busy")


def is_refused(world: World) -> None:
    world.voice.error = VendorRefusedError("no", vendor_status=402)
    world.post_call()


def is_unclear(world: World) -> None:
    world.voice.error = VendorUnclearError("nothing")
    world.post_call()


def reaches_nobody(world: World) -> None:
    nobody = VonageVoiceApi(f"http://127.0.0.1:{free_port()}", "test")
    with mock.patch.object(world.voice, "place_call", nobody.place_call):
        world.post_call()


def shows_a_token_to_nobody(world: World) -> None:
    nobody = VonageVoiceApi(f"http://127.0.0.1:{free_port()}", "test")
    with mock.patch.object(world.voice, "look_up", nobody.look_up):
        world.post_call(bearer(world.clock) | {"Idempotency-Key": "as where there is a limit"})


def shows_a_token_to_a_vonage_that_is_ill(world: World) -> None:
    with raw_servers() as start:
        ill = start(answering(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"))
        vonage = VonageVoiceApi(f"http://127.0.0.1:{ill.port}", "test")
        with mock.patch.object(world.voice, "look_up", vonage.look_up):
            world.post_call(bearer(world.clock) | {"Idempotency-Key": "as where there is a limit"})


def hears_of_an_error(world: World) -> None:
    world.webhook("https://calls.example.com/api/event/6a2827c9-4c68-46fc-b179-115f055dc0eb", {"reason": "Bad NCCO"})


def has_no_store(world: World) -> None:
    object.__setattr__(world.app.webhooks, "store", Raising())
    world.client.post("/answer/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x")


def sweeps_without_a_store(world: World) -> None:
    """Firestore goes down when the due calls are read already."""
    world.place()
    world.clock.advance(timedelta(days=1).total_seconds())
    with mock.patch.object(world.store, "update", side_effect=StoreUnavailableError()):
        sweep(world)


def sweeps_with_a_bug(world: World) -> None:
    world.place()
    world.clock.advance(timedelta(days=1).total_seconds())
    with mock.patch.object(world.store, "update", side_effect=KeyError("bug")):
        sweep(world)


def has_a_bug(world: World) -> None:
    object.__setattr__(world.app, "webhooks", None)
    world.client.post("/answer/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x")


def has_a_busy_callee(world: World) -> None:
    world.place()
    world.event("busy")


TROUBLE = {
    "deliveries-failing": [gives_up],
    "vendor-refusing": [
        is_refused,
        is_unclear,
        reaches_nobody,
        shows_a_token_to_nobody,
        shows_a_token_to_a_vonage_that_is_ill,
        hears_of_an_error,
    ],
    "store-errors": [has_no_store, sweeps_without_a_store],
    "outcome-mix": [has_a_busy_callee],
    "internal-errors": [has_a_bug, sweeps_with_a_bug],
    "sweep-stopped": [sweep],
}


PLATFORM = {"requests-refused", "schedule-failing", "not-reachable"}
"""Alerts on what Google counts or logs itself."""


def printed(folder: Path, *actions: Callable[[World], None]) -> list[dict[str, Any]]:
    """Return the log entries of a service to which something happens."""
    stream = io.StringIO()
    world = make_world(folder)
    configure_logging("INFO", None, stream)
    for action in actions:
        action(world)
    function = "expire-stale-calls" if actions == (sweep,) else "ttsprompt"
    return [entry_of(json.loads(line), function) for line in stream.getvalue().splitlines()]


def good_call(world: World) -> None:
    world.place()
    world.event("answered")
    world.enter("9999", "1234")
    world.event("completed", duration="9")


@pytest.mark.parametrize(("alert", "action"), [(name, action) for name, all_ in TROUBLE.items() for action in all_])
def test_an_alert_sees_the_trouble_it_is_for(alert: str, action: Callable[[World], None], tmp_path: Path) -> None:
    entries = printed(tmp_path, action)

    assert [entry for entry in entries if matches(log_filter(alert), entry)]


def test_every_alert_is_tried() -> None:
    assert TROUBLE.keys() | PLATFORM == ALERTS.keys()
    assert not TROUBLE.keys() & PLATFORM


def test_a_refusal_says_what_vonage_answered(tmp_path: Path) -> None:
    """The playbook goes by it."""
    (refusal,) = [e["jsonPayload"] for e in printed(tmp_path, is_refused) if matches(log_filter("vendor-refusing"), e)]

    assert refusal["http_status"] == 402


def test_one_call_that_no_sweep_can_work_on_is_seen() -> None:
    """It is tried once a minute, and its outcome reaches nobody."""
    (condition,) = ALERTS["store-errors"]["conditions"]
    threshold = condition["conditionThreshold"]

    assert (threshold["comparison"], threshold["aggregations"][0]["alignmentPeriod"]) == ("COMPARISON_GT", "300s")
    assert threshold["thresholdValue"] < 5


@pytest.mark.parametrize("action", [has_no_store, sweeps_without_a_store])
def test_a_store_that_is_down_is_no_bug_that_somebody_should_roll_back_for(
    action: Callable[[World], None], tmp_path: Path
) -> None:
    entries = printed(tmp_path, action)

    assert any(entry["severity"] == "ERROR" for entry in entries)
    assert [entry for entry in entries if matches(log_filter("internal-errors"), entry)] == []


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ('a="1" b="2"', True),
        ('a="1"\nb="1"', False),
        ('NOT a="1" AND b="2"', False),
        ('NOT c="1" AND b="2"', True),
        ('a="2" OR b="2" AND a="1"', True),
        ('a="1" OR b="2" AND a="2"', False),
        ('(a="2" AND b="2") OR a=("1" OR "3")', True),
    ],
)
def test_a_filter_is_read_as_google_reads_it(query: str, holds: bool) -> None:
    """https://cloud.google.com/logging/docs/view/logging-query-language: NOT, then OR, then AND."""
    assert matches(query, {"a": "1", "b": "2"}) is holds


@pytest.mark.parametrize(
    ("severity", "job", "fires"),
    [("ERROR", "expire-stale-calls", True), ("INFO", "expire-stale-calls", False), ("ERROR", "x", False)],
)
def test_a_run_of_the_job_that_failed_fires(severity: str, job: str, fires: bool) -> None:
    resource = {"type": "cloud_scheduler_job", "labels": {"job_id": job}}

    assert matches(log_filter("schedule-failing"), {"resource": resource, "severity": severity}) == fires


def test_what_cloud_run_refuses_itself_fires_although_the_service_logs_nothing() -> None:
    filters = [each["conditionThreshold"]["filter"] for each in ALERTS["requests-refused"]["conditions"]]

    assert all('metric.type="run.googleapis.com/request_count"' in each for each in filters)
    assert ['response_code_class="5xx"' in filters[0], 'response_code="429"' in filters[1]] == [True, True]


def test_the_page_names_every_429_of_the_services_own() -> None:
    (sentence,) = re.findall(
        r"429 of the\s+service's own are (.*?)\.\n", (ROOT / "docs/operations.md").read_text(), re.DOTALL
    )

    assert set(re.findall(r"`(\w+)`", sentence)) == {code for code, all_ in STATUSES.items() if 429 in all_}


def test_an_alert_on_absence_waits_longer_than_a_metric_may_be_late() -> None:
    """Metrics made of logs may be ten minutes late; whole minutes only."""
    absent = ALERTS["sweep-stopped"]["conditions"][0]["conditionAbsent"]["duration"]

    assert int(absent.removesuffix("s")) > 600
    assert int(absent.removesuffix("s")) % 60 == 0


def test_a_call_that_goes_well_is_no_trouble(tmp_path: Path) -> None:
    entries = [*printed(tmp_path / "call", good_call), *printed(tmp_path / "sweep", sweep)]
    seen = {alert for alert in TROUBLE for entry in entries if matches(log_filter(alert), entry)}

    # These two count what goes well, too: one waits for it to stop, the other divides by it.
    assert seen == {"sweep-stopped", "outcome-mix"}
    condition = ALERTS["outcome-mix"]["conditions"][0]["conditionThreshold"]
    assert condition["filter"] == f'{condition["denominatorFilter"]} AND metric.labels.status="error"'


def test_an_outcome_is_counted_by_status_and_reason_once(tmp_path: Path) -> None:
    settled = METRICS["settled"]
    entries = printed(tmp_path, good_call, has_a_busy_callee)
    payloads = [entry["jsonPayload"] for entry in entries if matches(settled["filter"], entry)]

    assert [(payload["status"], payload["reason"]) for payload in payloads] == [
        ("ok", "pin_matched"),
        ("error", "busy"),
    ]
    assert (
        {label["key"] for label in settled["metricDescriptor"]["labels"]} == {"status", "reason"} <= set(PAYLOAD_FIELDS)
    )


def test_an_expired_call_is_counted_when_the_sweep_settles_it(tmp_path: Path) -> None:
    def expires(world: World) -> None:
        world.place()
        world.clock.advance(timedelta(days=1).total_seconds())
        sweep(world)

    payloads = [e["jsonPayload"] for e in printed(tmp_path, expires) if matches(METRICS["settled"]["filter"], e)]

    assert [payload["reason"] for payload in payloads] == ["expired"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_sees_something_the_service_prints(metric: str, tmp_path: Path) -> None:
    everything = [(sweep,), (good_call,), *((action,) for actions in TROUBLE.values() for action in actions)]
    entries = [e for i, actions in enumerate(everything) for e in printed(tmp_path / str(i), *actions)]
    seen = [entry for entry in entries if matches(METRICS[metric]["filter"], entry)]

    assert seen
    for label, extractor in METRICS[metric].get("labelExtractors", {}).items():
        assert extractor == f"EXTRACT(jsonPayload.{label})"
        assert all(label in entry["jsonPayload"] for entry in seen)


def test_alerts_and_dashboard_show_only_metrics_that_are_made() -> None:
    named = set(_USER_METRIC.findall(json.dumps([*ALERTS.values(), DASHBOARD])))

    assert named == METRICS.keys()


def test_each_alert_can_be_found_again_and_names_its_playbook() -> None:
    playbooks = (ROOT / "docs/operations.md").read_text()
    for name, alert in ALERTS.items():
        title = alert["displayName"].removeprefix("ttsprompt: ")
        assert alert["userLabels"] == {"ttsprompt": name, "content": "@CONTENT@"}
        assert f'See docs/operations.md, "{title}".' in alert["documentation"]["content"]
        assert f"### {title[0].upper()}{title[1:]}\n" in playbooks


@pytest.mark.parametrize(
    ("url", "is_kept"),
    [
        ("https://ttsprompt-1.us-central1.run.app/input/6a28?token=secret&step=1", False),
        ("https://ttsprompt-1.us-central1.run.app/event/6a28?token=secret", False),
        ("https://ttsprompt-1.us-central1.run.app/answer/6a28?token=secret", False),
        ("https://ttsprompt-1.us-central1.run.app/call", True),
        ("https://ttsprompt-1.us-central1.run.app/call/6a28", True),
    ],
)
def test_request_logs_with_a_calls_secret_are_not_kept(url: str, is_kept: bool) -> None:
    entry = {
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": "ttsprompt"}},
        "logName": "projects/my-project/logs/run.googleapis.com%2Frequests",
        "httpRequest": {"requestUrl": url},
    }

    assert matches(EXCLUSION, entry) is not is_kept


def events_of(*paths: Path) -> set[str]:
    source = "".join(path.read_text() for path in paths)
    return set(re.findall(r'log\.(?:info|warning|error|exception)\(\s*"(\w+)"', source))


def test_every_log_event_is_explained_and_no_other() -> None:
    events = events_of(*(ROOT / "ttsprompt").rglob("*.py"), ROOT / "main.py")
    table = (ROOT / "docs/operations.md").read_text().partition("## Log events")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == events


def test_every_event_that_the_service_logs_is_tried_and_no_other() -> None:
    assert {event for event, _ in log_events.CASES} == events_of(*(ROOT / "ttsprompt/service").glob("*.py"))


@pytest.mark.parametrize("metric", METRICS)
def test_every_event_that_a_metric_names_is_one_that_the_service_logs(metric: str) -> None:
    """A filter of several names matches by the others; the one that nobody logs would count nothing for ever."""
    (names,) = re.findall(r"jsonPayload\.message=(\([^)]*\)|\S+)", METRICS[metric]["filter"])
    named = set(re.findall(r'"(\w+)"', names))
    code = "".join(path.read_text() for path in (ROOT / "ttsprompt").rglob("*.py"))

    assert named
    assert {name for name in named if f'"{name}"' not in code} == set()
