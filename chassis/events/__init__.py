"""Events out (relay) and in (delivery, parking), over FastStream as the transport."""
