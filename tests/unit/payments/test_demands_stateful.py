"""Whatever order things come in: one charge for one demand unless the provider says otherwise; the books balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chassis.change import Change
from chassis.errors import Conflict
from contracts.envelope import Event
from contracts.payments import PaymentCancelled, PaymentFailed, PaymentOverdue, PaymentReceived, PaymentRequested
from services.payments.domain import attempts, demands, ledger, provider_status, schedule
from services.payments.domain.bookings import Account
from services.payments.domain.provider_status import TransactionState
from services.payments.domain.state import Demand, Phase, Status
from tests.unit.payments.demand_samples import NOW, attempt_of, id_of, new_demand, reported, starting

_FINAL = {Phase.PAID, Phase.FAILED, Phase.CANCELED}


class Paying(RuleBasedStateMachine):
    """A provider that may say anything, at any time, twice; and a town that changes its mind."""

    honest = False

    def __init__(self) -> None:
        super().__init__()
        self.demand: Demand
        self.now = NOW
        self.said: list[Event] = []
        self.names: list[str] = []
        self.provider: dict[str, TransactionState] = {}
        """What the provider's own books say, where it is honest."""

    @initialize(cents=st.integers(0, 99_999_900))
    def assess(self, cents: int) -> None:
        self.apply(demands.request_payment(new_demand(cents)))

    def apply(self, change: Change[Demand]) -> None:
        self.demand, events = change
        self.said.extend(events)

    @rule(seconds=st.sampled_from([0, 1, 10, 3600, 86_400]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(again=st.booleans())
    def check_out(self, again: bool) -> None:
        name = self.names[-1] if again and self.names else f"attempt {len(self.names)}"
        before = self.demand
        try:
            change = attempts.start_attempt(self.demand, starting(name), self.now)
        except Conflict:
            return
        self.apply(change)
        if len(self.demand.attempts) > len(before.attempts):
            assert not before.live_attempts, "the one before had ended"
            assert before.status is Status.OPEN
            self.names.append(name)

    @precondition(lambda self: self.names)
    @rule(data=st.data(), said=st.sampled_from(TransactionState), lies=st.booleans())
    def answer(self, data: st.DataObject, said: TransactionState, lies: bool) -> None:
        name = data.draw(st.sampled_from(self.names))
        if self.honest:
            said = self.provider[name] = self.provider.get(name) or self._progress(said)
            if said is TransactionState.OPEN:
                del self.provider[name]
        told = reported(self.demand, said, name)
        if lies and not self.honest:
            told = reported(self.demand, said, name, cents=data.draw(st.sampled_from([None, 1, 99_999_999])))
        before = self.demand
        self.apply(provider_status.record_opening(self.demand, id_of(name), told, self.now))
        self.apply(provider_status.apply_provider_status(self.demand, id_of(name), told, self.now))
        if told.cents != attempt_of(before, name).cents:
            assert self.demand.received_cents == before.received_cents, "not proven, not booked"

    def _progress(self, said: TransactionState) -> TransactionState:
        return said

    @precondition(lambda self: self.names)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names))
        if not self.honest:
            self.apply(provider_status.record_unknown_transaction(self.demand, id_of(name), self.now))

    @rule()
    def come_back(self) -> None:
        self.apply(attempts.request_look(self.demand, self.now))

    @rule()
    def mark_overdue(self) -> None:
        self.apply(demands.mark_overdue(self.demand))

    @rule()
    def withdraw(self) -> None:
        self.apply(demands.withdraw_demand(self.demand, self.now))

    @rule()
    def replace(self) -> None:
        self.apply(demands.replace_demand(self.demand, self.now))

    @rule()
    def book(self) -> None:
        self.apply(ledger.record_booked(self.demand, len(self.demand.bookings)))

    def told(self, kind: type[Event]) -> Sequence[Event]:
        return [event for event in self.said if isinstance(event, kind)]

    @invariant()
    def the_books_balance(self) -> None:
        balances: Counter[Account] = Counter()
        for booking in self.demand.bookings:
            assert sum(line.cents for line in booking.lines) == 0
            for line in booking.lines:
                balances[line.account] += line.cents
        assert balances[Account.RECEIVABLE] == self.demand.outstanding.cents
        assert balances[Account.PROVIDER_CLEARING] == self.demand.received_cents
        assert balances[Account.UNALLOCATED] <= 0
        assert len({booking.booking_id for booking in self.demand.bookings}) == len(self.demand.bookings)

    @invariant()
    def nothing_is_lost_and_nothing_is_owed_below_zero(self) -> None:
        paid = [attempt for attempt in self.demand.attempts if attempt.phase is Phase.PAID]
        assert self.demand.received_cents == sum(attempt.cents for attempt in paid)
        assert 0 <= self.demand.outstanding.cents <= self.demand.amount.cents
        assert (self.demand.status is Status.OPEN) == (self.demand.outstanding.cents > 0)

    @invariant()
    def what_is_said_is_said_once(self) -> None:
        assert len(self.told(PaymentRequested)) == 1
        assert len(self.told(PaymentCancelled)) <= 1
        assert len(self.told(PaymentOverdue)) <= 1
        received = [event.booking_id for event in self.said if isinstance(event, PaymentReceived)]
        assert len(received) == len(set(received))
        assert len(received) == len([each for each in self.demand.attempts if each.phase is Phase.PAID])
        failed = [event.attempt_id for event in self.said if isinstance(event, PaymentFailed)]
        assert len(failed) == len(set(failed))

    @invariant()
    def money_that_may_come_is_watched_for(self) -> None:
        due = schedule.due(self.demand)
        for attempt in self.demand.live_attempts:
            watched = "look" in due if attempt.phase is not Phase.OPENING else "open" in due
            assert watched or (attempt.phase is Phase.OPENING and self.demand.status is not Status.OPEN)
        assert ("book" in due) == (self.demand.booked < len(self.demand.bookings))


class PayingWithAnHonestProvider(Paying):
    """A provider whose ends are final: then there is never more than one charge."""

    honest = True

    @invariant()
    def one_charge_for_one_demand(self) -> None:
        assert len(self.demand.live_attempts) <= 1
        assert len([each for each in self.demand.attempts if each.phase is Phase.PAID]) <= 1
        assert len(self.told(PaymentReceived)) <= 1
        for attempt in self.demand.attempts[:-1]:
            assert attempt.phase in _FINAL


TestPaying = Paying.TestCase
TestPayingWithAnHonestProvider = PayingWithAnHonestProvider.TestCase
