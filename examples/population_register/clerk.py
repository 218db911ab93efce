"""What the clerk system does: wait for complete applications, look the person up, decide, and only then commit.

Events come at least once: the decision's Idempotency-Key is derived from the event's id, so that it has one effect.
"""

import asyncio
import json
import logging
from typing import Any, Final
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from .cloud_events import Event, NotAnEvent, parse
from .gateway import AlreadyDecided, Away, Gateway, Refused
from .register import Entry, decide
from .settings import Settings

COMPLETE: Final = "de.rathaus.applications.application_complete.v1"
KEYS: Final = UUID("0d2bd6b9-7c5b-5f0b-8f43-3a2c1f0a9d10")  # this program's own namespace
PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds; the last one holds

log = logging.getLogger("population_register")


class Clerk:
    def __init__(self, settings: Settings, entries: tuple[Entry, ...], gateway: Gateway) -> None:
        self._settings = settings
        self._entries = entries
        self._gateway = gateway
        self._failures = 0
        self.ready = False

    async def work(self) -> None:
        """Until cancelled; waits for a Kafka that is away as long as it takes."""
        while True:
            try:
                await self._attend()
            except KafkaError as error:
                log.warning("kafka is away: %s", type(error).__name__)
            finally:
                self.ready = False
            await self._pause()

    async def handle(self, event: Event) -> None:
        """One event. Raises Away where it must be tried again."""
        if not self._is_ours(event):
            return
        case_id = str(event.data.get("case_id"))
        try:
            submission = await self._gateway.submission(str(event.data.get("dataref")))
            decision = decide(_form(submission), self._entries)
            await self._gateway.decide(case_id, decision, key_of(event))
        except AlreadyDecided:
            log.info("case %s: decided before", case_id)
        except Refused as refusal:
            self._put_aside(event, case_id, str(refusal))
        else:
            log.info("case %s: %s", case_id, decision.outcome)

    def _is_ours(self, event: Event) -> bool:
        mine = (COMPLETE, self._settings.tenant, self._settings.service_id)
        return (event.type, event.tenant, event.data.get("service_id")) == mine

    def _put_aside(self, event: Event, case_id: str, reason: str) -> None:
        """For a person to look at: ids only, no personal data."""
        log.error("case %s put aside: %s", case_id, reason)
        row = {"event": event.id, "case": case_id, "reason": reason}
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        with (self._settings.data_dir / "put_aside.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    async def _attend(self) -> None:
        consumer = AIOKafkaConsumer(
            self._settings.topic,
            bootstrap_servers=self._settings.kafka_url,
            group_id=self._settings.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            metadata_max_age_ms=2000,  # finds the topic soon where this program is there first
        )
        try:
            await consumer.start()
            while True:
                batches = await consumer.getmany(timeout_ms=500)
                self.ready = bool(consumer.assignment())
                away = False
                for partition, records in batches.items():
                    away |= not await self._take(consumer, partition, records)
                if away:
                    await self._pause()
                elif batches:
                    self._failures = 0
        finally:
            await consumer.stop()

    async def _take(self, consumer: Any, partition: TopicPartition, records: list[ConsumerRecord]) -> bool:
        """A partition's records, in order. False where one has to wait: it is read again from there."""
        for record in records:
            try:
                await self.handle(parse(record.headers, record.value))
            except NotAnEvent as error:
                log.warning("offset %s of partition %s is no event: %s", record.offset, partition.partition, error)
            except Away as away:
                log.warning("the gateway is away: %s", away)
                consumer.seek(partition, record.offset)
                return False
            await consumer.commit({partition: record.offset + 1})
        return True

    async def _pause(self) -> None:
        await asyncio.sleep(PAUSES[min(self._failures, len(PAUSES) - 1)])
        self._failures += 1


def _form(submission: dict[str, Any]) -> dict[str, Any]:
    content = submission.get("content")
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        raise Refused("the submission holds no form")
    return data


def key_of(event: Event) -> str:
    """The same event, the same Idempotency-Key."""
    return str(uuid5(KEYS, event.id))
