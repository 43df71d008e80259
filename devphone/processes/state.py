"""Who the phone is: an application with its keys, the same after every restart, so that what was configured works on.

A folder holds `state.json`, `private.key` for programs that want a file, and what a run leaves: its log, its database.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from devphone.vendor.tokens import Application, make_application

FOLDER: Final = Path(".devphone")
SECRET_BYTES: Final = 32


class StateError(Exception):
    """The state cannot be read or written; the text says which file and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`signature_secret` signs Vonage's webhooks; `signing_secret` (whsec_…), `signing_key` (whsk_…) callbacks."""

    application: Application
    signature_secret: str = field(repr=False)
    signing_secret: str = field(repr=False)
    signing_key: str = field(repr=False)

    @property
    def public_key(self) -> str:
        """What callbacks signed with `signing_key` are verified with: whpk_…."""
        seed = base64.b64decode(self.signing_key.removeprefix("whsk_"))
        return (
            "whpk_"
            + base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()).decode()
        )

    @property
    def signing_secrets(self) -> str:
        """The service's CALLBACK_SIGNING_SECRETS."""
        return f"{self.signing_secret},{self.signing_key}"


@dataclass(frozen=True, slots=True)
class State:
    """An identity and the folder that keeps it."""

    folder: Path
    identity: Identity

    @property
    def key_file(self) -> Path:
        """The application's private key, PEM."""
        return self.folder / "private.key"

    @property
    def log(self) -> Path:
        """What the service prints."""
        return self.folder / "service.log"

    @property
    def database(self) -> Path:
        """The service's calls."""
        return self.folder / "calls.db"


def make_identity() -> Identity:
    """Make one up."""
    return Identity(
        make_application(),
        signature_secret=secrets.token_hex(SECRET_BYTES),
        signing_secret="whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        signing_key="whsk_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
    )


def open_state(folder: Path) -> State:
    """Return the identity that a folder keeps; one is made when there is none yet, by the first of several at once.

    Raises:
        StateError: it is damaged, or cannot be written.
    """
    folder = folder.absolute()
    file = folder / "state.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        if not file.exists():
            with suppress(FileExistsError):
                _create(file, json.dumps(asdict(make_identity()), indent=2) + "\n")
        state = State(folder, _read(file))
        if not state.key_file.exists() or state.key_file.read_text() != state.identity.application.private_key:
            state.key_file.unlink(missing_ok=True)
            with suppress(FileExistsError):
                _create(state.key_file, state.identity.application.private_key)
    except OSError as error:
        raise StateError(f"The phone's state cannot be kept in {folder}: {error.strerror or error}.") from None
    return state


def _create(file: Path, text: str) -> None:
    """Write a file in one step that fails if it is there; only its owner may read it."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "w") as written:
            written.write(text)
        os.link(name, file)
    finally:
        Path(name).unlink()


def _read(file: Path) -> Identity:
    try:
        identity = TypeAdapter(Identity).validate_json(file.read_bytes())
        identity.application.token()
        _ = identity.public_key
    except (ValueError, jwt.PyJWTError) as error:
        reason = str(error).partition("\n")[0]
        raise StateError(f"{file} is damaged ({reason}). Delete it, and another application is made.") from None
    return identity
