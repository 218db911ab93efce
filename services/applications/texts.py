"""The sentences of the timeline, by the codes of its entries: for citizens, German first. No jargon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.texts import Language
from kernel.written import written_amount, written_date
from services.applications.domain.state import Entry, Status


@dataclass(frozen=True, slots=True)
class Sentence:
    """The same in German and English; `{day}` and `{amount}` are filled in."""

    de: str
    en: str


TIMELINE: Mapping[str, Sentence] = {
    "draft_created": Sentence(
        "Sie haben den Antrag begonnen. Er ist noch nicht abgeschickt.",
        "You began the application. It has not been sent yet.",
    ),
    "application_received": Sentence(
        "Ihr Antrag ist am {day} bei uns eingegangen.", "We received your application on {day}."
    ),
    "fee_before_processing": Sentence(
        "Für Ihren Antrag fällt eine Gebühr von {amount} an. Bitte bezahlen Sie sie bis zum {day}. "
        "Danach bearbeiten wir Ihren Antrag.",
        "There is a fee of {amount} for your application. Please pay it by {day}. "
        "We will then process your application.",
    ),
    "fee_with_decision": Sentence(
        "Für die Entscheidung fällt eine Gebühr von {amount} an. Bitte bezahlen Sie sie bis zum {day}.",
        "There is a fee of {amount} for the decision. Please pay it by {day}.",
    ),
    "payment_requested": Sentence(
        "Sie können die Gebühr von {amount} jetzt online bezahlen, spätestens am {day}.",
        "You can now pay the fee of {amount} online, by {day} at the latest.",
    ),
    "payment_received": Sentence(
        "Ihre Zahlung von {amount} ist eingegangen. Vielen Dank.", "We received your payment of {amount}. Thank you."
    ),
    "payment_partly": Sentence(
        "Ein Teil Ihrer Zahlung ist eingegangen. Es fehlen noch {amount}.",
        "We received part of your payment. {amount} is still missing.",
    ),
    "payment_failed": Sentence(
        "Die Zahlung hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
        "The payment did not go through. Please try again.",
    ),
    "payment_cancelled": Sentence(
        "Sie müssen diese Gebühr nicht mehr bezahlen.", "You no longer have to pay this fee."
    ),
    "payment_overdue": Sentence(
        "Die Gebühr war bis zum {day} zu bezahlen. Es fehlen noch {amount}. Bitte holen Sie das nach.",
        "The fee was to be paid by {day}. {amount} is still missing. Please pay it now.",
    ),
    "application_complete": Sentence(
        "Seit dem {day} liegt uns alles vor, was wir brauchen. Wir bearbeiten Ihren Antrag.",
        "Since {day} we have had everything we need. We are processing your application.",
    ),
    "information_requested": Sentence(
        "Wir haben eine Frage an Sie. Bitte antworten Sie bis zum {day}.",
        "We have a question for you. Please answer by {day}.",
    ),
    "information_supplied": Sentence("Ihre Antwort ist am {day} eingegangen.", "We received your answer on {day}."),
    "information_overdue": Sentence(
        "Bis zum {day} ist keine Antwort von Ihnen eingegangen. Sie können noch antworten.",
        "We received no answer from you by {day}. You can still answer.",
    ),
    "decided_granted": Sentence(
        "Wir haben Ihrem Antrag am {day} entsprochen.", "We granted your application on {day}."
    ),
    "decided_partly_granted": Sentence(
        "Wir haben Ihrem Antrag am {day} zum Teil entsprochen.", "We granted part of your application on {day}."
    ),
    "decided_refused": Sentence("Wir haben Ihren Antrag am {day} abgelehnt.", "We refused your application on {day}."),
    "notice_issued": Sentence("Unser Schreiben dazu ist fertig.", "Our letter about it is ready."),
    "notice_provided": Sentence(
        "Unser Schreiben liegt in Ihrem Postfach. Bitte rufen Sie es dort ab.",
        "Our letter is in your mailbox. Please fetch it there.",
    ),
    "notice_retrieved": Sentence("Sie haben unser Schreiben am {day} abgerufen.", "You fetched our letter on {day}."),
    "notice_announced": Sentence(
        "Die Entscheidung ist seit dem {day} wirksam.", "The decision has been in effect since {day}."
    ),
    "announcement_failed": Sentence(
        "Sie haben unser Schreiben nicht rechtzeitig abgerufen. Die Entscheidung ist noch nicht wirksam. "
        "Wir melden uns wieder bei Ihnen.",
        "You did not fetch our letter in time. The decision is not yet in effect. We will get in touch again.",
    ),
    "withdrawn": Sentence("Sie haben den Antrag am {day} zurückgenommen.", "You withdrew the application on {day}."),
    "closed": Sentence("Der Vorgang ist abgeschlossen.", "The case is closed."),
    "reopened": Sentence("Wir prüfen Ihren Vorgang noch einmal.", "We are looking at your case again."),
}

STATUS: Mapping[Status, Sentence] = {
    Status.DRAFT: Sentence("Entwurf, noch nicht abgeschickt", "Draft, not sent yet"),
    Status.AWAITING_PAYMENT: Sentence("Eingegangen, Gebühr noch offen", "Received, fee not yet paid"),
    Status.IN_PROCESSING: Sentence("In Bearbeitung", "Being processed"),
    Status.DECIDED: Sentence("Entschieden", "Decided"),
    Status.CLOSED: Sentence("Abgeschlossen", "Closed"),
}


def sentence(entry: Entry, language: Language) -> str:
    """An entry of the timeline as a plain sentence."""
    found = TIMELINE[entry.code]
    template = found.en if language == "en" else found.de
    return template.format(
        day=written_date(entry.day, language) if entry.day else "",
        amount=written_amount(entry.amount.cents, entry.amount.currency, language) if entry.amount else "",
    )


def status(value: Status) -> dict[str, str]:
    """Where a case stands, in both languages."""
    return {"de": STATUS[value].de, "en": STATUS[value].en}
