"""Reads below majority can't be seen on one node: there what is written last is what a majority has.

So what no run can show is asserted where it is decided: every collection that a service gets reads from the primary
with read concern majority, and writes with majority and journal. The rest is MongoDB's promise (manual, "Read Concern
majority"), which the production engine keeps and the embedded one, a single server, can't break.
"""

from __future__ import annotations

from pymongo import ReadPreference, WriteConcern
from pymongo.read_concern import ReadConcern

from chassis.mongo import Database


async def test_every_collection_reads_and_writes_by_majority() -> None:
    database = Database("mongodb://127.0.0.1:1/", "concerns", timeout_seconds=0.1)
    try:
        inner = database.collection("case")._inner
        assert inner.read_concern == ReadConcern("majority")
        assert inner.read_preference == ReadPreference.PRIMARY
        assert inner.write_concern == WriteConcern(w="majority", j=True)
    finally:
        database.close()
