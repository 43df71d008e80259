"""One address for several service processes, as a load balancer gives: each connection goes to the next in turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

PIECE_BYTES: Final = 64 * 1024
START_S: Final = 10


class Front:
    """Listens on 127.0.0.1, in a thread of its own. A backend that refuses is passed over; with none left, so do we.

    `backends` gives their ports, which change when they are started again.
    """

    def __init__(self, port: int, backends: Callable[[], list[int]]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._backends = backends
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="front")

    def start(self) -> None:
        """Open the address."""
        self._thread.start()
        if not self._ready.wait(START_S):
            raise RuntimeError("the front did not start")

    def stop(self) -> None:
        """Close the address, and what goes through it."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._join(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", self._port, backlog=1024)
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes both ways until either side ends, then end the other: a killed backend breaks the connection."""
        try:
            backend = await self._connect()
            if backend is not None:
                ways = [_pass_on(reader, backend[1]), _pass_on(backend[0], writer)]
                tasks = [self._loop.create_task(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                backend[1].close()
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        ports = self._backends()
        for number in range(len(ports)):
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ports[(self._turn + number) % len(ports)])
        return None


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
