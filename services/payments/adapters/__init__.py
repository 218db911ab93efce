"""Payment providers: the port in `base.py`, an adapter for each provider, and which town has which in `registry.py`."""
