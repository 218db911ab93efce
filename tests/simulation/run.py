"""Runs one schedule: what a seed and its options come to."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from chassis import chance
from tests.simulation import checks, faults
from tests.simulation.loop import Deadlock, VirtualLoop
from tests.simulation.services import ALPHA, BETA
from tests.simulation.world import EARLY, Options, Scenario, World

REST_SECONDS = 120.0
"""Everything comes to rest this long after the last fault, or it is a finding."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One schedule."""

    seed: int
    options: Options
    findings: tuple[str, ...]
    happened: tuple[tuple[float, str, str], ...]
    """The faults: when, by what name, and what."""
    counts: Counter[str]
    lines: tuple[str, ...]
    """The story, where it was to be kept."""
    digest: int
    """Of every line of the story."""
    steps: int
    seconds: float
    """Virtual ones."""
    rebalances: int
    operations: int

    @property
    def good(self) -> bool:
        """Nothing was found."""
        return not self.findings


class _Seeded:
    """chassis.chance by the seed and the loop's time."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self._draw = random.Random(f"{seed}.chance")
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def new_id(self) -> str:
        digits = f"{self._draw.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def token_hex(self, size: int) -> str:
        return f"{self._draw.getrandbits(8 * size):0{2 * size}x}"

    def between(self, low: float, high: float) -> float:
        return self._draw.uniform(low, high)


async def _schedule(world: World) -> list[str]:
    for topic in (ALPHA, BETA):
        world.kafka.make(topic)
    for name in ("alpha", "beta", "alpha", "beta"):
        world.start(name)
    for number in range(world.options.clients):
        world.outside(world.client(number))
    if world.options.faults:
        world.kafka.small_batches = world.draw.random() < 0.5 or world.scenario.stale_reads > 0
        world.kafka.busy_seconds = world.draw.choice([0, 0.1, 0.6])
        going_wrong = [each.happen() for each in faults.plan(world)]
        await asyncio.gather(*going_wrong, faults.operate(world))
    await asyncio.sleep(max(world.seconds - world.loop.time(), 0))
    _heal(world)
    await asyncio.sleep(1.1)  # strikes under way end by themselves
    _heal(world)
    if not await _at_rest(world):
        return [*world.findings, f"not at rest after {REST_SECONDS:.0f} s: {'; '.join(checks.unrest(world))}"]
    return checks.check(world)


def _heal(world: World) -> None:
    world.healed = True
    for engine in (*world.servers.values(), world.kafka):
        engine.heal()
    for instance in world.alive():
        instance.skew = 0
        if instance.frozen:
            instance.thaw()
    for name in ("alpha", "beta"):
        for _ in range(2 - len(world.alive(name))):
            world.start(name)
    world.say("world", "is healed")


async def _at_rest(world: World) -> bool:
    """Waits for rest; an operator replays what waits for a person meanwhile."""
    ends, asked = world.loop.time() + REST_SECONDS, 0.0
    while world.loop.time() < ends:
        if _rests(world):
            await asyncio.sleep(1)
            if _rests(world):
                return True
        if world.loop.time() - asked > 5:
            asked = world.loop.time()
            for name in ("alpha", "beta"):
                _replay(world, name)
        await asyncio.sleep(0.5)
    return False


def _rests(world: World) -> bool:
    return not checks.unrest(world) and all(each.ready for each in world.alive())


def _replay(world: World, name: str) -> None:
    for row in list(world.servers[name].documents("parked").values()):
        if row["status"] != "parked" or row.get("retry_at") == EARLY:
            continue
        if not world.cause(row):
            at = [event["at"] for event in row["events"]]
            world.find(f"parked without cause: {row['_id']} {row['reason']} {row['detail']} {at}")
    if any(row["status"] == "parked" for row in world.servers[name].documents("parked").values()):
        world.ask(name, "replay")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No collection in the middle of a schedule, and no log."""
    gc.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        gc.enable()


def run(seed: int, options: Options = Options(), chosen: Scenario | None = None) -> Outcome:
    """One schedule, from its beginning to its end."""
    loop = VirtualLoop(seed, shuffle=seed % 2 == 1)
    world = World(seed, loop, options, chosen)
    with _quiet(), chance.decided_by(_Seeded(seed, loop)):
        asyncio.set_event_loop(loop)
        try:
            findings = loop.run_until_complete(_schedule(world))
        except Deadlock as stuck:
            findings = [*world.findings, str(stuck)]
        finally:
            world.over = True
            for instance in world.instances:
                instance.dead = True
            loop.forget()
            asyncio.set_event_loop(None)
    return Outcome(
        seed,
        options,
        tuple(findings),
        tuple(world.happened),
        world.counts,
        tuple(world.lines),
        world.digest,
        loop.steps,
        loop.time(),
        world.kafka.rebalances,
        world._operations,
    )
