"""What the platform is told: a name that nobody knows stops the start, and each setting says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.errors import ConfigurationError
from rathaus.registry import NAMES
from rathaus.settings import PlatformSettings, load, passed_on, service_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rathaus.toml").write_text('gateway_port = 8085\nkafka_url = "kafka:9092"\n')
    monkeypatch.setenv("RATHAUS_GATEWAY_PORT", "8086")
    settings = load()
    assert (settings.gateway_port, settings.kafka_url) == (8086, "kafka:9092")


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("gateway_port = 8087\n")
    monkeypatch.setenv("RATHAUS_SETTINGS_FILE", "other.toml")
    assert load().gateway_port == 8087
    monkeypatch.setenv("RATHAUS_SETTINGS_FILE", "absent.toml")
    with pytest.raises(ConfigurationError, match=r"absent\.toml, which isn't a file"):
        load()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("gateway_prt = 1\n", "gateway_prt isn't a setting"),
        ("gateway_port = 70000\n", "RATHAUS_GATEWAY_PORT.*less than or equal to 65535"),
        ("gateway_port\n", "can't be read"),
        ('mongo_url = "localhost:27017"\n', "RATHAUS_MONGO_URL"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, finding: str) -> None:
    (tmp_path / "rathaus.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=finding):
        load()


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATHAUS_KAFKA_ULR", "kafka:9092")
    with pytest.raises(ConfigurationError, match="RATHAUS_KAFKA_ULR"):
        load()


def test_a_services_variable_is_known_and_passed_on_to_who_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATHAUS_TOKEN_SECONDS", "60")
    monkeypatch.setenv("RATHAUS_LOG_LEVEL", "DEBUG")
    load()
    environ = {"RATHAUS_TOKEN_SECONDS": "60", "RATHAUS_LOG_LEVEL": "DEBUG", "HOME": "/root"}
    assert passed_on("identity", environ) == {"RATHAUS_TOKEN_SECONDS": "60", "RATHAUS_LOG_LEVEL": "DEBUG"}
    assert passed_on("catalog", environ) == {"RATHAUS_LOG_LEVEL": "DEBUG"}


def test_each_setting_says_what_it_is() -> None:
    for settings in (PlatformSettings, *map(service_settings, NAMES)):
        assert not [name for name, field in settings.model_fields.items() if not field.description]
