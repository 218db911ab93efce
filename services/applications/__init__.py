"""Applications: what somebody wants, the case, and how it was decided."""
