"""Connections that can be cut, as networks cut them.

What lives here: uvicorn's protocol with its transports remembered by the client's address, which
is all that an ASGI application learns of a connection.
"""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_TRANSPORTS: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol; its connections can be cut by `cut`."""

    def connection_made(self, transport: Any) -> None:
        """Remembers the transport."""
        self._client_address = tuple(transport.get_extra_info("peername")[:2])
        _TRANSPORTS[self._client_address] = transport
        # asyncio leaves Nagle on for sockets accepted from a listener made by hand: 40 ms an answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        _TRANSPORTS.pop(self._client_address, None)
        super().connection_lost(exc)


def cut(scope: Any, *, hard: bool = False, after: bytes | None = None) -> None:
    """Ends a request's connection without an answer: by a reset when `hard`, else by closing it.

    With `after`, half of an answer of that body is sent first.
    """
    transport = _TRANSPORTS[tuple(scope["client"])]
    if after is not None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(after)}\r\n\r\n"
        transport.write(head.encode() + after[: len(after) // 2])
    if hard:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if after is not None:
        transport.close()
    else:
        transport.abort()
