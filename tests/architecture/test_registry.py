"""One list of services, `rathaus/registry.py`: what can't import it says the same."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

from chassis.settings import ServiceSettings
from contracts import catalogue, topics
from rathaus.operations import installation
from rathaus.registry import NAMES, SERVICES

ROOT = Path(__file__).parents[2]


def test_every_folder_of_a_service_is_registered() -> None:
    folders = {file.parent.name for file in (ROOT / "services").glob("*/*.py")}
    assert folders == set(NAMES)


def test_a_name_is_registered_once() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_the_contracts_have_a_topic_and_a_module_of_each() -> None:
    assert tuple(spec.topic for spec in SERVICES) == topics.ALL
    assert tuple(module.__name__ for module in catalogue.MODULES) == tuple(f"contracts.{name}" for name in NAMES)


def test_each_is_started_and_told_by_modules_that_are_there() -> None:
    for spec in SERVICES:
        assert callable(import_module(spec.main_module).compose)
        assert issubclass(import_module(spec.settings_module).Settings, ServiceSettings)


def test_operators_reach_all_of_them() -> None:
    assert {name: topic.name for name, topic in installation.SERVICES.items()} == {
        spec.name: spec.topic.name for spec in SERVICES
    }


def test_the_gateway_treats_only_a_services_own_paths_differently() -> None:
    for spec in SERVICES:
        for path in (*spec.gateway.uploads, *spec.gateway.sign_in):
            assert path.startswith(f"/{spec.name}/"), f"{spec.name} claims {path}"


def test_the_independence_of_services_is_checked_for_all_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = {rule["type"]: rule for rule in project["tool"]["importlinter"]["contracts"] if "modules" in rule}
    assert rules["independence"]["modules"] == ["services.*"], "a list of names would miss the next service"
