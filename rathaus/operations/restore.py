"""After a service's database was restored from a backup: a new line of sequences begins."""

from __future__ import annotations

from rathaus.operations.installation import Installation


async def raise_epoch(installation: Installation, service: str) -> int:
    """Raises the epoch of a service; the new one. It takes effect when the service is started again.

    Subscribers accept what comes in the new epoch even where its sequence was used before the restore, and still
    recognise repetitions of the old line.
    """
    async with installation.database(service) as database:
        meta = database.collection("meta")
        await meta.update({"_id": "epoch"}, {"$inc": {"value": 1}}, upsert=True)
        found = await meta.find_one({"_id": "epoch"})
        return int((found or {})["value"])
