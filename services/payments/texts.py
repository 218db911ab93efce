"""What payers and cashiers read: German first, English second."""

from __future__ import annotations

from kernel.texts import Bilingual
from kernel.written import written_date
from services.payments.domain.bookings import Account
from services.payments.domain.state import Demand, Phase, Status

ACCOUNTS = {
    Account.RECEIVABLE: Bilingual(de="Forderungen", en="Receivables"),
    Account.REVENUE: Bilingual(de="Erträge", en="Revenue"),
    Account.PROVIDER_CLEARING: Bilingual(de="Verrechnung Zahlungsdienst", en="Payment provider clearing"),
    Account.UNALLOCATED: Bilingual(de="Ungeklärte Einzahlungen", en="Unallocated receipts"),
}

RETURNED = """<!doctype html>
<html lang="de">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zahlung wird geprüft / Checking your payment</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 38rem; padding: 0 1rem }</style>
</head>
<body>
<main>
<h1>Ihre Zahlung wird geprüft</h1>
<p>Wir fragen beim Zahlungsdienst nach, ob die Zahlung angekommen ist. Das dauert meist nur wenige Sekunden.
Den Stand sehen Sie bei Ihrem Antrag. Sie können dieses Fenster schließen.</p>
<section lang="en">
<h2>We are checking your payment</h2>
<p>We are asking the payment provider whether the payment has arrived. This usually takes a few seconds.
You will find the result with your application. You may close this window.</p>
</section>
</main>
</body>
</html>
"""


def status_text(demand: Demand) -> Bilingual:
    """Returns a sentence on the demand's status, for the payer."""
    day = demand.due_on
    if any(attempt.phase is Phase.HELD for attempt in demand.attempts):
        return Bilingual(
            de="Eine Zahlung wird geklärt. Bitte zahlen Sie nicht noch einmal.",
            en="A payment is being looked into. Please don't pay again.",
        )
    match demand.status:
        case Status.SETTLED:
            return Bilingual(de="Es ist nichts mehr zu zahlen.", en="There is nothing left to pay.")
        case Status.CANCELLED:
            return Bilingual(
                de="Die Forderung wurde aufgehoben. Es ist nichts zu zahlen.",
                en="The demand was cancelled. There is nothing to pay.",
            )
        case _ if demand.overdue:
            return Bilingual(
                de=f"Die Zahlung war bis zum {written_date(day, 'de')} fällig. Bitte zahlen Sie jetzt.",
                en=f"Payment was due by {written_date(day, 'en')}. Please pay now.",
            )
        case _:
            return Bilingual(
                de=f"Bitte zahlen Sie bis zum {written_date(day, 'de')}.",
                en=f"Please pay by {written_date(day, 'en')}.",
            )
