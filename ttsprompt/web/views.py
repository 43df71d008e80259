"""Calls as callers see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from ttsprompt.call_request import SECRET_FIELDS, CallRequest
from ttsprompt.domain.model import Call, Delivery, TimelineEntry
from ttsprompt.service.calls import DryRun
from ttsprompt.web import schemas


def call_view(call: Call) -> schemas.Call:
    """Return the body of `GET /call/{tid}`. Times are UTC, `duration` in seconds, `price` in EUR."""
    return {
        "tid": call.tid,
        "to": call.to or None,
        "state": call.state,
        "status": call.verdict.status if call.verdict else None,
        "reason": call.verdict.reason if call.verdict else None,
        "attempts": call.attempts_used,
        "answered_by": call.answered_by,
        "sip_code": call.sip_code,
        "duration": call.duration_s,
        "price": call.price,
        "reference": call.reference,
        "timeline": [_line_view(line) for line in call.timeline],
        "delivery": _delivery_view(call.delivery, call.due_at),
    }


def dry_run_view(request: CallRequest, dry_run: DryRun) -> schemas.DryRun:
    """Return the answer to a `dry_run`. Secrets are not said back, as nowhere."""
    told = request.normalised()
    view: schemas.DryRun = {
        "request": told | {name: "hidden" for name in SECRET_FIELDS if told.get(name)},
        "ncco": dry_run.ncco,
        "length_timer": dry_run.length_timer_s,
        "stale_after": dry_run.stale_after_s,
        "warnings": [{"field": w.field, "code": w.code, "message": w.message} for w in dry_run.warnings],
    }
    if dry_run.credential is not None:
        view["credential"] = dry_run.credential
    return view


def _line_view(line: TimelineEntry) -> schemas.TimelineEntry:
    return cast("schemas.TimelineEntry", {"at": _iso(line.at), "event": line.event, **line.details})


def _delivery_view(delivery: Delivery, due_at: datetime | None) -> schemas.Delivery:
    tries: list[schemas.DeliveryAttempt] = [
        {"at": _iso(t.at), "http_status": t.http_status, "fault": t.fault} for t in delivery.tries
    ]
    next_at = _iso(due_at) if delivery.state == "pending" and due_at is not None else None
    return {"state": delivery.state, "next_at": next_at, "tries": tries}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
