"""Events in: none."""
