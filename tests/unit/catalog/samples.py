"""Services as data for tests: the guide's example and the sample towns, and changed copies of them."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from service_format.service import ServiceAsData

ROOT = Path(__file__).parents[3]
TOWNS = ROOT / "deploy/towns"
GUIDE = ROOT / "docs/guides/service-format.md"
ABSENT: Any = object()


def guide_example() -> dict[str, Any]:
    """The complete example of the guide."""
    found = re.search(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    example: dict[str, Any] = json.loads(found[1])
    return example


def sample(town: str, service_id: str) -> dict[str, Any]:
    """A service of a sample town."""
    read: dict[str, Any] = json.loads((TOWNS / town / "services" / f"{service_id}.json").read_text(encoding="utf-8"))
    return read


def changed(document: dict[str, Any], pointer: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a JSON pointer; `ABSENT` removes it, `-` appends."""
    made = copy.deepcopy(document)
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    place: Any = made
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if value is ABSENT:
        del place[int(last) if isinstance(place, list) else last]
    elif isinstance(place, list):
        place.append(value) if last == "-" else place.__setitem__(int(last), value)
    else:
        place[last] = value
    return made


def service(document: dict[str, Any]) -> ServiceAsData:
    """As a model."""
    return ServiceAsData.model_validate(document)
