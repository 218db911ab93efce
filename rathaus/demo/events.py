"""Events as they pass: a plain Kafka consumer without a group, such as anybody could write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts import topics
from contracts.envelope import Envelope, EnvelopeError


@dataclass(frozen=True, slots=True)
class Told:
    """An event that passed."""

    envelope: Envelope
    at: float
    """When it was read: seconds of this process's monotonic clock."""

    @property
    def name(self) -> str:
        """Such as `notice_issued`."""
        return self.envelope.type.split(".")[3]


class Tail:
    """All events from now on. Use as an async context manager."""

    def __init__(self, kafka_url: str, listener: Callable[[Told], None] = lambda _: None) -> None:
        self._consumer = AIOKafkaConsumer(
            *(topic.name for topic in topics.ALL),
            bootstrap_servers=kafka_url,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        self._listener = listener
        self._reading: asyncio.Task[None] | None = None
        self._more = asyncio.Condition()
        self.told: list[Told] = []

    async def __aenter__(self) -> Tail:
        await self._consumer.start()
        await self._consumer.seek_to_end()  # now, not at the first read
        self._reading = asyncio.create_task(self._read(), name="tail")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()

    def of_case(self, case_id: str) -> list[Told]:
        """The events of a case, of all its subjects, as they passed; each once."""
        mine = [each for each in self.told if case_id in {each.envelope.case, each.envelope.subject}]
        return list({each.envelope.id: each for each in mine}.values())

    async def until(self, case_id: str, name: str, seconds: float) -> Told | None:
        """That event of the case as soon as it passed; None if it doesn't in so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._more:
                while True:
                    found = next((each for each in self.of_case(case_id) if each.name == name), None)
                    if found:
                        return found
                    await self._more.wait()
        return None

    async def _read(self) -> None:
        while True:
            try:
                record = await self._consumer.getone()
            except KafkaError:  # away for a moment: it goes on where it was
                await asyncio.sleep(0.1)
                continue
            await self._take(record)

    async def _take(self, record: Any) -> None:
        try:
            told = Told(Envelope.parse(record.headers), time.monotonic())
        except EnvelopeError:
            return
        async with self._more:
            self.told.append(told)
            self._more.notify_all()
        self._listener(told)
