"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import APPLICATION, KEY_PEM, REQUEST, TID, FakeService, Reply, placed, problem, shown
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ttsprompt_client import Client, InterruptedCall, placing
from ttsprompt_client.cli import main

CALL = ["call", "--to", "447700900050", "--from", "447520616161", "--text", "Enter your PIN", "--pin", "1234"]
TIMELINE = [
    {"at": "1", "event": "created"},
    {"at": "2", "event": "placed"},
    {"at": "3", "event": "answered"},
    {"at": "4", "event": "entry", "step": 1, "judged": "wrong"},
    {"at": "5", "event": "entry", "step": 2, "judged": "right"},
    {"at": "5", "event": "decided", "status": "ok", "reason": "pin_matched"},
    {"at": "6", "event": "ended", "status": "completed"},
]
DONE = shown("ended", "ok", "pin_matched", TIMELINE)


@pytest.fixture(autouse=True)
def settings(service: FakeService, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTSPROMPT_URL", service.url)
    monkeypatch.setenv("VONAGE_APPLICATION_ID", APPLICATION)
    monkeypatch.setenv("VONAGE_PRIVATE_KEY", str(key_file))
    monkeypatch.setattr(placing, "_STEPS_S", (0.01,))


def test_a_call_prints_its_tid(service: FakeService, capsys: Any) -> None:
    service.replies = [placed()]

    assert main(CALL) == 0

    assert capsys.readouterr().out == f"{TID}\n"
    assert service.asked[0].body == {
        "to": REQUEST["to"], "from": REQUEST["from_"], "text": REQUEST["text"], "pin_code": REQUEST["pin_code"]
    }  # fmt: skip


def test_with_wait_the_outcome_follows_as_json_and_the_way_there_in_words(service: FakeService, capsys: Any) -> None:
    service.replies = [placed(), DONE]

    assert main([*CALL, "--wait"]) == 0

    printed = capsys.readouterr()
    tid, outcome = printed.out.splitlines()
    assert tid == TID
    assert json.loads(outcome)["reason"] == "pin_matched"
    assert printed.err.splitlines() == [
        f"tid {TID}",
        "recorded",
        "rings",
        "answered",
        "entry 1 wrong",
        "entry 2 right",
        "ended (completed)",
        "ok: the right PIN was keyed",
    ]


def test_json_is_all_of_stdout_and_quiet_leaves_stderr_empty(service: FakeService, capsys: Any) -> None:
    service.replies = [placed(), DONE]

    assert main([*CALL, "--wait", "--json", "-q"]) == 0

    printed = capsys.readouterr()
    assert json.loads(printed.out)["tid"] == TID
    assert printed.err == ""


@pytest.mark.parametrize(
    ("status", "reason", "code"), [("ok", "pin_matched", 0), ("failed", "hung_up", 1), ("error", "busy", 2)]
)
def test_the_exit_code_is_the_outcome(service: FakeService, status: str, reason: str, code: int) -> None:
    service.replies = [placed(), shown("ended", status, reason)]
    assert main([*CALL, "--wait"]) == code

    service.replies = [shown("ended", status, reason)]
    assert main(["status", TID]) == code
    assert main(["status", TID, "--wait"]) == code
    assert main(["cancel", TID]) == 0


def test_every_field_is_an_option(service: FakeService) -> None:
    service.replies = [placed()]
    options = {
        "callback": "https://example.com/cb",
        "callback_method": "post",
        "callback_format": "json",
        "bye_text": "Bye",
        "failed_text": "No",
        "silence_text": "Hello?",
        "attempts": 5,
        "reject_code": "9",
        "language": "en-GB",
        "style": 2,
        "input_timeout": 7,
        "ringing_timeout": 60,
        "machine_detection": "notice",
        "extension": "p12#",
        "reference": "incident 4711",
    }
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]

    assert main([*CALL, *given, "--no-premium"]) == 0

    assert service.asked[0].body.items() >= (options | {"premium": False}).items()


def test_a_pin_may_come_from_the_environment(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    service.replies = [placed()]
    monkeypatch.setenv("PIN", "0042")

    assert main([*CALL[:-2], "--pin-env", "PIN"]) == 0
    assert main([*CALL[:-2], "--pin-env", "NOT_SET"]) == 64

    assert [a.body["pin_code"] for a in service.asked] == ["0042"]


def test_what_is_wrong_with_a_field_is_told_by_its_option(service: FakeService, capsys: Any) -> None:
    errors = [{"field": "pin_code", "code": "invalid_pin", "message": "This must consist of the digits 0 to 9."}]
    service.replies = [problem(422, "invalid_fields", errors=errors)]

    assert main(CALL) == 3
    assert "--pin-code: This must consist" in capsys.readouterr().err

    assert main([*CALL, "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "error": "invalid_fields", "detail": "It is invalid_fields.", "errors": errors
    }  # fmt: skip


@pytest.mark.parametrize("wait", [[], ["--wait"]])
def test_an_unclear_answer_prints_the_tid(service: FakeService, capsys: Any, wait: list[str]) -> None:
    service.replies = [problem(504, "vendor_unclear", tid=TID), shown("placed")]

    assert main([*CALL, *wait, *(["--timeout", "0"] if wait else [])]) == 4

    printed = capsys.readouterr()
    assert printed.out == f"{TID}\n"
    assert "vendor_unclear" in printed.err


def test_lost_answers_print_the_key_that_asks_again(
    service: FakeService, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.replies = [Reply(cut=True)]
    monkeypatch.setattr("ttsprompt_client.client.Patience.wait", lambda *_: False)

    assert main([*CALL, "--json"]) == 4

    printed = capsys.readouterr()
    key = json.loads(printed.out)["idempotency_key"]
    assert service.keys() == [key]
    assert f"--idempotency-key {key}" in printed.err


def test_a_call_not_found_is_not_placed_and_one_without_outcome_unclear(service: FakeService) -> None:
    service.replies = [problem(404, "not_found")]
    assert main(["status", TID]) == 3
    assert main(["cancel", TID]) == 3

    assert main(["status", TID, "--wait"]) == 3

    service.replies = [shown("answered")]
    assert main(["status", TID]) == 4
    assert main(["status", TID, "--wait", "--timeout", "0"]) == 4


def test_a_status_is_told_in_words_or_json(service: FakeService, capsys: Any) -> None:
    service.replies = [DONE]

    main(["status", TID])
    words = capsys.readouterr().out
    main(["status", TID, "--json"])

    assert "outcome ok: the right PIN was keyed" in words
    assert "entry 1 wrong" in words
    assert json.loads(capsys.readouterr().out) == DONE.body


WRONG_USAGE: list[list[str]] = [
    [],
    ["nonsense"],
    ["call"],
    CALL[:-2],
    [*CALL, "--pin-env", "X"],
    [*CALL, "--attempts", "many"],
    [*CALL, "--attempts", "1_0"],
    [*CALL, "--nonsense", "x"],
    [*CALL, "--fail", "x"],
    [*CALL, "--timeout", "nan"],
    [*CALL, "--timeout", "-1"],
    [*CALL, "--url", "nonsense"],
    [*CALL, "--private-key", "no-such-file"],
    [*CALL, "--application-id", "x"],
    [*CALL, "--idempotency-key", "a b"],
    [*CALL, "--idempotency-key", ""],
    ["ladder", "PEOPLE", "--from", "1", "--text", "x", "--run", ""],
    ["status"],
    ["status", TID, "--timeout", "1"],
    [*CALL, "--timeout", "1"],
    ["status", "../../etc"],
    ["ladder", "no-such-file.toml", "--from", "1", "--text", "x"],
    ["ladder", "x.toml", "--from", "1", "--text", "x", "--need", "0"],
    ["verify"],
    ["verify", "--key", "nonsense"],
    ["verify", "--key", "whsec_AAAA", "--body", "x"],
    ["verify", "--key", "whsec_AAAA", "--headers", "no-such-file"],
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_is_64_and_sends_nothing(
    service: FakeService, arguments: list[str], ladder: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    arguments = [ladder[1] if argument == "PEOPLE" else argument for argument in arguments]
    good = b"POST / HTTP/1.1\r\nwebhook-id: x\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,x\r\n\r\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good)))
    try:
        code: Any = main(arguments)
    except SystemExit as end:
        code = end.code

    assert code == 64
    assert service.asked == []
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [*CALL, "--privatekey", KEY_PEM],
        [*CALL, f"--privatekey={KEY_PEM}"],
        [*CALL, KEY_PEM],
        [*CALL[:-2], "--pin-env", "4711"],
        ["4711", "--json"],
        [*CALL, "--wait=4711"],
        [*CALL, "-q4711"],
        ["doctor", "--url", "https://user:4711@phone.example"],
    ],
    ids=[
        "an option misspelt",
        "with an equals sign",
        "no option",
        "a PIN for a variable",
        "a PIN for a command",
        "a PIN for a flag",
        "a PIN beside a flag",
        "a password in the address",
    ],
)
def test_what_may_be_secret_is_not_said_again(arguments: list[str], capsys: Any) -> None:
    with suppress(SystemExit):
        main(arguments)

    printed = capsys.readouterr()
    told = printed.out + printed.err
    assert told
    assert "4711" not in told
    assert not any(line in told for line in KEY_PEM.splitlines()[1:-1])


def test_an_option_misspelt_is_named(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main([*CALL, "--privatekey", KEY_PEM, "--numbr=4711"])

    assert "unknown: --privatekey, --numbr\n" in capsys.readouterr().err


def test_all_settings_that_are_missing_are_told_at_once(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("TTSPROMPT_URL", "VONAGE_APPLICATION_ID", "VONAGE_PRIVATE_KEY"):
        monkeypatch.setenv(name, " ")

    assert main(CALL) == 64

    assert "TTSPROMPT_URL, VONAGE_APPLICATION_ID, VONAGE_PRIVATE_KEY" in capsys.readouterr().err


def test_a_dry_run_needs_no_credential_and_shows_the_answer(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.delenv("VONAGE_PRIVATE_KEY")
    service.replies = [Reply(200, {"ncco": [], "warnings": []})]

    assert main([*CALL, "--dry-run"]) == 0

    assert json.loads(capsys.readouterr().out) == {"ncco": [], "warnings": []}
    assert service.asked[0].body["dry_run"] is True


PEOPLE = """
[[person]]
name = "Ada"
to = "447700900101"
pin_code = "1234"
[[person]]
name = "Bob"
to = "447700900102"
pin_code = "1234"
"""


@pytest.fixture
def ladder(tmp_path: Path) -> list[str]:
    (tmp_path / "people.toml").write_text(PEOPLE)
    return ["ladder", str(tmp_path / "people.toml"), "--from", "447520616161", "--text", "Wake up"]


def test_a_ladder_prints_its_run_first_then_each_person(service: FakeService, ladder: list[str], capsys: Any) -> None:
    service.replies = [placed(), shown("ended", "error", "busy"), placed(), DONE]

    assert main(ladder) == 0

    run, *people = capsys.readouterr().out.splitlines()
    assert people == ["1 Ada: error: busy", "2 Bob: ok: the right PIN was keyed"]
    assert [run in key for key in service.keys()] == [True, True]  # noqa: SIM118 - it is no dict


LADDER_ENDS: list[tuple[list[Reply], list[str], int]] = [
    ([placed(), DONE], [], 0),
    ([placed(), DONE], ["--need", "2"], 0),
    ([placed(), shown("ended", "failed", "no_input")], [], 1),
    ([placed(), shown("ended", "error", "busy")], [], 2),
    ([placed(), DONE, placed(), shown("ended", "error", "busy")], ["--need", "2"], 2),
    ([placed(), shown("ended", "failed", "no_input"), problem(403, "number_not_allowed")], [], 1),
    ([problem(403, "number_not_allowed")], [], 3),
    ([problem(401, "unauthenticated")], [], 3),
    ([placed(), shown("ended", "failed", "no_input"), problem(409, "idempotency_conflict")], [], 1),
    ([placed(), DONE, problem(403, "number_not_allowed")], ["--need", "2"], 2),
    ([placed(), DONE, problem(401, "unauthenticated")], ["--need", "2"], 2),
    ([problem(504, "vendor_unclear", tid=TID)], [], 4),
    ([placed(), DONE, placed(), shown("placed")], ["--need", "2", "--timeout", "0"], 4),
]


@pytest.mark.parametrize(("replies", "options", "code"), LADDER_ENDS)
def test_how_a_ladder_ends(
    service: FakeService, ladder: list[str], replies: list[Reply], options: list[str], code: int, capsys: Any
) -> None:
    service.replies = list(replies) if options != ["--need", "2"] or code else [placed(), DONE, placed(), DONE]

    assert main([*ladder, *options, "--run", "mine", "--json"]) == code

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"run": "mine"}
    assert lines[-1]["exit_code"] == code
    assert lines[1:-1]
    assert all("name" in line for line in lines[1:-1])


@pytest.mark.parametrize(
    ("replies", "options", "code"),
    [([], [], 3), ([placed(), shown("ended", "failed", "no_input")], [], 1), ([placed(), DONE], ["--need", "2"], 2)],
    ids=["nobody", "somebody failed", "somebody said ok"],
)
def test_an_interrupt_before_the_next_person_does_not_forget_who_was_phoned(
    service: FakeService,
    ladder: list[str],
    replies: list[Reply],
    options: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 3 says that nobody was phoned."""
    place = Client.place

    def interrupted(client: Client, **fields: Any) -> Any:
        if len(service.asked) < len(replies):
            return place(client, **fields)
        raise InterruptedCall(sent=False)

    service.replies = list(replies)
    monkeypatch.setattr(Client, "place", interrupted)

    assert main([*ladder, *options]) == code


def test_a_changed_list_stops_the_run_and_is_told(service: FakeService, ladder: list[str], capsys: Any) -> None:
    service.replies = [problem(409, "idempotency_conflict")]

    assert main([*ladder, "--run", "mine"]) == 3

    assert "Has the list or the request changed" in capsys.readouterr().out
    assert len(service.asked) == 1


def test_a_dry_ladder_asks_about_everybody_and_phones_nobody(
    service: FakeService, ladder: list[str], capsys: Any
) -> None:
    service.replies = [problem(403, "number_not_allowed"), Reply(200, {"warnings": []})]

    assert main([*ladder, "--dry-run"]) == 3

    assert [a.body["dry_run"] for a in service.asked] == [True, True]
    assert capsys.readouterr().out.splitlines()[1] == "2 Bob: would be phoned"


def test_a_dry_run_with_a_token_that_vonage_refuses_says_that_nobody_would_be_phoned(
    service: FakeService, ladder: list[str], capsys: Any
) -> None:
    service.replies = [Reply(200, {"ncco": [], "credential": "refused", "warnings": []})]

    assert main([*CALL, "--dry-run"]) == 3
    assert "Vonage refuses it" in capsys.readouterr().err
    assert main([*ladder, "--dry-run"]) == 3

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(";")[0] for line in lines] == ["1 Ada: would not be phoned", "2 Bob: would not be phoned"]


def test_a_dry_ladder_tells_what_it_is_warned_of(service: FakeService, ladder: list[str], capsys: Any) -> None:
    warning = {"field": "text", "code": "stray_ssml", "message": "Tags are read out."}
    service.replies = [Reply(200, {"ncco": [], "credential": "unknown", "warnings": [warning]})]

    assert main([*ladder, "--dry-run"]) == 0

    assert capsys.readouterr().out.splitlines()[:2] == [
        "1 Ada: would be phoned; credential: Vonage could not be asked",
        "  --text: Tags are read out.",
    ]


def signed_request(signer: Ed25519PrivateKey, at: int, body: str) -> tuple[str, bytes]:
    signature = base64.b64encode(signer.sign(f"{TID}.{at}.{body}".encode())).decode()
    head = f"WEBHOOK-ID: {TID}\r\nWebhook-Timestamp: {at}\r\nwebhook-signature: v1,AA== v1a,{signature}\r\n"
    key = "whpk_" + base64.b64encode(signer.public_key().public_bytes_raw()).decode()
    return key, f"POST /cb HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}\n".encode()


def test_verify_reads_a_request_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    body = f"tid={TID}&status=failed&reason=hung_up"
    key, raw = signed_request(Ed25519PrivateKey.generate(), int(time.time()), body)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    assert main(["verify", "--key", key]) == 0

    assert json.loads(capsys.readouterr().out) == {"tid": TID, "status": "failed", "reason": "hung_up"}


def test_verify_reads_headers_and_body_from_files(tmp_path: Path) -> None:
    body = f"tid={TID}&status=ok"
    key, raw = signed_request(Ed25519PrivateKey.generate(), 1_700_000_000, body)
    head, _, _ = raw.partition(b"\r\n\r\n")
    (tmp_path / "head").write_bytes(head.partition(b"\n")[2])
    (tmp_path / "body").write_text(body)
    files = ["verify", "--key", "whsec_AAAA", "--headers", str(tmp_path / "head"), "--body", str(tmp_path / "body")]

    assert main([*files, "--key", key, "--tolerance", "1e9"]) == 0
    assert main([*files, "--key", key]) == 1
    assert main([*files, "--tolerance", "1e9"]) == 1


def test_doctor_says_what_is_set_and_what_vonage_thinks(service: FakeService, capsys: Any) -> None:
    about = Reply(200, {"name": "ttsprompt", "version": "1", "callback_public_keys": ["whpk_x"]})
    service.replies = [about, Reply(200, {"ncco": [], "credential": "accepted"})]
    assert main(["doctor"]) == 0
    assert "credential: Vonage accepts it" in capsys.readouterr().out
    assert [a.method for a in service.asked] == ["GET", "POST"]
    assert service.asked[1].body["dry_run"] is True

    for verdict in ("refused", "unknown"):
        service.replies = [about, Reply(200, {"credential": verdict})]
        assert main(["doctor", "--json"]) == 3
        assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, {"ncco": []}),
        problem(422, "invalid_fields", errors=[{"field": "callback", "code": "required", "message": "x"}]),
    ],
)
def test_doctor_copes_with_a_service_that_does_not_tell(service: FakeService, answer: Reply, capsys: Any) -> None:
    service.replies = [Reply(200, {"name": "ttsprompt"}), answer]

    assert main(["doctor"]) == 0

    assert "credential: this version of the service does not tell" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["country_not_allowed", "number_not_allowed"])
def test_doctor_takes_a_rule_against_its_own_number_for_no_fault(service: FakeService, code: str, capsys: Any) -> None:
    service.replies = [Reply(200, {"name": "ttsprompt"}), problem(403, code)] * 2

    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "--to asks about another" in printed
    assert "credential: not asked" in printed
    assert main(["doctor", "--to", "+49 30 901820"]) == 3
    assert "FAULT request" in capsys.readouterr().out


def test_doctor_names_each_thing_that_is_missing_or_wrong(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, key_file: Path, capsys: Any
) -> None:
    service.replies = [Reply(404, raw=b"<html>")]
    assert main(["doctor"]) == 3
    assert "FAULT service" in capsys.readouterr().out

    service.replies = [Reply(200, {"name": "another"})]
    assert main(["doctor"]) == 3
    assert "something else answers" in capsys.readouterr().out

    key_file.chmod(0o644)
    service.replies = [Reply(200, {"name": "ttsprompt"}), Reply(200, {"credential": "accepted"})]
    assert main(["doctor"]) == 0
    assert "can be read by other users" in capsys.readouterr().out

    monkeypatch.setenv("VONAGE_PRIVATE_KEY", "no-such-file")
    monkeypatch.delenv("TTSPROMPT_URL")
    assert main(["doctor"]) == 3
    printed = capsys.readouterr().out
    assert "FAULT TTSPROMPT_URL: not set" in printed
    assert "FAULT VONAGE_PRIVATE_KEY: The private key cannot be read" in printed


def test_texts_from_outside_do_not_steer_the_terminal(service: FakeService, ladder: list[str], capsys: Any) -> None:
    steering = "\x1b[2J\x07\x9b2J\rgone"
    service.replies = [Reply(403, {"code": "number_not_allowed", "detail": steering})] * 4

    main(CALL)
    main([*ladder, "--run", "mine"])

    printed = capsys.readouterr()
    for text in (printed.err, printed.out):
        assert "gone" in text
        assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []


def command(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = [sys.executable, "-m", "ttsprompt_client", *arguments]
    return subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_phone_rings_is_unclear_and_names_the_call(
    service: FakeService, name: signal.Signals
) -> None:
    service.replies = [placed(), shown("placed", timeline=TIMELINE[:2])]
    process = command(*CALL, "--wait")
    assert process.stderr is not None
    while "rings" not in process.stderr.readline():
        pass
    process.send_signal(name)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 4
    assert out == f"{TID}\n"
    assert f"ttsprompt status {TID} --wait" in err


@pytest.mark.parametrize("wait", [[], ["--wait"]])
def test_an_interrupt_while_the_tid_is_written_is_unclear_and_names_the_call(
    service: FakeService, wait: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A terminal that was stopped with Ctrl-S holds the writing up."""
    monkeypatch.setattr("ttsprompt_client.console.Console.result", interrupting)
    service.replies = [placed()]

    assert main([*CALL, *wait]) == 4
    assert f"ttsprompt status {TID} --wait" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_an_interrupt_while_the_key_is_read_does_not_say_that_there_was_no_call(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ttsprompt_client.client.read_credential", interrupted)

    assert main([command, TID]) == 4
    assert TID in capsys.readouterr().err


def test_an_unclear_call_that_is_not_followed_shows_the_way_where_it_is_read(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Nobody may read stdout."""
    monkeypatch.setattr(sys, "stdout", None)
    service.replies = [problem(504, "vendor_unclear", tid=TID)]

    assert main(CALL) == 4
    assert f"ttsprompt status {TID} --wait" in capsys.readouterr().err


def test_stdin_that_is_closed_is_told(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert main(["verify", "--key", "whsec_AAAA"]) == 64
    assert "stdin is closed" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["status", "--wait"], ["cancel"]])
def test_an_interrupt_of_a_look_at_a_call_does_not_say_that_there_was_none(
    service: FakeService, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("ttsprompt_client.console.Console.result", interrupting)
    service.replies = [DONE]

    assert main([*command, TID]) == 4
    assert f"ttsprompt status {TID} --wait" in capsys.readouterr().err


def interrupting(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_while_an_unclear_rung_is_written_is_unclear(
    service: FakeService, ladder: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("ttsprompt_client.commands._rung_json", interrupting)
    service.replies = [problem(504, "vendor_unclear", tid=TID)]

    assert main([*ladder, "--run", "mine"]) == 4
    assert f"ttsprompt status {TID} --wait" in capsys.readouterr().err


def test_an_interrupt_of_the_last_words_of_a_ladder_changes_no_exit_code(
    service: FakeService, ladder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ttsprompt_client.console.Console.complain", interrupting)
    service.replies = [problem(504, "vendor_unclear", tid=TID)]

    assert main([*ladder, "--run", "mine"]) == 4


@pytest.mark.parametrize(
    ("reply", "code"), [(problem(504, "vendor_unclear", tid=TID), 4), (problem(403, "number_not_allowed"), 3)]
)
def test_an_interrupt_while_an_error_is_written_changes_no_exit_code(
    service: FakeService, reply: Reply, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ttsprompt_client.console.Console.complain", interrupting)
    service.replies = [reply]

    assert main(CALL) == code


@pytest.mark.parametrize("command", ["status", "cancel"])
@pytest.mark.parametrize(("answer", "code"), [(problem(401, "unauthenticated"), 4), (problem(404, "not_found"), 3)])
def test_a_call_of_which_nothing_is_told_is_unclear_unless_there_is_none(
    service: FakeService, command: str, answer: Reply, code: int
) -> None:
    """Exit code 3 would say that nobody was phoned."""
    service.replies = [answer]

    assert main([command, TID]) == code


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_is_closed_changes_no_exit_code(
    service: FakeService, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of `ttsprompt call … 2>&-`: Python then has None for it."""
    monkeypatch.setattr(sys, stream, None)
    service.replies = [placed(), DONE, problem(403, "number_not_allowed")]

    assert main([*CALL, "--wait"]) == 0
    assert main(CALL) == 3


def test_a_fault_of_its_own_is_no_outcome(service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def faulty(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("ttsprompt_client.placing.meaning", faulty)
    service.replies = [placed()]

    assert main(CALL) == 4
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_interrupt_of_a_ladder_names_the_run(service: FakeService, ladder: list[str]) -> None:
    service.replies = [placed(), shown("placed", timeline=TIMELINE[:2])]
    process = command(*ladder, "--run", "mine")
    assert process.stderr is not None
    while "rings" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (4, "mine\n")
    assert "--run mine" in err


def test_an_interrupt_between_two_people_names_the_run_and_phones_nobody_more(
    service: FakeService, ladder: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    service.replies = [placed(), shown("ended", "failed", "no_input")]
    monkeypatch.setattr("ttsprompt_client.commands._rung_json", interrupted)

    assert main([*ladder, "--run", "mine"]) == 1

    assert "--run mine goes on from here" in capsys.readouterr().err
    assert len(service.keys()) == 1


def test_a_run_that_cannot_be_prints_no_id(ladder: list[str], capsys: Any) -> None:
    assert main([*ladder, "--run", "a b"]) == 64
    assert main([*ladder, "--need", "3"]) == 64

    assert capsys.readouterr().out == ""


def test_a_reader_that_has_gone_changes_nothing_of_the_exit_code(service: FakeService) -> None:
    service.replies = [placed(), shown("ended", "failed", "hung_up")]
    process = command(*CALL, "--wait", "-q")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
