"""Drafts, and the submission."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from chassis.errors import Conflict, Forbidden, Invalid, NotFound, UnsupportedMediaType
from contracts import datarefs
from contracts.applications import ApplicationComplete, ApplicationSubmitted, DecisionMade, FeeAssessed, Origin, Outcome
from contracts.values import TrustLevel
from kernel.canonical_json import canonical, content_hash, sha256
from kernel.ids import id_of
from services.applications.domain import attachments, commands, drafts, offers, submission
from services.applications.domain.state import Case, Status, reference
from tests.support.cases import ACCOUNT, CASE, HASH, NOW, changed, draft, offer, submit_command, submitted
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

OTHER = id_of("test", "another account")
PDF = b"%PDF-1.7 ..."


def _errors(failure: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in failure.value.extra["errors"]]


def _attached(case: Case, document: str = "power_of_attorney", digest: str = HASH) -> Case:
    content = offers.require_content(offer(CERTIFICATE))
    target = attachments.require_document(case, ACCOUNT, content.terms, document, "application/pdf")
    return attachments.attach(case, commands.AttachFile(ACCOUNT, target, digest, 12, "application/pdf"), NOW)[0]


def test_a_draft_says_nothing() -> None:
    create = commands.CreateDraft("witten", CASE, ACCOUNT, TrustLevel.BASIC, offer())
    made, events = drafts.create(None, create, NOW)
    assert events == ()
    assert (made.status, made.data, made.reference) == (Status.DRAFT, "{}", None)
    assert made.application_id != made.case_id


def test_the_service_names_the_trust_level() -> None:
    with pytest.raises(Forbidden) as refused:
        drafts.create(None, commands.CreateDraft("witten", CASE, ACCOUNT, TrustLevel.BASIC, offer(CERTIFICATE)), NOW)
    assert refused.value.extra == {"trust_level": "substantial"}
    of = offer(CERTIFICATE)
    with pytest.raises(Forbidden):
        submission.submit(draft(of, {"purpose": "x"}), submit_command(of, trust_level=TrustLevel.BASIC), NOW)


@pytest.mark.parametrize("account", [OTHER, "", "anonymous"])
def test_nobody_else_does_anything_with_it(account: str) -> None:
    of = offer()
    case = draft(of, {"bin_size": "80"})
    for move in (
        lambda: drafts.save_form_data(case, commands.SaveFormData(account, "{}"), NOW),
        lambda: attachments.detach(case, commands.DetachFile(account, "x"), NOW),
        lambda: drafts.discard(case, commands.DiscardDraft(account)),
        lambda: submission.submit(case, submit_command(of, account_id=account), NOW),
    ):
        with pytest.raises(NotFound):
            move()


def test_nothing_changes_after_submission() -> None:
    case, _ = submitted()
    for move in (
        lambda: drafts.save_form_data(case, commands.SaveFormData(ACCOUNT, "{}"), NOW),
        lambda: attachments.detach(case, commands.DetachFile(ACCOUNT, "x"), NOW),
        lambda: drafts.discard(case, commands.DiscardDraft(ACCOUNT)),
        lambda: submission.submit(case, submit_command(offer(CERTIFICATE)), NOW),
        lambda: _attached(case),
    ):
        with pytest.raises(Conflict):
            move()


def test_a_file_takes_the_place_of_the_one_before() -> None:
    once = _attached(draft(offer(CERTIFICATE), {}))
    twice = _attached(once, digest="0" * 64)
    assert len(once.uploads) == len(twice.uploads) == 1
    assert once.uploads[0].attachment_id != twice.uploads[0].attachment_id
    emptied, _ = attachments.detach(twice, commands.DetachFile(ACCOUNT, "power_of_attorney"), NOW)
    assert emptied.uploads == ()
    with pytest.raises(NotFound):
        attachments.detach(emptied, commands.DetachFile(ACCOUNT, "power_of_attorney"), NOW)


def test_only_what_is_asked_for_is_taken() -> None:
    case, terms = draft(offer(CERTIFICATE), {}), offers.require_content(offer(CERTIFICATE)).terms
    with pytest.raises(NotFound):
        attachments.require_document(case, ACCOUNT, terms, "another", "application/pdf")
    with pytest.raises(UnsupportedMediaType):
        attachments.require_document(case, ACCOUNT, terms, "power_of_attorney", "image/jpeg")


@pytest.mark.parametrize(
    ("head", "media_type"),
    [(PDF, "application/pdf"), (b"\xff\xd8\xff\xe0..", "image/jpeg"), (b"\x89PNG\r\n\x1a\n..", "image/png")],
)
def test_a_file_begins_as_its_type_does(head: bytes, media_type: str) -> None:
    attachments.require_signature(head, media_type)
    for other in {"application/pdf", "image/jpeg", "image/png"} - {media_type}:
        with pytest.raises(UnsupportedMediaType):
            attachments.require_signature(head, other)
    with pytest.raises(UnsupportedMediaType):
        attachments.require_signature(b"", media_type)


# Submission


def test_a_free_service_with_a_rule_is_decided_at_once() -> None:
    case, events = submitted(BIN_CHANGE, {"bin_size": "120", "name": "Erika"})
    assert [type(each) for each in events] == [ApplicationSubmitted, ApplicationComplete, DecisionMade]
    assert case.status is Status.DECIDED
    decision = events[2]
    assert isinstance(decision, DecisionMade)
    assert (decision.origin, decision.outcome, decision.decided_by) == (Origin.RULE, Outcome.GRANTED, None)
    assert decision.content_hash == sha256(case.decisions[0].content)
    assert decision.dataref == datarefs.decision("witten", CASE, decision.decision_id)


def test_where_the_rule_does_not_hold_a_clerk_decides() -> None:
    case, events = submitted(BIN_CHANGE, {"bin_size": "1100"})
    assert [type(each) for each in events] == [ApplicationSubmitted, ApplicationComplete]
    assert case.status is Status.IN_PROCESSING


def test_where_the_notice_needs_a_result_a_clerk_decides() -> None:
    given = changed(BIN_CHANGE, notice__title={"de": "{{result.x}}", "en": ""})
    assert submitted(given, {"bin_size": "120"})[0].status is Status.IN_PROCESSING


def test_a_fee_before_processing_holds_it_up() -> None:
    case, events = submitted()
    assert [type(each) for each in events] == [ApplicationSubmitted, FeeAssessed]
    assert case.status is Status.AWAITING_PAYMENT
    fee = events[1]
    assert isinstance(fee, FeeAssessed)
    assert (fee.amount.cents, fee.due_on.isoformat(), fee.items[0].fee) == (1100, "2026-03-16", "certificate_fee")
    assert fee.payer.account_id == ACCOUNT


def test_what_was_submitted_is_told_and_can_be_proven() -> None:
    case, (told, *_) = submitted()
    assert isinstance(told, ApplicationSubmitted)
    assert told.content_hash == content_hash(submission.submitted_content(case, consents_to_mailbox=True))
    assert told.content_hash != content_hash(submission.submitted_content(case, consents_to_mailbox=False))
    assert told.received_on.isoformat() == "2026-03-02"
    assert told.identity_evidence[0].trust_level is TrustLevel.SUBSTANTIAL
    assert told.dataref == datarefs.submission("witten", CASE, case.application_id)
    assert "Bank" not in told.model_dump_json()


def test_receipt_is_a_legal_day_here() -> None:
    of = offer(CERTIFICATE)
    late = NOW.replace(hour=23, minute=30)
    _, (told, *_) = submission.submit(draft(of, {"purpose": "x"}), submit_command(of), late)
    assert isinstance(told, ApplicationSubmitted)
    assert told.received_on.isoformat() == "2026-03-03"


def test_the_reference_is_read_over_the_phone() -> None:
    case, _ = submitted()
    assert case.reference == reference("witten", NOW.date(), CASE)
    assert case.reference is not None
    town, year, digits = case.reference.split("-")
    assert (town, year, len(digits)) == ("WIT", "2026", 10)
    assert not set(digits) & set("ILOU")
    assert reference("a1-b", NOW.date(), CASE).startswith("A1B-")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({}, [("/data/purpose", "required")]),
        ({"purpose": 1, "x": 1}, [("/data/purpose", "type"), ("/data/x", "additionalProperties")]),
        ({"purpose": "a", "copies": 5}, [("/attachments/power_of_attorney", "document_missing")]),
        ({"purpose": "😀"}, [("/data/purpose", "character_not_printable")]),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_both_languages(data: dict[str, Any], found: list[tuple[str, str]]) -> None:
    of = offer(CERTIFICATE)
    with pytest.raises(Invalid) as refused:
        submission.submit(draft(of, data), submit_command(of), NOW)
    assert sorted(_errors(refused)) == sorted(found)
    assert all(each["message"]["de"] and each["message"]["en"] for each in refused.value.extra["errors"])


def test_required_documents_make_it_whole() -> None:
    of = offer(CERTIFICATE)
    case, (told, *_) = submission.submit(_attached(draft(of, {"purpose": "a", "copies": 5})), submit_command(of), NOW)
    assert isinstance(told, ApplicationSubmitted)
    assert told.attachments[0].sha256 == HASH
    assert (
        submission.submitted_content(case, consents_to_mailbox=True)["attachments"][0]["document"]
        == "power_of_attorney"
    )


def test_a_file_that_the_version_in_force_does_not_ask_for_is_told() -> None:
    case = _attached(draft(offer(CERTIFICATE), {"purpose": "a"}))
    of = offer(changed(CERTIFICATE, documents=[]))
    with pytest.raises(Invalid) as refused:
        submission.submit(case, submit_command(of), NOW)
    assert _errors(refused) == [("/attachments/power_of_attorney", "document_unexpected")]


def test_it_must_be_reviewed() -> None:
    of = offer(CERTIFICATE)
    with pytest.raises(Invalid) as refused:
        submission.submit(draft(of, {"purpose": "a"}), submit_command(of, confirmed=False), NOW)
    assert _errors(refused) == [("/confirmed", "not_confirmed")]


def test_another_version_needs_another_review_and_is_then_pinned() -> None:
    newer = offer(changed(CERTIFICATE, version=2, fees=[]))
    case = draft(offer(CERTIFICATE), {"purpose": "a"})
    with pytest.raises(Conflict) as refused:
        submission.submit(case, submit_command(newer), NOW)
    assert refused.value.extra == {"service_version": 2}
    with pytest.raises(Conflict):
        submission.submit(case, submit_command(newer, reviewed_version=3), NOW)
    done, (told, *_) = submission.submit(case, submit_command(newer, reviewed_version=2), NOW)
    assert isinstance(told, ApplicationSubmitted)
    assert (done.service_version, told.service_version) == (2, 2)
    assert done.require_submission().terms.fees == ()


def test_every_state_survives_storage() -> None:
    adapter = TypeAdapter(Case)
    for case in (
        draft(offer(), {"bin_size": "80", "$where": {"a.b": "\u0000"}}),
        _attached(draft(offer(CERTIFICATE), {})),
        submitted()[0],
        submitted(BIN_CHANGE, {"bin_size": "120"})[0],
    ):
        stored = json.loads(json.dumps(adapter.dump_python(case, mode="json")))
        assert adapter.validate_python(stored) == case


def test_names_that_mean_something_to_a_database_are_text() -> None:
    adapter = TypeAdapter(Case)
    stored = adapter.dump_python(draft(offer(), {"$where": {"a.b": 1}}), mode="json")
    assert stored["data"] == canonical({"$where": {"a.b": 1}})
    submitted_case = adapter.dump_python(submitted(BIN_CHANGE, {"bin_size": "120"})[0], mode="json")
    assert not _names_of_operators(submitted_case)


def _names_of_operators(value: Any) -> list[str]:
    match value:
        case dict():
            bad = [name for name in value if "$" in name or "." in name or not name]
            return bad + [name for each in value.values() for name in _names_of_operators(each)]
        case list():
            return [name for each in value for name in _names_of_operators(each)]
        case _:
            return []


def test_an_unfetched_version_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="fetched"):
        offers.require_content(replace(offer(), content=None))
