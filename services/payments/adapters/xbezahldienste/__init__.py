"""XBezahldienste: `adapter.py` is the client, `messages.py` its requests and answers as JSON."""

from services.payments.adapters.xbezahldienste.adapter import XBezahldienste

__all__ = ["XBezahldienste"]
