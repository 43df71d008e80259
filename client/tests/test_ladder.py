"""Who is phoned next, and when a run stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import APPLICATION, KEY_PEM, TID, FakeService, Reply, Time, placed, problem, shown

from ttsprompt_client import Client, InterruptedCall, UsageError
from ttsprompt_client.ladder import Person, Rung, climb, read_people, rung_key

PEOPLE = [Person("Ada", "447700900101", "11"), Person("Bob", "447700900102", "22"), Person("Cy", "447700900103", "33")]
FIELDS = {"from_": "447520616161", "text": "Wake up"}
OK, FAILED, BUSY = (
    shown("ended", "ok", "pin_matched"),
    shown("ended", "failed", "no_input"),
    shown("ended", "error", "busy"),
)
TO_IS_WRONG = [{"field": "to", "code": "invalid_number", "message": "Wrong."}]
PIN_AND_REJECT_CODE = [{"field": "reject_code", "code": "prefix_of_pin", "message": "Wrong."}]
THE_CALLER = [{"field": "from", "code": "same_number", "message": "Wrong."}]
TEXT_IS_WRONG = [*TO_IS_WRONG, {"field": "text", "code": "too_short", "message": "Wrong."}]


def run(service: FakeService, replies: list[Reply], **options: Any) -> list[Rung]:
    service.replies = replies
    time = Time()
    client = Client(service.url, APPLICATION, KEY_PEM, sleep=time.sleep, clock=time.clock)
    return climb(client, PEOPLE, FIELDS, run="run-1", **options)


def phoned(service: FakeService) -> list[str]:
    return [a.body["to"] for a in service.asked if a.method == "POST"]


def test_the_first_who_says_ok_is_the_last_who_is_phoned(service: FakeService) -> None:
    rungs = run(service, [placed(), FAILED, placed(), OK])

    assert phoned(service) == ["447700900101", "447700900102"]
    assert [r.outcome and r.outcome.status for r in rungs] == ["failed", "ok"]
    assert service.asked[0].body == {"from": "447520616161", "text": "Wake up", "to": "447700900101", "pin_code": "11"}


def test_it_goes_on_until_as_many_as_are_needed_have_said_ok(service: FakeService) -> None:
    run(service, [placed(), OK, placed(), BUSY, placed(), OK], need=2)

    assert len(phoned(service)) == 3


def test_nobody_is_phoned_before_the_call_before_has_ended(service: FakeService) -> None:
    run(service, [placed(), shown("placed"), shown("answered"), shown("ended"), FAILED, placed(), OK])

    assert [a.method for a in service.asked] == ["POST", *["GET"] * 4, "POST", "GET"]


def test_the_keys_follow_from_the_run_and_the_place_in_the_list(service: FakeService) -> None:
    run(service, [placed(), FAILED])

    assert service.keys() == [rung_key("run-1", n) for n in (1, 2, 3)]
    assert len({rung_key(r, n) for r in ("a", "b", "a:1") for n in (1, 2, 11)}) == 9


UNCLEAR = [
    [problem(504, "vendor_unclear", tid=TID)],
    [Reply(cut=True)],
    [problem(409, "in_progress")],
    [Reply(502, raw=b"<html>")],
    [placed(), problem(404, "not_found")],
    [placed(), Reply(cut=True)],
    [placed(), shown("answered")],
]


@pytest.mark.parametrize("replies", UNCLEAR)
def test_an_unclear_answer_stops_it(service: FakeService, replies: list[Reply]) -> None:
    rungs = run(service, replies, timeout_s=30)

    assert set(phoned(service)) == {"447700900101"}
    assert len(rungs) == 1
    assert rungs[0].unclear is not None


FOR_EVERYBODY = [
    problem(401, "unauthenticated"),
    problem(403, "application_not_allowed"),
    problem(403, "vendor_refused"),
    problem(409, "idempotency_conflict"),
    problem(422, "invalid_fields", errors=TEXT_IS_WRONG),
    problem(422, "invalid_fields", errors=[{**THE_CALLER[0], "code": "invalid_number"}]),
    problem(422, "vendor_refused"),
    problem(503, "store_unavailable"),
    Reply(404, raw=b"<html>"),
]


@pytest.mark.parametrize("reply", FOR_EVERYBODY, ids=lambda r: r.body and r.body["code"])
def test_a_refusal_that_holds_for_everybody_stops_it(service: FakeService, reply: Reply) -> None:
    rungs = run(service, [reply])

    assert set(phoned(service)) == {"447700900101"}
    assert [r.not_placed is not None for r in rungs] == [True]


@pytest.mark.parametrize(
    "reply",
    [
        problem(403, "number_not_allowed"),
        problem(403, "country_not_allowed"),
        problem(422, "invalid_fields", errors=TO_IS_WRONG),
        problem(422, "invalid_fields", errors=PIN_AND_REJECT_CODE),
        problem(422, "invalid_fields", errors=THE_CALLER),
        problem(422, "vendor_refused", errors=TO_IS_WRONG),
        problem(429, "too_many_calls", Retry_After="600"),
    ],
    ids=lambda r: r.body["code"],
)
def test_somebody_who_cannot_be_phoned_does_not_keep_the_others_from_it(service: FakeService, reply: Reply) -> None:
    rungs = run(service, [reply, placed(), OK])

    assert phoned(service) == ["447700900101", "447700900102"]
    assert rungs[0].not_placed is not None
    assert rungs[1].outcome is not None


def test_an_interrupt_leaves_no_more_than_the_run(service: FakeService) -> None:
    def on_rung(_: Rung) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run(service, [placed(), FAILED], on_rung=on_rung)

    assert not isinstance(caught.value, InterruptedCall)
    assert phoned(service) == ["447700900101"]


@pytest.mark.parametrize("options", [{"need": 0}, {"need": 4}])
def test_more_than_there_are_cannot_say_ok(service: FakeService, options: Any) -> None:
    with pytest.raises(UsageError):
        run(service, [placed()], **options)

    assert service.asked == []


GOOD = """
[[person]]
name = "Ada"
to = "+44 7700 900101"
pin_code = "0012"

[[person]]
name = "Bob"
to = "447700900102"
pin_env = "BOB_PIN"
"""


def test_people_are_read_in_order_with_pins_from_file_or_environment(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text(GOOD)

    people = read_people(file, {"BOB_PIN": "99"})

    assert people == [Person("Ada", "+44 7700 900101", "0012"), Person("Bob", "447700900102", "99")]
    assert "0012" not in repr(people)


def test_a_list_as_windows_saves_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    assert [person.name for person in read_people(file, {"BOB_PIN": "99"})] == ["Ada", "Bob"]


def test_a_pin_in_the_place_of_a_variable_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "people.toml"
    file.write_text(GOOD.replace("BOB_PIN", "4711"))

    with pytest.raises(UsageError, match="pin_env, is not set") as caught:
        read_people(file, {})

    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["one [[person]]"]),
        ("person = 3", ["one [[person]]"]),
        ("[[people]]\nname='x'", ["one [[person]]"]),
        ("not toml", ["not TOML"]),
        ("[[person]]\nname='x'\nto='1'\npin_code=1234", ["pin_code must be text"]),
        ("[[person]]\nname='x'\nto='1'", ["either pin_code or pin_env"]),
        ("[[person]]\nname='x'\nto='1'\npin_code='1'\npin_env='P'", ["either pin_code or pin_env"]),
        ("[[person]]\nname='x'\nto='1'\npin_env='UNSET'", ["UNSET, its pin_env, is not set"]),
        (
            "[[person]]\nphone='1'\n[[person]]",
            ["'phone'", "person 1 has no name", "person 1 has no to", "person 2 has no"],
        ),
        ("person = [1]", ["person 1 is no table"]),
    ],
)
def test_everything_wrong_with_the_list_is_told_at_once(tmp_path: Path, text: str, faults: list[str]) -> None:
    file = tmp_path / "people.toml"
    file.write_text(text)

    with pytest.raises(UsageError) as caught:
        read_people(file, {})

    assert all(fault in str(caught.value) for fault in faults), str(caught.value)


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_people(tmp_path / "nobody.toml", {})
