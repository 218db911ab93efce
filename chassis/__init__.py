"""What every service stands on. Imports `contracts` only.

Read `service.py` first: it composes the rest.
"""
