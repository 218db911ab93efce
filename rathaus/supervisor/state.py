"""What is known of a running platform, in `state.json`: for other programs, and for who comes after a kill -9.

A process is named by its id and the time of its creation, since ids are used again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from rathaus.engines.files import write_atomically


class Phase(StrEnum):
    """Where a process stands."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    UNWELL = "unwell"
    """It runs, but doesn't answer as it should."""
    RESTARTING = "restarting"
    """It ended by itself and will be started again."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    """It can't be started."""


class AlreadyRuns(Exception):
    """Another supervisor runs in this state directory."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(
            f"Rathaus runs already{f' (process {pid})' if pid else ''}. "
            "See: rathaus status. End it: rathaus down. A second one needs another RATHAUS_STATE_DIR."
        )
        self.pid = pid


class NotRunning(LookupError):
    """No platform runs in this state directory."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Exactly this process, and no later one that got its id."""

    pid: int
    create_time: float

    @classmethod
    def own(cls) -> Identity:
        """This very process."""
        return cls(os.getpid(), psutil.Process().create_time())

    def find(self) -> psutil.Process | None:
        """The process while it lives, else None."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.create_time) < 0.05
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Watched:
    """One process as the supervisor sees it."""

    name: str
    phase: Phase = Phase.WAITING
    reason: str = ""
    """What it waits for, or why it ended."""
    pid: int | None = None
    create_time: float = 0.0
    restarts: int = 0
    log: str = ""
    stage: int = 0
    """Higher stages are ended first."""

    @property
    def identity(self) -> Identity | None:
        """Which process it is, while there is one."""
        return Identity(self.pid, self.create_time) if self.pid else None


@dataclass(frozen=True, slots=True)
class State:
    """The whole platform at one moment."""

    supervisor: Identity
    phase: Phase
    demo: bool = False
    gateway_url: str = ""
    kafka_url: str = ""
    mongo_url: str = ""
    service_urls: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    processes: tuple[Watched, ...] = ()
    failure: str = ""
    """Why the start failed, for people."""

    def save(self, home: Path) -> None:
        """Writes it to `state.json`."""
        write_atomically(home / "state.json", json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, home: Path) -> State | None:
        """Reads it; None when there is none, or none that can be read."""
        try:
            found: dict[str, Any] = json.loads((home / "state.json").read_text())
            return cls(
                **found
                | {
                    "supervisor": Identity(**found["supervisor"]),
                    "phase": Phase(found["phase"]),
                    "processes": tuple(
                        Watched(**each | {"phase": Phase(each["phase"])}) for each in found["processes"]
                    ),
                }
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True, slots=True)
class Installed:
    """A running platform, for programs beside it."""

    state: State
    home: Path
    secrets: Mapping[str, str]
    """By name: `operator`, `service-<name>`, `payment-provider` ..."""

    @property
    def gateway_url(self) -> str:
        """Base address of the public door."""
        return self.state.gateway_url

    @property
    def kafka_url(self) -> str:
        """Kafka's bootstrap servers."""
        return self.state.kafka_url

    @property
    def mongo_url(self) -> str:
        """The database's connection string."""
        return self.state.mongo_url

    @property
    def clock_file(self) -> Path:
        """The file by which the services' clock is moved."""
        return self.home / "clock.json"

    def service_url(self, name: str) -> str:
        """A service's or an example's own address, behind the gateway."""
        return self.state.service_urls[name]


def running(home: Path) -> Installed:
    """The platform that runs in this state directory.

    Raises:
        NotRunning: none does.
    """
    state = State.load(home)
    if state is None or state.phase in {Phase.STOPPED, Phase.FAILED} or state.supervisor.find() is None:
        raise NotRunning(f"Rathaus isn't running (in {home}). Start it: rathaus up")
    secrets = home / "secrets.json"
    return Installed(state, home, json.loads(secrets.read_text()) if secrets.exists() else {})


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Holds the lock of a state directory. The system gives it back when the holder dies, however it dies.

    Raises:
        AlreadyRuns: somebody else holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "supervisor.lock").open("a+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = State.load(home)
            raise AlreadyRuns(state.supervisor.pid if state else None) from None
        yield


def end_orphans(home: Path, timeout: float, say: Callable[[str], None] = lambda _: None) -> list[int]:
    """Ends what a supervisor that was killed left running: gateway first, engines last. Call it with the lock held.

    Args:
        home: the state directory.
        timeout: seconds that they get after SIGTERM, stage by stage; then SIGKILL.
        say: told of each.

    Returns:
        Their process ids.
    """
    state = State.load(home)
    if state is None:
        return []
    left = [(each, found) for each in state.processes if each.identity and (found := each.identity.find())]
    for stage in sorted({each.stage for each, _ in left}, reverse=True):
        now = [(each, found) for each, found in left if each.stage == stage]
        for each, found in now:
            say(f"ending {each.name} (process {found.pid}), left over from a supervisor that was killed")
            _signal(found, signal.SIGTERM)
        _, alive = psutil.wait_procs([found for _, found in now], timeout=timeout)
        for found in alive:
            _signal(found, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=timeout)
    return [found.pid for _, found in left]


def wait_for_end(identity: Identity, timeout: float) -> bool:
    """Whether that process ends within `timeout` seconds."""
    ends = time.monotonic() + timeout
    while identity.find() is not None:
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
