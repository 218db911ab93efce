"""The engines are real: what was acknowledged is there after kill -9, on the same port."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.mongo import Database
from rathaus.engines import Hosted

pytestmark = pytest.mark.engines


async def test_kafka_keeps_what_it_acknowledged_when_it_is_killed(kafka_engine: Hosted, kafka_url: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_url)
    await admin.start()
    await admin.create_topics([NewTopic("survives", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka_url, acks="all", enable_idempotence=True) as producer:
        for number in range(50):
            await producer.send_and_wait("survives", str(number).encode())
        kafka_engine.kill()
        assert not kafka_engine.pids
        await asyncio.to_thread(kafka_engine.restart)
        await producer.send_and_wait("survives", b"50")
    assert await _read("survives", kafka_url, 51) == [str(number) for number in range(51)]


async def _read(topic: str, url: str, count: int) -> list[str]:
    async with AIOKafkaConsumer(bootstrap_servers=url, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value.decode() for _ in range(count)]


async def test_the_database_keeps_what_it_acknowledged_when_it_is_killed(mongo_engine: Hosted, mongo_url: str) -> None:
    database = Database(mongo_url, "survives", timeout_seconds=10)
    collection = database.collection("things")
    for number in range(50):
        await collection.insert({"_id": number})
    mongo_engine.kill()
    await asyncio.to_thread(mongo_engine.restart)
    assert await collection.count({}) == 50
    database.close()
