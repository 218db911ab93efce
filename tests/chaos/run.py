"""One run: the platform up, load and faults, healing, drain, a day passes, and the checker's word."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from aiokafka.errors import KafkaError

from chassis.errors import Failure
from chassis.events.parking import Selection
from rathaus import clock
from rathaus.demo import towns
from rathaus.operations import parked
from rathaus.operations.verify import Report, verify
from tests.chaos import checker, world
from tests.chaos.checker import Finding
from tests.chaos.client import Load, Plan
from tests.chaos.faults import Fault, Faults, Scale, schedule
from tests.chaos.house import Build, House
from tests.chaos.truth import Truth
from tests.chaos.world import Unrest, World

SAMPLE = Path(__file__).parents[2] / "deploy" / "towns"


_TELL = 8.0
"""Seconds between two words on what isn't at rest."""


@dataclass(slots=True)
class Order:
    """What is to be run."""

    build: Build
    scale: Scale
    plan: Plan
    drain: float = 120
    """Longest time to rest, in seconds."""
    planned: list[Fault] | None = None
    """Faults instead of those that the seed gives."""


@dataclass(slots=True)
class Result:
    """How it went."""

    seed: int
    truth: Truth
    faults: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    unrest: Unrest = field(default_factory=Unrest)
    """What was left at the end."""
    events: int = 0
    repeats: int = 0
    drain: float = 0.0
    """Seconds from healing to rest."""
    last_notice: float = 0.0
    """Seconds from healing to the last notice in a mailbox."""
    replayed: int = 0
    """Parked subjects that were asked to be replayed."""
    orphans: int = 0
    leftovers: int = 0
    seconds: float = 0.0
    longest: dict[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings and self.report.proven and self.unrest.quiet


async def run(order: Order, say: Callable[[str], None]) -> Result:
    """Runs it once."""
    began = time.monotonic()
    result = Result(order.plan.seed, Truth())
    async with House(order.build) as house:
        say(f"everything is ready after {time.monotonic() - began:.1f} s")
        await furnish(house, order.build.home / "towns")
        faults = Faults(house, say)
        await faults.switch("normal")
        await rest(house, 60, result, say)
        load = Load(house.platform.gateway_url, order.plan, result.truth, house.seconds)
        try:
            await _storm(house, order, load, faults, result, say)
        finally:
            result.faults, result.troubles = faults.counts, faults.troubles
        await judged(house, result, say, next_day=order.drain / 2)
    result.seconds = time.monotonic() - began
    return result


async def furnish(house: House, folder: Path) -> None:
    """The sample towns, and a service with a file to hand in."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SAMPLE, folder)
    photo = json.loads((SAMPLE / "steinhagen" / "services" / "waste-bin-change.json").read_text())
    photo["service_id"] = "waste-bin-photo"
    photo["documents"] = [{"id": "photo", "labels": {"de": "Bild der Tonne", "en": "Picture of the bin"}}]
    (folder / "steinhagen" / "services" / "waste-bin-photo.json").write_text(json.dumps(photo))
    await towns.load(house.platform.gateway_url, house.platform.secrets["operator"], folder)


async def _storm(
    house: House, order: Order, load: Load, faults: Faults, result: Result, say: Callable[[str], None]
) -> None:
    planned = order.planned
    if planned is None:
        planned = schedule(order.plan.seed, order.scale, house.engines)
    running = asyncio.create_task(load.run())
    storm = asyncio.create_task(faults.run(planned))
    try:
        await asyncio.sleep(order.scale.seconds)
        load.stop()
        say(f"no new journeys after {order.scale.seconds:.0f} s; everything is healed")
        await faults.heal()
        healed, healed_at = time.monotonic(), datetime.now(UTC)
        load.ends = healed + order.drain
        result.longest = dict(load.tally.longest)
        await asyncio.gather(rest(house, order.drain, result, say), running)
        result.drain = time.monotonic() - healed
        result.last_notice = await _last_notice(house, healed_at)
    finally:
        load.stop()
        storm.cancel()
        running.cancel()
        await asyncio.gather(storm, running, return_exceptions=True)


async def judged(house: House, result: Result, say: Callable[[str], None], *, next_day: float = 0) -> None:
    """The checker's word; with `next_day` a day passes before, and it may take so many seconds to rest after it."""
    if next_day:
        clock.advance(house.platform.clock_file, timedelta(days=1, minutes=5))
        await asyncio.sleep(2.5)  # workers look for due work each second
        await rest(house, next_day, result, say)
    say("reading everything")
    found = await world.read(house.installation, house.home, house.files)
    result.findings = checker.check(found, result.truth, moved_on=bool(next_day))
    result.report = await verify(house.installation)
    result.orphans, result.leftovers = checker.orphans(found), found.leftovers
    result.events = len(found.told)
    result.repeats = len(found.told) - len({told.envelope.id for told in found.told})
    _remember(house.home, found, result)


async def rest(house: House, seconds: float, result: Result, say: Callable[[str], None]) -> None:
    """Until nothing moves, or so many seconds are over; parked events are replayed once a person would."""
    ends, calm, told = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < ends:
        with suppress(Failure, KafkaError, OSError):
            result.unrest = await world.unrest(house.installation, _now(house))
            if time.monotonic() - told > _TELL:
                told = time.monotonic()
                say(f"not at rest yet: {', '.join(result.unrest.where) or 'journeys that wait'}")
            if result.unrest.parked:
                result.replayed += await _replay(house)
                calm = 0
            calm = calm + 1 if result.unrest.quiet and not result.unrest.parked else 0
            if calm == 2:
                return
        await asyncio.sleep(0.5)


async def _replay(house: House) -> int:
    asked = 0
    async for service, row in parked.listed(house.installation, None, Selection()):
        if row.status == "parked" and row.asked is None:
            asked += await parked.ask(house.installation, service, Selection(subject=row.id), "replay")
    return asked


async def _last_notice(house: House, healed: datetime) -> float:
    async with house.installation.database("notifications") as database:
        rows = [row async for row in database.collection("notice").find({}, {"state.provided_at": 1})]
    times = [datetime.fromisoformat(row["state"]["provided_at"]) for row in rows if row["state"]["provided_at"]]
    return max(0.0, (max(times) - healed).total_seconds()) if times else 0.0


def _now(house: House) -> datetime:
    return datetime.now(UTC) + clock.offset(house.platform.clock_file)


def _remember(home: Path, found: World, result: Result) -> None:
    """What a person needs to look into a finding, beside the logs."""
    if result.good:
        return
    lines = [str(finding) for finding in result.findings] + [str(each) for each in result.report.findings]
    (home / "findings.txt").write_text("\n".join(lines) + "\n")
    (home / "documents.json").write_text(json.dumps(found.documents, default=str))
    (home / "journeys.txt").write_text("\n".join(str(each) for each in result.truth.journeys) + "\n")
    (home / "events.txt").write_text(
        "\n".join(f"{told.place} {told.envelope.source} {told.envelope.sequence} {told.name}" for told in found.told)
        + "\n"
    )


def machine() -> dict[str, Any]:
    """On what it ran."""
    return {
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "load": psutil.getloadavg(),
    }
