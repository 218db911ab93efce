"""The schedule: the same seed, the same faults; each kind at least once."""

from __future__ import annotations

import asyncio

from rathaus.engines.ports import LOOPBACK, free_port
from rathaus.registry import NAMES
from tests.chaos.faults import DRAWN, ON_A_SERVICE, QUICK, long_scale, schedule
from tests.chaos.proxy import Proxy, Weather

ENGINES = ("kafka", "mongo")


def test_a_seed_decides_everything() -> None:
    assert schedule(7, QUICK, ENGINES) == schedule(7, QUICK, ENGINES)
    assert schedule(7, QUICK, ENGINES) != schedule(8, QUICK, ENGINES)


def test_a_seed_means_what_it_meant_when_its_results_were_written_down() -> None:
    """docs/chaos-results.md"""
    assert set(DRAWN) <= set(NAMES)
    planned = schedule(3, QUICK, ENGINES, DRAWN)
    assert len(planned) == 36
    assert [str(fault).strip() for fault in planned if fault.target in DRAWN] == [
        "13.4 s  cut applications",
        "14.4 s  kill_service notifications",
        "26.3 s  kill_twice catalog 1.4 s",
        "29.3 s  stop_service identity 7.9 s",
        "33.7 s  kill_service identity",
        "51.5 s  slow notifications 7.8 s",
        "54.2 s  stop_service identity 6.4 s",
        "56.9 s  slow notifications 5.5 s",
        "63.0 s  slow identity 4.9 s",
        "64.2 s  narrow notifications 5.1 s",
        "65.3 s  kill_service catalog",
        "71.1 s  second_skewed applications 19.6 s",
        "77.8 s  cut catalog",
        "83.8 s  republish notifications",
        "90.8 s  second identity 18.3 s",
    ]


def test_another_service_leaves_the_faults_of_the_others_as_they_were() -> None:
    for scale in (QUICK, long_scale(30)):
        for seed in range(20):
            before = schedule(seed, scale, ENGINES, DRAWN)
            with_archive = schedule(seed, scale, ENGINES, (*DRAWN, "archive"))
            with_both = schedule(seed, scale, ENGINES, ("agenda", *DRAWN, "archive"))
            assert [fault for fault in with_archive if fault.target != "archive"] == before
            assert [fault for fault in with_both if fault.target != "agenda"] == with_archive


def test_another_service_has_faults_of_its_own() -> None:
    kinds: set[str] = set()
    for seed in range(20):
        own = [f for f in schedule(seed, QUICK, ENGINES, (*DRAWN, "archive")) if f.target == "archive"]
        assert 1 <= len(own) <= 5
        kinds |= {fault.kind for fault in own}
    assert kinds == set(ON_A_SERVICE)


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
