"""The whole platform on this machine: time to ready, memory, idle CPU, and how long a citizen waits for a notice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil

from benchmarks.figures import Row, percentile
from rathaus.demo import towns
from rathaus.demo.door import Door, Refused, eventually
from rathaus.demo.events import Tail
from rathaus.demo.journeys import WASTE_BIN
from rathaus.settings import PlatformSettings
from rathaus.supervisor.platform import Platform

IDLE_SECONDS = 20.0


async def measure(home: Path, journeys: int = 100) -> list[Row]:
    """Starts it twice (the first start makes directories and topics) and measures the second."""
    settings = PlatformSettings(state_dir=home, gateway_port=0)
    first = await _start_and_stop(settings)
    began = time.monotonic()
    async with Platform(settings, demo=True) as platform:
        ready = time.monotonic() - began
        await towns.load(platform.gateway_url, platform.secrets["operator"])
        delays = await _submit_to_notice(platform, journeys)
        p50, p99 = (percentile(delays, share) * 1000 for share in (0.5, 0.99))
        rows = [
            Row("first start to ready", f"{first:.1f} s", "Kafka's jars at hand"),
            Row("later start to ready", f"{ready:.1f} s", "goal 20 s"),
            Row(
                "submit to notice in mailbox",
                f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
                f"{journeys} in turn; goal 150/500 ms",
            ),
        ]
        return rows + await _processes(platform.pids)


async def _start_and_stop(settings: PlatformSettings) -> float:
    began = time.monotonic()
    async with Platform(settings, demo=True):
        return time.monotonic() - began


async def _submit_to_notice(platform: Platform, journeys: int) -> list[float]:
    """From sending the submission to reading `notice_provided` off its topic."""
    door = Door(platform.gateway_url)
    delays = []
    try:
        await door.sign_in(WASTE_BIN.tenant, WASTE_BIN.person)
        async with Tail(platform.kafka_url) as tail:
            for number in range(journeys + 5):
                case_id = await _draft(door)
                began = time.monotonic()
                await door.post(_path(f"{case_id}/submit"), {"confirmed": True, "consents_to_mailbox": True})
                told = await tail.until(case_id, "notice_provided", 30)
                if told is None:
                    raise TimeoutError(f"no notice of case {case_id}")
                if number >= 5:  # the first ones warm caches
                    delays.append(told.at - began)
                await asyncio.sleep(0.05)
    finally:
        await door.close()
    return delays


def _path(rest: str) -> str:
    return f"/applications/v1/{WASTE_BIN.tenant}/applications/{rest}".rstrip("/")


async def _draft(door: Door) -> str:
    async def _made() -> tuple[str, str] | None:
        try:
            draft = await door.post(_path(""), {"service_id": WASTE_BIN.service_id})
        except Refused as refused:
            if refused.status == 404:  # published a moment ago
                return None
            raise
        return str(draft.body["case_id"]), str(draft.etag)

    case_id, etag = await eventually(_made, "the service")
    await door.put(_path(f"{case_id}/data"), dict(WASTE_BIN.data), etag=etag)
    return case_id


async def _processes(pids: dict[str, int]) -> list[Row]:
    """Memory and CPU of each process while nothing happens."""
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    await asyncio.sleep(3)
    before = {name: _seconds(process) for name, process in processes.items()}
    await asyncio.sleep(IDLE_SECONDS)
    rows = []
    for name, process in processes.items():
        idle = (_seconds(process) - before[name]) / IDLE_SECONDS * 100
        rows.append(Row(name, f"{process.memory_info().rss / 2**20:.0f} MB", f"idle {idle:.1f} % of a core"))
    total = sum(process.memory_info().rss for process in processes.values()) / 2**20
    return [*rows, Row("all processes", f"{total:.0f} MB")]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
