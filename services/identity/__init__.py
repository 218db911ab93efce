"""Identity: who somebody is. Accounts with trust levels, staff with roles, machine clients, and their signed tokens."""
