"""From receipt to completeness: a fee before processing is paid first, then the application is complete. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from chassis.change import Change
from contracts.applications import ApplicationComplete, FeeTiming
from services.applications.domain.decisions import decide_by_rule
from services.applications.domain.fees import assess_fee
from services.applications.domain.state import Case, Status
from services.applications.domain.timeline import TimelineCode


def begin_processing(case: Case, now: datetime) -> Change[Case]:
    """Called once the application is received: waits for a fee before processing; without one it is complete."""
    received_on = case.require_submission().received_on
    change = assess_fee(case, FeeTiming.BEFORE_PROCESSING, now)
    if not change.events:
        return complete_application(case, received_on, now)
    return Change(replace(change.state, status=Status.AWAITING_PAYMENT), change.events)


def complete_application(case: Case, as_of: date, now: datetime) -> Change[Case]:
    """Everything needed has arrived: a rule decides (VwVfG § 35a), or the case waits for a clerk."""
    complete = replace(case, status=Status.IN_PROCESSING, complete_as_of=as_of)
    event = ApplicationComplete(
        case_id=case.case_id,
        application_id=case.application_id,
        service_id=case.service_id,
        service_version=case.service_version,
        complete_as_of=as_of,
        dataref=case.submission_dataref,
    )
    change = Change(complete.with_timeline_entry(TimelineCode.APPLICATION_COMPLETE, now, as_of), (event,))
    return change.and_then(decide_by_rule, now)
