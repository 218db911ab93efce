"""What the supervisor promises, with tiny programs in the place of the real ones."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rathaus.engines import CannotStart, Kafka
from rathaus.settings import PlatformSettings
from rathaus.supervisor import AlreadyRuns, NotRunning, Phase, Platform, running
from rathaus.supervisor.state import Identity, State, Watched
from tests.support.fake_programs import fake, plan, town
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def settings(tmp_path: Path) -> PlatformSettings:
    return PlatformSettings(
        state_dir=tmp_path, stop_timeout_seconds=5, restart_pause_seconds=0.1, restart_pause_longest_seconds=0.4
    )


@pytest.fixture
async def platform(settings: PlatformSettings) -> AsyncIterator[Platform]:
    async with Platform(settings, plan=lambda: town(settings.home)) as started:
        yield started


def seen(platform: Platform, name: str) -> Watched:
    return next(each for each in platform.processes if each.name == name)


async def test_all_is_ready_once_it_has_started(platform: Platform) -> None:
    assert {each.phase for each in platform.processes} == {Phase.READY}
    assert set(platform.pids) == {"engine", "service", "gateway"}
    assert running(platform.home).state.phase is Phase.READY


async def test_it_ends_in_order_and_without_a_trace(settings: PlatformSettings) -> None:
    async with Platform(settings, plan=lambda: town(settings.home)) as platform:
        pids = platform.pids
    assert (settings.home / "ended").read_text().split() == ["gateway", "service", "engine"]
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]
    with pytest.raises(NotRunning):
        running(settings.home)


async def test_who_dies_is_started_again_and_it_is_told(settings: PlatformSettings) -> None:
    told: list[Watched] = []
    async with Platform(settings, plan=lambda: town(settings.home), listener=told.append) as platform:
        before = platform.pids["service"]
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: platform.pids.get("service") not in {None, before}, what="another process")
        await platform.ready()
        assert seen(platform, "service").restarts == 1
        assert any(
            each.name == "service" and each.phase is Phase.RESTARTING and "signal 9" in each.reason for each in told
        )


async def test_the_pause_before_a_restart_grows_up_to_its_limit(settings: PlatformSettings) -> None:
    told: list[Watched] = []
    async with Platform(settings, plan=lambda: town(settings.home), listener=told.append) as platform:
        for _ in range(4):
            platform.kill("service")
            await platform.ready("service")
    pauses = [each.reason.rpartition("in ")[2] for each in told if "starts again" in each.reason]
    assert pauses == ["0.1 s", "0.2 s", "0.4 s", "0.4 s"]


async def test_what_is_held_stays_away_until_it_is_released(platform: Platform) -> None:
    await platform.hold("service")
    assert "service" not in platform.pids
    assert seen(platform, "service").phase is Phase.STOPPED
    platform.release("service")
    await platform.ready()


async def test_what_was_released_and_dies_before_it_is_ready_is_started_again(platform: Platform) -> None:
    for _ in range(3):
        platform.kill("service")
        await platform.ready("service")
    await platform.hold("service")
    platform.release("service")
    await wait_until(lambda: platform.pids.get("service"), what="a process")
    os.kill(platform.pids["service"], signal.SIGKILL)
    await platform.ready("service")
    assert seen(platform, "service").phase is Phase.READY


async def test_who_cannot_start_shows_its_last_lines_and_what_to_do(settings: PlatformSettings) -> None:
    home = settings.home
    platform = Platform(settings, plan=lambda: plan(fake(home, "engine"), fake(home, "service", "broken")))
    with pytest.raises(CannotStart) as caught:
        await platform.start()
    await platform.stop()
    said = str(caught.value)
    assert "service can't be started: it ended with exit code 7" in said
    assert "reading the map" in said
    assert "The disk is full" in said
    assert not platform.pids
    assert State.load(home).failure == said  # type: ignore[union-attr]


async def test_a_port_that_is_taken_is_named(settings: PlatformSettings) -> None:
    program = fake(settings.home, "service")
    with socket.create_server(("127.0.0.1", program.ports[0])):
        platform = Platform(settings, plan=lambda: plan(program))
        with pytest.raises(CannotStart, match=f"Port {program.ports[0]}, which service needs, is taken"):
            await platform.start()
        await platform.stop()


async def test_a_program_that_is_missing_is_named(settings: PlatformSettings) -> None:
    program = fake(settings.home, "service")
    absent = type(program)(**{name: getattr(program, name) for name in program.__slots__} | {"command": ("/no/such",)})
    platform = Platform(settings, plan=lambda: plan(absent))
    with pytest.raises(CannotStart, match="/no/such"):
        await platform.start()
    await platform.stop()


async def test_who_is_never_ready_is_named(settings: PlatformSettings) -> None:
    program = fake(settings.home, "service")
    mute = type(program)(
        **{name: getattr(program, name) for name in program.__slots__}
        | {"command": (sys.executable, "-I", "-c", "import signal; signal.pause()")}
    )
    short = settings.model_copy(update={"ready_timeout_seconds": 1})
    platform = Platform(short, plan=lambda: plan(mute))
    with pytest.raises(CannotStart, match=r"Not everything is ready after 1 s:\n  service: starting doesn't listen"):
        await platform.start()
    await platform.stop()


async def test_who_is_deaf_is_ended_all_the_same(settings: PlatformSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rathaus.supervisor.platform._GRACE", 0)
    short = settings.model_copy(update={"stop_timeout_seconds": 0.3})
    async with Platform(short, plan=lambda: plan(fake(short.home, "service", "deaf"))) as platform:
        pid = platform.pids["service"]
    assert not psutil.pid_exists(pid)


async def test_a_second_one_is_refused(platform: Platform, settings: PlatformSettings) -> None:
    second = Platform(settings, plan=lambda: town(settings.home))
    with pytest.raises(AlreadyRuns, match=f"process {os.getpid()}"):
        await second.start()
    await second.stop()
    assert {each.phase for each in platform.processes} == {Phase.READY}


_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from rathaus.settings import PlatformSettings
from rathaus.supervisor import Platform
from tests.support.fake_programs import town
async def main():
    settings = PlatformSettings(state_dir=Path(sys.argv[1]), stop_timeout_seconds=5)
    async with Platform(settings, plan=lambda: town(settings.home)):
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", _SUPERVISOR, str(tmp_path)], cwd=ROOT)
    yield process
    process.kill()
    process.wait()
    state = State.load(tmp_path)
    for each in state.processes if state else ():
        if each.identity and (found := each.identity.find()):
            found.kill()


async def test_orphans_of_a_killed_supervisor_are_ended_by_the_next(
    apart: subprocess.Popen[bytes], settings: PlatformSettings
) -> None:
    home = settings.home
    await wait_until(lambda: (found := State.load(home)) and found.phase is Phase.READY, what="the other supervisor")
    orphans = [each.identity for each in running(home).state.processes]
    apart.kill()
    apart.wait()
    assert all(each and each.find() for each in orphans)
    told: list[str] = []
    async with Platform(settings, plan=lambda: town(home), say=told.append):
        assert not [each for each in orphans if each and each.find()]
    assert [line.split()[1] for line in told if "left over" in line] == ["gateway", "service", "engine"]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    process = subprocess.Popen([sys.executable, "-I", "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


async def test_a_process_that_only_got_an_orphans_id_is_left_alone(
    bystander: subprocess.Popen[bytes], settings: PlatformSettings
) -> None:
    left = Watched("service", Phase.READY, pid=bystander.pid, create_time=1.0)
    State(Identity(2**22, 1.0), Phase.READY, processes=(left,)).save(settings.home)
    async with Platform(settings, plan=lambda: town(settings.home)):
        assert bystander.poll() is None


async def test_a_log_that_has_grown_is_put_aside(settings: PlatformSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rathaus.engines.process.LOG_BYTES", 1)
    for _ in range(2):
        async with Platform(settings, plan=lambda: plan(fake(settings.home, "service"))):
            pass
    log = settings.home / "logs" / "service.log"
    await asyncio.to_thread(log.stat)
    assert log.with_name("service.log.1").read_text() == log.read_text() == "serving\n"


async def test_a_preparation_that_fails_is_told_and_does_not_stand_for_good(settings: PlatformSettings) -> None:
    def _full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    program = replace(fake(settings.home, "service"), prepare=_full)
    platform = Platform(settings, plan=lambda: plan(program))
    with pytest.raises(CannotStart, match="No space left on device"):
        await platform.start()
    await platform.stop()


async def test_three_brokers_agree_on_one_cluster(tmp_path: Path) -> None:
    """They prepare side by side: each made a cluster of its own once."""
    kafka = Kafka(tmp_path, brokers=3)
    programs = kafka.programs()
    prepared = [program.prepare for program in programs if program.prepare]
    await asyncio.gather(*(asyncio.to_thread(prepare) for prepare in prepared))
    found = [(program.directory / "data" / "meta.properties").read_text() for program in programs]
    clusters = {line for text in found for line in text.splitlines() if line.startswith("cluster.id=")}
    assert (len(found), len(clusters)) == (3, 1)
