"""What goes wrong, when: a schedule that a seed decides, and its execution."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chassis.errors import EngineAway, NotFound
from rathaus.operations.republish import republish
from rathaus.registry import NAMES
from tests.chaos.house import PROVIDER, REGISTER, House
from tests.chaos.proxy import Weather

AUTO_PAY_SECONDS = 0.3
"""The provider's payers press the button after so long."""

OF_EACH_CASE = ("applications", "payments", "notifications")
"""Services that emit events in every case; a republication of another's would be hardly any load."""
DRAWN = ("identity", "catalog", *OF_EACH_CASE)
"""The services among which a seed chooses, in this order. It isn't derived from the registry, since one name more would
change the schedule of every seed. Any other service gets faults of its own beside those (`_of_one_service`)."""
ON_A_SERVICE = (
    *("kill_service", "kill_twice", "stop_service", "second", "second_skewed"),
    *("cut", "slow", "narrow", "silent", "republish"),
)
"""Kinds whose target is one service, or the way to it."""
SHARE = 12
"""A quick run has so many faults for each one that hits a certain service."""
RARE = frozenset({"engine_away", "rolling_restart", "republish", "disk_full", "second_skewed"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    at: float
    """Seconds after the load began."""
    kind: str
    target: str = ""
    seconds: float = 0.0
    """How long it lasts, or a pause within it."""
    amount: float = 0.0
    """How bad it is; what it means depends on the kind."""

    def __str__(self) -> str:
        lasting = f" {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:6.1f} s  {self.kind} {self.target}{lasting}".rstrip()


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a run's faults last."""

    seconds: float
    """Of the load."""
    stop: tuple[float, float] = (3, 8)
    away: float = 15
    every: float = 3.0
    """Seconds between two faults, on average."""
    skew: float = 60
    """By how many seconds the clock of a second instance is off. Work that it says is due comes so much later."""
    disk: bool = False
    """Whether the files' disk can be filled."""


QUICK = Scale(110)


def long_scale(minutes: float) -> Scale:
    """Faults of half a minute, the broker away for five."""
    return Scale(minutes * 60, stop=(5, 30), away=min(300, minutes * 60 / 5), every=6, skew=240)


@dataclass(frozen=True, slots=True)
class Targets:
    """What a stream of chance draws from."""

    services: tuple[str, ...]
    republishing: tuple[str, ...]
    hops: tuple[str, ...]
    """Whose network can be bad."""
    brokers: tuple[str, ...] = ()


def schedule(seed: int, scale: Scale, engines: tuple[str, ...], services: tuple[str, ...] = NAMES) -> list[Fault]:
    """The same seed, the same faults: each kind at least once, the rest by chance.

    A further service in `services` adds faults, drawn from the seed and its name: those of the others stay.
    """
    made = _of_the_seed(random.Random(seed), scale, engines)
    for name in services:
        if name not in DRAWN:
            made += _of_one_service(random.Random(f"{seed} {name}"), scale, name)
    return sorted(made, key=lambda fault: fault.at)


def _of_the_seed(chance: random.Random, scale: Scale, engines: tuple[str, ...]) -> list[Fault]:
    brokers = tuple(name for name in engines if name != "mongo")
    makers = _makers(chance, scale, Targets(DRAWN, OF_EACH_CASE, (*DRAWN, PROVIDER, *engines), brokers))
    kinds = list(makers)
    more = max(0, int(scale.seconds / scale.every) - len(kinds))
    kinds += chance.choices(kinds, [_weight(kind) for kind in kinds], k=more)
    return [makers[kind](_moment(chance, scale, kind)) for kind in kinds]


def _of_one_service(chance: random.Random, scale: Scale, name: str) -> list[Fault]:
    makers = _makers(chance, scale, Targets((name,), (name,), (name,)))
    count = max(1, int(scale.seconds / scale.every / SHARE))
    kinds = chance.choices(ON_A_SERVICE, [_weight(kind) for kind in ON_A_SERVICE], k=count)
    return [makers[kind](_moment(chance, scale, kind)) for kind in kinds]


def _weight(kind: str) -> float:
    return 0.3 if kind in RARE else 3 if kind == "kill_service" else 1


def _moment(chance: random.Random, scale: Scale, kind: str) -> float:
    last = scale.seconds - scale.stop[1] - 2
    ends = last - scale.away if kind == "engine_away" else last
    return round(chance.uniform(4, max(5, ends)), 2)


def _makers(chance: random.Random, scale: Scale, targets: Targets) -> dict[str, Callable[[float], Fault]]:
    def _for(low: float, high: float) -> float:
        return round(chance.uniform(low, high), 2)

    makers: dict[str, Callable[[float], Fault]] = {
        "kill_service": lambda at: Fault(at, "kill_service", chance.choice(targets.services)),
        "kill_twice": lambda at: Fault(at, "kill_twice", chance.choice(targets.services), _for(0.5, 1.5)),
        "stop_service": lambda at: Fault(at, "stop_service", chance.choice(targets.services), _for(*scale.stop)),
        "kill_other": lambda at: Fault(at, "kill_other", chance.choice(("gateway", PROVIDER, REGISTER))),
        "stop_other": lambda at: Fault(at, "stop_other", chance.choice(("gateway", PROVIDER, REGISTER)), _for(2, 6)),
        "kill_database": lambda at: Fault(at, "kill_database", "mongo"),
        "stop_database": lambda at: Fault(at, "stop_database", "mongo", _for(2, 5)),
        "kill_broker": lambda at: Fault(at, "kill_broker", chance.choice(targets.brokers)),
        "stop_broker": lambda at: Fault(at, "stop_broker", chance.choice(targets.brokers), _for(*scale.stop)),
        "engine_away": lambda at: Fault(at, "engine_away", chance.choice(targets.brokers), scale.away),
        "cut": lambda at: Fault(at, "cut", chance.choice(targets.hops)),
        "slow": lambda at: Fault(at, "slow", chance.choice(targets.hops), _for(*scale.stop), _for(0.02, 0.2)),
        "narrow": lambda at: Fault(at, "narrow", chance.choice(targets.hops), _for(*scale.stop), _for(20_000, 200_000)),
        "silent": lambda at: Fault(at, "silent", chance.choice(targets.hops), _for(2, 6)),
        "second": lambda at: Fault(at, "second", chance.choice(targets.services), _for(8, 20), chance.choice((0, 1))),
        "second_skewed": lambda at: Fault(
            at, "second_skewed", chance.choice(targets.services), _for(10, 20), chance.choice((-scale.skew, scale.skew))
        ),
        "rolling_restart": lambda at: Fault(at, "rolling_restart", seconds=_for(1, 3)),
        "republish": lambda at: Fault(at, "republish", chance.choice(targets.republishing)),
        "provider_down": lambda at: Fault(at, "provider_down", PROVIDER, _for(3, 8)),
        "provider_delay": lambda at: Fault(at, "provider_delay", PROVIDER, _for(1, 5), chance.randint(1, 4)),
        "provider_lost_answer": lambda at: Fault(at, "provider_lost_answer", PROVIDER, 0, chance.randint(1, 5)),
        "provider_answer_twice": lambda at: Fault(at, "provider_answer_twice", PROVIDER, 0, chance.randint(1, 5)),
    }
    if scale.disk:
        makers["disk_full"] = lambda at: Fault(at, "disk_full", "files", _for(3, 8))
    return makers


@dataclass(slots=True)
class Faults:
    """Does what the schedule says, each thing beside the others."""

    house: House
    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    """What went wrong with going wrong."""
    _held: set[str] = field(default_factory=set)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self, planned: list[Fault]) -> None:
        """Until every fault is over."""
        began = time.monotonic()
        self._tasks = [asyncio.create_task(self._one(fault, began)) for fault in planned]
        await asyncio.gather(*self._tasks)

    async def heal(self) -> None:
        """All is well again: nobody stopped, nobody away, no bad network, no second instances."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.house.heal_processes()
        self.house.heal_network()
        for name in list(self._held):
            self._come_back(name)
        for name in NAMES:
            self.house.end_second(name, kill=False)
        await self.house.all_left()
        self._filler.unlink(missing_ok=True)
        await self.house.platform.ready(timeout=120)
        await self.switch("normal")

    async def _one(self, fault: Fault, began: float) -> None:
        await asyncio.sleep(max(0.0, fault.at - (time.monotonic() - began)))
        self.say(str(fault))
        self.counts[fault.kind] += 1
        try:
            await self._does(fault)
        except (OSError, EngineAway, NotFound, TimeoutError, httpx.HTTPError) as error:
            self.troubles.append(f"{fault.kind} {fault.target}: {type(error).__name__} {error}")

    async def _does(self, fault: Fault) -> None:
        what, _, whom = fault.kind.partition("_")
        if fault.kind == "kill_twice":
            self.house.kill(fault.target)
            await asyncio.sleep(0.3 + fault.seconds)
            self.house.kill(fault.target)
        elif what == "kill":
            self.house.kill(fault.target)
        elif what == "stop":
            await self._stopped(fault.target, fault.seconds)
        elif what == "second":
            await self._second(fault, self._skewed(fault.amount) if whom else None)
        elif what == "provider":
            await self._provider(fault)
        else:
            await self._to_platform(fault)

    async def _to_platform(self, fault: Fault) -> None:
        match fault.kind:
            case "engine_away":
                await self._away(fault.target, fault.seconds)
            case "cut":
                self.house.proxies[fault.target].cut()
            case "slow":
                await self._weather(fault, Weather(delay=fault.amount))
            case "narrow":
                await self._weather(fault, Weather(bytes_per_second=fault.amount))
            case "silent":
                await self._weather(fault, Weather(silent=True))
            case "rolling_restart":
                await self._rolling(fault.seconds)
            case "republish":
                await self._republished(fault.target)
            case "disk_full":
                await self._full(fault.seconds)
            case _:
                raise NotImplementedError(fault.kind)

    async def _republished(self, service: str) -> None:
        """Again and again while an engine is away, as its documentation says."""
        while True:
            try:
                await republish(self.house.installation, service)
            except EngineAway:
                await asyncio.sleep(1)
            else:
                return

    async def _stopped(self, name: str, seconds: float) -> None:
        pid = self.house.send(name, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def _away(self, name: str, seconds: float) -> None:
        if name in self._held:
            return
        self._held.add(name)
        await self.house.hold(name)
        await asyncio.sleep(seconds)
        self._come_back(name)

    def _come_back(self, name: str) -> None:
        if name in self._held:
            self._held.discard(name)
            self.house.release(name)

    async def _weather(self, fault: Fault, weather: Weather) -> None:
        proxy = self.house.proxies[fault.target]
        proxy.change(weather)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            proxy.change(Weather())

    async def _second(self, fault: Fault, clock: Path | None) -> None:
        if not await self.house.begin_second(fault.target, clock):
            return
        await asyncio.sleep(fault.seconds)
        self.house.end_second(fault.target, kill=bool(fault.amount == 1))

    def _skewed(self, seconds: float) -> Path:
        file = self.house.home / f"clock-{seconds:.0f}.json"
        file.write_text(json.dumps({"offset_seconds": seconds}))
        return file

    async def _rolling(self, pause: float) -> None:
        for name in NAMES:
            self.house.send(name, signal.SIGTERM)
            await asyncio.sleep(pause)
            with contextlib.suppress(TimeoutError):
                await self.house.platform.ready(name, timeout=20)

    async def _provider(self, fault: Fault) -> None:
        match fault.kind:
            case "provider_down":
                await self.switch("down", next=None)
                await asyncio.sleep(fault.seconds)
                await self.switch("normal")
            case "provider_delay":
                await self.switch("delay", next=int(fault.amount), delay_seconds=fault.seconds)
            case "provider_lost_answer":
                await self.switch("lost_answer", next=int(fault.amount))
            case "provider_answer_twice":
                await self.switch("answer_twice", next=int(fault.amount))

    async def switch(self, mode: str, **how: float | None) -> None:
        """Sets the provider's switches, however long it takes to be heard."""
        secret = self.house.platform.secrets["payment-provider-switches"]
        body = {"mode": mode, "auto_pay_after_seconds": AUTO_PAY_SECONDS, **how}
        async with httpx.AsyncClient(timeout=3) as client:
            for attempt in range(60):
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.post(
                        f"{self.house.platform.service_url(PROVIDER)}/switches",
                        json=body,
                        headers={"Authorization": f"Bearer {secret}"},
                    )
                    answer.raise_for_status()
                    return
                await asyncio.sleep(min(0.1 * 2**attempt, 1.0))
        raise TimeoutError("the provider's switches can't be reached")

    @property
    def _filler(self) -> Path:
        return self.house.files / "filler"

    async def _full(self, seconds: float) -> None:
        await asyncio.to_thread(_fill, self._filler)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._filler.unlink(missing_ok=True)


def _fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(65_536))
