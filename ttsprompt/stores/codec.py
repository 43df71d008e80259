"""A call as a plain document, for any store that keeps maps. Times are aware datetimes; what is None is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ttsprompt.domain.model import (
    Call,
    CallbackFormat,
    CallbackMethod,
    CallbackTarget,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    MachineDetection,
    Prompts,
    State,
    TimelineEntry,
    Verdict,
)
from ttsprompt.domain.verdict import Entry, Reason, Secrets
from ttsprompt.errors import CorruptRecordError

Document = dict[str, Any]


def to_document(call: Call) -> Document:
    """Return the document of a call; the tid is its key and not in it."""
    return _known(
        application_id=call.application_id,
        to=call.to,
        callback=None
        if call.callback is None
        else _known(url=call.callback.url, method=call.callback.method.value, format=call.callback.format.value),
        attempts_allowed=call.attempts_allowed,
        max_digits=call.max_digits,
        input_timeout_s=call.input_timeout_s,
        ringing_timeout_s=call.ringing_timeout_s,
        length_timer_s=call.length_timer_s,
        token_hash=call.token_hash,
        created_at=call.created_at,
        expire_at=call.expire_at,
        due_at=call.due_at,
        prompts=None if call.prompts is None else _prompts_to_document(call.prompts),
        pin_mac=None if call.secrets is None else call.secrets.pin_mac,
        reject_mac=None if call.secrets is None else call.secrets.reject_mac,
        reference=call.reference,
        machine_detection=None if call.machine_detection is None else call.machine_detection.value,
        fingerprint=call.fingerprint,
        state=call.state.value,
        uuid=call.uuid,
        placement_unclear=call.placement_unclear or None,
        reason=None if call.verdict is None else call.verdict.reason.value,
        decided_at=None if call.verdict is None else call.verdict.decided_at,
        entries=[entry.value for entry in call.entries],
        machine_heard=call.machine_heard or None,
        redeliveries=call.redeliveries or None,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        settled_at=call.settled_at,
        disconnected_by=call.disconnected_by,
        duration_s=call.duration_s,
        price=call.price,
        payload=call.payload,
        delivery=_delivery_to_document(call.delivery),
        timeline=_timeline_to_text(call.timeline),
    )


def from_document(tid: str, document: Mapping[str, Any]) -> Call:
    """Return the call of a document. Fields that it does not know are left alone, so that a roll-back can read it.

    Raises:
        CorruptRecordError: a field is missing or makes no sense.
    """
    try:
        return _from_document(tid, document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CorruptRecordError(tid) from None


def _from_document(tid: str, document: Mapping[str, Any]) -> Call:
    callback, get = document["callback"], document.get
    return Call(
        tid=tid,
        application_id=document["application_id"],
        to=document["to"],
        callback=CallbackTarget(
            callback["url"], CallbackMethod(callback["method"]), CallbackFormat(callback["format"])
        ),
        attempts_allowed=int(document["attempts_allowed"]),
        max_digits=int(document["max_digits"]),
        input_timeout_s=int(document["input_timeout_s"]),
        ringing_timeout_s=int(document["ringing_timeout_s"]),
        length_timer_s=int(document["length_timer_s"]),
        token_hash=document["token_hash"],
        created_at=_time(document["created_at"]),
        expire_at=_time(document["expire_at"]),
        due_at=_optional_time(get("due_at")),
        prompts=_prompts_from_document(get("prompts")),
        secrets=Secrets(document["pin_mac"], get("reject_mac")) if "pin_mac" in document else None,
        reference=get("reference"),
        machine_detection=MachineDetection(document["machine_detection"]) if "machine_detection" in document else None,
        fingerprint=get("fingerprint"),
        state=State(document["state"]),
        uuid=get("uuid"),
        placement_unclear=bool(get("placement_unclear")),
        verdict=Verdict(Reason(document["reason"]), _time(document["decided_at"])) if "reason" in document else None,
        entries=tuple(Entry(entry) for entry in get("entries", ())),
        machine_heard=bool(get("machine_heard")),
        redeliveries=int(get("redeliveries", 0)),
        answered_at=_optional_time(get("answered_at")),
        ended_at=_optional_time(get("ended_at")),
        settled_at=_optional_time(get("settled_at")),
        disconnected_by=get("disconnected_by"),
        duration_s=get("duration_s"),
        price=get("price"),
        payload=get("payload"),
        delivery=_delivery_from_document(get("delivery", {})),
        timeline=_timeline_from_text(get("timeline", "[]")),
    )


def _known(**fields: Any) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _prompts_to_document(prompts: Prompts) -> Document:
    return _known(
        text=prompts.text,
        bye_text=prompts.bye_text,
        failed_text=prompts.failed_text,
        language=prompts.language,
        style=prompts.style,
        premium=prompts.premium,
    )


def _prompts_from_document(document: Mapping[str, Any] | None) -> Prompts | None:
    if document is None:
        return None
    return Prompts(
        text=document["text"],
        bye_text=document.get("bye_text"),
        failed_text=document.get("failed_text"),
        language=document["language"],
        style=document.get("style"),
        premium=document.get("premium"),
    )


def _delivery_to_document(delivery: Delivery) -> Document:
    tries = [_known(at=t.at, http_status=t.http_status, fault=t.fault) for t in delivery.tries]
    return {"state": delivery.state.value, "attempts_made": delivery.attempts_made, "tries": tries}


def _delivery_from_document(document: Mapping[str, Any]) -> Delivery:
    tries = tuple(
        DeliveryAttempt(_time(line["at"]), line.get("http_status"), line.get("fault"))
        for line in document.get("tries", ())
    )
    return Delivery(DeliveryState(document.get("state", "none")), int(document.get("attempts_made", 0)), tries)


def _timeline_to_text(timeline: Sequence[TimelineEntry]) -> str:
    """Return the timeline as JSON: a text, as nothing asks for its parts.

    As nested values it would be most of what Firestore's client converts and copies in each webhook.
    """
    lines = [{"at": line.at.isoformat(), "event": line.event, **line.details} for line in timeline]
    return json.dumps(lines, separators=(",", ":"))


def _timeline_from_text(text: str) -> tuple[TimelineEntry, ...]:
    return tuple(_line(**line) for line in json.loads(text))


def _line(at: str, event: str, **details: str | int) -> TimelineEntry:
    return TimelineEntry(_time(datetime.fromisoformat(at)), event, details)


def _time(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = "not a time"
        raise ValueError(msg)
    return value


def _optional_time(value: object) -> datetime | None:
    return None if value is None else _time(value)
