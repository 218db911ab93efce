"""What the stand-in for Kafka promises, asked of the real one as well: the same steps on both, the same outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from faststream.exceptions import IncorrectState
from faststream.kafka import KafkaBroker

from chassis.errors import NotFound
from chassis.events import transport
from chassis.settings import ServiceSettings
from contracts.envelope import Envelope, event_id, source_of
from contracts.topics import Topic
from rathaus.engines import Hosted
from tests.simulation import broker
from tests.simulation.wire import Calm
from tests.support.diaries import a_topic
from tests.support.waiting import wait_until

Transport = transport.Transport | broker.Transport
Places = frozenset[TopicPartition]
PARTITIONS = 4
CORRELATION = "2f9c2c5a-40f5-4f37-8f0e-2f1a4c9a6c10"


class Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of a group: what it was told, and what it was handed."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Places]] = []
        self.named: list[Places] = []
        """What `assignment()` said within each revocation."""
        self.turn = 0
        self.revoked = True
        """From a revocation to the next assignment."""
        self.fetches: list[tuple[int, bool]] = []
        """The turn of each fetch, and whether nothing was ours then."""
        self.records: list[ConsumerRecord] = []
        self.wrong: list[str] = []
        self.within: Callable[[], Awaitable[object]] | None = None
        """What the member does within a revocation."""
        self.broker: Any = None

    @property
    def consumer(self) -> Any:
        """The client, once it has begun."""
        return self.broker.subscribers[0].consumer if self.broker else None

    @property
    def places(self) -> Places:
        """By the latest assignment."""
        return self.told[-1][1] if self.told and not self.revoked else frozenset()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.turn += 1
        self.revoked = True
        self.told.append(("revoked", frozenset(revoked)))
        if self.consumer is not None:
            self.named.append(frozenset(self.consumer.assignment()))
        if self.within is not None:
            await self.within()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.told.append(("assigned", frozenset(assigned)))
        self.revoked = False

    def fetched(self) -> int:
        """Called after each fetch."""
        self.fetches.append((self.turn, self.revoked))
        return self.turn

    async def on_records(self, records: Sequence[ConsumerRecord], turn: int) -> None:
        fetched_in, revoked = self.fetches[-1]
        if turn != fetched_in:
            self.wrong.append(f"fetched in turn {fetched_in}, handed on as of turn {turn}")
        if revoked:
            self.wrong.append(f"fetched in turn {turn} between revocation and assignment")
        self.records.extend(records)

    def bodies(self) -> list[bytes]:
        """What was handed on, sorted."""
        return sorted(record.value for record in self.records)


class Held:
    """A revocation that lasts until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.go_on.wait()


class Side:
    """A broker, real or not, with one topic and one group."""

    def __init__(self) -> None:
        self.topic: Topic = a_topic(PARTITIONS)
        self.group = f"g{secrets.token_hex(5)}"
        self.all = frozenset(TopicPartition(self.topic.name, number) for number in range(PARTITIONS))
        self.members: list[Member] = []
        self.transports: list[Transport] = []
        self.session_seconds = 0.0

    def made(self) -> Transport:
        """A transport, not started."""
        raise NotImplementedError

    async def written(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        """All that is in the topic."""
        raise NotImplementedError

    def deafen(self, member: Member) -> None:
        """From now on it sends no heartbeats, as a process that hangs."""
        raise NotImplementedError

    async def leave(self, member: Member) -> None:
        """It is out of the group, as one that was idle for too long; the listener is not told."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Within, the broker answers nothing; what it is sent it does afterwards."""
        raise NotImplementedError

    async def hang_up(self, consumer: Any) -> None:
        """Closes the connection that a call on a stopped client opened."""

    async def transport(self) -> Transport:
        """One that is started."""
        made = self.made()
        made.declared = (self.topic,)
        self.transports.append(made)
        await made.start()
        return made

    async def join(self, within: Callable[[], Awaitable[object]] | None = None) -> Member:
        """A member that has its first assignment."""
        member = Member()
        self.members.append(member)
        made: Any = self.transports[0] if self.transports else await self.transport()
        member.broker = await made.subscribe([self.topic.name], self.group, member, member.on_records, member.fetched)
        member.within = within
        await wait_until(lambda: not member.revoked, what="the first assignment")
        return member

    async def stop(self, member: Member) -> None:
        """It leaves in good order."""
        self.members.remove(member)
        await member.broker.stop()

    async def send(self, keys: Sequence[str], lines: Sequence[str]) -> dict[bytes, TopicPartition]:
        """Writes each line under each key; where each record went."""
        made = self.transports[0] if self.transports else await self.transport()
        sent = [await made.send(self.topic, self.envelope(key), {"l": line}) for line in lines for key in keys]
        await asyncio.gather(*sent)
        return {rec.value: place for place, records in (await self.written()).items() for rec in records}

    def envelope(self, subject: str) -> Envelope:
        """The attributes of an event."""
        source = source_of("witten", self.topic.stream, subject)
        return Envelope(
            id=event_id(source, 0, 1),
            source=source,
            type="de.rathaus.x.noted.v1",
            subject=subject,
            time=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
            sequence=1,
            tenant="witten",
            authority="witten",
            correlationid=CORRELATION,
        )

    async def settled(self, *shares: int) -> None:
        """Waits until the members have so many partitions each, all of them together."""

        def _settled() -> bool:
            given = [member.places for member in self.members]
            return sorted(map(len, given)) == sorted(shares) and frozenset().union(*given) == self.all

        await wait_until(_settled, 20, f"shares of {shares}")

    async def close(self) -> None:
        """Ends what is left; what was handed on wrongly is told."""
        for member in self.members:
            member.within = None
        await asyncio.gather(*(member.broker.stop() for member in self.members if member.broker))
        await asyncio.gather(*(each.stop() for each in self.transports))
        assert [wrong for member in self.members for wrong in member.wrong] == []


class _Quick(transport.Transport):
    """The chassis's own; members hear sooner of a rebalance."""

    def __init__(self, settings: ServiceSettings) -> None:
        super().__init__(settings, "test")
        self.brokers: list[KafkaBroker] = []

    def _broker(self, **options: Any) -> KafkaBroker:
        made = super()._broker(**options)
        subscriber = made.subscriber

        def _quick(*names: str, **given: Any) -> Any:
            return subscriber(*names, **{**given, "heartbeat_interval_ms": 200})

        made.subscriber = _quick  # type: ignore[method-assign]
        self.brokers.append(made)
        return made

    async def stop(self) -> None:
        """Ends also what was dropped rather than closed."""
        await super().stop()
        for made in self.brokers:
            with contextlib.suppress(IncorrectState):  # it has none, or it was closed
                producer: Any = made.config.broker_config.producer._producer.producer
                await producer._sender.close()
                await producer.client.close()


class Real(Side):
    """Kafka, and the chassis's own transport."""

    def __init__(self, engine: Hosted) -> None:
        super().__init__()
        self._engine = engine
        self._settings = ServiceSettings(kafka_url=engine.url, mongo_url="mongodb://127.0.0.1:1")
        self.session_seconds = transport.SESSION_TIMEOUT_MS / 1000

    def made(self) -> Transport:
        return _Quick(self._settings)

    async def written(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._engine.url, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign(list(self.all))
            ends = await consumer.end_offsets(list(self.all))
            found: dict[TopicPartition, list[ConsumerRecord]] = {place: [] for place in self.all}
            while any(len(found[place]) < end for place, end in ends.items()):
                for place, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[place].extend(records)
            return found
        finally:
            await consumer.stop()

    def deafen(self, member: Member) -> None:
        async def _nothing() -> bool:
            return True

        member.consumer._coordinator._do_heartbeat = _nothing

    async def leave(self, member: Member) -> None:
        await member.consumer._coordinator._maybe_leave_group()

    async def hang_up(self, consumer: Any) -> None:
        await consumer._client.close()

    @contextlib.asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        pids = self._engine.pids.values()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            await wait_until(lambda: all(map(stopped, pids)))
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def stopped(pid: int) -> bool:
    """Whether a process stands still, with all its threads where the system tells of them."""
    threads = Path(f"/proc/{pid}/task").glob("*")
    return {psutil.Process(int(each)).status() for each in (pid, *(thread.name for thread in threads))} == {
        psutil.STATUS_STOPPED
    }


class _Slow(Calm):
    """Calm, but what is sent while `seconds` is set takes that long."""

    seconds = 0.0

    def latency(self) -> float:
        return self.seconds or super().latency()


class StandIn(Side):
    """The simulation's broker on an ordinary loop."""

    def __init__(self) -> None:
        super().__init__()
        self._conditions = _Slow()
        self._kafka = broker.Kafka(self._conditions)
        self.session_seconds = broker.SESSION_SECONDS

    def made(self) -> Transport:
        return broker.Transport(self._kafka)

    async def written(self) -> dict[TopicPartition, list[ConsumerRecord]]:
        return {place: list(log) for place, log in self._kafka.logs.items()}

    def deafen(self, member: Member) -> None:
        async def _nothing() -> bool:
            return True

        member.consumer._do_heartbeat = _nothing

    async def leave(self, member: Member) -> None:
        await member.consumer._maybe_leave_group()

    @contextlib.asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        self._conditions.seconds = 1.5 * broker.CLOSE_SECONDS
        try:
            yield
        finally:
            self._conditions.seconds = 0.0


@pytest.fixture(params=["real", "stand-in"])
def engine(request: pytest.FixtureRequest) -> Hosted | None:
    """The real broker, or none."""
    return request.getfixturevalue("kafka_engine") if request.param == "real" else None


@pytest.fixture
async def side(engine: Hosted | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    monkeypatch.setattr(transport, "_CLOSE_SECONDS", broker.CLOSE_SECONDS)
    async with made_on(engine) as made:
        yield made


@pytest.fixture
async def other_side(engine: Hosted | None) -> AsyncIterator[Side]:
    """Another topic and group on the same broker."""
    async with made_on(engine) as made:
        yield made


@contextlib.asynccontextmanager
async def made_on(engine: Hosted | None) -> AsyncIterator[Side]:
    made = StandIn() if engine is None else Real(engine)
    try:
        yield made
    finally:
        await made.close()


def subjects(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


async def every_partition(side: Side) -> dict[TopicPartition, str]:
    """A subject for each partition, found by writing one line under many."""
    keys = subjects(40)
    await side.send(keys, ["probe"])
    return {
        place: Envelope.parse(record.headers).subject
        for place, records in (await side.written()).items()
        for record in records
    }


async def got(member: Member, *lines: str) -> None:
    """Waits for lines."""
    wanted = sorted(b'{"l":"%s"}' % line.encode() for line in lines)
    await wait_until(lambda: member.bodies() == wanted, what=f"{wanted} of {member.bodies()}")


# The group


async def test_the_first_member_is_told_of_nothing_and_then_of_all(side: Side) -> None:
    made: Any = await side.transport()
    member = Member()
    side.members.append(member)
    member.broker = await made.subscribe([side.topic.name], side.group, member, member.on_records, member.fetched)
    assert member.consumer.assignment() == side.all, "subscribing ends with the first assignment"
    await side.settled(4)
    assert member.told == [("revoked", frozenset()), ("assigned", side.all)]


async def test_a_rebalance_takes_all_hands_on_nothing_and_begins_at_the_commits(side: Side) -> None:
    keys = await every_partition(side)
    held = Held()
    first = await side.join(held)
    await wait_until(lambda: len(first.records) == 40)
    for place in side.all:
        await first.consumer.commit({place: (sum(r.partition == place.partition for r in first.records), "")})
    place = TopicPartition(side.topic.name, 0)
    end = (await first.consumer.end_offsets([place]))[place]
    first.records.clear()
    await side.send([keys[place]], ["committed", "not committed"])
    await got(first, "committed", "not committed")
    first.consumer.pause(place)

    joining = asyncio.create_task(side.join())
    await held.reached.wait()
    assert first.consumer.assignment() == side.all
    first.records.clear()
    await side.send(list(keys.values()), ["meanwhile"])
    # What is committed while the others wait for us still counts.
    await first.consumer.commit({place: (end + 1, "")})
    assert await first.consumer.committed(place) == end + 1
    assert first.consumer.assignment() == side.all
    first.consumer.resume(place)
    first.consumer.pause(place)
    assert first.records == []

    held.go_on.set()
    second = await joining
    await side.settled(2, 2)
    assert first.told == [
        ("revoked", frozenset()),
        ("assigned", side.all),
        ("revoked", side.all),
        ("assigned", first.places),
    ]
    assert first.named == [side.all]
    assert second.told == [("revoked", frozenset()), ("assigned", second.places)]
    assert first.consumer.assignment() == first.places
    assert second.consumer.assignment() == second.places
    await wait_until(lambda: len(first.records) + len(second.records) == 5)
    assert sorted(first.bodies() + second.bodies()) == [b'{"l":"meanwhile"}'] * 4 + [b'{"l":"not committed"}']
    assert {TopicPartition(r.topic, r.partition) for r in first.records} == first.places

    # What went elsewhere can't be committed, paused or resumed; what stayed can.
    lost, kept = min(second.places), min(first.places)
    for step in (first.consumer.pause, first.consumer.resume):
        with pytest.raises(IllegalStateError):
            step(lost)
    with pytest.raises(IllegalStateError):
        await first.consumer.commit({lost: (1, "")})
    await first.consumer.commit({kept: (1, "")})
    assert await first.consumer.committed(kept) == 1
    assert await second.consumer.committed(kept) == 1

    await side.stop(second)
    await side.settled(4)
    assert first.told[4:] == [("revoked", first.told[3][1]), ("assigned", side.all)]


async def falls_silent(side: Side) -> None:
    keys = await every_partition(side)
    first, second = await side.join(), await side.join()
    await side.settled(2, 2)
    mine, theirs = first.places, second.places
    await wait_until(lambda: len(first.records) + len(second.records) >= 40)
    side.deafen(second)
    silent_since = asyncio.get_running_loop().time()
    await side.send([keys[min(theirs)]], ["theirs"])
    await wait_until(lambda: any(b"theirs" in record.value for record in second.records))
    await wait_until(lambda: first.places == side.all, what="the end of the session")
    took = asyncio.get_running_loop().time() - silent_since
    assert 0.5 * side.session_seconds < took < 1.5 * side.session_seconds + 2
    assert first.told[-2:] == [("revoked", mine), ("assigned", side.all)]
    await wait_until(lambda: any(b"theirs" in record.value for record in first.records))

    # The silent one knows nothing of it; its commit tells it, and it comes again.
    assert second.consumer.assignment() == theirs
    with pytest.raises(CommitFailedError):
        await second.consumer.commit({min(theirs): (1, "")})
    assert await first.consumer.committed(min(theirs)) is None
    await side.settled(2, 2)
    assert second.told[-2:] == [("revoked", theirs), ("assigned", second.places)]
    assert second.named == [theirs]


async def does_not_come_back(side: Side) -> None:
    held = Held()
    slow = await side.join(held)
    other = await side.join()
    await wait_until(lambda: other.places == side.all, what="going on without the slow one")
    assert not held.go_on.is_set()
    assert slow.consumer.assignment() == side.all
    with pytest.raises(CommitFailedError):
        await slow.consumer.commit({min(side.all): (1, "")})
    held.go_on.set()
    await side.settled(2, 2)
    assert slow.told == [
        ("revoked", frozenset()),
        ("assigned", side.all),
        ("revoked", side.all),
        ("assigned", slow.places),
    ]


async def test_a_member_is_lost_when_its_session_ends_and_when_a_rebalance_has_waited_for_it(
    side: Side, other_side: Side
) -> None:
    """Side by side, since each lasts as long as a session."""
    await asyncio.gather(falls_silent(side), does_not_come_back(other_side))


async def test_who_is_out_of_an_empty_group_may_still_commit(side: Side) -> None:
    """Kafka takes a commit without a generation while the group has no member."""
    held = Held()
    member = await side.join(held)
    await side.leave(member)
    await held.reached.wait()
    await member.consumer.commit({min(side.all): (0, "")})
    assert await member.consumer.committed(min(side.all)) == 0
    held.go_on.set()
    await side.settled(4)
    assert member.told[2:] == [("revoked", side.all), ("assigned", side.all)]


async def test_who_is_out_of_a_group_with_others_may_not_commit(side: Side) -> None:
    held = Held()
    member, other = await side.join(), await side.join()
    await side.settled(2, 2)
    member.within = held
    await side.leave(member)
    await held.reached.wait()
    with pytest.raises(CommitFailedError):
        await member.consumer.commit({min(member.told[-1][1]): (0, "")})
    held.go_on.set()
    await side.settled(2, 2)
    assert other.told[-1] == ("assigned", other.places)


async def test_stopping_waits_for_a_revocation_under_way(side: Side) -> None:
    held = Held()
    first = await side.join(held)
    joining = asyncio.create_task(side.join())
    await held.reached.wait()
    consumer, stopping = first.consumer, asyncio.create_task(side.stop(first))
    await wait_until(lambda: first not in side.members)
    for _ in range(3):
        await consumer.end_offsets(list(side.all))
    assert not stopping.done()
    held.go_on.set()
    await stopping
    assert [what for what, _ in first.told[2:]] == ["revoked", "assigned"], "the join is not broken off"
    assert first.consumer is None
    await joining
    await side.settled(4)
    with pytest.raises(CommitFailedError):
        await consumer.commit({min(consumer.assignment()): (0, "")})
    await side.hang_up(consumer)


async def test_who_left_may_still_commit_in_an_empty_group(side: Side) -> None:
    member = await side.join()
    consumer = member.consumer
    await side.stop(member)
    await consumer.commit({min(side.all): (0, "")})
    assert await consumer.committed(min(side.all)) == 0
    assert consumer.assignment() == side.all
    await side.hang_up(consumer)


# Reading


async def test_a_paused_partition_is_handed_on_after_it_is_resumed(side: Side) -> None:
    keys = await every_partition(side)
    member = await side.join()
    await wait_until(lambda: len(member.records) == 40)
    member.records.clear()
    still, going = sorted(side.all)[:2]
    member.consumer.pause(still)
    await side.send([keys[still]], ["a"])
    await side.send([keys[going]], ["b"])
    await got(member, "b")
    await side.send([keys[going]], ["c"])
    await got(member, "b", "c")
    member.consumer.resume(still)
    await got(member, "a", "b", "c")
    assert await member.consumer.committed(still) is None


async def test_ends_and_commits_are_told_of_any_partition(side: Side) -> None:
    first, second = await side.join(), await side.join()
    await side.settled(2, 2)
    assert await first.consumer.end_offsets(list(side.all)) == dict.fromkeys(side.all, 0)
    assert await first.consumer.end_offsets([]) == {}
    await side.send(subjects(30), ["x"])
    written = {place: len(records) for place, records in (await side.written()).items()}
    assert await first.consumer.end_offsets(list(side.all)) == written
    theirs = min(second.places)
    assert await first.consumer.committed(theirs) is None
    await second.consumer.commit({theirs: (0, "")})
    assert await first.consumer.committed(theirs) == 0
    await second.consumer.commit({theirs: (1, "")})
    assert await first.consumer.committed(theirs) == 1
    await second.consumer.commit({theirs: (0, "")})
    assert await first.consumer.committed(theirs) == 0, "a commit may go back"


async def test_events_left_are_counted_from_the_commits(side: Side) -> None:
    made = await side.transport()
    keys = await every_partition(side)
    assert await made.events_left(side.group, [side.topic.name]) == 40
    member = await side.join()
    assert await made.events_left(side.group, [side.topic.name]) == 40
    await member.consumer.commit({min(keys): (1, "")})
    assert await made.events_left(side.group, [side.topic.name]) == 39
    with pytest.raises(NotFound):
        await made.events_left(side.group, ["nothing"])


# Writing


async def test_a_subjects_records_are_in_one_partition_in_order_and_acknowledged_in_order(side: Side) -> None:
    made = await side.transport()
    keys, acknowledged, sent = subjects(6), [], []
    for number in range(25):
        for key in keys:
            future = await made.send(side.topic, side.envelope(key), {"l": number})
            future.add_done_callback(lambda _, what=(key, number): acknowledged.append(what))
            sent.append(future)
    await asyncio.gather(*sent)
    for key in keys:
        found = [
            (place, record)
            for place, records in (await side.written()).items()
            for record in records
            if record.key == side.envelope(key).key.encode()
        ]
        assert len({place for place, _ in found}) == 1
        assert [record.value for _, record in found] == [b'{"l":%d}' % number for number in range(25)]
        assert [number for each, number in acknowledged if each == key] == list(range(25))


async def test_a_record_is_what_was_sent(side: Side) -> None:
    made, envelope = await side.transport(), side.envelope("3c1f7a80-9a0e-4c52-8f6a-0a1b2c3d4e5f")
    await (await made.send(side.topic, envelope, {"l": "ä"}))
    [(place, record)] = [(place, each) for place, records in (await side.written()).items() for each in records]
    assert (record.topic, record.partition, record.offset) == (place.topic, place.partition, 0)
    assert record.key == envelope.key.encode()
    assert record.value == '{"l":"ä"}'.encode()
    assert sorted(record.headers) == sorted([*envelope.headers(), ("correlation_id", CORRELATION.encode())])
    assert Envelope.parse(record.headers) == envelope


async def test_a_producer_that_is_replaced_ends_what_it_began(side: Side) -> None:
    made = await side.transport()
    sent = [await made.send(side.topic, side.envelope("s"), {"l": number}) for number in range(3)]
    await made.replace_producer()
    assert all(each.done() and each.exception() is None for each in sent)
    await (await made.send(side.topic, side.envelope("s"), {"l": 3}))
    [records] = [records for records in (await side.written()).values() if records]
    assert [record.value for record in records] == [b'{"l":%d}' % number for number in range(4)]


async def test_what_a_replaced_producer_could_not_end_is_written_once_and_late(side: Side) -> None:
    """It is dropped, and goes on by itself with all that it was given."""
    made = await side.transport()
    await (await made.send(side.topic, side.envelope("s"), {"l": 0}))
    async with side.standing_still():
        late = [await made.send(side.topic, side.envelope("s"), {"l": number}) for number in (1, 2)]
        await made.replace_producer()
        assert [each.done() for each in late] == [False, False]
    await asyncio.gather(*late)
    await (await made.send(side.topic, side.envelope("s"), {"l": 3}))
    [records] = [records for records in (await side.written()).values() if records]
    assert [record.value for record in records] == [b'{"l":%d}' % number for number in range(4)]
