"""The demonstration: everything started, two towns loaded, two journeys as real clients would make them.

Begin with `main.py`; what is done at the gateway stands in `journeys.py`.
"""
