"""Events of applications: what somebody wants, the case, and how it was decided. Subject of each: the case."""

from __future__ import annotations

from contracts import topics
from contracts.envelope import Event
from contracts.values import (
    ActorId,
    Code,
    Count,
    DataRef,
    Flag,
    LegalDate,
    MediaType,
    Money,
    Part,
    Reference,
    ServiceId,
    Sha256,
    Term,
    Timestamp,
    TrustLevel,
    Uuid,
    VersionNumber,
)


class Channel(Term):
    """By which way an application came."""

    ONLINE = "online"
    DESK = "desk"
    PAPER = "paper"
    CLERK_SYSTEM = "clerk_system"


class Role(Term):
    """What a party is in a case (VwVfG § 13)."""

    APPLICANT = "applicant"
    CO_APPLICANT = "co_applicant"
    REPRESENTATIVE = "representative"
    PAYER = "payer"
    THIRD_PARTY = "third_party"


class Origin(Term):
    """Who or what decided (rule: VwVfG § 35a; fiction: § 42a)."""

    CLERK = "clerk"
    CLERK_SYSTEM = "clerk_system"
    RULE = "rule"
    FICTION = "fiction"


class Outcome(Term):
    """What was decided on the application."""

    GRANTED = "granted"
    PARTLY_GRANTED = "partly_granted"
    REFUSED = "refused"


class DocumentKind(Term):
    """What a notice is."""

    NOTICE = "notice"
    FEE_NOTICE = "fee_notice"
    CERTIFICATE = "certificate"
    INFORMATION_REQUEST = "information_request"
    ACKNOWLEDGEMENT = "acknowledgement"


class FeeTiming(Term):
    """When a fee falls due. Only `before_processing` holds the case up."""

    BEFORE_PROCESSING = "before_processing"
    WITH_DECISION = "with_decision"
    RECURRING = "recurring"


class ProceduralLaw(Term):
    """The law by which a decision is made and announced; of the decision, not of the town."""

    VWVFG = "vwvfg"
    SGB_X = "sgb_x"
    KAG_AO = "kag_ao"


class Party(Part):
    """Somebody with a role in the case; an account is optional."""

    party_id: Uuid
    role: Role
    account_id: Uuid | None = None


class IdentityEvidence(Part):
    """How a party showed who they are."""

    party_id: Uuid
    trust_level: TrustLevel
    method: Code
    """As in `account_registered`; `id_card_shown` at the desk."""
    recorded_at: Timestamp


class Attachment(Part):
    """A file handed in; its content is fetched by the application's `dataref`."""

    attachment_id: Uuid
    sha256: Sha256
    size: Count
    """Bytes."""
    media_type: MediaType


class Addressee(Part):
    """Who gets the notice, and how far it may go electronically."""

    party_id: Uuid
    account_id: Uuid | None = None
    trust_level: TrustLevel
    """The level needed to read it."""
    consents_to_mailbox: Flag
    """Consent to announcement by retrieval (VwVfG § 41 (2a))."""


class ApplicationSubmitted(Event):
    """An application was handed in and opens the case.

    Emitted once the submission is durable; receipt counts from `received_on`, paid or not. Does not say that the
    application is complete. Consumed by clerk systems.
    """

    topic = topics.APPLICATIONS
    name = "application_submitted"

    case_id: Uuid
    case_reference: Reference
    application_id: Uuid
    service_id: ServiceId
    service_version: VersionNumber
    channel: Channel
    entered_by: ActorId | None = None
    parties: tuple[Party, ...]
    identity_evidence: tuple[IdentityEvidence, ...] = ()
    content_hash: Sha256
    """SHA-256 of the submitted content as canonical JSON (RFC 8785)."""
    attachments: tuple[Attachment, ...] = ()
    received_on: LegalDate
    dataref: DataRef


class ApplicationComplete(Event):
    """Everything needed to decide is there since `complete_as_of` (starts the time of VwVfG § 42a (2)).

    A fee before processing, where there is one, is paid. Consumed by clerk systems, which may now decide.
    """

    topic = topics.APPLICATIONS
    name = "application_complete"

    case_id: Uuid
    application_id: Uuid
    service_id: ServiceId
    service_version: VersionNumber
    complete_as_of: LegalDate
    dataref: DataRef


class InformationRequested(Event):
    """The authority asks a party for something. Several requests may be open. Consumed by portals and clerk systems."""

    topic = topics.APPLICATIONS
    name = "information_requested"

    case_id: Uuid
    request_id: Uuid
    application_id: Uuid
    party_id: Uuid
    due_on: LegalDate
    dataref: DataRef


class InformationSupplied(Event):
    """A request for information was answered. Consumed by clerk systems.

    Does not say that the answer suffices: that is for the authority to say.
    """

    topic = topics.APPLICATIONS
    name = "information_supplied"

    case_id: Uuid
    request_id: Uuid
    content_hash: Sha256
    supplied_on: LegalDate
    dataref: DataRef


class ApplicationWithdrawn(Event):
    """The applicant took the application back before a decision. Consumed by payments (open demands are cancelled)."""

    topic = topics.APPLICATIONS
    name = "application_withdrawn"

    case_id: Uuid
    application_id: Uuid
    withdrawn_on: LegalDate


class FeeItem(Part):
    """One line of a fee assessment, by the code that the service's data gives it."""

    fee: Code
    """From the fees of the service's version."""
    amount: Money


class FeeAssessed(Event):
    """A fee was set. It can replace an earlier assessment. Consumed by payments, which makes the demand."""

    topic = topics.APPLICATIONS
    name = "fee_assessed"

    case_id: Uuid
    case_reference: Reference
    assessment_id: Uuid
    replaces: Uuid | None = None
    service_id: ServiceId
    timing: FeeTiming
    amount: Money
    items: tuple[FeeItem, ...]
    payer: Party
    due_on: LegalDate


class DecisionMade(Event):
    """The authority decided; it takes effect with its announcement only.

    Consumed by notifications (one notice an addressee). A case can have several: partial, amended, replacing.
    """

    topic = topics.APPLICATIONS
    name = "decision_made"

    case_id: Uuid
    case_reference: Reference
    application_id: Uuid
    decision_id: Uuid
    replaces: Uuid | None = None
    service_id: ServiceId
    service_version: VersionNumber
    origin: Origin
    outcome: Outcome
    document_kind: DocumentKind
    procedural_law: ProceduralLaw
    decided_on: LegalDate
    decided_by: ActorId | None = None
    addressees: tuple[Addressee, ...]
    content_hash: Sha256
    dataref: DataRef


class CaseClosed(Event):
    """Nothing is left to do in the case. It can be reopened. Consumed by clerk systems and records."""

    topic = topics.APPLICATIONS
    name = "case_closed"

    case_id: Uuid
    closed_on: LegalDate
    reason: Code
    """`decided`, `withdrawn`."""


class CaseReopened(Event):
    """A closed case goes on (VwVfG § 51 and others). Consumed by clerk systems and records."""

    topic = topics.APPLICATIONS
    name = "case_reopened"

    case_id: Uuid
    reopened_on: LegalDate
    reason: Code
    """`new_evidence`, `remedy`, `correction`."""
    reopened_by: ActorId
