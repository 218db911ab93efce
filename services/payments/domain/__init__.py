"""The rules of payments: pure.

state.py            a demand with its attempts and bookings, as it is stored
demands.py          a demand is requested, cancelled, overdue
attempts.py         the payer pays online
provider_status.py  what the provider says, checked and applied
bookings.py         what happened to money
ledger.py           which bookings are in the ledger
schedule.py         what is due, and when
references.py       the payment reference
"""
