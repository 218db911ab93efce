"""Loads towns as data (`deploy/towns`) through the API, as an operator, an editor and a reviewer would.

Every move has an Idempotency-Key made of what it sends: loading the same towns again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from rathaus.demo.door import Door, Got

TOWNS = Path(__file__).parents[2] / "deploy" / "towns"
EDITOR, REVIEWER = "redaktion", "freigabe"
"""Members of each town's invented staff: who wrote a version can't publish it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was done with a town."""

    tenant: str
    published: tuple[str, ...]
    unchanged: tuple[str, ...]


def sample_towns(folder: Path = TOWNS) -> tuple[str, ...]:
    """The slugs of the towns that there are as data."""
    return tuple(sorted(file.parent.name for file in folder.glob("*/town.json")))


async def load(gateway_url: str, operator_secret: str, folder: Path = TOWNS) -> list[Loaded]:
    """Loads every town of a folder.

    Raises:
        Refused: the platform doesn't take something, with its reasons.
        Away: it doesn't answer.
    """
    operator = Door(gateway_url)
    try:
        await operator.authenticate("operator", operator_secret)
        return [await _load_town(gateway_url, operator, folder / tenant) for tenant in sample_towns(folder)]
    finally:
        await operator.close()


async def _load_town(gateway_url: str, operator: Door, folder: Path) -> Loaded:
    tenant = folder.name
    await operator.put(f"/catalog/v1/{tenant}", json.loads((folder / "town.json").read_text()))
    editor, reviewer = Door(gateway_url), Door(gateway_url)
    try:
        await editor.sign_in(tenant, f"{EDITOR}-{tenant}")
        await reviewer.sign_in(tenant, f"{REVIEWER}-{tenant}")
        services = _services(folder)
        done = {name: await _publish(editor, reviewer, tenant, service) for name, service in services.items()}
    finally:
        await editor.close()
        await reviewer.close()
    return Loaded(tenant, _those(done, lambda new: new), _those(done, lambda new: not new))


def _services(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in sorted((folder / "services").glob("*.json"))}


async def _publish(editor: Door, reviewer: Door, tenant: str, content: Any) -> bool:
    """Whether it was published just now: otherwise it was before."""
    versions = f"/catalog/v1/{tenant}/services/{content['service_id']}/versions"
    drafted = await editor.post(versions, content, key=_key("draft", tenant, content))
    version = f"{versions}/{drafted.body['version']}"
    reviewed: Got = await reviewer.get(f"{version}/preview")
    if reviewed.body["status"] != "draft":
        return False
    await reviewer.post(f"{version}/publish", key=_key("publish", tenant, content), etag=reviewed.etag)
    return True


def _key(what: str, tenant: str, content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return str(uuid5(NAMESPACE_URL, f"{what} {tenant} {hashlib.sha256(text.encode()).hexdigest()}"))


def _those(done: dict[str, bool], wanted: Callable[[bool], bool]) -> tuple[str, ...]:
    return tuple(name for name, new in done.items() if wanted(new))
