"""What every service stands on. Imports `contracts` and `kernel` only.

Read `service.py` first: it composes the rest.
"""
