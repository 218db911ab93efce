"""JSON pointers."""

from __future__ import annotations

import pytest

from kernel.json_pointer import pointer


@pytest.mark.parametrize(
    ("parts", "expected"), [((), ""), (("data", "bins", 0), "/data/bins/0"), (("a/b", "m~n", ""), "/a~1b/m~0n/")]
)
def test_as_rfc_6901_writes_them(parts: tuple[str | int, ...], expected: str) -> None:
    assert pointer(*parts) == expected
