"""Who may see and change a case: guards that the commands and the reading handlers call first."""

from __future__ import annotations

from chassis.errors import Conflict, NotFound
from services.applications.domain.state import Case, Status


def require_owner(case: Case, account_id: str) -> None:
    """Cases of other accounts are answered as if they didn't exist.

    Raises:
        NotFound: the case belongs to another account.
    """
    if case.account_id != account_id:
        raise NotFound("no such case", id=case.case_id)


def require_submitted(case: Case) -> None:
    """Drafts are never shown to the authority.

    Raises:
        NotFound: the case is a draft.
    """
    if case.status is Status.DRAFT:
        raise NotFound("no such case", id=case.case_id)


def require_draft(draft: Case, account_id: str) -> None:
    """Only a draft can be changed by its owner, and only by its owner.

    Raises:
        NotFound: the draft belongs to another account.
        Conflict: it was submitted.
    """
    require_owner(draft, account_id)
    if draft.status is not Status.DRAFT:
        raise Conflict("it was submitted and can't be changed any more", id=draft.case_id)
