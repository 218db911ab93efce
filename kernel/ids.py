"""Name-based ids (docs/decisions/0005-identifiers-and-keys.md)."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1c1e0a-6b58-5d0e-9a55-0b8f2f6f2a11")
"""Root of every name-based id (UUID version 5, RFC 9562) of the platform."""


def id_of(*parts: str) -> str:
    """A name-based id (UUID version 5): the same parts, the same id. Makes creation idempotent."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))
