"""The case from its receipt to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chassis.errors import Conflict, Invalid, NotFound, NotYet, Rejected
from contracts import datarefs
from contracts.applications import (
    ApplicationComplete,
    ApplicationWithdrawn,
    CaseClosed,
    CaseReopened,
    DecisionMade,
    FeeAssessed,
    FeeTiming,
    InformationRequested,
    InformationSupplied,
    Origin,
    Outcome,
)
from contracts.payments import PaymentCancelled, PaymentFailed, PaymentOverdue, PaymentRequested
from contracts.values import Money
from kernel.canonical_json import content_hash
from kernel.ids import id_of
from kernel.legal_days import start_of
from services.applications.domain import closing, commands, decisions, external_events, information, state
from services.applications.domain.state import Case, NoticeStatus, RequestStatus, Status
from tests.support.cases import (
    ACCOUNT,
    NOW,
    changed,
    decided,
    draft,
    in_processing,
    offer,
    paid,
    ruling,
    submitted,
    told_of,
)
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

LATER = NOW + timedelta(days=3)
DUE = date(2026, 3, 20)
OTHER = id_of("test", "another account")


def _codes(case: Case) -> list[str]:
    return [each.code for each in case.entries]


def _closed() -> Case:
    case = decided()
    told = told_of(case)
    for name in ("issued", "provided", "retrieved", "announced"):
        case, _ = external_events.on_notice(case, told[name], LATER)
    return case


def _withdrawn() -> Case:
    return closing.withdraw(in_processing(), commands.WithdrawApplication(ACCOUNT), NOW)[0]


def _asked(case: Case | None = None) -> Case:
    question = commands.RequestInformation("clerk-1", "Seit wann?", DUE)
    return information.request_information(case or in_processing(), question, NOW)[0]


# Payment


def test_once_paid_it_is_complete() -> None:
    case, _ = submitted()
    after, events = external_events.on_payment(case, paid(case, at=LATER), LATER)
    assert after.status is Status.IN_PROCESSING
    (said,) = events
    assert isinstance(said, ApplicationComplete)
    assert said.complete_as_of == date(2026, 3, 5)
    assert after.assessments[0].settled


def test_once_paid_a_rule_may_decide() -> None:
    given = changed(BIN_CHANGE, fees=CERTIFICATE["fees"])
    case, events = submitted(given, {"bin_size": "80"})
    assert not any(isinstance(each, DecisionMade) for each in events)
    after, said = external_events.on_payment(case, paid(case), NOW)
    assert [type(each) for each in said] == [ApplicationComplete, DecisionMade]
    assert after.status is Status.DECIDED


def test_part_of_the_money_is_not_enough() -> None:
    case, _ = submitted()
    partly, events = external_events.on_payment(case, paid(case, outstanding=100), NOW)
    assert (partly.status, events) == (Status.AWAITING_PAYMENT, ())
    assert _codes(partly)[-1] == "payment_partly"
    assert external_events.on_payment(partly, paid(case), NOW)[1] != ()


def test_every_fee_before_processing_has_to_be_paid() -> None:
    case, _ = submitted()
    second = replace(case.assessments[0], assessment_id=id_of("test", "second"))
    both = replace(case, assessments=(*case.assessments, second))
    after, events = external_events.on_payment(both, paid(both), NOW)
    assert (after.status, events) == (Status.AWAITING_PAYMENT, ())


def test_other_news_of_payments_are_told_only() -> None:
    case, _ = submitted()
    of: dict[str, Any] = {"demand_id": id_of("demand"), "case_id": case.case_id}
    fee = {"assessment_id": case.assessments[0].assessment_id}
    eleven = Money(cents=1100)
    told = (
        PaymentRequested(
            **of,
            **fee,
            payer_id=case.party_id,
            amount=eleven,
            payment_reference="WIT-1",
            due_on=DUE,
            dataref="/payments/x",
        ),
        PaymentFailed(**of, attempt_id=id_of("attempt"), reason="declined"),
        PaymentOverdue(**of, **fee, outstanding=eleven, due_on=DUE),
        PaymentCancelled(**of, **fee, reason="replaced"),
    )
    for event in told:
        case, events = external_events.on_payment(case, event, NOW)
        assert events == ()
        assert case.status is Status.AWAITING_PAYMENT
    assert _codes(case)[-4:] == ["payment_requested", "payment_failed", "payment_overdue", "payment_cancelled"]
    assert case.assessments[0].dataref == "/payments/x"
    assert case.assessments[0].cancelled


def test_money_for_a_fee_that_was_never_set_is_rejected() -> None:
    case, _ = submitted()
    with pytest.raises(Rejected):
        external_events.on_payment(in_processing(), paid(case), NOW)


def test_money_after_a_withdrawal_moves_nothing() -> None:
    case, _ = submitted()
    gone, _ = closing.withdraw(case, commands.WithdrawApplication(ACCOUNT), NOW)
    after, events = external_events.on_payment(gone, paid(case), NOW)
    assert (after.status, events) == (Status.CLOSED, ())


# Decisions


def test_a_clerk_decides() -> None:
    case, events = decisions.decide(in_processing(), ruling(), LATER)
    (said,) = events
    assert isinstance(said, DecisionMade)
    assert (said.origin, said.decided_by, said.decided_on) == (Origin.CLERK, "clerk-1", date(2026, 3, 5))
    assert said.document_kind.value == "certificate"
    assert said.addressees[0].consents_to_mailbox
    assert said.addressees[0].trust_level.value == "substantial"
    assert "1. März 2019" in case.decisions[0].content


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(submitted()[0], id="not paid"),
        pytest.param(decided(), id="decided"),
        pytest.param(_closed(), id="closed"),
        pytest.param(_withdrawn(), id="withdrawn"),
    ],
)
def test_it_cannot_be_decided_now(case: Case) -> None:
    with pytest.raises(Conflict):
        decisions.decide(case, ruling(), NOW)


def test_the_authority_sees_no_draft() -> None:
    case = draft(offer(), {})
    for move in (
        lambda: decisions.decide(case, ruling(), NOW),
        lambda: closing.reopen(case, commands.ReopenCase("clerk-1", "remedy"), NOW),
        lambda: _asked(case),
    ):
        with pytest.raises(NotFound):
            move()


def test_a_refusal_needs_grounds() -> None:
    with pytest.raises(Invalid) as refused:
        decisions.decide(in_processing(), ruling(Outcome.REFUSED, grounds=""), NOW)
    assert refused.value.extra["errors"][0]["code"] == "grounds_missing"


def test_a_decision_is_replaced_by_name() -> None:
    case = decided(Outcome.REFUSED)
    first = case.decisions[0]
    for wrong in (None, id_of("another")):
        with pytest.raises(Conflict):
            decisions.decide(case, ruling(replaces=wrong), NOW)
    after, (said,) = decisions.decide(case, ruling(replaces=first.decision_id), NOW)
    assert isinstance(said, DecisionMade)
    assert said.replaces == first.decision_id
    assert said.decision_id != first.decision_id
    assert after.decisions[0] == first
    with pytest.raises(Conflict):
        decisions.decide(in_processing(), ruling(replaces=first.decision_id), NOW)


def test_a_fee_with_the_decision_is_set_once_and_not_for_a_refusal() -> None:
    fee = {**CERTIFICATE["fees"][0], "timing": "with_decision"}
    case, _ = submitted(changed(CERTIFICATE, fees=[fee]))
    refused, events = decisions.decide(case, ruling(Outcome.REFUSED), NOW)
    assert [type(each) for each in events] == [DecisionMade]
    granted, events = decisions.decide(refused, ruling(replaces=refused.decisions[0].decision_id), NOW)
    assert [type(each) for each in events] == [DecisionMade, FeeAssessed]
    assert granted.assessments[0].timing is FeeTiming.WITH_DECISION
    _, events = decisions.decide(granted, ruling(replaces=granted.decisions[1].decision_id), NOW)
    assert [type(each) for each in events] == [DecisionMade]


# Notices, and the end


def test_it_closes_when_the_notice_is_announced() -> None:
    case = decided()
    told = told_of(case)
    for name, status in (("issued", "issued"), ("provided", "provided"), ("retrieved", "retrieved")):
        case, events = external_events.on_notice(case, told[name], NOW)
        assert (case.notices[0].status.value, case.status, events) == (status, Status.DECIDED, ())
    case, (said,) = external_events.on_notice(case, told["announced"], LATER)
    assert said == CaseClosed(case_id=case.case_id, closed_on=date(2026, 3, 5), reason="decided")
    assert (case.status, case.closed_reason) == (Status.CLOSED, "decided")
    assert case.notices[0].announced_on == date(2026, 3, 4)


def test_a_notice_not_fetched_leaves_it_open() -> None:
    case = decided()
    told = told_of(case)
    for name in ("issued", "provided", "failed"):
        case, events = external_events.on_notice(case, told[name], NOW)
        assert events == ()
    assert (case.status, case.notices[0].status) == (Status.DECIDED, NoticeStatus.FAILED)


def test_what_is_announced_stays_announced() -> None:
    case = _closed()
    after, events = external_events.on_notice(case, told_of(case)["retrieved"], LATER)
    assert (after.notices[0].status, after.status, events) == (NoticeStatus.ANNOUNCED, Status.CLOSED, ())


def test_the_announcement_of_a_replaced_decision_closes_nothing() -> None:
    case = decided()
    first = case.decisions[0]
    case, _ = decisions.decide(case, ruling(Outcome.REFUSED, replaces=first.decision_id), NOW)
    for name in ("issued", "announced"):
        case, events = external_events.on_notice(case, told_of(case, first)[name], NOW)
        assert events == ()
    for name in ("issued", "announced"):
        case, events = external_events.on_notice(case, told_of(case)[name], NOW)
    assert [type(each) for each in events] == [CaseClosed]


def test_news_of_an_unknown_decision_or_notice() -> None:
    case = decided()
    with pytest.raises(Rejected):
        external_events.on_notice(in_processing(), told_of(case)["issued"], NOW)
    with pytest.raises(NotYet):
        external_events.on_notice(case, told_of(case)["provided"], NOW)


def test_withdrawal_closes() -> None:
    case, events = closing.withdraw(_asked(submitted()[0]), commands.WithdrawApplication(ACCOUNT), NOW)
    assert [type(each) for each in events] == [ApplicationWithdrawn, CaseClosed]
    assert (case.closed_reason, case.requests[0].status) == ("withdrawn", RequestStatus.LAPSED)
    assert state.due(case) == {}


@pytest.mark.parametrize("case", [draft(offer(), {}), decided(), _closed(), _withdrawn()])
def test_it_cannot_be_withdrawn_now(case: Case) -> None:
    with pytest.raises(Conflict):
        closing.withdraw(case, commands.WithdrawApplication(ACCOUNT), NOW)


def test_only_its_owner_withdraws_or_answers() -> None:
    case = _asked()
    with pytest.raises(NotFound):
        closing.withdraw(case, commands.WithdrawApplication(OTHER), NOW)
    with pytest.raises(NotFound):
        information.supply_information(case, commands.SupplyInformation(OTHER, case.requests[0].request_id, "x"), NOW)


def test_a_closed_case_is_reopened_and_closed_again_by_another_decision() -> None:
    closed = _closed()
    case, (said,) = closing.reopen(closed, commands.ReopenCase("clerk-2", "correction"), LATER)
    assert isinstance(said, CaseReopened)
    assert (case.status, case.closed_on) == (Status.IN_PROCESSING, None)
    with pytest.raises(Conflict):
        decisions.decide(case, ruling(), LATER)
    case, _ = decisions.decide(case, ruling(replaces=closed.decisions[0].decision_id), LATER)
    for name in ("issued", "announced"):
        case, events = external_events.on_notice(case, told_of(case)[name], LATER)
    assert [type(each) for each in events] == [CaseClosed]


@pytest.mark.parametrize("case", [in_processing(), decided(), _withdrawn()])
def test_it_cannot_be_reopened_now(case: Case) -> None:
    with pytest.raises(Conflict):
        closing.reopen(case, commands.ReopenCase("clerk-1", "remedy"), NOW)


# Information


def test_a_question_and_its_answer() -> None:
    case, (asked,) = information.request_information(
        in_processing(), commands.RequestInformation("clerk-1", "Seit wann?", DUE), NOW
    )
    assert isinstance(asked, InformationRequested)
    assert asked.dataref == datarefs.information_request("witten", case.case_id, asked.request_id)
    assert state.due(case) == {state.CaseWork.INFORMATION_OVERDUE: start_of(date(2026, 3, 21))}
    answer = commands.SupplyInformation(ACCOUNT, asked.request_id, "Seit 2019.")
    case, (said,) = information.supply_information(case, answer, LATER)
    assert isinstance(said, InformationSupplied)
    assert said.dataref == datarefs.information_answer("witten", case.case_id, asked.request_id)
    assert said.content_hash == content_hash(information.answer_content(case, case.requests[0]))
    assert state.due(case) == {}
    with pytest.raises(Conflict):
        information.supply_information(case, answer, LATER)
    with pytest.raises(NotFound):
        information.supply_information(case, replace(answer, request_id=id_of("x")), LATER)


def test_a_question_not_answered_in_time_still_can_be() -> None:
    case = _asked()
    for moment in (start_of(DUE), start_of(DUE) + timedelta(hours=23)):
        assert information.mark_overdue_requests(case, moment) == (case, ())
    late, events = information.mark_overdue_requests(case, start_of(DUE + timedelta(days=1)))
    assert (late.requests[0].status, events, state.due(late)) == (RequestStatus.OVERDUE, (), {})
    answered, _ = information.supply_information(
        late, commands.SupplyInformation(ACCOUNT, late.requests[0].request_id, "x"), LATER + timedelta(days=30)
    )
    assert answered.requests[0].status is RequestStatus.ANSWERED


def test_the_earliest_question_is_due_first() -> None:
    case = _asked(_asked())
    sooner, _ = information.request_information(
        case, commands.RequestInformation("clerk-1", "?", date(2026, 3, 10)), NOW
    )
    assert state.due(sooner) == {state.CaseWork.INFORMATION_OVERDUE: start_of(date(2026, 3, 11))}


@pytest.mark.parametrize("day", [date(2026, 3, 2), date(2026, 3, 1)])
def test_a_day_must_lie_ahead(day: date) -> None:
    with pytest.raises(Invalid):
        information.request_information(in_processing(), commands.RequestInformation("clerk-1", "?", day), NOW)


def test_questions_are_bounded_and_end_with_the_case() -> None:
    with pytest.raises(Conflict):
        _asked(_closed())
    case = in_processing()
    for _ in range(information.MAX_REQUESTS):
        case = _asked(case)
    with pytest.raises(Conflict):
        _asked(case)


def test_a_decision_makes_open_questions_needless() -> None:
    case, _ = decisions.decide(_asked(), ruling(), NOW)
    assert case.requests[0].status is RequestStatus.LAPSED


def test_an_open_question_keeps_a_decided_case_open() -> None:
    case = _asked(decided())
    for name in ("issued", "announced"):
        case, events = external_events.on_notice(case, told_of(case)[name], NOW)
        assert events == ()
    answer = commands.SupplyInformation(ACCOUNT, case.requests[0].request_id, "x")
    _, events = information.supply_information(case, answer, NOW)
    assert [type(each) for each in events] == [InformationSupplied, CaseClosed]
    late, events = information.mark_overdue_requests(case, start_of(DUE + timedelta(days=1)))
    assert [type(each) for each in events] == [CaseClosed]
    assert late.status is Status.CLOSED
