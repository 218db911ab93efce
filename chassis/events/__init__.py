"""Events out (relay) and in (consumer, parking), over FastStream as the transport."""
