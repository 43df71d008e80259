"""HTTP clients for thousands of requests at once."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import cycle
from typing import Final

import httpx

PickClient = Callable[[], httpx.AsyncClient]
"""Returns an HTTP client to use for one request."""

CLIENTS: Final = 32
"""The library looks through all connections of a client for each request, so thousands are spread over many."""


@asynccontextmanager
async def clients(timeout_s: float) -> AsyncIterator[PickClient]:
    """Give what picks an HTTP client, each time another; no proxies, and as many connections as it takes."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=10)
    context = ssl.create_default_context()
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(
                httpx.AsyncClient(limits=limits, trust_env=False, timeout=timeout_s, verify=context)
            )
            for _ in range(CLIENTS)
        ]
        yield partial(next, cycle(made))
