"""Drafts: created, saved and discarded by their owner. Pure: (state, command, now) -> Change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.change import Change
from chassis.errors import Conflict
from contracts.applications import Channel
from kernel.ids import id_of
from services.applications.domain.access import require_draft
from services.applications.domain.commands import CreateDraft, DiscardDraft, SaveFormData
from services.applications.domain.offers import require_content, require_trust_level
from services.applications.domain.state import Case, Status
from services.applications.domain.timeline import TimelineCode


def create(existing: Case | None, command: CreateDraft, now: datetime) -> Change[Case]:
    """Creates a draft under the version in force.

    Raises:
        Conflict: the case exists already.
        Forbidden: the token's trust level is below the service's.
    """
    if existing is not None:
        raise Conflict("it exists already", id=command.case_id)
    terms = require_content(command.offer).terms
    require_trust_level(terms, command.trust_level)
    draft = Case(
        tenant=command.tenant,
        case_id=command.case_id,
        application_id=id_of(command.case_id, "application"),
        account_id=command.account_id,
        service_id=terms.service_id,
        service_version=terms.version,
        names=terms.names,
        channel=Channel.ONLINE,
        status=Status.DRAFT,
        created_at=now,
        changed_at=now,
    )
    return Change(draft.with_timeline_entry(TimelineCode.DRAFT_CREATED, now))


def save_form_data(draft: Case, command: SaveFormData, now: datetime) -> Change[Case]:
    """Replaces the form data. Raises as `require_draft`."""
    require_draft(draft, command.account_id)
    return Change(replace(draft, data=command.data, changed_at=now))


def discard(draft: Case, command: DiscardDraft) -> Change[None]:
    """Deletes a draft. A submitted application is withdrawn instead. Raises as `require_draft`."""
    require_draft(draft, command.account_id)
    return Change(None)
