"""`rathaus up`, `down`, `status`, `logs` as processes, with tiny programs in the place of the real ones."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from rathaus.settings import PlatformSettings
from rathaus.supervisor import Phase, commands
from rathaus.supervisor.display import table
from rathaus.supervisor.state import State, Watched
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]

_COMMAND = """
import sys
sys.path.insert(0, {root!r})
from rathaus import processes
from tests.support import fake_programs
processes.table = lambda settings, **_: fake_programs.{plan}(settings.home)
from rathaus.cli import app
app(prog_name="rathaus")
"""


def rathaus(plan: str = "town") -> list[str]:
    """The command line, with other processes to run."""
    return [sys.executable, "-c", _COMMAND.format(root=str(ROOT), plan=plan)]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlatformSettings:
    monkeypatch.setenv("RATHAUS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("RATHAUS_STOP_TIMEOUT_SECONDS", "5")
    monkeypatch.chdir(tmp_path)
    return PlatformSettings()


@pytest.fixture(autouse=True)
def _nothing_is_left(settings: PlatformSettings) -> Iterator[None]:
    yield
    commands.down(settings, console=Console(file=io.StringIO()))


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_detached_it_returns_when_all_is_ready_and_down_ends_it(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=console, command=rathaus()) == 0
    assert "is ready" in said(console)
    state = State.load(settings.home)
    assert state is not None
    assert os.getsid(state.supervisor.pid) == state.supervisor.pid
    assert commands.status(settings, as_json=False, console=console) == 0
    assert commands.down(settings, console=console) == 0
    assert "Everything has ended." in said(console)
    assert (settings.home / "ended").read_text().split() == ["gateway", "service", "engine"]
    assert not [each.pid for each in state.processes if each.pid and psutil.pid_exists(each.pid)]
    assert commands.status(settings, as_json=False, console=console) == 3


def test_detached_it_tells_why_it_cannot_start(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=console, command=rathaus("broken_town")) == 1
    assert "service can't be started" in said(console)
    assert "The disk is full" in said(console)
    assert commands.status(settings, as_json=False, console=console) == 3


def test_a_second_up_says_that_it_runs_already(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=console, command=rathaus()) == 0
    assert commands.detached(settings, demo=False, console=console, command=rathaus()) == 3
    assert "runs already" in said(console)
    second = subprocess.run([*rathaus(), "up"], capture_output=True, text=True, check=False)
    assert (second.returncode, "runs already" in second.stdout) == (3, True)
    assert commands.status(settings, as_json=False, console=console) == 0


@pytest.fixture
def foreground(settings: PlatformSettings) -> Iterator[subprocess.Popen[str]]:
    """`rathaus up` in the foreground, not on a terminal."""
    with subprocess.Popen([*rathaus(), "up"], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_all_in_order(
    foreground: subprocess.Popen[str], settings: PlatformSettings, number: signal.Signals
) -> None:
    await wait_until(lambda: (found := State.load(settings.home)) and found.phase is Phase.READY, what="ready")
    foreground.send_signal(number)
    out, _ = foreground.communicate(timeout=20)
    assert foreground.returncode == 0
    assert "service              ready" in out
    assert (settings.home / "ended").read_text().split() == ["gateway", "service", "engine"]


def test_down_ends_the_orphans_of_a_killed_supervisor(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=console, command=rathaus()) == 0
    state = State.load(settings.home)
    assert state is not None
    psutil.Process(state.supervisor.pid).kill()
    psutil.wait_procs([psutil.Process(state.supervisor.pid)] if psutil.pid_exists(state.supervisor.pid) else [])
    assert commands.status(settings, as_json=False, console=console) == 3
    assert "left over: engine" in said(console)
    assert commands.down(settings, console=console) == 0
    assert not [each for each in state.processes if each.identity and each.identity.find()]


def test_on_a_narrow_terminal_a_reason_is_folded_and_not_cut_off() -> None:
    narrow = Console(file=io.StringIO(), width=60)
    reason = "broker: the broker can't be reached: KafkaConnectionError"
    narrow.print(table([Watched("identity", Phase.UNWELL, reason, restarts=1)], figures=True))
    assert "KafkaConnectionError" in said(narrow).replace(" ", "").replace("\n", "")


def test_status_for_programs_names_processes_and_no_secret(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=Console(file=io.StringIO()), command=rathaus()) == 0
    assert commands.status(settings, as_json=True, console=console) == 0
    found = json.loads(said(console))
    assert found["running"] is True
    assert {each["name"]: each["phase"] for each in found["processes"]} == dict.fromkeys(
        ("engine", "service", "gateway"), "ready"
    )
    assert "secret" not in said(console)


def test_logs_show_the_last_lines_of_each(settings: PlatformSettings, console: Console) -> None:
    assert commands.detached(settings, demo=False, console=console, command=rathaus()) == 0
    out = io.StringIO()
    assert commands.logs(settings, name="service", follow=False, lines=5, out=out) == 0
    assert out.getvalue() == "service | serving\n"
    assert commands.logs(settings, name="nobody", follow=False, lines=5, out=out) == 2
    assert "engine, gateway, service, supervisor" in out.getvalue()


def _json(**told: str) -> str:
    return json.dumps({**told, "level": "error", "timestamp": "2026-11-22T10:11:12.345678Z"})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("no JSON at all", "no JSON at all"),
        ("[1, 2]", "[1, 2]"),
        ('{"event": "half of it"}', '{"event": "half of it"}'),
        (_json(event="parked", service="x", reason="hole"), "10:11:12.345 error   parked  reason=hole"),
        (_json(event="failed", exception="a\nb"), "10:11:12.345 error   failed\na\nb"),
    ],
)
def test_logs_are_read_by_people(line: str, shown: str) -> None:
    assert commands.readable(line) == shown


def test_a_log_is_followed_over_its_being_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("one\n")
    places = {log: commands._place(log)}
    with log.open("a") as stream:
        stream.write("two\nthr")
    assert commands._news(log, places) == ["two"]
    with log.open("a") as stream:
        stream.write("ee\n")
    assert commands._news(log, places) == ["three"]
    log.rename(tmp_path / "service.log.1")
    assert commands._news(log, places) == []
    log.write_text("four\n")
    assert commands._news(log, places) == ["four"]
