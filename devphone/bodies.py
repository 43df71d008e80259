"""Reading the bodies of requests, which may be long or never end."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request


async def read_at_most(request: Request, most: int) -> bytes | None:
    """Return the body of a request; None if it is longer than `most` bytes, or never ends."""
    content = b""
    try:
        async for part in request.stream():
            content += part
            if len(content) > most:
                return None
    except ClientDisconnect:
        return None
    return content
