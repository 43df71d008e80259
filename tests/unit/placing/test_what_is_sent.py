"""What goes on the wire when a call is placed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vonage_voice.models import CreateCallRequest

from tests.raw_server import RawServer, Serve, answering, header
from tests.unit.placing.order import CALL, CREATED, JWT, ORDER, URLS, UUID, at, place, posts, reply
from ttsprompt.domain.model import MachineDetection, Prompts
from ttsprompt.domain.ncco import opening
from ttsprompt.ports import CallOrder
from ttsprompt.vonage.voice import VonageVoiceApi


def json_sent(server: RawServer) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(server.received[0].partition(b"\r\n\r\n")[2])
    return sent


def test_to_hang_up_is_asked_with_the_callers_token(serve: Serve) -> None:
    server = serve(answering(reply(204)))

    assert VonageVoiceApi(at(server), "ttsprompt/test").hang_up(UUID, JWT) == 204
    assert server.received[0].startswith(f"PUT /v1/calls/{UUID} HTTP/1.1\r\n".encode())
    assert header(server.received[0], "authorization") == f"Bearer {JWT}"
    assert header(server.received[0], "accept") == "application/json"
    assert json_sent(server) == {"action": "hangup"}


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, ncco=None, answer_url=URLS.answer()),
        replace(ORDER, machine_detection=MachineDetection.HANGUP),
        replace(ORDER, machine_detection=MachineDetection.CONTINUE, ringing_timer_s=120, length_timer_s=7200),
        replace(ORDER, ncco=opening(replace(CALL, prompts=Prompts("x" * 1500, style=0, premium=True)), URLS)),
    ],
    ids=["inline", "webhook", "hangup", "continue", "voice"],
)
def test_the_sdks_own_model_takes_the_request_without_loss(serve: Serve, order: CallOrder) -> None:
    server = serve(answering(CREATED))

    place(at(server), order)

    sent = json_sent(server)
    judged = CreateCallRequest(**{"from_" if name == "from" else name: value for name, value in sent.items()})
    assert judged.model_dump(mode="json", by_alias=True, exclude_none=True) == sent


def test_the_request_says_what_the_order_says(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, machine_detection=MachineDetection.HANGUP))

    assert json_sent(server) == {
        "to": [{"type": "phone", "number": "447970513607"}],
        "from": {"type": "phone", "number": "442079460000"},
        "event_url": [URLS.event()],
        "event_method": "POST",
        "ringing_timer": 45,
        "length_timer": CALL.length_timer_s,
        "ncco": opening(CALL, URLS),
        "machine_detection": "hangup",
    }


def test_keys_for_an_extension_are_the_callees(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, extension="p*123#"))

    assert json_sent(server)["to"] == [{"type": "phone", "number": "447970513607", "dtmfAnswer": "p*123#"}]


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (MachineDetection.HANGUP, {"machine_detection": "hangup"}),
        (MachineDetection.CONTINUE, {"machine_detection": "continue"}),
        (
            MachineDetection.NOTICE,
            {"advanced_machine_detection": {"behavior": "continue", "mode": "default"}},
        ),
    ],
)
def test_detection_is_asked_for_in_vonages_words(
    serve: Serve, wanted: MachineDetection, sent: dict[str, object]
) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, machine_detection=wanted))

    assert {name: value for name, value in json_sent(server).items() if "machine" in name} == sent


def test_an_answer_url_is_asked_for_by_post(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, ncco=None, answer_url=URLS.answer()))

    sent = json_sent(server)
    assert (sent["answer_url"], sent["answer_method"]) == ([URLS.answer()], "POST")
    assert "ncco" not in sent


def test_an_empty_ncco_is_sent_as_one(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server), replace(ORDER, ncco=[]))

    assert json_sent(server)["ncco"] == []


def test_the_wire_shows_one_post_with_the_callers_token(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server) + "/eu")

    [request] = server.received
    assert request.startswith(b"POST /eu/v1/calls HTTP/1.1\r\n")
    assert header(request, "authorization") == f"Bearer {JWT}"
    assert header(request, "content-type") == "application/json"
    assert header(request, "user-agent") == "ttsprompt/test"
    assert header(request, "connection") == "close"
    assert header(request, "cookie") is None


def test_the_body_is_compact_utf_8(serve: Serve) -> None:
    server = serve(answering(CREATED))

    place(at(server))

    body = server.received[0].partition(b"\r\n\r\n")[2]
    assert body == json.dumps(json_sent(server), ensure_ascii=False, separators=(",", ":")).encode()


def test_every_call_has_a_connection_of_its_own(serve: Serve) -> None:
    server = serve(answering(CREATED))
    voice = VonageVoiceApi(at(server), "t")

    for _ in range(3):
        voice.place_call(ORDER, JWT)

    assert (server.connections, posts(server)) == (3, 3)


def test_proxies_netrc_and_other_authorities_of_the_environment_are_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, proxy = serve(answering(CREATED)), serve(answering(CREATED))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, at(proxy))
    monkeypatch.delenv("no_proxy", raising=False)

    assert place(at(server)) == UUID
    assert proxy.received == []
    assert header(server.received[0], "authorization") == f"Bearer {JWT}"


def test_fifty_calls_at_once_keep_their_tokens_apart(serve: Serve) -> None:
    server = serve(answering(CREATED))
    voice = VonageVoiceApi(at(server), "t")
    numbers = [f"4479705{n:05}" for n in range(50)]

    def call(number: str) -> str | None:
        return voice.place_call(replace(ORDER, to=number), f"token-of-{number}")

    with ThreadPoolExecutor(50) as pool:
        uuids = list(pool.map(call, numbers))

    pairs = [(header(r, "authorization"), json.loads(r.partition(b"\r\n\r\n")[2])["to"]) for r in server.received]
    assert sorted(str(token) for token, _ in pairs) == [f"Bearer token-of-{number}" for number in numbers]
    assert all(token == f"Bearer token-of-{to[0]['number']}" for token, to in pairs)
    assert uuids == [UUID] * 50
