"""Paying online: the payer starts an attempt, is sent to the provider's page, and comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.change import Change
from chassis.errors import Conflict, NotFound
from services.payments.domain.state import Attempt, Demand, Phase, Status

MAX_ATTEMPTS = 50
"""Of one demand: bounds the document. Whoever failed so often needs another way to pay."""
_MIN_PAUSE = timedelta(seconds=1)
"""The provider isn't asked more often than this, however often the payer asks for it."""


class NotPayable(Conflict):
    """The demand can't be paid online in its present state."""

    code = "not_payable"
    title = "Can't be paid online at present"


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """The payer wants to pay online."""

    account_id: str
    attempt_id: str
    retry_after: timedelta
    expires_after: timedelta
    max_cents: int
    """The largest amount that the town's provider takes."""


def start_attempt(demand: Demand, command: StartAttempt, now: datetime) -> Change[Demand]:
    """Starts an attempt, unless one is live or this one was started before: one charge for one demand.

    Raises:
        NotFound: not the payer.
        NotPayable: nothing to pay, too much for the provider, tried too often, or a payment is being looked into.
    """
    require_payer(demand, command.account_id)
    if demand.attempt(command.attempt_id):
        return Change(demand)
    _require_payable(demand)
    if demand.outstanding.cents > command.max_cents:
        raise _refusal(demand, "the amount is too large to be paid online")
    if demand.live_attempts:
        return Change(demand)
    if len(demand.attempts) >= MAX_ATTEMPTS:
        raise _refusal(demand, "it was tried too often")
    attempt = Attempt(
        attempt_id=command.attempt_id,
        cents=demand.outstanding.cents,
        phase=Phase.OPENING,
        started_at=now,
        retry_at=now + command.retry_after,
        expires_at=now + command.expires_after,
    )
    return Change(replace(demand, attempts=(*demand.attempts, attempt)))


def require_payer(demand: Demand, account_id: str) -> None:
    """Requires that the demand is this account's to pay.

    Raises:
        NotFound: it isn't: demands of others look as if they didn't exist.
    """
    if demand.payer_account != account_id:
        raise NotFound("no such demand", id=demand.demand_id)


def payable_online(demand: Demand, max_cents: int) -> bool:
    """Whether the payer can check out now, at a provider that takes at most `max_cents`."""
    if demand.outstanding.cents > max_cents:
        return False
    if demand.payer_account is None or (not demand.live_attempts and len(demand.attempts) >= MAX_ATTEMPTS):
        return False
    try:
        _require_payable(demand)
    except NotPayable:
        return False
    return True


def redirect_of(demand: Demand, attempt_id: str) -> str | None:
    """Returns the URL where the payer pays; None while the provider hasn't answered.

    It stays the same after the attempt ended.

    Raises:
        NotPayable: the demand can't be paid any more, or not with this attempt.
    """
    attempt = demand.attempt(attempt_id)
    if attempt is None or attempt.live:
        _require_payable(demand)
    if attempt is None or attempt.phase is Phase.OPENING:
        return None
    if attempt.redirect_url is None:
        raise _refusal(demand, "this attempt to pay has ended: begin another")
    return attempt.redirect_url


def request_look(demand: Demand, now: datetime) -> Change[Demand]:
    """The payer came back from the payment page, which proves nothing: the provider is asked at once.

    A look that was requested before keeps its time: changing it would make one that is under way fail.
    """
    for attempt in demand.live_attempts:
        if attempt.watched and attempt.hurry_at is None:
            earliest = attempt.looked_at + _MIN_PAUSE if attempt.looked_at else now
            demand = demand.with_attempt(replace(attempt, hurry_at=max(now, earliest)))
    return Change(demand)


def _require_payable(demand: Demand) -> None:
    match demand.status:
        case Status.SETTLED:
            raise _refusal(demand, "it is paid")
        case Status.CANCELLED:
            raise _refusal(demand, "it was cancelled: nothing is owed")
    if any(attempt.phase is Phase.HELD for attempt in demand.attempts):
        raise _refusal(demand, "a payment for it is being looked into")


def _refusal(demand: Demand, why: str) -> NotPayable:
    return NotPayable(why, id=demand.demand_id, state=demand.status.value)
