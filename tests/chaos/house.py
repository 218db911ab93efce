"""The platform under test: the table of processes as it is, with a proxy on every hop and room for second instances."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from rathaus import processes
from rathaus.engines import Gateway, Kafka, Mongo, Program
from rathaus.engines.files import write_atomically
from rathaus.engines.ports import LOOPBACK, Ports
from rathaus.engines.probes import http_answers
from rathaus.engines.process import Started
from rathaus.operations.installation import Installation
from rathaus.processes import Plan
from rathaus.registry import NAMES, SERVICES
from rathaus.settings import PlatformSettings
from rathaus.supervisor import Platform
from tests.chaos.proxy import Proxy, Weather

PROVIDER, REGISTER = "payment-provider", "population-register"


@dataclass(slots=True)
class Build:
    """How the house is built."""

    home: Path
    brokers: int = 1
    seed: int = 1
    unruly: float = 0.0
    """Share of the deliveries whose handler fails, before or after its write."""
    sabotage: dict[str, str] = field(default_factory=dict)
    """By service: the name of what is broken in it (tests of the checker)."""
    files_dir: Path | None = None
    """Where files are kept, if not in the home: a small file system that fills up."""


class House:
    """A platform whose processes can be killed, stopped, doubled, and whose network can be bad."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.home = build.home.absolute()
        self.home.mkdir(parents=True, exist_ok=True)
        self.proxies: dict[str, Proxy] = {}
        self._ports = Ports(self.home / "chaos-ports.json")
        self._seconds: dict[str, Started] = {}
        self._leaving: list[Started] = []
        self._programs: dict[str, Program] = {}
        settings = PlatformSettings(
            state_dir=self.home,
            gateway_port=0,
            restart_pause_seconds=0.3,
            restart_pause_longest_seconds=1,
            ready_timeout_seconds=150,
            kafka_url=None,
            mongo_url=None,
        )
        self.kafka = Kafka(self.home / "kafka", brokers=build.brokers)
        self.mongo = Mongo(self.home / "mongo")
        self._engines = [*self._kafka_programs(), self._mongo_program()]
        self._settings = settings.model_copy(
            update={"kafka_url": self._proxied_kafka(), "mongo_url": self._proxied_mongo()}
        )
        self.platform = Platform(self._settings, demo=True, plan=lambda: self._planned)

    # Living

    async def __aenter__(self) -> House:
        try:
            self._planned = self._plan()
            for proxy in self.proxies.values():
                await proxy.start()
            await self.platform.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.heal_processes()
        for name in list(self._seconds):
            self.end_second(name, kill=True)
        await self.platform.stop()
        for proxy in self.proxies.values():
            await proxy.stop()

    @property
    def installation(self) -> Installation:
        """For the operators' tools; not through the proxies."""
        return Installation(self.kafka.url, self.mongo.url)

    @property
    def names(self) -> tuple[str, ...]:
        """Services."""
        return NAMES

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines' processes."""
        return tuple(each.name for each in self._engines)

    @property
    def files(self) -> Path:
        """Where files are kept."""
        return self.build.files_dir or self.home / "files"

    # Hurting

    def kill(self, name: str) -> None:
        """SIGKILL; the supervisor starts it again."""
        self.platform.kill(name)

    def send(self, name: str, number: signal.Signals) -> int | None:
        """A signal to a process; its id, or None where it doesn't run at present."""
        pid = self.platform.pids.get(name)
        if pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            return pid
        return None

    async def hold(self, name: str) -> None:
        """SIGKILL, and it stays away."""
        await self.platform.hold(name)

    def release(self, name: str) -> None:
        """What was held comes back."""
        self.platform.release(name)

    def heal_processes(self) -> None:
        """Nobody stays stopped."""
        for pid in (*self.platform.pids.values(), *(each.pid for each in self._seconds.values())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def heal_network(self) -> None:
        """All proxies pass everything on at once."""
        for proxy in self.proxies.values():
            proxy.change(Weather())

    # Second instances

    async def begin_second(self, name: str, clock_file: Path | None = None) -> bool:
        """A second instance of a service beside the platform's; whether it got ready within 30 s."""
        if name in self._seconds:
            return False
        port = self._ports.get(f"second-{name}")
        env = {**self._programs[name].env, "RATHAUS_HTTP_PORT": str(port)}
        if clock_file is not None:
            env["RATHAUS_CLOCK_FILE"] = str(clock_file)
        program = replace(
            self._programs[name], name=f"second-{name}", env=env, ports=(port,), probe=_ready(port), depends_on=()
        )
        self._seconds[name] = Started(program, self.home / "logs" / f"second-{name}.log")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                while name in self._seconds:
                    with contextlib.suppress(Exception):
                        await program.probe()
                        return True
                    await asyncio.sleep(0.2)
        return False

    def end_second(self, name: str, *, kill: bool) -> None:
        """Ends a second instance: SIGTERM, or SIGKILL."""
        started = self._seconds.pop(name, None)
        if started is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(started.pid, signal.SIGCONT)
        if kill:
            started.kill()
            return
        started.terminate()
        self._leaving.append(started)

    async def all_left(self, patience: float = 20) -> None:
        """Second instances that were told to end have ended; SIGKILL for who doesn't."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while any(each.exit_code is None for each in self._leaving):
                    await asyncio.sleep(0.1)
        for each in self._leaving:
            each.kill()
        self._leaving.clear()

    def seconds(self, name: str) -> list[str]:
        """Addresses of the second instances of a service."""
        started = self._seconds.get(name)
        return [f"http://{LOOPBACK}:{started.program.ports[0]}"] if started else []

    def memory(self) -> int:
        """Resident bytes of everything."""
        return sum(_memory(pid) for pid in self.platform.pids.values())

    # Building

    def _proxy(self, name: str, target: int) -> int:
        port = self._ports.get(f"proxy-{name}")
        self.proxies[name] = Proxy(port, target, name)
        return port

    def _kafka_programs(self) -> list[Program]:
        return [self._advertised(program) for program in self.kafka.programs()]

    def _advertised(self, program: Program) -> Program:
        """The broker tells its clients to come through the proxy."""
        own = program.ports[0]
        port = self._proxy(program.name, own)
        prepare, config = program.prepare, program.directory / "server.properties"

        def _prepare() -> None:
            if prepare:
                prepare()
            text = re.sub(
                r"^advertised\.listeners=.*$",
                f"advertised.listeners=PLAINTEXT://{LOOPBACK}:{port}",
                config.read_text(),
                flags=re.MULTILINE,
            )
            write_atomically(config, text)

        return replace(program, prepare=_prepare)

    def _mongo_program(self) -> Program:
        program = self.mongo.program()
        self._proxy("mongo", program.ports[0])
        return program

    def _proxied_kafka(self) -> str:
        return ",".join(f"{LOOPBACK}:{proxy.port}" for name, proxy in self.proxies.items() if name.startswith("kafka"))

    def _proxied_mongo(self) -> str:
        return f"mongodb://{LOOPBACK}:{self.proxies['mongo'].port}/?retryWrites=false&directConnection=true"

    def _plan(self) -> Plan:
        plan = processes.table(self._settings, demo=True)
        for name in (*NAMES, PROVIDER):
            self._proxy(name, plan.ports[name])
        engines = tuple(each.name for each in self._engines)
        others = [replace(self._changed(each, plan), depends_on=(*each.depends_on, *engines)) for each in plan.programs]
        self._programs = {each.name: each for each in others}
        return replace(plan, programs=(*self._engines, *others), elsewhere={})

    def _changed(self, program: Program, plan: Plan) -> Program:
        if program.name == "gateway":
            return self._gateway(program, plan)
        if program.name not in NAMES:
            return program
        env = dict(program.env)
        env["RATHAUS_SERVICE_URLS"] = json.dumps({name: self._hop(name) for name in NAMES})
        env["RATHAUS_FILES_DIR"] = str(self.files)
        if program.name == "payments":
            env["RATHAUS_PROVIDER_URL"] = self._hop(PROVIDER)
        if program.name == "notifications":
            env["RATHAUS_OUTBOX_DIR"] = str(self.home / "outbox")
        return replace(program, env=env, command=self._command(program, env))

    def _command(self, program: Program, env: dict[str, str]) -> tuple[str, ...]:
        """Through a wrapper where the service is to misbehave; what it is told isn't a setting of the product."""
        broken = self.build.sabotage.get(program.name, "")
        if not broken and not self.build.unruly:
            return tuple(program.command)
        env["CHAOS_SABOTAGE"] = broken
        env["CHAOS_UNRULY"] = str(self.build.unruly)
        env["CHAOS_SEED"] = str(self.build.seed)
        return (sys.executable, "-m", "tests.chaos.sabotage", *program.command[2:])

    def _hop(self, name: str) -> str:
        """Where a service finds another, or the provider: through the proxy of its name."""
        return f"http://{LOOPBACK}:{self.proxies[name].port}"

    def _gateway(self, program: Program, plan: Plan) -> Program:
        issuer = next(each for each in plan.programs if each.name == "identity").env["RATHAUS_ISSUER"]
        ports = {name: self.proxies[name].port for name in NAMES}
        behind = Gateway(
            self.home / "gateway",
            plan.ports["gateway"],
            plan.ports["gateway-admin"],
            {"services": SERVICES, "ports": ports, "issuer": issuer},
        )
        return behind.program(depends_on=tuple(program.depends_on))


def _ready(port: int) -> Callable[[], Any]:
    return lambda: http_answers(port, "/readyz")


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
