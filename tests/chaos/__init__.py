"""Proof under faults: load with the clients' own truth, a seeded schedule of faults, and a checker of every promise.

Begin with `__main__.py`; docs/guarantees.md says what is promised and which part of this proves it.
"""
