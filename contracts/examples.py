"""One example of each event: a citizen of Musterstadt registers a dog, pays, and gets the notice.

Everything in it is made up; the ids are name-based, so that they are the same wherever the examples are built.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from types import MappingProxyType

from contracts import datarefs
from contracts.applications import (
    Addressee,
    ApplicationComplete,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    Attachment,
    CaseClosed,
    CaseReopened,
    Channel,
    DecisionMade,
    DocumentKind,
    FeeAssessed,
    FeeItem,
    FeeTiming,
    IdentityEvidence,
    InformationRequested,
    InformationSupplied,
    Origin,
    Outcome,
    Party,
    ProceduralLaw,
    Role,
)
from contracts.catalog import ServicePublished, ServiceRetired, TownRegistered
from contracts.envelope import Envelope, Event, event_id, id_of, source_of
from contracts.identity import AccountRegistered
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
    NotificationSent,
)
from contracts.payments import (
    PaymentCancelled,
    PaymentFailed,
    PaymentOverdue,
    PaymentReceived,
    PaymentRequested,
)
from contracts.values import Money, TrustLevel

TENANT = "musterstadt"
AUTHORITY = "musterstadt"


def example_id(what: str) -> str:
    """The example's id of a thing, such as `case`."""
    return id_of("example", what)


ACCOUNT = example_id("account")
CASE = example_id("case")
APPLICATION = example_id("application")
PARTY = example_id("party")
REQUEST = example_id("request")
ASSESSMENT = example_id("assessment")
DEMAND = example_id("demand")
DECISION = example_id("decision")
NOTICE = example_id("notice")
SERVICE_VERSION = example_id("service version")
SERVICE = "dog-registration"
CASE_REFERENCE = "MU-2026-000042"
CONTENT_HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
DOCUMENT_HASH = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"
FEE = Money(cents=2500)
NOTHING = Money(cents=0)
MEDIA_TYPE = "application/pdf"

_SUBMISSION_PATH = datarefs.submission(TENANT, CASE, APPLICATION)
_NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

_APPLICANT = Party(party_id=PARTY, role=Role.APPLICANT, account_id=ACCOUNT)

_IN_ORDER: tuple[Event, ...] = (
    TownRegistered(tenant=TENANT, ars=("990010001001",), ags=("99001001",), dataref=datarefs.town_revision(TENANT, 1)),
    ServicePublished(
        service_version_id=SERVICE_VERSION,
        service_id=SERVICE,
        service_version=3,
        content_hash=CONTENT_HASH,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        leika_keys=("99102005060000",),
        online=True,
        dataref=datarefs.service_version(TENANT, SERVICE, 3),
    ),
    ServiceRetired(
        service_version_id=SERVICE_VERSION, service_id=SERVICE, service_version=3, retired_on=date(2026, 12, 31)
    ),
    AccountRegistered(account_id=ACCOUNT, trust_level=TrustLevel.SUBSTANTIAL, method="bund_id"),
    ApplicationSubmitted(
        case_id=CASE,
        case_reference=CASE_REFERENCE,
        application_id=APPLICATION,
        service_id=SERVICE,
        service_version=3,
        channel=Channel.DESK,
        entered_by="clerk-17",
        parties=(_APPLICANT,),
        identity_evidence=(
            IdentityEvidence(
                party_id=PARTY, trust_level=TrustLevel.SUBSTANTIAL, method="id_card_shown", recorded_at=_NOW
            ),
        ),
        content_hash=CONTENT_HASH,
        attachments=(
            Attachment(
                attachment_id=example_id("attachment"), sha256=DOCUMENT_HASH, size=182_044, media_type=MEDIA_TYPE
            ),
        ),
        received_on=date(2026, 3, 2),
        dataref=_SUBMISSION_PATH,
    ),
    FeeAssessed(
        case_id=CASE,
        case_reference=CASE_REFERENCE,
        assessment_id=ASSESSMENT,
        replaces=example_id("earlier assessment"),
        service_id=SERVICE,
        timing=FeeTiming.BEFORE_PROCESSING,
        amount=FEE,
        items=(FeeItem(fee="registration", amount=FEE),),
        payer=Party(party_id=PARTY, role=Role.PAYER, account_id=ACCOUNT),
        due_on=date(2026, 3, 16),
    ),
    InformationRequested(
        case_id=CASE,
        request_id=REQUEST,
        application_id=APPLICATION,
        party_id=PARTY,
        due_on=date(2026, 3, 20),
        dataref=datarefs.information_request(TENANT, CASE, REQUEST),
    ),
    InformationSupplied(
        case_id=CASE,
        request_id=REQUEST,
        content_hash=CONTENT_HASH,
        supplied_on=date(2026, 3, 5),
        dataref=datarefs.information_answer(TENANT, CASE, REQUEST),
    ),
    ApplicationComplete(
        case_id=CASE,
        application_id=APPLICATION,
        service_id=SERVICE,
        service_version=3,
        complete_as_of=date(2026, 3, 5),
        dataref=_SUBMISSION_PATH,
    ),
    DecisionMade(
        case_id=CASE,
        case_reference=CASE_REFERENCE,
        application_id=APPLICATION,
        decision_id=DECISION,
        replaces=example_id("earlier decision"),
        service_id=SERVICE,
        service_version=3,
        origin=Origin.CLERK,
        outcome=Outcome.GRANTED,
        document_kind=DocumentKind.NOTICE,
        procedural_law=ProceduralLaw.VWVFG,
        decided_on=date(2026, 3, 9),
        decided_by="clerk-17",
        addressees=(
            Addressee(party_id=PARTY, account_id=ACCOUNT, trust_level=TrustLevel.SUBSTANTIAL, consents_to_mailbox=True),
        ),
        content_hash=CONTENT_HASH,
        dataref=datarefs.decision(TENANT, CASE, DECISION),
    ),
    CaseClosed(case_id=CASE, closed_on=date(2026, 3, 12), reason="decided"),
    CaseReopened(case_id=CASE, reopened_on=date(2026, 4, 1), reason="remedy", reopened_by="clerk-17"),
    ApplicationWithdrawn(case_id=CASE, application_id=APPLICATION, withdrawn_on=date(2026, 4, 2)),
    PaymentRequested(
        demand_id=DEMAND,
        case_id=CASE,
        assessment_id=ASSESSMENT,
        payer_id=PARTY,
        amount=FEE,
        payment_reference="MU-2026-000042-1",
        due_on=date(2026, 3, 16),
        dataref=datarefs.payment_request(TENANT, DEMAND),
    ),
    PaymentFailed(demand_id=DEMAND, case_id=CASE, attempt_id=example_id("attempt"), reason="declined"),
    PaymentOverdue(demand_id=DEMAND, case_id=CASE, assessment_id=ASSESSMENT, outstanding=FEE, due_on=date(2026, 3, 16)),
    PaymentReceived(
        demand_id=DEMAND,
        case_id=CASE,
        assessment_id=ASSESSMENT,
        booking_id=example_id("booking"),
        amount=FEE,
        outstanding=NOTHING,
        received_at=_NOW,
        method="other",
    ),
    PaymentCancelled(demand_id=DEMAND, case_id=CASE, assessment_id=ASSESSMENT, reason="replaced"),
    NoticeIssued(
        notice_id=NOTICE,
        case_id=CASE,
        decision_id=DECISION,
        document_kind=DocumentKind.NOTICE,
        addressee_id=PARTY,
        document_hash=DOCUMENT_HASH,
        document_size=48_213,
        media_type=MEDIA_TYPE,
        issued_on=date(2026, 3, 9),
        dataref=datarefs.notice_document(TENANT, NOTICE),
    ),
    NoticeProvided(
        notice_id=NOTICE,
        case_id=CASE,
        decision_id=DECISION,
        account_id=ACCOUNT,
        trust_level=TrustLevel.SUBSTANTIAL,
        provided_at=_NOW,
    ),
    NotificationSent(
        notice_id=NOTICE,
        case_id=CASE,
        channel="email",
        sent_on=date(2026, 3, 9),
        provision_ends_on=date(2026, 3, 19),
    ),
    NoticeRetrieved(
        notice_id=NOTICE, case_id=CASE, decision_id=DECISION, retrieved_at=_NOW, retrieved_on=date(2026, 3, 11)
    ),
    NoticeAnnounced(
        notice_id=NOTICE,
        case_id=CASE,
        decision_id=DECISION,
        announced_on=date(2026, 3, 12),
        rule="vwvfg_41_2a",
        rule_version=1,
        evidence_hash=CONTENT_HASH,
    ),
    AnnouncementFailed(
        notice_id=NOTICE,
        case_id=CASE,
        decision_id=DECISION,
        rule="vwvfg_41_2a",
        rule_version=1,
        provision_ended_on=date(2026, 3, 19),
    ),
)

EXAMPLES: MappingProxyType[type[Event], Event] = MappingProxyType({type(event): event for event in _IN_ORDER})
"""One valid event of each type, every optional field filled in."""


def _subject(event: Event) -> str:
    match event:
        case TownRegistered(tenant=subject):
            return subject
        case ServicePublished(service_version_id=subject) | ServiceRetired(service_version_id=subject):
            return subject
        case _:
            field = {"identity": "account_id", "payments": "demand_id", "notifications": "notice_id"}
            return str(getattr(event, field.get(event.topic.stream, "case_id")))


def envelope_of(example: Event) -> Envelope:
    """The envelope in which an example would travel."""
    subject = _subject(example)
    source = source_of(TENANT, example.topic.stream, subject)
    return Envelope(
        id=event_id(source, 0, _SEQUENCES[type(example)]),
        source=source,
        type=example.type(),
        subject=subject,
        time=_NOW,
        sequence=_SEQUENCES[type(example)],
        tenant=TENANT,
        authority=AUTHORITY,
        case=getattr(example, "case_id", None),
        correlationid=example_id("correlation"),
        dataschema=example.schema_id(),
    )


def _sequences() -> dict[type[Event], int]:
    told: Counter[str] = Counter()
    found: dict[type[Event], int] = {}
    for event in _IN_ORDER:
        told[_subject(event)] += 1
        found[type(event)] = told[_subject(event)]
    return found


_SEQUENCES = _sequences()
