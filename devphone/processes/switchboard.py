"""The dev phone as a running server beside whatever else this process does."""

from __future__ import annotations

import threading
import time
from typing import Final

import uvicorn

from devphone.phone import Phone

START_S: Final = 10


class Switchboard:
    """Serves a phone on 127.0.0.1, in a thread of its own."""

    def __init__(self, phone: Phone, port: int) -> None:
        self.phone = phone
        self.port = port
        config = uvicorn.Config(
            phone.app(),
            host="127.0.0.1",
            port=port,
            log_level="error",
            lifespan="on",
            timeout_graceful_shutdown=1,  # a Vonage that says nothing has not said it to the end
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="devphone", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Switch it on.

        Raises:
            RuntimeError: it did not start; the port may be taken.
        """
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                msg = f"the dev phone did not start on port {self.port}; is it taken?"
                raise RuntimeError(msg)
            time.sleep(0.01)

    def stop(self) -> None:
        """Switch it off."""
        self.phone.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
