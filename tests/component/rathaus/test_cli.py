"""The command line's small commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rathaus.cli import app

run = CliRunner()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RATHAUS_STATE_DIR", str(tmp_path))
    return tmp_path


def test_the_version_is_told() -> None:
    assert run.invoke(app, ["--version"]).output.startswith("rathaus 0.")


def test_every_command_has_a_help_text() -> None:
    said = run.invoke(app, ["--help"]).output
    for command in ("up", "down", "status", "logs", "serve", "clock", "demo"):
        assert f" {command} " in said


def test_the_clock_is_moved_and_reset(state: Path) -> None:
    assert run.invoke(app, ["clock", "advance", "1d12h"]).exit_code == 0
    assert run.invoke(app, ["clock", "advance", "90s"]).exit_code == 0
    assert json.loads((state / "clock.json").read_text()) == {"offset_seconds": 129_690.0}
    (state / "clock.json").write_text('{"offset_seconds": 129689.790595}')
    assert "1 day, 12:01:30 ahead" in run.invoke(app, ["clock", "show"]).output
    assert run.invoke(app, ["clock", "reset"]).exit_code == 0
    assert "machine's clock" in run.invoke(app, ["clock", "show"]).output


@pytest.mark.parametrize("wrong", ["3", "d", "2 h", "1h2"])
def test_a_duration_that_is_none_is_refused(wrong: str) -> None:
    assert run.invoke(app, ["clock", "advance", wrong]).exit_code == 2


def test_an_unknown_service_is_refused() -> None:
    said = run.invoke(app, ["serve", "nobody"])
    assert (said.exit_code, "nobody" in said.output) == (2, True)


def test_wrong_settings_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATHAUS_GATEWAY_PROT", "1")
    said = run.invoke(app, ["up"])
    assert (said.exit_code, "RATHAUS_GATEWAY_PROT" in said.output) == (2, True)
