"""How entries and endings are judged."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from tests.builders import PIN, TOKEN
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.domain.verdict import (
    Entry,
    Reason,
    Secrets,
    Status,
    attempts_used,
    judge_entry,
    keyed_mac,
    reason_cut_off,
    reason_of_entries,
    reason_unanswered,
)

REJECT_CODE = "90"
SECRETS = Secrets(pin_mac=keyed_mac(TOKEN, PIN), reject_mac=keyed_mac(TOKEN, REJECT_CODE))
WITHOUT_REJECT_CODE = Secrets(pin_mac=keyed_mac(TOKEN, PIN), reject_mac=None)

RIGHT, WRONG, SILENCE, REJECTED, REPLAY = Entry.RIGHT, Entry.WRONG, Entry.SILENCE, Entry.REJECTED, Entry.REPLAY


@pytest.mark.parametrize(
    ("keys", "judged"),
    [
        ("1234", RIGHT),
        ("1234#", RIGHT),
        ("1234##", WRONG),
        ("#1234", WRONG),
        ("123", WRONG),
        ("12345", WRONG),
        ("1235", WRONG),
        (" 1234", WRONG),
        ("１２３４", WRONG),
        ("\ud800", WRONG),
        ("9" * 10_000, WRONG),
        ("", SILENCE),
        ("#", SILENCE),
        ("##", WRONG),
        ("90", REJECTED),
        ("90#", REJECTED),
        ("901", WRONG),
        ("*", REPLAY),
        ("*#", REPLAY),
        ("12*4", REPLAY),
        ("1234*", REPLAY),
        ("90*", REPLAY),
    ],
)
def test_an_entry_is_judged_by_its_keys(keys: str, judged: Entry) -> None:
    assert judge_entry(keys, TOKEN, SECRETS, []) is judged


def test_the_fourth_request_to_hear_the_text_again_is_a_wrong_entry() -> None:
    judged: list[Entry] = []
    for _ in range(5):
        judged.append(judge_entry("*", TOKEN, SECRETS, judged))
    assert judged == [REPLAY, REPLAY, REPLAY, WRONG, WRONG]


def test_entries_between_replays_do_not_renew_them() -> None:
    assert judge_entry("*", TOKEN, SECRETS, [REPLAY, WRONG, REPLAY, SILENCE, REPLAY]) is WRONG


def test_the_right_pin_is_right_however_often_the_text_was_replayed() -> None:
    assert judge_entry(PIN, TOKEN, SECRETS, [REPLAY] * 3 + [WRONG]) is RIGHT


def test_without_a_reject_code_its_keys_are_a_wrong_entry() -> None:
    assert judge_entry(REJECT_CODE, TOKEN, WITHOUT_REJECT_CODE, []) is WRONG


def test_a_reject_code_equal_to_the_pin_rejects() -> None:
    same = Secrets(pin_mac=keyed_mac(TOKEN, PIN), reject_mac=keyed_mac(TOKEN, PIN))
    assert judge_entry(PIN, TOKEN, same, []) is REJECTED


def test_the_right_pin_under_another_token_is_wrong() -> None:
    assert judge_entry(PIN, "another token", SECRETS, []) is WRONG


def test_the_pin_is_kept_as_hmac_sha_256_keyed_by_the_token() -> None:
    assert SECRETS.pin_mac == hmac.new(TOKEN.encode(), PIN.encode(), hashlib.sha256).hexdigest()


def test_an_entry_says_nothing_about_the_keys() -> None:
    assert {entry.value for entry in Entry} == {"right", "wrong", "silence", "rejected", "replay"}


@pytest.mark.parametrize(
    ("entries", "count"),
    [
        ([], 0),
        ([REPLAY, REPLAY], 0),
        ([SILENCE, REPLAY, WRONG], 2),
        ([WRONG, RIGHT], 2),
        ([REJECTED], 1),
    ],
)
def test_a_try_is_every_judged_entry_but_a_replay(entries: list[Entry], count: int) -> None:
    assert attempts_used(entries) == count


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], None),
        ([WRONG], None),
        ([WRONG, SILENCE], None),
        ([WRONG, REPLAY, REPLAY, REPLAY], None),
        ([RIGHT], Reason.PIN_MATCHED),
        ([WRONG, SILENCE, RIGHT], Reason.PIN_MATCHED),
        ([REJECTED], Reason.CALLEE_REJECTED),
        ([WRONG, WRONG, REJECTED], Reason.CALLEE_REJECTED),
        ([WRONG, WRONG, WRONG], Reason.WRONG_PIN),
        ([SILENCE, SILENCE, WRONG], Reason.WRONG_PIN),
        ([WRONG, SILENCE, SILENCE], Reason.WRONG_PIN),
        ([SILENCE, SILENCE, SILENCE], Reason.NO_INPUT),
        ([SILENCE, REPLAY, SILENCE, SILENCE], Reason.NO_INPUT),
    ],
)
def test_entries_of_a_call_with_three_tries_decide(entries: list[Entry], reason: Reason | None) -> None:
    assert reason_of_entries(entries, attempts_allowed=3) is reason


def test_a_single_try_decides_at_once() -> None:
    assert reason_of_entries([WRONG], attempts_allowed=1) is Reason.WRONG_PIN


@pytest.mark.parametrize(
    ("status", "detail", "reason"),
    [
        ("busy", None, "busy"),
        ("busy", "unavailable", "busy"),
        ("timeout", None, "no_answer"),
        ("timeout", "unavailable", "no_answer"),
        ("unanswered", None, "no_answer"),
        ("unanswered", "timeout", "no_answer"),
        ("unanswered", "carrier_timeout", "no_answer"),
        ("unanswered", "unavailable", "unreachable"),
        ("failed", None, "unreachable"),
        ("failed", "cannot_route", "unreachable"),
        ("failed", "number_out_of_service", "unreachable"),
        ("failed", "internal_error", "vendor_error"),
        ("rejected", None, "rejected"),
        ("rejected", "invalid_number", "rejected"),
        ("rejected", "restricted", "rejected"),
        ("rejected", "declined", "rejected"),
        ("cancelled", None, "cancelled"),
        ("cancelled", "internal_error", "cancelled"),
        ("completed", None, "no_answer"),
    ],
)
def test_a_call_that_nobody_answered_ends_for_the_reason_that_vonage_gives(
    status: str, detail: str | None, reason: str
) -> None:
    assert reason_unanswered(CallEnded(EndStatus(status), detail)) == reason


@pytest.mark.parametrize(
    ("disconnected_by", "reason"), [("platform", "vendor_error"), ("user", "hung_up"), (None, "hung_up")]
)
def test_an_answered_call_with_an_open_question_was_cut_off_by(disconnected_by: str | None, reason: str) -> None:
    assert reason_cut_off(disconnected_by) == reason


def test_every_reason_belongs_to_the_status_that_the_contract_gives_it() -> None:
    by_status = {status: {reason.value for reason in Reason if reason.status is status} for status in Status}
    assert by_status == {
        Status.OK: {"pin_matched"},
        Status.FAILED: {"wrong_pin", "no_input", "hung_up", "callee_rejected"},
        Status.ERROR: {
            "busy",
            "no_answer",
            "rejected",
            "unreachable",
            "machine",
            "cancelled",
            "vendor_error",
            "expired",
        },
    }
