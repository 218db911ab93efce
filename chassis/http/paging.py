"""Pages by cursor: `?limit=20&cursor=…`; the cursor is opaque to clients."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Query

from chassis.errors import BadRequest

T = TypeVar("T")

MOST = 100


class Paging:
    """Which page is asked for: a FastAPI dependency (`Annotated[Paging, Depends()]`)."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=MOST, description="entries a page")] = 20,
        cursor: Annotated[str | None, Query(max_length=512, description="`next` of the page before")] = None,
    ) -> None:
        self.limit = limit
        self.start = self._decoded(cursor) if cursor else None

    @staticmethod
    def _decoded(cursor: str) -> tuple[str, str]:
        try:
            value, row = orjson.loads(base64.urlsafe_b64decode(cursor))
            return str(value), str(row)
        except (ValueError, TypeError, binascii.Error):
            raise BadRequest("this cursor isn't one of ours") from None


def after(paging: Paging, field: str, *, descending: bool = False) -> dict[str, Any]:
    """The filter for a page sorted by `field`, then `_id`; ask for `paging.limit + 1` entries."""
    if paging.start is None:
        return {}
    value, row = paging.start
    step = "$lt" if descending else "$gt"
    return {"$or": [{field: {step: value}}, {field: value, "_id": {step: row}}]}


def page(
    found: Sequence[T], paging: Paging, render: Callable[[T], Any], place: Callable[[T], tuple[str, str]]
) -> dict[str, Any]:
    """One page of at most `paging.limit` entries; `place` gives an entry's sort value and id."""
    shown = found[: paging.limit]
    more = len(found) > paging.limit
    cursor = base64.urlsafe_b64encode(orjson.dumps(place(shown[-1]))).decode() if more else None
    return {"items": [render(entry) for entry in shown], "next": cursor}
