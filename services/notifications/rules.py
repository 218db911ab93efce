"""By which rule a notice takes effect: data with a version and a validity, so that a change of law is a new entry.

Old versions stay: an announcement names the version by which it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from contracts.applications import ProceduralLaw


@dataclass(frozen=True, slots=True)
class AnnouncementRule:
    """Announcement by retrieval from a mailbox. Pure: days in, days out; all in Europe/Berlin."""

    code: str
    version: int
    law: ProceduralLaw
    """The decision's procedural law."""
    valid_from: date
    valid_to: date | None
    """Last day; None while in force."""
    provision_days: int
    """Days after the day on which the notification was sent; the day of sending isn't counted (BGB § 187 (1))."""
    days_after_retrieval: int
    source: str

    def announced_on(self, retrieved_on: date) -> date:
        """The day on which a notice retrieved in time counts as announced."""
        return retrieved_on + timedelta(days=self.days_after_retrieval)

    def provision_ends_on(self, sent_on: date) -> date:
        """The last day on which retrieval announces the notice.

        It stays where it is on a Saturday, Sunday or holiday: the ten days bind the authority, which may provide again.
        """
        return sent_on + timedelta(days=self.provision_days)

    def in_force(self, on: date) -> bool:
        """Whether it applies to a notice provided on that day."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


VWVFG_41_2A = AnnouncementRule(
    code="vwvfg_41_2a",
    version=1,
    law=ProceduralLaw.VWVFG,
    valid_from=date(2017, 1, 1),
    valid_to=None,
    provision_days=10,
    days_after_retrieval=1,
    source="VwVfG § 41 (2a): announced on the day after retrieval; provision ends where the notice isn't retrieved "
    "within ten days after the notification was sent, and then it isn't announced",
)

RULES: tuple[AnnouncementRule, ...] = (VWVFG_41_2A,)
"""SGB X § 37 (2a) and AO § 122a have other rules, which are not here yet: such notices are not provided."""


def rule_for(law: ProceduralLaw, on: date, rules: tuple[AnnouncementRule, ...] = RULES) -> AnnouncementRule | None:
    """The rule for a notice provided on that day; None where this installation knows none."""
    return next((rule for rule in rules if rule.law is law and rule.in_force(on)), None)


def rule_named(code: str, version: int, rules: tuple[AnnouncementRule, ...] = RULES) -> AnnouncementRule:
    """The very rule that a notice was provided under.

    Raises:
        LookupError: it was removed, which must not happen.
    """
    for rule in rules:
        if (rule.code, rule.version) == (code, version):
            return rule
    raise LookupError(f"rule {code} version {version} was removed")
