"""The load generator: its plan, its judgement, and a small run through the real service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devphone.commands.load_plan import DEFAULT_MIX, KINDS, PlannedCall, parse_mix, plan
from devphone.commands.load_report import Observed, judge, percentiles

ROOT = Path(__file__).parents[2]


def test_the_same_seed_plans_the_same_calls() -> None:
    mix = parse_mix(DEFAULT_MIX)

    assert list(plan(200, mix, 0.1, 7)) == list(plan(200, mix, 0.1, 7)) != list(plan(200, mix, 0.1, 8))
    assert len({call.number for call in plan(200, mix, 0.1, 7)}) == 200


@pytest.mark.parametrize("text", ["right", "right=x", "nobody=1", "", "right=0", "right=-1"])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"weight"):
        parse_mix(text)


def observed(
    kind: str, *payloads: dict[str, Any], dialled: int = 1, touched: bool = False, keyed: bool = True
) -> Observed:
    call = Observed(PlannedCall("447700910000", KINDS[kind], sent_twice=False))
    call.tid, call.answer, call.dialled, call.touched = "t", 200, dialled, touched
    call.payloads += payloads
    call.keyed_the_pin = KINDS[kind].keys_the_pin and keyed
    return call


def payload(status: str, reason: str, tid: str = "t", **how: object) -> dict[str, Any]:
    fields = {"tid": tid, "status": status, "reason": reason}
    return fields | {"callback": {"id": tid, "verified": True, "sha256": "s"} | how}


OK, BUSY, HUNG_UP = payload("ok", "pin_matched"), payload("error", "busy"), payload("failed", "hung_up")


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        (observed("right", OK), None),
        (observed("right", OK, OK), None),
        (observed("busy", BUSY), None),
        (observed("right", HUNG_UP, touched=True), None),
        (observed("right"), "lost"),
        (observed("right", OK, HUNG_UP), "changed"),
        (observed("right", HUNG_UP), "wrong"),
        (observed("wrong", OK), "wrong"),
        (observed("wrong", OK, touched=True), "wrong"),
        (observed("right", payload("ok", "pin_matched", tid="another")), "wrong"),
        (observed("right", OK, dialled=2), "dialled_twice"),
        (observed("right", OK, keyed=False), "wrong"),
        (observed("right", payload("ok", "pin_matched", id="another")), "wrong"),
        (observed("right", payload("ok", "pin_matched", verified=False)), "wrong"),
        (observed("right", OK, payload("ok", "pin_matched", sha256="other bytes")), "changed"),
    ],
)
def test_each_broken_promise_is_found(call: Observed, broken: str | None) -> None:
    report = judge([call], {})
    found = [name for name in ("lost", "changed", "wrong", "dialled_twice") if getattr(report, name)]

    assert found == ([broken] if broken else [])
    assert report.is_good is (broken is None)


def test_repeated_deliveries_are_counted_but_no_fault() -> None:
    assert judge([observed("right", OK, OK)], {}).repeated_deliveries == 1


def test_percentiles_are_milliseconds() -> None:
    assert percentiles([n / 1000 for n in range(1, 101)]) == {"p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0}


def test_a_run_with_faults_accounts_for_every_call() -> None:
    options = (
        "--calls 60 --concurrency 30 --duplicate 0.1 --reorder 0.1 --delay 50ms --drop 0.02 --seed 7 --stale-after 8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "devphone", "load", "--json", *options.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["calls"] == 60
    assert sum(report["outcomes"].values()) + report["refused"] == 60
    assert report["touched"] > 0
    assert report["latency_ms"].keys() == {"/event", "/input", "POST /call"}
