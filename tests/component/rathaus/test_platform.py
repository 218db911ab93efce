"""The whole platform with its real engines and services, as `rathaus up --demo` starts it."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path

import httpx
import pytest

from rathaus import processes
from rathaus.engines import CannotStart
from rathaus.registry import NAMES
from rathaus.settings import PlatformSettings
from rathaus.supervisor import Platform
from tests.support.waiting import wait_until


@pytest.mark.engines
async def test_everything_starts_heals_and_ends(tmp_path: Path) -> None:
    async with Platform(PlatformSettings(state_dir=tmp_path, gateway_port=0), demo=True) as platform:
        assert set(platform.pids) == {"kafka", "mongo", *NAMES, "gateway", *processes.EXAMPLES}
        async with httpx.AsyncClient(base_url=platform.gateway_url, timeout=10) as client:
            await _is_given_a_token(client, platform)
            for name in ("identity", "mongo", "kafka", "gateway"):
                platform.kill(name)
            await platform.ready(timeout=90)
            await _is_given_a_token(client, platform)
    assert not platform.pids


async def _is_given_a_token(client: httpx.AsyncClient, platform: Platform) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "operator",
        "client_secret": platform.secrets["operator"],
    }

    async def _given() -> bool:
        try:
            answer = await client.post("/identity/v1/token", data=form)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    await wait_until(_given, what="a token")


def test_a_gateway_port_that_is_taken_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port}, .* is taken.*RATHAUS_GATEWAY_PORT"):
            processes.table(PlatformSettings(state_dir=tmp_path, gateway_port=port))


def test_existing_engines_are_used_and_not_started(tmp_path: Path) -> None:
    settings = PlatformSettings(state_dir=tmp_path, gateway_port=0, kafka_url="k:9092", mongo_url="mongodb://m/")
    plan = processes.table(settings)
    assert {each.name for each in plan.programs} == {*NAMES, "gateway"}
    assert set(plan.elsewhere) == {"kafka", "mongo"}
    told = next(each.env for each in plan.programs if each.name == "catalog")
    assert (told["RATHAUS_KAFKA_URL"], told["RATHAUS_MONGO_URL"]) == ("k:9092", "mongodb://m/")


def test_secrets_and_ports_are_kept_and_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    settings = PlatformSettings(state_dir=tmp_path, gateway_port=0)
    first, second = processes.table(settings), processes.table(settings)
    assert (first.secrets, first.ports) == (second.secrets, second.ports)
    assert len(set(first.secrets.values())) == len(processes.SECRETS)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_each_is_told_only_its_own_secret(tmp_path: Path) -> None:
    plan = processes.table(PlatformSettings(state_dir=tmp_path, gateway_port=0), demo=True)
    payments = next(each.env for each in plan.programs if each.name == "payments")
    known = {name for name, value in plan.secrets.items() if value in json.dumps(dict(payments))}
    assert known == {"service-payments", "payment-provider"}


def test_demo_sign_in_is_for_the_demo_only(tmp_path: Path) -> None:
    for demo in (False, True):
        plan = processes.table(PlatformSettings(state_dir=tmp_path, gateway_port=0), demo=demo)
        identity = next(each.env for each in plan.programs if each.name == "identity")
        assert identity.get("RATHAUS_DEMO_SIGN_IN") == ("true" if demo else None)
