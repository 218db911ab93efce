"""The schedule: the same seed, the same faults; each kind at least once."""

from __future__ import annotations

import asyncio

from rathaus.engines.ports import LOOPBACK, free_port
from tests.chaos.faults import QUICK, long_scale, schedule
from tests.chaos.proxy import Proxy, Weather

ENGINES = ("kafka", "mongo")


def test_a_seed_decides_everything() -> None:
    assert schedule(7, QUICK, ENGINES) == schedule(7, QUICK, ENGINES)
    assert schedule(7, QUICK, ENGINES) != schedule(8, QUICK, ENGINES)


def test_every_kind_is_there_and_over_before_the_end() -> None:
    for seed in range(20):
        planned = schedule(seed, QUICK, ENGINES)
        assert {"kill_service", "kill_database", "kill_broker", "engine_away", "second", "republish"} <= {
            fault.kind for fault in planned
        }
        assert all(4 <= fault.at < QUICK.seconds for fault in planned)
        assert all(fault.at + fault.seconds <= QUICK.seconds for fault in planned if fault.kind == "engine_away")


def test_a_long_run_has_more_and_longer_ones() -> None:
    planned = schedule(1, long_scale(30), ("kafka-1", "kafka-2", "kafka-3", "mongo"))
    assert len(planned) > 250
    assert any(fault.seconds == 300 for fault in planned)


async def test_the_proxy_passes_delays_silences_and_cuts() -> None:
    async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(100):
            writer.write(piece)
            await writer.drain()
        writer.close()

    target, port = free_port(), free_port()
    server = await asyncio.start_server(_echo, LOOPBACK, target)
    proxy = Proxy(port, target)
    await proxy.start()
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        proxy.change(Weather(silent=True))
        writer.write(b"two")
        waiting = asyncio.create_task(reader.readexactly(3))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        proxy.change(Weather())
        assert await waiting == b"two"
        proxy.cut()
        assert await reader.read() == b""
        writer.close()
        proxy.change(Weather(refusing=True))
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        assert await reader.read() == b""
        writer.close()
    finally:
        await proxy.stop()
        server.close()
        await server.wait_closed()
