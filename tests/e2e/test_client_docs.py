"""What docs/client.md shows, run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Stack
from ttsprompt_client.cli import _parser
from ttsprompt_client.exits import Exit
from ttsprompt_client.ladder import read_people

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_command_on_the_page_is_one() -> None:
    lines = [line for text in snippets("sh") for line in text.splitlines() if line.startswith("ttsprompt ")]
    found = {_parser().parse_args(shlex.split(line.partition(" < ")[0])[1:]).command for line in lines}

    assert found == {"doctor", "call", "status", "cancel", "ladder", "verify"}


def test_the_page_has_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \|", PAGE, re.MULTILINE)

    assert {(int(code), name.replace(" ", "_").upper()) for code, name in rows} == {(e.value, e.name) for e in Exit}


def test_the_list_of_people_on_the_page_is_read(tmp_path: Path) -> None:
    (tmp_path / "people.toml").write_text(snippets("toml")[0])

    people = read_people(tmp_path / "people.toml", {"ADA_PIN": "1"})

    assert [(person.name, person.pin_code) for person in people] == [("Ada", "1"), ("Grace", "4711")]


def test_the_script_on_the_page_places_a_call(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("TTSPROMPT_URL", stack.service.url)
    monkeypatch.setenv("VONAGE_APPLICATION_ID", stack.application.id)
    monkeypatch.setenv("VONAGE_PRIVATE_KEY", stack.application.private_key)
    request = stack.request()
    stack.script(request, "1111,1234")

    exec(snippets("python")[0].replace("+44 7970 513607", request["to"]), {})  # the page's own code

    assert capsys.readouterr().out == "ok pin_matched 2\n"


def test_the_receiver_on_the_page_takes_what_is_signed_and_nothing_else(stack: Stack) -> None:
    names: dict[str, Any] = {}
    exec(snippets("python")[1], names)  # the page's own code
    keys = httpx.get(f"{stack.service.url}/", trust_env=False).json()["callback_public_keys"]
    tid = stack.play("1234")["tid"]
    (callback,) = [
        x for x in httpx.get(f"{stack.board.url}/devphone/callbacks", trust_env=False).json() if tid in x["body"]
    ]

    assert names["receive"](callback["headers"], callback["body"].encode(), keys) == 204
    assert names["receive"](callback["headers"], b"x" + callback["body"].encode(), keys) == 401
