"""When a rule decides."""

from __future__ import annotations

from typing import Any

import pytest

from service_format.automation import decides
from services.applications.domain.services import Automation

RULE: dict[str, Any] = {"outcome": "granted", "conditions": [{"path": "persons", "max": 6}]}


def _automation(**fields: Any) -> Automation:
    return Automation.model_validate({"legal_basis": ["§ 35a VwVfG"], "rule": RULE, **fields})


@pytest.mark.parametrize(("data", "expected"), [({"persons": 6}, True), ({"persons": 7}, False), ({}, False)])
def test_it_decides_where_every_condition_holds(data: dict[str, Any], expected: bool) -> None:
    assert decides(_automation(), data) is expected


def test_it_needs_a_legal_basis_and_decides_in_favour_only() -> None:
    assert not decides(None, {})
    assert not decides(_automation(legal_basis=[]), {"persons": 1})
    assert not decides(_automation(rule={**RULE, "outcome": "refused"}), {"persons": 1})
