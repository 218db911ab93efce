"""Events in: none. Identity listens to nobody, so that nobody can keep people from signing in."""
