"""Calls as callers see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ttsprompt.domain.model import Call, Delivery

if TYPE_CHECKING:
    from ttsprompt.call_request import CallRequest
    from ttsprompt.service.calls import DryRun


def call_view(call: Call) -> dict[str, Any]:
    """Return the body of `GET /call/{tid}`. Times are UTC, `duration` in seconds, `price` in EUR."""
    return {
        "tid": call.tid,
        "to": call.to,
        "state": call.state.value,
        "status": call.verdict.status.value if call.verdict else None,
        "reason": call.verdict.reason.value if call.verdict else None,
        "attempts": call.attempts_used,
        "duration": call.duration_s,
        "price": call.price,
        "reference": call.reference,
        "timeline": [{"at": _iso(line.at), "event": line.event, **line.details} for line in call.timeline],
        "delivery": _delivery_view(call.delivery, call.due_at),
    }


def dry_run_view(request: CallRequest, dry_run: DryRun) -> dict[str, Any]:
    """Return the answer to a `dry_run`. PIN and reject code are not said back, as nowhere."""
    hidden = {name: "hidden" for name in ("pin_code", "reject_code") if getattr(request, name)}
    return {
        "request": request.normalised() | hidden,
        "ncco": dry_run.ncco,
        "length_timer": dry_run.length_timer_s,
        "stale_after": dry_run.stale_after_s,
        "warnings": [{"field": w.field, "code": w.code, "message": w.message} for w in dry_run.warnings],
    }


def _delivery_view(delivery: Delivery, due_at: datetime | None) -> dict[str, Any]:
    tries = [{"at": _iso(t.at), "http_status": t.http_status, "fault": t.fault} for t in delivery.tries]
    next_at = _iso(due_at) if delivery.state == "pending" and due_at is not None else None
    return {"state": delivery.state.value, "next_at": next_at, "tries": tries}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
