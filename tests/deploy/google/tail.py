"""`TailLogEntries`, which gcloud asks for over gRPC while a build runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tests.deploy.google.cloud import Cloud

_METHOD = "/google.logging.v2.LoggingServiceV2/TailLogEntries"


class Tail(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Streams the lines of the build that a session asks for."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return grpc.stream_stream_rpc_method_handler(self._tail) if details.method == _METHOD else None

    def _tail(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        asked = next(requests)
        sent = 0
        while context.is_active():
            with self._cloud.lock:
                lines = [
                    entry["textPayload"]
                    for entry in self._cloud.entries
                    if "textPayload" in entry and entry["resource"]["labels"]["build_id"].encode() in asked
                ]
            if lines[sent:]:
                yield b"".join(_field(1, _field(3, line.encode())) for line in lines[sent:])
                sent = len(lines)
            time.sleep(0.1)


def _field(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field: `entries` is 1 of the response, `text_payload` 3 of an entry."""
    length, size = len(value), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + value


def serve(cloud: Cloud, pem: bytes) -> tuple[Any, int]:
    """Start the server; return it and its port."""
    server = grpc.server(ThreadPoolExecutor(4), handlers=(Tail(cloud),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    server.start()
    return server, port
