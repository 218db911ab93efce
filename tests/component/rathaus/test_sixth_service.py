"""CONTRIBUTING.md, "A new service": followed in a copy of the tree, it leads to one that runs and can be reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.sixth_service.lines import LINES
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
NEW = ROOT / "tests" / "sixth_service"
TREE = ("kernel", "contracts", "service_format", "chassis", "services", "rathaus", "deploy", "docs", "tests")
PAPERS = ("pyproject.toml", "README.md", "CONTRIBUTING.md")
UNCOPIED = shutil.ignore_patterns("__pycache__", "node_modules", ".*_cache")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with a sixth service in it, made as the recipe says."""
    copy = tmp_path_factory.mktemp("sixth") / "tree"
    for name in TREE:
        shutil.copytree(ROOT / name, copy / name, ignore=UNCOPIED)
    for name in PAPERS:
        shutil.copy(ROOT / name, copy / name)
    for name in ("services", "contracts"):
        shutil.copytree(NEW / name, copy / name, dirs_exist_ok=True, ignore=UNCOPIED)
    for name, before, after in LINES:
        text = (copy / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name}: {before!r}"
        (copy / name).write_text(text.replace(before, after), encoding="utf-8")
    _run(copy, "-m", "contracts.generate")
    return copy


def _run(tree: Path, *arguments: str, **settings: str) -> str:
    """Python in that tree, and what it printed."""
    found = subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def _files(tree: Path) -> dict[str, bytes]:
    found = (file for name in TREE for file in (tree / name).rglob("*") if file.is_file())
    return {str(file.relative_to(tree)): file.read_bytes() for file in found if "__pycache__" not in file.parts}


def test_one_file_outside_the_service_and_the_contracts_changes(tree: Path) -> None:
    before, after = _files(ROOT), _files(tree)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    outside = {name for name in changed if not name.startswith(("services/defects/", "contracts/"))}
    assert outside == {"rathaus/registry.py"}


def test_the_rules_of_the_house_hold_with_it(tree: Path) -> None:
    rules = ("tests/architecture/test_structure.py", "tests/architecture/test_registry.py", "tests/contract")
    _run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *rules)
    imports = Path(sys.executable).with_name("lint-imports")
    _run(tree, str(imports), "--no-cache")


@pytest.fixture
def gateway_url(tree: Path, tmp_path: Path) -> Iterator[str]:
    settings = {"RATHAUS_STATE_DIR": str(tmp_path / "state"), "RATHAUS_GATEWAY_PORT": "0"}
    try:
        _run(tree, "-m", "rathaus", "up", "--detach", **settings)
        status = json.loads(_run(tree, "-m", "rathaus", "status", "--json", **settings))
        yield str(status["gateway_url"])
    finally:
        _run(tree, "-m", "rathaus", "down", **settings)


@pytest.mark.engines
async def test_it_is_started_with_the_others_and_answers_through_the_gateway(
    tree: Path, tmp_path: Path, gateway_url: str
) -> None:
    state = tmp_path / "state"
    secrets = json.loads((state / "secrets.json").read_text())
    assert "service-defects" in secrets
    async with httpx.AsyncClient(base_url=gateway_url, timeout=15) as client:
        assert 'href="/defects/openapi.json"' in (await client.get("/")).text
        assert (await client.post("/defects/v1/witten/defects", json={"kind": "street_light"})).status_code == 401
        form = {"grant_type": "client_credentials", "client_id": "operator", "client_secret": secrets["operator"]}
        token = (await client.post("/identity/v1/token", data=form)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
        answers = [
            await client.post("/defects/v1/witten/defects", json={"kind": "street_light"}, headers=headers)
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()

        settings = {"RATHAUS_STATE_DIR": str(state)}
        told = await _told(tree, settings)
        assert told["type"] == "de.rathaus.defects.defect_reported.v1"
        assert told["data"]["defect_id"] == answers[0].json()["defect_id"]
        read = await client.get(told["data"]["dataref"], headers=headers)
        assert read.json() == answers[0].json()
        proven = json.loads(_run(tree, "-m", "rathaus", "events", "verify", "-s", "defects", "--json", **settings))
        assert proven["events"] == 1


async def _told(tree: Path, settings: dict[str, str]) -> dict[str, Any]:
    """The event, once it is in its topic."""
    asked = ("events", "tail", "--type", "defect_reported", "--since", "1h", "--no-follow", "--json")
    found: list[dict[str, Any]] = []

    async def _there() -> bool:
        found.extend(map(json.loads, _run(tree, "-m", "rathaus", *asked, **settings).splitlines()))
        return bool(found)

    await wait_until(_there, what="the event in its topic")
    assert len(found) == 1
    return found[0]
