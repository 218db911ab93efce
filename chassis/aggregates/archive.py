"""Events that leave the document, so that it doesn't grow without end."""

from __future__ import annotations

import contextlib

from chassis.errors import DuplicateKey
from chassis.mongo import Collection


async def archive_events(
    collection: Collection, archived: Collection, tenant: str, aggregate_id: str, up_to: int
) -> None:
    """Moves events up to a sequence out of the document: first copied, then trimmed."""
    found = await collection.find_one({"_id": aggregate_id, "tenant": tenant}, {"events": 1})
    for said in (found or {}).get("events", []):
        if said["sequence"] > up_to:
            break
        copy = {
            "_id": f"{aggregate_id}/{said['sequence']}",
            "tenant": tenant,
            "subject": aggregate_id,
            "said": said,
        }
        with contextlib.suppress(DuplicateKey):
            await archived.insert(copy)
    where = {"_id": aggregate_id, "tenant": tenant}
    await collection.update(where, {"$pull": {"events": {"sequence": {"$lte": up_to}}}})
