"""One schedule's world: engines, instances, clients, operators, and the faults that its seed decides."""

from __future__ import annotations

import asyncio
import functools
import random
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import httpx

from chassis.aggregates import Received, Work
from chassis.errors import EngineAway, NotYet, Rejected
from chassis.events.transport import Transport as ChassisTransport
from chassis.mongo import Database
from chassis.service import Service
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, id_of
from tests.simulation import broker, database, services
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.services import ALPHA, BETA, TOWN

SERVICES = {"alpha": services.alpha, "beta": services.beta}
AGGREGATES = {"alpha": "items", "beta": "copies"}
HEARS = {"alpha": BETA, "beta": ALPHA}

MOODS = ("rejected", "not_yet", "not_yet", "boom", "after", "after_away", "slow", "poison", "flaky")
"""How the handler of an event fails."""
PARKING_MOODS = frozenset({"rejected", "boom", "after", "poison", "flaky"})
"""Those that may park the event for a person."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a schedule is made of, beside its seed. `only`: the faults that happen; all of the seed's where None."""

    seconds: float = 2.5
    clients: int = 3
    requests: int = 6
    faults: bool = True
    only: frozenset[str] | None = None
    salt: int = 0
    """Changes what the seed leaves to chance while it runs, but neither the scenario nor the faults."""
    strike: tuple[int, str] | None = None
    """One fault at one operation: its number, and what happens there."""
    log: bool = False


@dataclass(slots=True)
class Scenario:
    """What the seed decided before anything began."""

    latency: float
    tail: float
    """Share of ways that take up to two seconds."""
    stale_reads: float
    """Share of looks at what is parked that take so long, while other reads are quick."""
    stretch: float
    """How much longer than its options say the schedule takes."""
    interrupts: float
    """Share of handlers of parked events in which a rebalance begins."""
    zombies: float
    """Share of handlers of parked events in which the process is frozen for longer than its session lasts."""
    unruly: float
    """Share of events whose handlers fail."""
    moods: tuple[str, ...]
    """How they fail."""
    slow: float
    """Share of handlers that take up to a second."""
    strikes: float
    """Chance of a fault at an operation."""
    strike_kinds: tuple[str, ...]
    strikes_left: int
    burst: int
    both_versions: bool
    restores: bool
    rebuilds: bool
    operators: str
    """What they ask for while it runs: nothing, replay, both (discards, too)."""
    settings: ServiceSettings
    fault_kinds: tuple[str, ...]
    faults: int


_QUICK: dict[str, Any] = {
    "relay_poll_seconds": 2.0,
    "relay_longest_pause_seconds": 2.0,
    "work_poll_seconds": 1.0,
    "work_longest_retry_seconds": 8.0,
    "away_longest_retry_seconds": 4.0,
    "delivery_halt_after": 6,
    "delivery_halt_window_seconds": 20.0,
    "delivery_halt_pause_seconds": 1.0,
    "parked_longest_retry_seconds": 4.0,
    "stuck_seconds": 15.0,
    "stop_timeout_seconds": 3.0,
    "events_kept": 6,
    "background_limit_seconds": 30.0,
    "log_level": "ERROR",
}
FAULTS = (
    "kill",
    "freeze",
    "roll",
    "clock",
    "extra",
    "cut_database",
    "cut_broker",
    "database_down",
    "broker_down",
    "database_flaky",
    "broker_flaky",
    "kick",
    "say_again",
)
STRIKES = ("kill", "freeze", "kick", "stop", "lost", "silent", "late", "unforeseen")


def calm() -> Scenario:
    """No fault of any kind."""
    return Scenario(
        latency=0.005,
        tail=0,
        stale_reads=0,
        stretch=1,
        interrupts=0,
        zombies=0,
        unruly=0,
        moods=MOODS,
        slow=0,
        strikes=0,
        strike_kinds=(),
        strikes_left=0,
        burst=1,
        both_versions=False,
        restores=False,
        rebuilds=False,
        operators="nothing",
        settings=ServiceSettings(lease_seconds=1.0, parked_retry_seconds=0.5, parked_first_retry_seconds=0.5, **_QUICK),
        fault_kinds=(),
        faults=0,
    )


def scenario(seed: int) -> Scenario:
    """What a seed decides. A quarter is about rebalances, an eighth each about what waits parked, and about processes
    that wake up when others have taken their place."""
    draw = random.Random(f"{seed}.scenario")
    focus = draw.choice(["all", "all", "all", "all", "rebalances", "rebalances", "parked", "zombies"])
    kinds = tuple(draw.sample(FAULTS, draw.randrange(1, 6)))
    strike_kinds = draw.choice([("kill",), ("freeze",), ("kick",), ("lost", "silent", "late", "unforeseen"), STRIKES])
    strikes, unruly = draw.choice([0, 0.005, 0.02, 0.06]), draw.choice([0.05, 0.2, 0.5])
    retry = draw.choice([0.1, 0.5, 1.0])
    first = draw.choice([0.05, 1.0])
    if focus == "rebalances":
        kinds = ("extra", "kick", "say_again", "freeze", "roll", "cut_broker")
        strike_kinds, strikes, unruly = ("kick", "freeze", "kick"), draw.choice([0.01, 0.05]), draw.choice([0.3, 0.6])
        retry, first = draw.choice([0.1, 0.5]), 0.05
    if focus == "parked":
        kinds, unruly, retry, first = ("kick", "say_again"), draw.choice([0.3, 0.6]), 0.1, 0.05
        strike_kinds, strikes = ("kick",), draw.choice([0, 0.005])
    if focus == "zombies":
        kinds, unruly, retry, first, strikes = ("say_again",), draw.choice([0.4, 0.7]), 0.1, 0.05, 0
    waiting = focus in {"parked", "zombies"}
    restores = not waiting and draw.random() < 0.15
    operators = ["replay", "both"] if waiting else ["nothing", "replay", "replay" if restores else "both"]
    return Scenario(
        latency=draw.choice([0.001, 0.005, 0.02, 0.08]),
        tail=0 if focus in {"parked", "zombies"} else draw.choice([0, 0, 0.01, 0.05]),
        stale_reads=draw.choice([0.1, 0.4]) if focus == "parked" else 0,
        stretch=3 if focus == "zombies" else 1.5 if focus == "parked" else 1,
        interrupts=draw.choice([0, 0.2]) if waiting else 0,
        zombies=draw.choice([0, 0.3, 0.6]) if focus == "zombies" else 0,
        unruly=unruly,
        moods=("not_yet",) if focus == "parked" else MOODS,
        slow=draw.choice([0, 0.1, 0.4]),
        strikes=strikes,
        strike_kinds=strike_kinds,
        strikes_left=15 if focus == "rebalances" else 10,
        burst=draw.choice([1, 2, 4]),
        both_versions=draw.random() < 0.25,
        restores=restores,
        rebuilds=draw.random() < 0.25,
        operators=draw.choice(operators),
        settings=ServiceSettings(
            lease_seconds=draw.choice([1.0, 3.0]),
            parked_retry_seconds=retry,
            parked_first_retry_seconds=first,
            **_QUICK,
        ),
        fault_kinds=kinds,
        faults=draw.randrange(2, 12),
    )


class Instance(Process):
    """One process of one service."""

    def __init__(self, world: World, service: str, number: int) -> None:
        super().__init__(world.loop, f"{service}-{number}")
        self.world = world
        self.service_name = service
        self.ready = False
        self.newer = world.scenario.both_versions and world.draw.random() < 0.5
        self.both_versions = world.scenario.both_versions
        self.burst = world.scenario.burst
        self.service: Service | None = None

    async def live(self) -> None:
        """Starts as `chassis.service.run` would."""
        world, name = self.world, self.service_name
        held = Database("", name, timeout_seconds=1.5, client=cast(Any, database.Client(world.servers[name])))
        transport = broker.Transport(world.kafka, ALPHA, BETA)
        made = self.service = Service(
            name,
            world.scenario.settings,
            clock=self,
            database=held,
            transport=cast(ChassisTransport, transport),
        )
        made.verifier = services.Trusting()  # type: ignore[assignment]
        SERVICES[name](made, self, self)
        try:
            await made.start()
        except Exception as problem:  # as `chassis.service.run`: it exits, and whoever started it starts it again
            world.say(self.name, f"can't start: {problem!r}"[:200])
            world.loop.later(0.5, world.start, name)
            self.kill()
            return
        self.ready = True
        world.say(self.name, "is ready")

    def kill(self) -> None:
        self.world.say(self.name, "is killed")
        self.ready = False
        super().kill()

    def freeze(self) -> None:
        self.world.say(self.name, "stands still")
        super().freeze()

    def thaw(self) -> None:
        self.world.say(self.name, "goes on")
        super().thaw()

    @functools.cached_property
    def http(self) -> httpx.AsyncClient:
        """A client of this instance alone."""
        assert self.service is not None
        way = httpx.ASGITransport(self.service.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=way, base_url="http://alpha", trust_env=False)

    @property
    def consumers(self) -> list[broker.Consumer]:
        """Its members of groups."""
        return [each for each in self.world.kafka.consumers if each.process is self]

    # What the world does to handlers and workers

    async def handling(self, service: str, event: Received[Any]) -> None:
        world = self.world
        world.require_owner(self, event)
        if world.healed:
            return
        if world.scenario.slow and world.draw.random() < world.scenario.slow:
            await asyncio.sleep(world.draw.random())
        failure = await world.failure(service, event)
        if world.is_parked(service, event):
            await self._while_tried_again(service, event)
        if failure is not None:
            raise failure

    async def _while_tried_again(self, service: str, event: Received[Any]) -> None:
        """What may happen just while a parked event is in its handler."""
        world, chosen = self.world, self.world.scenario
        if world.draw.random() < chosen.zombies:
            await world.sleepwalk(self)
        if chosen.operators == "both" and world.draw.random() < 0.4:
            world.ask(service, "discard", event.envelope.source)
            await asyncio.sleep(0)
        if world.draw.random() < chosen.interrupts:
            world.kick(self)
            await asyncio.sleep(2 * broker.HEARTBEAT_SECONDS)

    async def handled(self, service: str, event: Received[Any]) -> None:
        self.world.fail_after(service, event)

    async def outside(self, work: Work[Any]) -> None:
        world = self.world
        await asyncio.sleep(world.latency())
        if world.healed or not world.options.faults:
            return
        share = world.draw.random()
        if share < 0.15:
            raise EngineAway("simulated: the outside is away")
        if share < 0.3:
            raise RuntimeError("simulated: the outside failed")


class World:
    """Everything of one schedule. Fulfils `wire.Conditions` for the engines."""

    def __init__(self, seed: int, loop: VirtualLoop, options: Options, chosen: Scenario | None = None) -> None:
        self.seed = seed
        self.loop = loop
        self.options = options
        self.scenario = chosen or (scenario(seed) if options.faults else calm())
        self.random = self.draw = random.Random(f"{seed}.{options.salt}.world")
        self.lines: list[str] = []
        """The story so far."""
        self.digest = 0
        self.healed = False
        self.over = False
        self.findings: list[str] = []
        """What went wrong at some step."""
        self.seconds = options.seconds * self.scenario.stretch
        """How long clients and faults go on."""
        self.happened: list[tuple[float, str, str]] = []
        """Faults: when, which, what."""
        self.counts: Counter[str] = Counter()
        self.kafka = broker.Kafka(self, lambda what: self.say("kafka", what))
        self.servers = {name: database.Server(self, name, self._on_write(name)) for name in SERVICES}
        self.instances: list[Instance] = []
        self.acknowledged: dict[str, list[tuple[float, str]]] = {}
        """By item: when a line was acknowledged, and which."""
        self.finished = 0
        self.wishes: set[tuple[str, str, int]] = set()
        """Discards asked for: consumer, source, place."""
        self.backup: tuple[float, dict[str, dict[Any, database.Document]]] | None = None
        self.restored: tuple[float, float] | None = None
        """When the backup was made, and when it was restored."""
        self.rebuilt = 0
        """The generation of the read model that was asked for."""
        self.stopped: set[str] = set()
        """Services that an operator has stopped."""
        self._operations = 0
        self._tries: Counter[tuple[str, str, int]] = Counter()
        self._furthest: dict[tuple[str, str], tuple[int, int, int]] = {}

    def say(self, who: str, what: str) -> None:
        """One line of the story."""
        self.digest = zlib.crc32(f"{self.loop.time():.6f} {who} {what}".encode(), self.digest)
        if self.options.log:
            self.lines.append(f"{self.loop.time():9.4f}  {who:<9} {what}")

    def find(self, what: str) -> None:
        """Something that must not be."""
        if what not in self.findings:
            self.say("FINDING", what)
            self.findings.append(what)

    # wire.Conditions

    def latency(self) -> float:
        if self.scenario.tail and not self.healed and self.draw.random() < self.scenario.tail:
            return self.draw.random() * 2
        share = self.draw.random()
        return self.scenario.latency * (0.2 + share * (10 if self.draw.random() < 0.1 else 1))

    def patience(self) -> float:
        return 0.05 if self.draw.random() < 0.7 else 0.3 + self.draw.random() * 1.5

    def begins(self, process: Process | None, what: str) -> tuple[int, str | None, float]:
        self._operations += 1
        number = self._operations
        if process is not None:
            self.say(process.name, f"#{number} {what}")
        planned = self.options.strike
        if planned is not None and planned[0] == number and planned[1] in {"lost", "silent", "late", "unforeseen"}:
            self._note("strike", f"{planned[1]} at #{number} {what}")
            return number, planned[1], 0
        stale = what == "parked find" and not self.healed and self.draw.random() < self.scenario.stale_reads
        kind = self._struck(process, ("lost", "silent", "late", "unforeseen"))
        return number, kind, self.draw.random() * 2 if stale else 0

    def strikes(self, number: int, process: Process | None, when: str) -> None:
        if not isinstance(process, Instance) or process.dead:
            return
        planned, kind, moment = self.options.strike, "", ""
        if planned is not None and planned[0] == number:
            kind, _, moment = planned[1].partition(" ")
        if moment == when:
            self._note("strike", f"{kind} {process.name} {when} #{number}")
            self._strike(process, kind)
        elif kind := self._struck(process, ("kill", "freeze", "kick", "stop")):
            self._strike(process, kind)

    def _struck(self, process: Process | None, kinds: tuple[str, ...]) -> str | None:
        """Whether chance makes a fault of one of these kinds right here."""
        chosen = self.scenario
        possible = [kind for kind in chosen.strike_kinds if kind in kinds]
        if not possible or self.healed or chosen.strikes_left <= 0 or not isinstance(process, Instance):
            return None
        if process.dead or process.frozen or not process.ready or self.draw.random() >= chosen.strikes:
            return None
        chosen.strikes_left -= 1
        kind, name = self.draw.choice(possible), f"s{chosen.strikes_left}"
        if self.options.only is not None and name not in self.options.only:
            return None
        self._note(name, f"{kind} {process.name}")
        return kind

    def _note(self, name: str, what: str) -> None:
        self.counts[what.split(maxsplit=1)[0]] += 1
        self.happened.append((round(self.loop.time(), 3), name, what))
        self.say("FAULT", f"{name} {what}")

    def _strike(self, instance: Instance, kind: str) -> None:
        match kind:
            case "kill":
                instance.kill()
                self.loop.later(self.draw.random(), self.start, instance.service_name)
            case "freeze":
                instance.freeze()
                seconds = self.draw.choice([0.3, 1, 3, 5]) * self.draw.random()
                self.loop.later(seconds, lambda: instance.dead or instance.thaw())
            case "kick":
                self.kick(instance)
            case "stop":
                self.loop.later(0, lambda: self.outside(self.roll(instance, 0.1)))

    def outside(self, work: Any) -> asyncio.Task[Any]:
        """Runs something that belongs to no process."""
        return self.loop.create_task(work, context=self.loop.outside.copy())

    # Instances

    def start(self, service: str) -> Instance | None:
        """Starts one more."""
        if self.over or service in self.stopped:
            return None
        instance = Instance(self, service, len(self.instances) + 1)
        if self.options.faults and not self.healed:
            instance.skew = self.draw.choice([0, 0, 0, 0.7, -0.7])
        self.instances.append(instance)
        self.say(instance.name, f"is started{', the newer release' if instance.newer else ''}")
        instance.run(instance.live())
        return instance

    def alive(self, service: str | None = None) -> list[Instance]:
        """Those that weren't killed."""
        return [each for each in self.instances if not each.dead and service in {None, each.service_name}]

    async def roll(self, instance: Instance, pause: float) -> None:
        """Stops one in good order, and starts another."""
        if not instance.ready or instance.dead or instance.service is None:
            return
        instance.ready = False
        self.say(instance.name, "is told to stop")
        ending = instance.run(instance.service.stop())
        await asyncio.wait([ending], timeout=10)
        instance.kill()
        await asyncio.sleep(pause)
        self.start(instance.service_name)

    def kick(self, instance: Instance) -> None:
        """The group takes its members for gone."""
        for consumer in instance.consumers:
            if consumer.member:
                consumer.group.leave(consumer.member)

    # Clients

    async def client(self, number: int) -> None:
        """Adds lines to an item, each until it is acknowledged; some twice at once."""
        draw = random.Random(f"{self.seed}.client{number}")
        item = id_of("simulation", str(number))
        for place in range(self.options.requests):
            await asyncio.sleep(draw.random() * self.seconds / self.options.requests)
            line, remind, twice = f"c{number}-{place}", draw.random() < 0.3, draw.random() < 0.2
            while not await self._acknowledged(item, line, remind, twice):
                await asyncio.sleep(0.1 + self.draw.random() * 0.3)
            self.acknowledged.setdefault(item, []).append((self.loop.time(), line))
        self.finished += 1

    async def _acknowledged(self, item: str, line: str, remind: bool, twice: bool) -> bool:
        up = [each for each in self.alive("alpha") if each.ready]
        if not up:
            return False
        chosen = self.draw.sample(up, 2) if twice and len(up) > 1 else [self.draw.choice(up)]
        answers = [
            each for each in await asyncio.gather(*(self._move(each, item, line, remind) for each in chosen)) if each
        ]
        good = {(each.status_code, each.text, each.headers.get("etag")) for each in answers if each.is_success}
        if len(good) > 1:
            self.find(f"the same request was answered in two ways: {sorted(good)}")
        for each in answers:
            if not each.is_success and each.status_code not in ({409, 503, 500} if self.unforeseen else {409, 503}):
                self.find(f"a request was answered {each.status_code}: {each.text[:200]}")
        return bool(good)

    async def _move(self, instance: Instance, item: str, line: str, remind: bool) -> httpx.Response | None:
        """One request over HTTP; None where no answer came in time."""
        task = instance.run(self._post(instance, item, line, remind))
        await asyncio.wait([task], timeout=3)
        if not task.done():
            task.cancel()
            return None
        return None if task.cancelled() else task.result()

    async def _post(self, instance: Instance, item: str, line: str, remind: bool) -> httpx.Response:
        return await instance.http.post(
            f"/alpha/v1/{TOWN}/items/{item}/lines",
            json={"line": line, "remind": remind},
            headers={"Authorization": "Bearer citizen", "Idempotency-Key": f"key-{line}"},
        )

    # Handlers that fail

    def mood(self, consumer: str, source: str, sequence: int) -> tuple[str | None, int]:
        """How the handler of an event fails, and how often: the same in every instance."""
        draw = random.Random(f"{self.seed}/{consumer}/{source}/{sequence}")
        if draw.random() >= self.scenario.unruly:
            return None, 0
        return draw.choice(self.scenario.moods), draw.randrange(1, 6)

    async def failure(self, service: str, event: Received[Any]) -> Exception | None:
        """What the handler of an event raises before its write; it may take its time, too."""
        kind, times = self.mood(service, event.envelope.source, event.envelope.sequence)
        key = (service, event.envelope.source, event.envelope.sequence)
        self._tries[key] += 1
        match kind:
            case "rejected" if self._tries[key] <= 2:
                return Rejected("simulated")
            case "poison":
                return Rejected("simulated: poison")
            case "not_yet" if self._tries[key] <= times:
                return NotYet("simulated")
            case "boom" if self._tries[key] <= times:
                return RuntimeError("simulated")
            case "flaky" if self.draw.random() < 0.6:
                await asyncio.sleep(self.latency())
                return self.draw.choice([Rejected, NotYet, RuntimeError, EngineAway])("simulated: flaky")
            case "slow":
                await asyncio.sleep(self.draw.random() * 2)
        return None

    def is_parked(self, service: str, event: Received[Any]) -> bool:
        """Whether an event's subject is parked: its handler is a drain, then."""
        return service + event.envelope.source in self.servers[service].documents("parked")

    async def sleepwalk(self, instance: Instance) -> None:
        """Stands still until others have its partitions, and wakes up in the middle of what it did.

        Half of them can't be told by the broker for a while that they lost their place.
        """
        seconds = broker.SESSION_SECONDS + 0.5 + self.draw.random() * 1.5
        if self.draw.random() < 0.5:
            self.kafka.cut.add(instance)
            self.loop.later(seconds + 1 + self.draw.random(), self.kafka.cut.discard, instance)
        self._note(f"z{len(self.happened)}", f"sleepwalk {instance.name} {seconds:.2f}")
        instance.freeze()
        self.loop.later(seconds, lambda: instance.dead or instance.thaw())
        await asyncio.sleep(0)

    def fail_after(self, service: str, event: Received[Any]) -> None:
        """After its write."""
        if self.healed:
            return
        kind, times = self.mood(service, event.envelope.source, event.envelope.sequence)
        tries = self._tries[(service, event.envelope.source, event.envelope.sequence)]
        if kind == "after" and tries <= times:
            raise RuntimeError("simulated: after its write")
        if kind == "after_away" and tries <= times:
            raise EngineAway("simulated: after its write")

    @property
    def unforeseen(self) -> bool:
        """Whether an engine answered with an error that nobody foresaw: a request may fail by it, and an event be
        parked."""
        return bool(self.counts["unforeseen"] or self.counts["database_flaky"])

    # What holds at every step

    def require_owner(self, instance: Instance, event: Received[Any]) -> None:
        """No handler begins between a revocation and the next assignment, nor for a partition that went elsewhere.

        While the listener gives up what is unfinished, that may still be at it.
        """
        topic = HEARS[instance.service_name].name
        places = self.kafka.partitions(topic)
        place = places[zlib.crc32(event.envelope.key.encode()) % len(places)]
        main = [each for each in instance.consumers if each.group.name == f"rathaus.{instance.service_name}"]
        for consumer in main:
            if consumer.gave_up:
                self.find(f"{instance.name} handles an event between revocation and assignment")
            elif not consumer.rebalancing and place not in consumer.assignment():
                self.find(f"{instance.name} handles an event of partition {place.partition}, which went elsewhere")

    def _on_write(self, server: str) -> database.OnWrite:
        def _written(collection: str, before: database.Document | None, after: database.Document | None) -> None:
            if after is None:
                return
            if collection == "parked" and after.get("reason") == "hole":
                places = [event["at"] for event in after["events"]]
                self.find(f"a hole that isn't one: {after['_id']} {places}")
            if collection == "parked" and before is not None:
                self._check_wish(before, after)
            if collection == AGGREGATES[server]:
                self._check_aggregate(server, before, after)
            if collection == f"{AGGREGATES[server]}_archive":
                self._check_archived(server, after)

        return _written

    def _check_wish(self, before: database.Document, after: database.Document) -> None:
        """A discard goes with the event that it was for, and not before."""
        wish, events = before.get("asked"), before["events"]
        if wish is None or wish["action"] != "discard" or "asked" in after or wish["reason"] == "hole":
            return
        first = min((event["at"] for event in events), default=None)
        if wish["at"] == first and first in {event["at"] for event in after["events"]}:
            self.find(f"a discard was forgotten: {before['_id']} {first}")

    def _check_aggregate(self, server: str, before: database.Document | None, after: database.Document) -> None:
        key, name = (server, after["_id"]), f"{server} {after['_id'][:8]}"
        marks = (after["version"], after["sequence"], after["published"])
        furthest = self._furthest.get(key, (0, 0, 0))
        if any(now < then for now, then in zip(marks, furthest, strict=True)):
            self.find(f"{name} went back from {furthest} to {marks}")
        self._furthest[key] = marks
        if after["published"] > after["sequence"]:
            self.find(f"{name}: published {after['published']} of {after['sequence']}")
        if after["published"] < after["sequence"] and "unpublished_since" not in after:
            self.find(f"{name}: has unpublished events and isn't on the work list, {marks}")
        if any(set(item) != {"at", "next", "attempts"} for item in after.get("due", {}).values()):
            self.find(f"{name}: half a piece of due work: {after['due']}")
            return
        due = [item["next"] for item in after.get("due", {}).values()]
        if due and ("due_at" not in after or after["due_at"] > min(due)):
            self.find(f"{name}: due at {min(due)}, on the work list at {after.get('due_at')}")
        heard = (before or {}).get("state", {}).get("heard")
        if heard and after.get("state", {}).get("heard", [])[: len(heard)] != heard:
            self.find(f"{name}: the newer release's field was lost")

    def _check_archived(self, server: str, row: database.Document) -> None:
        """Only what was published leaves a document."""
        kept = self.servers[server].documents(AGGREGATES[server]).get(row["subject"])
        if kept is not None and row["said"]["sequence"] > kept["published"]:
            self.find(f"{server} {row['subject'][:8]}: event {row['said']['sequence']} is archived, not published")

    def forget_marks(self, server: str) -> None:
        """After a restore documents may be older than they were."""
        self._furthest = {key: marks for key, marks in self._furthest.items() if key[0] != server}

    # Operators

    def ask(self, service: str, action: str, source: str | None = None) -> None:
        """Replays or discards what is parked, as `rathaus events parked` does, in one step of the database.

        `source`: of one subject alone.
        """
        rows = self.servers[service].documents("parked")
        for row in list(rows.values()):
            if not row["events"] or (source is not None and row["_id"] != service + source):
                continue
            first = min(event["at"] for event in row["events"])
            wish = {"action": action, "at": first, "reason": row["reason"], "id": str(self.draw.random())}
            if action == "discard":
                self.wishes.add((row["consumer"], source_of_parked(row), first))
            self.say("operator", f"asks to {action} {row['_id'][-30:]} at {first}")
            changed = database.changed(row, {"$set": {"asked": wish, "retry_at": EARLY}})
            self.servers[service].put("parked", changed)

    def cause(self, row: database.Document) -> bool:
        """Whether a handler refused the first event of a parked subject in a way that parks it."""
        first = min(row["events"], key=lambda event: event["at"], default=None)
        if first is None or "." in row["consumer"]:
            return first is None
        envelope = Envelope.parse((name, bytes(value)) for name, value in first["headers"])
        kind, _ = self.mood(row["consumer"], envelope.source, envelope.sequence)
        return kind in PARKING_MOODS or (self.unforeseen and row["reason"] == "failed")


EARLY = database.datetime(1970, 1, 1, tzinfo=database.UTC)


def source_of_parked(row: database.Document) -> str:
    """The CloudEvents source of a parked subject."""
    return str(row["_id"]).removeprefix(row["consumer"])
