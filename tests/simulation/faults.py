"""What goes wrong, and when: each fault a coroutine over the world, drawn by the seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

from chassis.mongo import Database
from chassis.readmodels import ask_rebuild
from tests.simulation import broker, database
from tests.simulation.world import FAULTS, Instance, World


class Planned:
    """One fault with its own random numbers, so that leaving out another doesn't change it."""

    def __init__(self, world: World, name: str, kind: str) -> None:
        self.world = world
        self.name = name
        self.kind = kind
        self.draw = random.Random(f"{world.seed}.fault.{name}")
        self.at = 0.05 + self.draw.random() * world.seconds
        self.service = self.draw.choice(["alpha", "beta"])
        self.length = self.draw.choice([0.1, 0.5, 1.0, 2.0]) * self.draw.random()

    async def happen(self) -> None:
        """Waits for its time, then goes wrong."""
        await asyncio.sleep(max(self.at - self.world.loop.time(), 0))
        alive = self.world.alive(self.service)
        instance = self.draw.choice(alive) if alive else None
        self.world._note(self.name, f"{self.kind} {instance or self.service} {self.length:.2f}")
        if instance is not None:
            await _KINDS[self.kind](self, instance)

    @property
    def server(self) -> database.Server:
        return self.world.servers[self.service]

    @property
    def kafka(self) -> broker.Kafka:
        return self.world.kafka


async def kill(fault: Planned, instance: Instance) -> None:
    instance.kill()
    await asyncio.sleep(fault.length * 0.5)
    fault.world.start(fault.service)


async def freeze(fault: Planned, instance: Instance) -> None:
    instance.freeze()
    await asyncio.sleep(fault.length * 1.5)
    if not instance.dead:
        instance.thaw()


async def roll(fault: Planned, instance: Instance) -> None:
    if not instance.frozen:
        await fault.world.roll(instance, fault.length * 0.2)


async def clock(fault: Planned, instance: Instance) -> None:
    instance.skew += fault.draw.choice([-2, -0.5, 0.5, 2])


async def extra(fault: Planned, _: Instance) -> None:
    another = fault.world.start(fault.service)
    await asyncio.sleep(fault.length * 2)
    if another is not None and not another.dead:
        another.kill()


async def kick(fault: Planned, instance: Instance) -> None:
    fault.world.kick(instance)


async def cut_database(fault: Planned, instance: Instance) -> None:
    fault.server.cut.add(instance)
    await asyncio.sleep(fault.length)
    fault.server.cut.discard(instance)


async def cut_broker(fault: Planned, instance: Instance) -> None:
    fault.kafka.cut.add(instance)
    await asyncio.sleep(fault.length * 1.5)
    fault.kafka.cut.discard(instance)


async def database_down(fault: Planned, _: Instance) -> None:
    fault.server.down = True
    await asyncio.sleep(fault.length)
    fault.server.down = False


async def broker_down(fault: Planned, _: Instance) -> None:
    fault.kafka.down = True
    await asyncio.sleep(fault.length * 1.5)
    fault.kafka.down = False


async def database_flaky(fault: Planned, _: Instance) -> None:
    draw, server = fault.draw, fault.server
    server.lost, server.silent, server.late = draw.random() * 0.3, draw.random() * 0.3, draw.random() * 0.2
    server.unforeseen = draw.choice([0, 0.1])
    await asyncio.sleep(fault.length)
    server.lost = server.silent = server.late = server.unforeseen = 0


async def broker_flaky(fault: Planned, _: Instance) -> None:
    fault.kafka.lost, fault.kafka.silent = fault.draw.random() * 0.4, fault.draw.random() * 0.4
    await asyncio.sleep(fault.length)
    fault.kafka.lost = fault.kafka.silent = 0


async def say_again(fault: Planned, _: Instance) -> None:
    """What is in the topics comes once more, as `rathaus events republish` says it."""
    for place, log in fault.kafka.logs.items():
        if fault.draw.random() < 0.5:
            for record in log[fault.draw.randrange(len(log) + 1) :]:
                fault.kafka.append(place, record.key, record.value, record.headers)


_KINDS: dict[str, Callable[[Planned, Instance], Awaitable[None]]] = {
    "kill": kill,
    "freeze": freeze,
    "roll": roll,
    "clock": clock,
    "extra": extra,
    "kick": kick,
    "cut_database": cut_database,
    "cut_broker": cut_broker,
    "database_down": database_down,
    "broker_down": broker_down,
    "database_flaky": database_flaky,
    "broker_flaky": broker_flaky,
    "say_again": say_again,
}
assert set(_KINDS) == set(FAULTS)


def plan(world: World) -> list[Planned]:
    """The faults of a schedule, in the order of their time."""
    draw, chosen = random.Random(f"{world.seed}.plan"), world.scenario
    faults = [Planned(world, f"f{number}", draw.choice(chosen.fault_kinds)) for number in range(chosen.faults)]
    wanted = [each for each in faults if world.options.only is None or each.name in world.options.only]
    return sorted(wanted, key=lambda each: each.at)


# What operators do while it runs


async def operate(world: World) -> None:
    """Replays and discards now and then; rebuilds the read model; restores a backup of alpha's."""
    jobs = []
    chosen, draw = world.scenario, random.Random(f"{world.seed}.operators")
    if chosen.operators != "nothing":
        jobs.append(_asks(world, draw))
    if chosen.rebuilds:
        jobs.append(_rebuilds(world, draw.random() * world.seconds))
    if chosen.restores:
        jobs.append(_restores(world, draw.random(), draw.random()))
    await asyncio.gather(*jobs)


async def _asks(world: World, draw: random.Random) -> None:
    for _ in range(draw.randrange(1, 5)):
        await asyncio.sleep(draw.random() * world.seconds / 2)
        action = "replay" if world.scenario.operators == "replay" or draw.random() < 0.5 else "discard"
        world.ask(draw.choice(["alpha", "beta"]), action)


async def _rebuilds(world: World, at: float) -> None:
    """Until it is asked for: the pointer is made when the service starts for the first time."""
    held = Database("", "beta", timeout_seconds=1.5, client=cast(Any, database.Client(world.servers["beta"])))
    await asyncio.sleep(at)
    while not world.over:
        try:
            found = await ask_rebuild(held, "lines")
        except Exception:
            found = None
        if found is not None:
            world.rebuilt = found
            world.say("operator", f"asks for generation {found} of the read model")
            return
        await asyncio.sleep(0.3)


async def _restores(world: World, first: float, second: float) -> None:
    """docs/runbooks/restore.md: stop the service, restore its database, raise the epoch, read its topics again."""
    seconds = world.seconds
    await asyncio.sleep(first * seconds / 2)
    server = world.servers["alpha"]
    backup, made = server.snapshot(), world.loop.time()
    world.say("operator", "makes a backup of alpha's database")
    await asyncio.sleep(second * seconds / 2)
    world.stopped.add("alpha")
    for instance in world.alive("alpha"):
        instance.kill()
    await asyncio.sleep(broker.SESSION_SECONDS + 1)
    server.restore(backup)
    world.forget_marks("alpha")
    epoch = server.documents("meta").get("epoch", {"_id": "epoch", "value": 0})
    server.documents("meta")["epoch"] = {**epoch, "value": epoch["value"] + 1}
    world.kafka.group("rathaus.alpha").reset()
    world.restored = (made, world.loop.time())
    world.say("operator", "restored alpha's database, raised its epoch, and reads its topics again")
    world.stopped.discard("alpha")
    for _ in range(2):
        world.start("alpha")
