"""Vonage and a customer's receiver, as lean as can be, in a process of their own.

`POST /v1/calls` is answered 201, and a look-up 200, after `--vendor-delay`; all else 200 after `--receiver-delay`
(seconds).
`GET /orders` returns the bodies of the calls asked for, `GET /callbacks` when callbacks came (seconds); both forget.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
import uuid
from typing import Final

HOSTS: Final = [f"127.0.0.{n}" for n in range(1, 33)]
"""One machine, but many hosts to whoever counts by name."""

_orders: list[str] = []
_callbacks: list[float] = []


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: argparse.Namespace) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (
                    int(line.partition(":")[2])
                    for line in head.split("\r\n")
                    if line.lower().startswith("content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            status, answer = 200, b"{}"
            if head.startswith("POST /v1/calls "):
                _orders.append(body.decode())
                await asyncio.sleep(options.vendor_delay)
                status, answer = 201, json.dumps({"uuid": str(uuid.uuid4()), "status": "started"}).encode()
            elif head.startswith("GET /v1/calls/"):
                await asyncio.sleep(options.vendor_delay)
            elif head.startswith("GET /orders "):
                answer = ("[" + ",".join(_orders) + "]").encode()
                _orders.clear()
            elif head.startswith("GET /callbacks "):
                answer = json.dumps(_callbacks).encode()
                _callbacks.clear()
            else:
                _callbacks.append(time.monotonic())
                await asyncio.sleep(options.receiver_delay)
            lines = [
                f"HTTP/1.1 {status} OK",
                "Content-Type: application/json",
                f"Content-Length: {len(answer)}",
                "",
                "",
            ]
            writer.write("\r\n".join(lines).encode() + answer)
            await writer.drain()
    writer.close()


async def _main(options: argparse.Namespace) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, options), HOSTS, options.port, backlog=1000
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--vendor-delay", type=float, default=0)
    parser.add_argument("--receiver-delay", type=float, default=0)
    asyncio.run(_main(parser.parse_args()))
