"""A TCP proxy that can be slow, narrow, silent, or cut its connections: the network between two programs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from rathaus.engines.ports import LOOPBACK

_PIECE = 65_536


@dataclass(slots=True)
class Weather:
    """How the network is at present."""

    delay: float = 0.0
    """Seconds that each piece waits, in each direction."""
    bytes_per_second: float = 0.0
    """0: unlimited."""
    silent: bool = False
    """Nothing passes and nothing is refused: packets vanish, connections hang."""
    refusing: bool = False
    """New connections are closed at once."""


class Proxy:
    """Listens on one port of 127.0.0.1 and passes everything on to another."""

    def __init__(self, port: int, target: int, name: str = "") -> None:
        self.port = port
        self.target = target
        self.name = name
        self.weather = Weather()
        self.passed = 0
        """Connections so far."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._clear = asyncio.Event()
        self._clear.set()

    async def start(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def stop(self) -> None:
        """Ends, with all connections."""
        if self._server:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._open, return_exceptions=True)

    def change(self, weather: Weather) -> None:
        """From now on."""
        self.weather = weather
        if weather.silent:
            self._clear.clear()
        else:
            self._clear.set()

    def cut(self) -> None:
        """Breaks every connection that there is."""
        for task in self._open:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.passed += 1
        try:
            if not self.weather.refusing:
                await self._joined(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            _break(writer)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._clear.wait()
        back, forth = await asyncio.open_connection(LOOPBACK, self.target)
        ways = [asyncio.create_task(self._pass(reader, forth)), asyncio.create_task(self._pass(back, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            _break(forth)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            weather = self.weather
            if weather.delay:
                await asyncio.sleep(weather.delay)
            if weather.bytes_per_second:
                await asyncio.sleep(len(piece) / weather.bytes_per_second)
            await self._clear.wait()
            writer.write(piece)
            await writer.drain()


def _break(writer: asyncio.StreamWriter) -> None:
    """Without waiting for what is still in the buffers: a cut is a cut."""
    with contextlib.suppress(OSError, RuntimeError):
        writer.transport.abort()
