"""The sentences of the timeline, by the codes of its entries: for citizens, German first. No jargon."""

from __future__ import annotations

from collections.abc import Mapping

from kernel.texts import Bilingual, Language
from kernel.written import written_amount, written_date
from services.applications.domain.state import Status
from services.applications.domain.timeline import TimelineCode, TimelineEntry

TIMELINE: Mapping[TimelineCode, Bilingual] = {
    TimelineCode.DRAFT_CREATED: Bilingual(
        de="Sie haben den Antrag begonnen. Er ist noch nicht abgeschickt.",
        en="You began the application. It has not been sent yet.",
    ),
    TimelineCode.APPLICATION_RECEIVED: Bilingual(
        de="Ihr Antrag ist am {day} bei uns eingegangen.", en="We received your application on {day}."
    ),
    TimelineCode.FEE_BEFORE_PROCESSING: Bilingual(
        de="Für Ihren Antrag fällt eine Gebühr von {amount} an. Bitte bezahlen Sie sie bis zum {day}. "
        "Danach bearbeiten wir Ihren Antrag.",
        en="There is a fee of {amount} for your application. Please pay it by {day}. "
        "We will then process your application.",
    ),
    TimelineCode.FEE_WITH_DECISION: Bilingual(
        de="Für die Entscheidung fällt eine Gebühr von {amount} an. Bitte bezahlen Sie sie bis zum {day}.",
        en="There is a fee of {amount} for the decision. Please pay it by {day}.",
    ),
    TimelineCode.PAYMENT_REQUESTED: Bilingual(
        de="Sie können die Gebühr von {amount} jetzt online bezahlen, spätestens am {day}.",
        en="You can now pay the fee of {amount} online, by {day} at the latest.",
    ),
    TimelineCode.PAYMENT_RECEIVED: Bilingual(
        de="Ihre Zahlung von {amount} ist eingegangen. Vielen Dank.",
        en="We received your payment of {amount}. Thank you.",
    ),
    TimelineCode.PAYMENT_PARTLY: Bilingual(
        de="Ein Teil Ihrer Zahlung ist eingegangen. Es fehlen noch {amount}.",
        en="We received part of your payment. {amount} is still missing.",
    ),
    TimelineCode.PAYMENT_FAILED: Bilingual(
        de="Die Zahlung hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
        en="The payment did not go through. Please try again.",
    ),
    TimelineCode.PAYMENT_CANCELLED: Bilingual(
        de="Sie müssen diese Gebühr nicht mehr bezahlen.", en="You no longer have to pay this fee."
    ),
    TimelineCode.PAYMENT_OVERDUE: Bilingual(
        de="Die Gebühr war bis zum {day} zu bezahlen. Es fehlen noch {amount}. Bitte holen Sie das nach.",
        en="The fee was to be paid by {day}. {amount} is still missing. Please pay it now.",
    ),
    TimelineCode.APPLICATION_COMPLETE: Bilingual(
        de="Seit dem {day} liegt uns alles vor, was wir brauchen. Wir bearbeiten Ihren Antrag.",
        en="Since {day} we have had everything we need. We are processing your application.",
    ),
    TimelineCode.INFORMATION_REQUESTED: Bilingual(
        de="Wir haben eine Frage an Sie. Bitte antworten Sie bis zum {day}.",
        en="We have a question for you. Please answer by {day}.",
    ),
    TimelineCode.INFORMATION_SUPPLIED: Bilingual(
        de="Ihre Antwort ist am {day} eingegangen.", en="We received your answer on {day}."
    ),
    TimelineCode.INFORMATION_OVERDUE: Bilingual(
        de="Bis zum {day} ist keine Antwort von Ihnen eingegangen. Sie können noch antworten.",
        en="We received no answer from you by {day}. You can still answer.",
    ),
    TimelineCode.DECIDED_GRANTED: Bilingual(
        de="Wir haben Ihrem Antrag am {day} entsprochen.", en="We granted your application on {day}."
    ),
    TimelineCode.DECIDED_PARTLY_GRANTED: Bilingual(
        de="Wir haben Ihrem Antrag am {day} zum Teil entsprochen.", en="We granted part of your application on {day}."
    ),
    TimelineCode.DECIDED_REFUSED: Bilingual(
        de="Wir haben Ihren Antrag am {day} abgelehnt.", en="We refused your application on {day}."
    ),
    TimelineCode.NOTICE_ISSUED: Bilingual(de="Unser Schreiben dazu ist fertig.", en="Our letter about it is ready."),
    TimelineCode.NOTICE_PROVIDED: Bilingual(
        de="Unser Schreiben liegt in Ihrem Postfach. Bitte rufen Sie es dort ab.",
        en="Our letter is in your mailbox. Please fetch it there.",
    ),
    TimelineCode.NOTICE_RETRIEVED: Bilingual(
        de="Sie haben unser Schreiben am {day} abgerufen.", en="You fetched our letter on {day}."
    ),
    TimelineCode.NOTICE_ANNOUNCED: Bilingual(
        de="Die Entscheidung ist seit dem {day} wirksam.", en="The decision has been in effect since {day}."
    ),
    TimelineCode.ANNOUNCEMENT_FAILED: Bilingual(
        de="Sie haben unser Schreiben nicht rechtzeitig abgerufen. Die Entscheidung ist noch nicht wirksam. "
        "Wir melden uns wieder bei Ihnen.",
        en="You did not fetch our letter in time. The decision is not yet in effect. We will get in touch again.",
    ),
    TimelineCode.WITHDRAWN: Bilingual(
        de="Sie haben den Antrag am {day} zurückgenommen.", en="You withdrew the application on {day}."
    ),
    TimelineCode.CLOSED: Bilingual(de="Der Vorgang ist abgeschlossen.", en="The case is closed."),
    TimelineCode.REOPENED: Bilingual(
        de="Wir prüfen Ihren Vorgang noch einmal.", en="We are looking at your case again."
    ),
}

STATUS: Mapping[Status, Bilingual] = {
    Status.DRAFT: Bilingual(de="Entwurf, noch nicht abgeschickt", en="Draft, not sent yet"),
    Status.AWAITING_PAYMENT: Bilingual(de="Eingegangen, Gebühr noch offen", en="Received, fee not yet paid"),
    Status.IN_PROCESSING: Bilingual(de="In Bearbeitung", en="Being processed"),
    Status.DECIDED: Bilingual(de="Entschieden", en="Decided"),
    Status.CLOSED: Bilingual(de="Abgeschlossen", en="Closed"),
}


def sentence(entry: TimelineEntry, language: Language) -> str:
    """An entry of the timeline as a plain sentence."""
    return (
        TIMELINE[TimelineCode(entry.code)]
        .in_language(language)
        .format(
            day=written_date(entry.day, language) if entry.day else "",
            amount=written_amount(entry.amount.cents, entry.amount.currency, language) if entry.amount else "",
        )
    )
