"""What an integrator configured yesterday works today."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devphone.processes.state import StateError, open_state
from devphone.vendor.tokens import check_token


def test_an_application_and_its_keys_are_the_same_after_a_restart(tmp_path: Path) -> None:
    first, second = (open_state(tmp_path / "state").identity for _ in range(2))

    assert first == second
    assert check_token(f"Bearer {first.application.token()}", {first.application.id: second.application.public_key})


def test_several_that_start_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(lambda _: open_state(tmp_path), range(4)))

    assert len({state.identity.application.id for state in states}) == 1
    assert states[0].key_file.read_text() == states[0].identity.application.private_key
    assert sorted(file.name for file in tmp_path.iterdir()) == [".gitignore", "private.key", "state.json"]


def test_keys_are_for_their_owner_alone_and_never_committed(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state")

    for file in (state.key_file, state.folder / "state.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (state.folder / ".gitignore").read_text() == "*\n"
    assert "PRIVATE KEY" not in repr(state)
    assert state.identity.signature_secret not in repr(state)


def test_a_key_file_that_is_gone_or_another_is_written_again(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    state.key_file.unlink()
    open_state(tmp_path)
    assert state.key_file.read_text() == state.identity.application.private_key
    state.key_file.write_text("other")
    open_state(tmp_path)

    assert state.key_file.read_text() == state.identity.application.private_key


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", "private_key", "signing_key"])
def test_a_damaged_state_is_named(tmp_path: Path, damage: str) -> None:
    open_state(tmp_path)
    file = tmp_path / "state.json"
    value = json.loads(file.read_text())
    if damage == "private_key":
        value["application"]["private_key"] = "x"
    value["signing_key"] = "whsk_x" if damage == "signing_key" else value["signing_key"]
    file.write_text(json.dumps(value) if damage.endswith("key") else damage)

    with pytest.raises(StateError, match=r"state\.json is damaged"):
        open_state(tmp_path)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match=r"cannot be kept in .*/file/state"):
        open_state(tmp_path / "file" / "state")
