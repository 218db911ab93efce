"""Payments: what is owed and paid."""
