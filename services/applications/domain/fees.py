"""Fees: what a version's terms charge, and the assessment of a fee in a case. Pure: (state, ..., now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from chassis.change import Change
from chassis.errors import Invalid
from contracts.applications import FeeAssessed, FeeTiming, Role
from kernel.ids import id_of
from kernel.legal_days import legal_date
from service_format import pricing
from service_format.pricing import NotChargeable, Owed
from services.applications.domain.services import Terms
from services.applications.domain.state import Assessment, Case
from services.applications.domain.timeline import TimelineCode


def fee_owed(terms: Terms, timing: FeeTiming, data: Any, day: date) -> Owed | None:
    """The fees of a timing that are owed on a legal day; None where nothing is.

    Raises:
        Invalid: an amount beyond what can be charged, or of several currencies.
    """
    try:
        return pricing.owed(terms.fees, timing, data, day)
    except NotChargeable as error:
        raise Invalid(str(error)) from error


def assess_fee(case: Case, timing: FeeTiming, now: datetime) -> Change[Case]:
    """Assesses the fee of that timing; no change and no event where none is owed. Raises as `fee_owed`."""
    submission, day = case.require_submission(), legal_date(now)
    fee = fee_owed(submission.terms, timing, case.form_data, submission.received_on)
    if fee is None:
        return Change(case)
    assessment = Assessment(
        assessment_id=id_of(case.case_id, "assessment", str(len(case.assessments) + 1)),
        timing=timing,
        amount=fee.amount,
        due_on=day + timedelta(days=fee.days_to_pay),
    )
    event = FeeAssessed(
        case_id=case.case_id,
        case_reference=case.case_reference,
        assessment_id=assessment.assessment_id,
        service_id=case.service_id,
        timing=timing,
        amount=fee.amount,
        items=fee.items,
        payer=case.party(Role.PAYER),
        due_on=assessment.due_on,
    )
    before = timing is FeeTiming.BEFORE_PROCESSING
    code = TimelineCode.FEE_BEFORE_PROCESSING if before else TimelineCode.FEE_WITH_DECISION
    assessed = replace(case, assessments=(*case.assessments, assessment))
    return Change(assessed.with_timeline_entry(code, now, assessment.due_on, fee.amount), (event,))


def has_fee(case: Case, timing: FeeTiming) -> bool:
    """Whether a fee of that timing was assessed."""
    return any(each.timing is timing for each in case.assessments)


def has_unsettled_fee(case: Case, timing: FeeTiming) -> bool:
    """Whether a fee of that timing was assessed and isn't paid in full."""
    return any(each.timing is timing and not each.settled for each in case.assessments)
