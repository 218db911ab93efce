"""The payment reference (Kassenzeichen) as a structured creditor reference, ISO 11649: RF, two check digits, a number.

The number is opaque: it tells nothing of the case, and is the same wherever it is derived. A town's own number range
will be another scheme; whatever it is, the reference is kept in the demand and never derived anew.
"""

from __future__ import annotations

import re
from uuid import UUID

DIGITS = 21
"""The longest number that ISO 11649 has room for: 25 characters in all, so that XBezahldienste's purpose (27) fits."""
_NUMBER = re.compile(r"[0-9A-Z]{1,21}")
_FORM = re.compile(rf"RF[0-9]{{2}}{_NUMBER.pattern}")


def payment_reference(demand_id: str) -> str:
    """The reference of a demand, such as `RF18000000000539007547034`."""
    return creditor_reference(f"{UUID(demand_id).int % 10**DIGITS:0{DIGITS}d}")


def creditor_reference(number: str) -> str:
    """The reference for a number of 1 to 21 capital letters and digits: check digits as in ISO 7064, modulo 97-10."""
    if not _NUMBER.fullmatch(number):
        raise ValueError("the number needs 1 to 21 characters of 0-9 and A-Z")
    return f"RF{98 - _remainder('RF00' + number):02d}{number}"


def is_creditor_reference(text: str) -> bool:
    """Whether form and check digits are right."""
    return _FORM.fullmatch(text) is not None and _remainder(text) == 1


def _remainder(text: str) -> int:
    """Modulo 97 with the first four characters moved to the end and letters as numbers (A = 10 ... Z = 35)."""
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97
