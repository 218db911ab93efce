"""The use cases: load, decide, save, each of them in one SQLite transaction."""

from dataclasses import dataclass
from datetime import datetime

from . import derived
from .problems import Down, NotFound, NotValid, PaymentExists, SumsDiffer
from .rules import Address, Bill, Mode, Payment, Status, SumsWrong, Switches, bill_of, decide, open_payment
from .store import Store


@dataclass(frozen=True, slots=True)
class Initiated:
    payment: Payment
    switches: Switches  # those that it was opened under: how it is to be answered


def initiate_payment(store: Store, address: Address, request: str, *, transaction_id: str, now: datetime) -> Initiated:
    """Raises Down, NotValid, SumsDiffer, PaymentExists."""
    refuse_if_down(store, counts=True)
    bill = _bill(request)
    with store.transaction() as tx:
        known = tx.payment_of_request(address, bill.request_id)
        if known is not None and known.answers_again:
            return Initiated(known, Switches())
        if known is not None:
            raise PaymentExists("There is a transaction for this requestId already.")
        switches = tx.switches()
        payment = open_payment(
            bill, address=address, request=request, transaction_id=transaction_id, switches=switches, now=now
        )
        tx.add(payment)
        tx.set_switches(switches.used())
    return Initiated(payment, switches)


def refuse_if_down(store: Store, *, counts: bool = False) -> None:
    """Raises Down. Only a request to initiate a payment counts against the switch's `next`."""
    with store.transaction() as tx:
        switches = tx.switches()
        if counts and switches.mode is Mode.DOWN:
            tx.set_switches(switches.used())
    if switches.mode is Mode.DOWN:
        raise Down("Switched off by its switches.")


def find_payment(store: Store, address: Address, transaction_id: str) -> Payment:
    """Raises NotFound, also for a transaction of somebody else's."""
    with store.transaction() as tx:
        payment = tx.payment(transaction_id)
    if payment is None or payment.address != address:
        raise NotFound("There is no such transaction.")
    return payment


def find_payment_of_request(store: Store, address: Address, request_id: str) -> Payment:
    """Raises NotFound."""
    with store.transaction() as tx:
        payment = tx.payment_of_request(address, request_id)
    if payment is None:
        raise NotFound("There is no transaction for this requestId.")
    return payment


def show_payment(store: Store, transaction_id: str) -> Payment | None:
    with store.transaction() as tx:
        return tx.payment(transaction_id)


def choose(store: Store, transaction_id: str, wish: Status, now: datetime) -> Payment | None:
    """What a person pressed on the payment page."""
    with store.transaction() as tx:
        payment = tx.payment(transaction_id)
        if payment is None:
            return None
        decided = decide(payment, wish, now)
        if decided is not payment:
            tx.record_decision(decided)
    return decided


def read_switches(store: Store) -> Switches:
    with store.transaction() as tx:
        return tx.switches()


def switch(store: Store, switches: Switches) -> Switches:
    with store.transaction() as tx:
        tx.set_switches(switches)
    return switches


def _bill(request: str) -> Bill:
    try:
        document = derived.parse(request)
        faults = derived.faults(document)
    except ValueError:
        raise NotValid("The body is not JSON that can be read.") from None
    if faults:
        raise NotValid("; ".join(faults))
    try:
        return bill_of(document)
    except SumsWrong as wrong:
        raise SumsDiffer(str(wrong)) from None
