"""What `up`, `down`, `status` and `logs` do. Each returns the exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from rathaus.engines.process import CannotStart, tail
from rathaus.settings import PlatformSettings
from rathaus.supervisor.display import Display, table
from rathaus.supervisor.platform import Platform
from rathaus.supervisor.state import AlreadyRuns, NotRunning, Phase, State, alone, end_orphans, running, wait_for_end

OK, FAILED, USAGE, NOT_AS_WISHED = 0, 1, 2, 3
"""NOT_AS_WISHED: `up` while it runs already, `status` while it doesn't."""

_STAGES = 4
"""More than there are stages of processes that end one after another."""


async def foreground(
    settings: PlatformSettings,
    *,
    demo: bool,
    console: Console,
    use: Callable[[Platform], Coroutine[Any, Any, int]] | None = None,
) -> int:
    """Runs the platform until SIGINT, SIGTERM or SIGHUP, or until `use`, begun once all is ready, has ended.

    Returns what `use` returned, if it ended by itself.
    """
    with Display(console) as display:
        platform = Platform(settings, demo=demo, listener=display.show, say=display.say)
        ending = _on_signals(platform)
        starting = asyncio.create_task(platform.start(), name="start")
        waiting = asyncio.create_task(ending.wait(), name="signal")
        using: asyncio.Task[int] | None = None
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                display.settle()
                _welcome(platform, console)
                using = asyncio.create_task((use or _nothing)(platform), name="use")
                await asyncio.wait({using, waiting}, return_when=asyncio.FIRST_COMPLETED)
            display.settle()
            console.print("ending everything, in order (Ctrl-C again: at once)")
            if using and using.done():
                return using.result()
        except CannotStart as error:
            display.settle()
            console.print(f"\n{error}", markup=False, style="red")
            return FAILED
        except AlreadyRuns as error:
            console.print(str(error), markup=False)
            return NOT_AS_WISHED
        finally:
            tasks = [each for each in (starting, waiting, using) if each]
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await platform.stop()
    return OK


async def _nothing(_: Platform) -> int:
    await asyncio.Event().wait()
    return OK


def _on_signals(platform: Platform) -> asyncio.Event:
    ending = asyncio.Event()

    def _asked() -> None:
        if ending.is_set():
            platform.kill_all()
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _asked)
    return ending


def _welcome(platform: Platform, console: Console) -> None:
    console.print(f"[bold green]Rathaus is ready[/] at {platform.gateway_url}")
    console.print(f"Logs and data: {platform.home}. What runs: rathaus status. End it: Ctrl-C, or rathaus down.")


def detached(
    settings: PlatformSettings,
    *,
    demo: bool,
    console: Console,
    command: Sequence[str] = (sys.executable, "-m", "rathaus"),
) -> int:
    """Starts the platform in a session of its own and returns once it is ready, or has failed."""
    with suppress(NotRunning):
        console.print(str(AlreadyRuns(running(settings.home).state.supervisor.pid)), markup=False)
        return NOT_AS_WISHED
    log = settings.home / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        child = subprocess.Popen(
            [*command, "up", *(["--demo"] if demo else [])],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with Display(console) as display:
            state = _await_start(settings.home, child, display)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        console.print("ended again")
        return FAILED
    if state is None:
        console.print(tail(log, 40), markup=False, style="red")
        return child.returncode or FAILED
    child.returncode = 0  # it is to outlive us: nobody is to miss a wait for it
    console.print(f"[bold green]Rathaus is ready[/] at {state.gateway_url}. End it: rathaus down")
    return OK


def _await_start(home: Path, child: subprocess.Popen[bytes], display: Display) -> State | None:
    """The state once all is ready; None when the start failed."""
    while child.poll() is None:
        state = State.load(home)
        if state and state.supervisor.pid == child.pid:
            for each in state.processes:
                display.show(each)
            if state.phase is Phase.READY:
                return state
        time.sleep(0.1)
    return None


def down(settings: PlatformSettings, *, console: Console) -> int:
    """Ends the platform, or what a killed supervisor left of it."""
    home, patience = settings.home, settings.stop_timeout_seconds + 5
    state = State.load(home)
    supervisor = state.supervisor if state else None
    ended = supervisor is not None and supervisor.find() is not None
    if supervisor and ended:
        with suppress(ProcessLookupError):
            os.kill(supervisor.pid, signal.SIGTERM)
        if not wait_for_end(supervisor, _STAGES * patience):
            console.print(f"the supervisor (process {supervisor.pid}) doesn't end: SIGKILL")
            with suppress(ProcessLookupError):
                os.kill(supervisor.pid, signal.SIGKILL)
            wait_for_end(supervisor, patience)
    try:
        with alone(home):
            left = end_orphans(home, patience, lambda text: console.print(text, markup=False))
    except AlreadyRuns as error:
        console.print(str(error), markup=False)
        return FAILED
    console.print("Everything has ended." if ended or left else "Rathaus isn't running.")
    return OK


def status(settings: PlatformSettings, *, as_json: bool, console: Console) -> int:
    """Tells what runs. 0 when all is ready, 1 when something isn't, 3 when it doesn't run."""
    state = State.load(settings.home)
    alive = state is not None and state.supervisor.find() is not None
    if as_json:
        found = asdict(state) if state else {}
        console.print_json(json.dumps({"running": alive, **found}))
    if state is None or not alive:
        left = [each for each in state.processes if each.identity and each.identity.find()] if state else []
        if not as_json:
            console.print("Rathaus isn't running. Start it: rathaus up")
            for each in left:
                console.print(f"left over: {each.name} (process {each.pid}). End it: rathaus down")
        return NOT_AS_WISHED
    if not as_json:
        console.print(table(state.processes, figures=True))
        console.print(f"gateway {state.gateway_url}   kafka {state.kafka_url}   mongo {state.mongo_url}", markup=False)
    return OK if all(each.phase is Phase.READY for each in state.processes) else FAILED


def logs(
    settings: PlatformSettings, *, name: str | None, follow: bool, lines: int, out: TextIO, raw: bool = False
) -> int:
    """Prints the last lines of one log, or of all; with `follow` also what comes; `raw` as they stand in the file."""
    shown = str if raw else readable
    folder = settings.home / "logs"
    files = [folder / f"{name}.log"] if name else sorted(folder.glob("*.log"))
    if not files or not all(file.exists() for file in files):
        there = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        out.write(f"no such log; there are: {there}\n")
        return USAGE
    width = max(len(file.stem) for file in files)
    places: dict[Path, tuple[int, int]] = {}
    for file in files:
        places[file] = _place(file)
        out.writelines(f"{file.stem:<{width}} | {shown(line)}\n" for line in tail(file, lines).splitlines())
    with suppress(KeyboardInterrupt):
        while follow:
            for file in files:
                out.writelines(f"{file.stem:<{width}} | {shown(line)}\n" for line in _news(file, places))
            out.flush()
            time.sleep(0.2)
    return OK


def readable(line: str) -> str:
    """A service's line of JSON as a person reads it: time (UTC), level, what happened, the rest. Others as they are."""
    try:
        told = json.loads(line)
        when, level, event = (str(told.pop(name)) for name in ("timestamp", "level", "event"))
    except (ValueError, KeyError, AttributeError, TypeError):
        return line
    for known in ("service", "logger"):  # the first stands before the line, the second is for programs
        told.pop(known, None)
    trace = told.pop("exception", "")
    rest = "  ".join(f"{name}={value}" for name, value in told.items())
    text = f"{when[11:23]} {level:<7} {event}  {rest}".rstrip()
    return f"{text}\n{trace}" if trace else text


def _place(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_size


def _news(file: Path, places: dict[Path, tuple[int, int]]) -> list[str]:
    """Whole lines written since the last look; a log that was put aside is begun anew."""
    with suppress(FileNotFoundError):
        inode, size = _place(file)
        before, read = places[file]
        start = read if inode == before and size >= read else 0
        with file.open("rb") as stream:
            stream.seek(start)
            text = stream.read()
        whole = text.rfind(b"\n") + 1
        places[file] = inode, start + whole
        return text[:whole].decode(errors="replace").splitlines()
    return []
