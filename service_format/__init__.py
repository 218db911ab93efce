"""A service as data: its models, and the rules by which it is checked, previewed, decided and charged. Pure."""
