"""Decision by rule, without a person (VwVfG § 35a)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from contracts.applications import Outcome
from service_format.conditions import Statement, all_hold


class KnownRule(Protocol):
    """What is read of a rule."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def conditions(self) -> Sequence[Statement]: ...


class KnownAutomation(Protocol):
    """What is read of what allows a decision by rule."""

    @property
    def legal_basis(self) -> Sequence[str]: ...
    @property
    def rule(self) -> KnownRule: ...


def decides(automation: KnownAutomation | None, data: Any) -> bool:
    """Whether the rule decides an application with this data; where it doesn't, a person has to.

    It needs a legal basis (VwVfG § 35a). Only what favours the applicant in full is decided by rule: anything else
    needs grounds (§ 39 (1)).
    """
    if automation is None or not automation.legal_basis or automation.rule.outcome is not Outcome.GRANTED:
        return False
    return all_hold(automation.rule.conditions, data)
