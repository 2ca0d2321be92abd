"""TCP proxies in front of the members of a replica set, to break the network between clients, members, or both.

    python -m analytics.testing.proxy PORT:TARGET …

listens on each ``PORT`` of the loopback and forwards to ``TARGET``. It is a process of its own, so that a busy test
never delays what passes. It reads commands on standard input, ``WHAT NUMBER KIND``, and answers each with ``done``:

    pass 0 members      forward everything; the initial state
    hold 0 members      connections stay open and open up, but no byte passes: a network that loses packets
    refuse 0 members    reset every connection, and each further one
    drop 0 clients      reset every connection; further ones pass

``KIND`` is ``members`` for connections from other members of the set, which name themselves in their first message,
and ``clients`` for all others. It ends with its standard input.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

CHUNK = 256 * 1024
MEMBER_MARK = b"internalClient"
"""Field of the first message, ``hello``, of a connection that another member of the set opens."""

KINDS = ("members", "clients")
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, 0 seconds. Closing the socket then sends a reset and discards what is unsent."""


class Gate:
    """What happens to the connections of one kind at one proxy."""

    def __init__(self) -> None:
        self._refuses = False
        self._passes = asyncio.Event()
        self._passes.set()
        self._open: set[asyncio.StreamWriter] = set()

    def command(self, what: str) -> None:
        """Change the state. Raise ValueError if there is no such command."""
        if what not in ("pass", "hold", "refuse", "drop"):
            raise ValueError(f"expected pass, hold, refuse or drop, got {what!r}")
        if what in ("refuse", "drop"):
            for writer in list(self._open):
                _reset(writer)
        if what == "drop":
            return
        self._refuses = what == "refuse"
        if what == "hold":
            self._passes.clear()
        else:
            self._passes.set()

    async def forward(
        self, first: bytes, client: tuple[asyncio.StreamReader, asyncio.StreamWriter], target: int
    ) -> None:
        """Connect to ``target`` and copy in both directions until one side closes."""
        reader, writer = client
        if self._refuses:
            return _reset(writer)
        self._open.add(writer)
        try:
            await self._passes.wait()
            there, back = await asyncio.open_connection("127.0.0.1", target)
            self._open.add(back)
            try:
                back.write(first)
                await _first_of(self._copy(reader, back), self._copy(there, writer))
            finally:
                self._open.discard(back)
                _reset(back)
        except OSError:
            pass  # nobody listens at the target, or one side was reset
        finally:
            self._open.discard(writer)
            _reset(writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()


class Proxy:
    """One port that forwards to one target, with a gate for each kind of connection."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self.gates = {kind: Gate() for kind in KINDS}

    async def listen(self) -> asyncio.Server:
        """Accept connections until the server is closed."""
        return await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.read(CHUNK)
        except OSError:
            first = b""
        kind = "members" if MEMBER_MARK in first else "clients"
        await self.gates[kind].forward(first, (reader, writer), self._target)


async def _first_of(*copies: Coroutine[Any, Any, None]) -> None:
    """Return when one direction has ended; the other is cancelled."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _serve(ports: list[tuple[int, int]]) -> None:
    proxies = [Proxy(*one) for one in ports]
    servers = [await proxy.listen() for proxy in proxies]
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    print("done", flush=True)
    while line := (await commands.readline()).decode().split():
        what, number, kind = line
        proxies[int(number)].gates[kind].command(what)
        print("done", flush=True)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(
        _serve([(int(port), int(to)) for port, _, to in (one.partition(":") for one in sys.argv[1:])])
    )
