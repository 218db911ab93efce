"""A process: how it is described (`Program`), and one that was started (`Started`)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rathaus.engines.ports import is_free
from rathaus.engines.probes import NotReady

__all__ = ["CannotStart", "Hosted", "NotReady", "Program", "Started", "advice", "beside_python", "tail"]

LOG_BYTES = 10_000_000
"""A log that has grown past this is put aside when its process starts."""
_OLD_LOGS = 3

# What a child is given of our own environment; everything else is named by its Program. Secrets of the one who
# starts us don't go further than they must.
_PASSED_ON = {
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("VIRTUAL_ENV", "PYTHONPATH", "PYTHONWARNINGS", "COVERAGE_PROCESS_START"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
}


class CannotStart(Exception):
    """Something can't be started; the text is for the person at the terminal: what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one process is started, and how one knows that it is ready."""

    name: str
    command: Sequence[str]
    probe: Callable[[], Awaitable[None]]
    """Returns when it is ready, else raises `NotReady` with the reason."""
    directory: Path
    """Where it works; made when missing."""
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    """Must be free on 127.0.0.1 before it starts."""
    prepare: Callable[[], None] | None = None
    """What has to be done before each start; may block for long, may raise `CannotStart`."""
    depends_on: tuple[str, ...] = ()
    """It is ended before these. At the start it waits for them by itself."""


def beside_python(program: str, instead: str) -> str:
    """The path of a program that a wheel installed.

    Args:
        program: its name.
        instead: the setting that makes it superfluous, for the message.

    Raises:
        CannotStart: it isn't installed.
    """
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        raise CannotStart(f"The program {program} isn't installed. Either run: make setup{instead}")
    return found


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 20_000))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


_ADVICE = (
    (("no space left on device", "disk quota exceeded"), "The disk is full: make room and start again."),
    (
        ("address already in use", "failed to bind", "cannot bind '127"),
        "Its port is taken: end the program that has it.",
    ),
    (
        ("cannot allocate memory", "outofmemoryerror", "insufficient memory"),
        "Memory is short: about 1.5 GB are needed.",
    ),
    (("too many open files",), "Too few files may be open: raise the limit (ulimit -n 4096)."),
    (("exec format error", "glibc_"), "This machine isn't supported: Linux with glibc 2.31 or later, macOS on arm64."),
    (
        ("permission denied", "read-only file system"),
        "It may not write there: choose another place by RATHAUS_STATE_DIR.",
    ),
    (("can't start: unknown setting", "can't start: wrong settings"), "Correct the settings that it names."),
)


def advice(log_text: str) -> str:
    """What to do about what a log's last lines say; empty when nothing known is in them."""
    lower = log_text.lower()
    return next((what for signs, what in _ADVICE if any(sign in lower for sign in signs)), "")


class Started:
    """A process that we started, in a group of its own, so that a terminal's Ctrl-C reaches only us."""

    def __init__(self, program: Program, log: Path) -> None:
        """Starts it; its output goes to `log`.

        Raises:
            CannotStart: a port is taken, or there is no such program.
        """
        self.program = program
        self.log = log
        for port in program.ports:
            if not is_free(port):
                raise CannotStart(
                    f"Port {port}, which {program.name} needs, is taken by another program. End that one."
                )
        env = {name: value for name, value in os.environ.items() if name in _PASSED_ON} | dict(program.env)
        try:
            _prepare_log(log)
            program.directory.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                self._popen = subprocess.Popen(
                    list(program.command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=program.directory,
                    env=env,
                    start_new_session=True,
                )
        except OSError as error:
            raise CannotStart(f"{program.name} can't be started: {error}. {advice(str(error))}".strip()) from error
        self.started = time.monotonic()
        self.create_time = _create_time(self._popen.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Asks it to end (SIGTERM)."""
        if self.exit_code is None:
            self._popen.terminate()

    def kill(self) -> None:
        """Ends it at once (SIGKILL), and what it may have started itself."""
        if self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()

    def memory(self) -> int:
        """Resident bytes at present; 0 when it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0


def _create_time(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def _prepare_log(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if not log.exists() or log.stat().st_size < LOG_BYTES:
        return
    for number in range(_OLD_LOGS, 0, -1):
        older = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))


class Hosted:
    """Programs run by this Python process, for tests and tools: no supervision. Safe to use with or without a loop.

    Its methods block; in an async test call `await asyncio.to_thread(engine.restart)` to keep the loop going.
    """

    def __init__(
        self, programs: Sequence[Program], log_directory: Path, *, url: str = "", ready_seconds: float = 60
    ) -> None:
        self.url = url
        """Where clients find it."""
        self._programs = {each.name: each for each in programs}
        self._logs = log_directory
        self._ready_seconds = ready_seconds
        self._running: dict[str, Started] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of those that run."""
        return {name: each.pid for name, each in self._running.items() if each.exit_code is None}

    def memory(self) -> int:
        """Resident bytes of all of them."""
        return sum(each.memory() for each in self._running.values())

    def start(self, name: str | None = None) -> None:
        """Starts all, or one, on the ports and data of before, and waits until they are ready.

        Raises:
            CannotStart: one ended, or isn't ready in time; with the last lines of its log.
        """
        chosen = [each for each in self._programs.values() if name in {None, each.name}]
        fresh = [each for each in chosen if each.name not in self.pids]
        for program in fresh:
            if program.prepare:
                program.prepare()
            self._running[program.name] = Started(program, self._logs / f"{program.name}.log")
        for program in fresh:
            self._wait_ready(self._running[program.name])

    def kill(self, name: str | None = None) -> None:
        """Ends all, or one, with SIGKILL."""
        for each in self._chosen(name):
            each.kill()

    def restart(self, name: str | None = None) -> None:
        """Starts again what was killed, or kills and starts it: the same port, the same data."""
        self.kill(name)
        self.start(name)

    def stop(self, name: str | None = None, timeout: float = 15) -> None:
        """Ends all, or one, with SIGTERM; with SIGKILL after `timeout` seconds."""
        chosen = self._chosen(name)
        for each in chosen:
            each.terminate()
        ends = time.monotonic() + timeout
        while any(each.exit_code is None for each in chosen) and time.monotonic() < ends:
            time.sleep(0.02)
        for each in chosen:
            each.kill()

    def _chosen(self, name: str | None) -> list[Started]:
        return [each for each in self._running.values() if name in {None, each.program.name}]

    def _wait_ready(self, started: Started) -> None:
        ends = started.started + self._ready_seconds
        reason = ""
        while time.monotonic() < ends:
            if started.exit_code is not None:
                raise CannotStart(_ended(started))
            try:
                _outside_any_loop(started.program.probe)
            except NotReady as error:
                reason = str(error)
                time.sleep(0.05)
            else:
                return
        raise CannotStart(f"{started.program.name} isn't ready after {self._ready_seconds:.0f} s: {reason}")


def _ended(started: Started) -> str:
    said = tail(started.log)
    return f"{started.program.name} ended with {started.exit_code}. {advice(said)}\n{said}"


def _outside_any_loop(probe: Callable[[], Awaitable[None]]) -> None:
    """Runs a probe on a loop of its own, in a thread, since the caller's thread may already run one."""
    outcome: list[BaseException] = []

    def _run() -> None:
        coroutine: Coroutine[Any, Any, None] = _awaited(probe)
        try:
            asyncio.run(coroutine)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=_run, name="probe")
    thread.start()
    thread.join()
    if outcome:
        raise outcome[0]


async def _awaited(probe: Callable[[], Awaitable[None]]) -> None:
    await probe()
