"""JSON pointers (RFC 6901): where in a document something is wrong."""

from __future__ import annotations


def pointer(*parts: str | int) -> str:
    """Names and indices as a JSON pointer (RFC 6901 § 3), such as `/data/bin_size`; empty for the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
