"""Stands where Kafka and `chassis/events/transport.py` are: topics, groups, a consumer, an idempotent producer.

The rules of a group are Kafka's (generations, a join that waits for all members, sessions that end), those of the
client aiokafka's 0.14: during a rebalance it names the old partitions until it has new ones, and hands on no records.
Held against the real ones by `test_broker_stand_in.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)

from chassis.errors import NotFound
from chassis.events.broker_errors import translated
from contracts.envelope import Envelope
from contracts.topics import Topic
from tests.simulation.loop import Process, VirtualLoop, current
from tests.simulation.wire import Conditions, Engine

HEARTBEAT_SECONDS = 0.5
SESSION_SECONDS = 2.0
"""Also the longest that a rebalance waits for a member."""
SEND_SECONDS = 2.0
CLOSE_SECONDS = 1.0
"""How long a client may take to end what it began: half of what a record is tried for, as in the chassis."""
_JOIN_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_MOST = 500

Headers = tuple[tuple[str, bytes], ...]

log = logging.getLogger(__name__)


def _later(seconds: float, step: Callable[..., Any], *given: Any) -> None:
    loop: Any = asyncio.get_running_loop()
    (loop.later if isinstance(loop, VirtualLoop) else loop.call_later)(seconds, step, *given)


def _now() -> float:
    return asyncio.get_running_loop().time()


class Kafka(Engine):
    """One cluster: its logs and groups outlive every process."""

    ordered = True

    def __init__(self, conditions: Conditions, say: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(conditions)
        self.say = say
        self.logs: dict[TopicPartition, list[ConsumerRecord]] = {}
        self.groups: dict[str, Group] = {}
        self.consumers: list[Consumer] = []
        self.rebalances = 0
        self.small_batches = False
        self.busy_seconds = 0.0
        """The longest that a client's process is busy with something else between two steps."""
        self._members = 0

    def refused(self) -> Exception:
        return KafkaConnectionError("simulated: no connection")

    def broken(self) -> Exception:
        return KafkaConnectionError("simulated: the connection was lost")

    def unanswered(self) -> Exception:
        return RequestTimedOutError("simulated: no answer")

    def make(self, topic: Topic) -> None:
        """A topic, if it is missing."""
        for number in range(topic.partitions):
            self.logs.setdefault(TopicPartition(topic.name, number), [])

    def partitions(self, name: str) -> list[TopicPartition]:
        """Of a topic."""
        return [place for place in self.logs if place.topic == name]

    def append(self, place: TopicPartition, key: bytes, value: bytes, headers: Headers) -> None:
        """Writes a record; its consumers see it a little later."""
        log, stamp = self.logs[place], int(_now() * 1000)
        log.append(
            ConsumerRecord(
                place.topic, place.partition, len(log), stamp, 0, key, value, None, len(key), len(value), headers
            )
        )
        for consumer in self.consumers:
            if consumer.holds(place):
                _later(self.conditions.latency(), consumer.see, consumer.given, place)

    def group(self, name: str) -> Group:
        """A consumer group; made when it is first asked for."""
        if name not in self.groups:
            self.groups[name] = Group(self, name)
        return self.groups[name]

    def member(self) -> str:
        """A new member's id."""
        self._members += 1
        return f"member-{self._members}"


class Group:
    """Who reads what, and how far they got."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.kafka = kafka
        self.name = name
        self.members: dict[str, tuple[Sequence[str], float]] = {}
        """Topics, and the last sign of life."""
        self.joining: dict[str, asyncio.Future[Any]] = {}
        self.generation = 0
        self.state = "empty"
        self.offsets: dict[TopicPartition, int] = {}
        self._rebalance = 0
        _later(0.25, self._expire)

    def _expire(self) -> None:
        _later(0.25, self._expire)
        now = _now()
        for member, (topics, alive) in list(self.members.items()):
            if self.kafka.down:
                self.members[member] = (topics, now)
            elif member not in self.joining and now - alive > SESSION_SECONDS:
                self.leave(member)

    def leave(self, member: str) -> None:
        """A member goes, or is taken for gone."""
        if self.members.pop(member, None) is not None:
            self.joining.pop(member, None)
            self._prepare()
            self._complete()

    def _prepare(self) -> None:
        if self.state != "preparing":
            self.state = "preparing"
            self.kafka.rebalances += 1
            self._rebalance = self.kafka.rebalances
            self.kafka.say(f"group {self.name} rebalances")
            _later(SESSION_SECONDS, self._waited, self._rebalance)

    def _waited(self, rebalance: int) -> None:
        """Goes on without the members that did not come back."""
        if self.state != "preparing" or rebalance != self._rebalance:
            return
        if self.kafka.down:
            _later(SESSION_SECONDS, self._waited, rebalance)
            return
        for member in self.members.keys() - self.joining.keys():
            del self.members[member]
        self._complete()

    def join(self, member: str | None, topics: Sequence[str], given: asyncio.Future[Any]) -> None:
        """A member joins, or joins again; `given` gets its id, the generation and its partitions."""
        if member is None or member not in self.members:
            member = self.kafka.member()
        self.members[member] = (topics, _now())
        self.joining[member] = given
        self._prepare()
        _later(0.05, self._complete)

    def _complete(self) -> None:
        if self.state != "preparing":
            return
        if not self.members:
            self.state = "empty"
            return
        if set(self.joining) < set(self.members):
            return
        self.generation += 1
        self.state = "stable"
        names = sorted({topic for topics, _ in self.members.values() for topic in topics})
        members = sorted(self.members)
        self.kafka.conditions.random.shuffle(members)
        shares: dict[str, list[TopicPartition]] = {member: [] for member in members}
        turns = itertools.cycle(members)
        for place in (place for name in names for place in self.kafka.partitions(name)):
            shares[next(each for each in turns if place.topic in self.members[each][0])].append(place)
        joined, self.joining = self.joining, {}
        for member, given in joined.items():
            self.members[member] = (self.members[member][0], _now())
            answer = (member, self.generation, shares[member])
            _later(
                self.kafka.conditions.latency(),
                lambda each, value: each.done() or each.set_result(value),
                given,
                answer,
            )

    def _check(self, member: str | None, generation: int) -> None:
        if member not in self.members:
            raise UnknownMemberIdError
        if generation != self.generation:
            raise IllegalGenerationError

    def heartbeat(self, member: str, generation: int) -> None:
        """A sign of life."""
        self._check(member, generation)
        self.members[member] = (self.members[member][0], _now())
        if self.state == "preparing":
            raise RebalanceInProgressError

    def commit(self, member: str, generation: int, offsets: dict[TopicPartition, int]) -> None:
        """How far a member got. Without a generation it counts while there are no members."""
        if generation >= 0 or self.members:
            self._check(member, generation)
            self.members[member] = (self.members[member][0], _now())
        self.offsets.update(offsets)

    def reset(self, offset: int = 0) -> None:
        """What `rathaus events replay` does while no member is there."""
        self.offsets = dict.fromkeys(self.offsets, offset)


class _Given:
    """One generation's partitions of one consumer: read positions, and what can be seen of the logs."""

    def __init__(self, places: Sequence[TopicPartition]) -> None:
        self.places = tuple(places)
        self.position: dict[TopicPartition, int] = {}
        self.visible: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()


class Consumer:
    """aiokafka's consumer in a group, as far as the chassis sees it."""

    def __init__(self, kafka: Kafka, names: Sequence[str], group: str, listener: Any) -> None:
        self._kafka = kafka
        self._names = names
        self._listener = listener
        self.group = kafka.group(group)
        self.process: Process | None = current()
        self.member: str | None = None
        self.given: _Given | None = None
        self.rebalancing = True
        """From the revocation until there is a new assignment."""
        self.gave_up = False
        """The listener has ended what was unfinished, and there is no new assignment yet."""
        self._generation = -1
        self._rejoin = asyncio.Event()
        self._assigned = asyncio.Event()
        self._data = asyncio.Event()
        self._commits = asyncio.Lock()
        self._closed = False
        self._coordination: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        """What goes on beside it: heartbeats, and the look for where to begin."""
        kafka.consumers.append(self)

    async def start(self) -> None:
        """Connects, and joins: ends with the first assignment."""
        await self._kafka.ask("consumer connects", lambda: None)
        self._coordination = asyncio.create_task(self._coordinate())
        await self._assigned.wait()

    async def stop(self) -> None:
        """Leaves the group; a join under way, with what the listener does in it, comes to its end before."""
        if self._closed:
            return
        self._closed = True
        self._data.set()
        self._rejoin.set()
        try:
            if self._coordination is not None:
                await self._coordination
        finally:
            for task in self._tasks:
                task.cancel()
            if self in self._kafka.consumers:
                self._kafka.consumers.remove(self)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._maybe_leave_group()

    async def _maybe_leave_group(self) -> None:
        member = self.member
        if member is not None:
            with contextlib.suppress(KafkaError):
                await self._kafka.ask("group leave", lambda: self.group.leave(member))
            self._forget(member)

    # The group

    async def _coordinate(self) -> None:
        revoked = False
        before: _Given | None = None
        beating: asyncio.Task[Any] | None = None
        self._rejoin.set()
        while not self._closed:
            await self._rejoin.wait()
            if self._closed:
                return
            if not revoked:
                self.rebalancing = True
                self._assigned.clear()
                await self._tell(self._listener.on_partitions_revoked, before.places if before else ())
                revoked = self.gave_up = True
            if beating is not None:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
            self._rejoin.clear()
            joined = await self._joined()
            if joined is None:
                self._rejoin.set()
                await asyncio.sleep(0.1)
                continue
            self.member, self._generation, places = joined
            before = self.given = _Given(places)
            self.rebalancing = self.gave_up = False
            self._assigned.set()
            self._data.set()
            self._tasks.append(asyncio.create_task(self._look_up(before)))
            await self._tell(self._listener.on_partitions_assigned, places)
            revoked = False
            beating = asyncio.create_task(self._beat())
            self._tasks = [*(task for task in self._tasks if not task.done()), beating]

    async def _tell(self, what: Callable[[set[TopicPartition]], Any], places: Sequence[TopicPartition]) -> None:
        try:
            await what(set(places))
        except Exception:
            log.exception("a listener failed")

    async def _joined(self) -> tuple[str, int, list[TopicPartition]] | None:
        answer: asyncio.Future[tuple[str, int, list[TopicPartition]]] = asyncio.get_running_loop().create_future()
        member = self.member
        try:
            await self._kafka.ask("group join", lambda: self.group.join(member, self._names, answer))
            async with asyncio.timeout(_JOIN_SECONDS):
                return await answer
        except (KafkaError, TimeoutError):
            return None

    async def _look_up(self, given: _Given) -> None:
        """Where the group stands; until then nothing is fetched."""
        while given is self.given and not self._closed:
            try:
                found = await self._kafka.ask(
                    "group offsets", lambda: {place: self.group.offsets.get(place, 0) for place in given.places}
                )
            except KafkaError:
                await asyncio.sleep(0.1)
                continue
            for place, offset in found.items():
                given.position[place] = given.visible[place] = offset
                _later(self._kafka.conditions.latency(), self.see, given, place)
            return

    async def _beat(self) -> None:
        while not self._closed:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if self.member is None:
                return
            await self._do_heartbeat(self.member, self._generation)

    async def _do_heartbeat(self, member: str, generation: int) -> None:
        try:
            await self._kafka.ask("heartbeat", lambda: self.group.heartbeat(member, generation))
        except RebalanceInProgressError:
            self._rejoin.set()
        except (UnknownMemberIdError, IllegalGenerationError):
            self._forget(member)
        except KafkaError:
            pass

    def _forget(self, member: str) -> None:
        if self.member == member:
            self.member, self._generation = None, -1
            self._rejoin.set()

    # Records

    def holds(self, place: TopicPartition) -> bool:
        """Whether it fetches from this partition."""
        return self.given is not None and place in self.given.visible

    def see(self, given: _Given | None, place: TopicPartition) -> None:
        """What was written until now can be fetched."""
        if given is not self.given or given is None or self._closed:
            return
        if self._kafka.away(self.process):
            _later(0.2, self.see, given, place)
        elif place in given.visible:
            given.visible[place] = max(given.visible[place], len(self._kafka.logs[place]))
            self._data.set()

    async def fetched(self) -> list[ConsumerRecord]:
        """One look for records."""
        ends = _now() + _LOOK_SECONDS
        while not self._closed:
            if self.rebalancing:
                await self._assigned.wait()
                continue
            records = self._take()
            left = ends - _now()
            if records or left <= 0:
                return records
            self._data.clear()
            try:
                async with asyncio.timeout(left):
                    await self._data.wait()
            except TimeoutError:
                return []
        return []

    def _take(self) -> list[ConsumerRecord]:
        given, found = self.given, []
        for place in list(given.position) if given else []:
            assert given is not None
            position, most = given.position[place], _MOST - len(found)
            if place in given.paused:
                continue
            if self._kafka.small_batches:
                most = min(most, self._kafka.conditions.random.randrange(1, 6))
            records = self._kafka.logs[place][position : min(given.visible[place], position + most)]
            found.extend(records)
            given.position[place] += len(records)
        return found

    # What the chassis calls

    def assignment(self) -> frozenset[TopicPartition]:
        """The latest that was given: during a rebalance still the old one."""
        return frozenset(self.given.places if self.given else ())

    def _mine(self, place: TopicPartition) -> _Given:
        if self.given is None or place not in self.given.places:
            raise IllegalStateError(f"{place} isn't assigned")
        return self.given

    def pause(self, *places: TopicPartition) -> None:
        for place in places:
            self._mine(place).paused.add(place)

    def resume(self, *places: TopicPartition) -> None:
        for place in places:
            self._mine(place).paused.discard(place)
            self._data.set()

    async def commit(self, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        for place in offsets:
            self._mine(place)
        plain = {place: offset for place, (offset, _) in offsets.items()}
        while True:
            try:
                async with self._commits:
                    await asyncio.shield(self._commit(plain))
            except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
                raise CommitFailedError from error
            except KafkaError:
                await asyncio.sleep(0.1)
            else:
                return

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        member, generation = self.member or "", self._generation
        try:
            what = "commit " + ", ".join(
                f"{place.topic}/{place.partition}:{offset}" for place, offset in offsets.items()
            )
            await self._kafka.ask(what, lambda: self.group.commit(member, generation, offsets))
        except (UnknownMemberIdError, IllegalGenerationError):
            self._forget(member)
            raise

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Of any partitions."""
        while True:
            try:
                return dict(
                    await self._kafka.ask("end offsets", lambda: {each: len(self._kafka.logs[each]) for each in places})
                )
            except KafkaError:
                await asyncio.sleep(0.1)

    async def committed(self, place: TopicPartition) -> int | None:
        """Of any partition."""
        while True:
            try:
                found: int | None = await self._kafka.ask("committed", lambda: self.group.offsets.get(place))
            except KafkaError:
                await asyncio.sleep(0.1)
            else:
                return found


class _Subscriber:
    def __init__(self, consumer: Consumer) -> None:
        self.consumer: Consumer | None = consumer


class _Broker:
    """FastStream's broker with its one batch subscriber."""

    def __init__(self, kafka: Kafka, consumer: Consumer, on_records: Any, turn: Callable[[], int]) -> None:
        self.subscribers = [_Subscriber(consumer)]
        self._kafka = kafka
        self._on_records = on_records
        self._turn = turn
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        consumer = self.subscribers[0].consumer
        assert consumer is not None
        await consumer.start()
        self._task = asyncio.create_task(self._consume(consumer))

    async def _consume(self, consumer: Consumer) -> None:
        draw = self._kafka.conditions.random
        while True:
            records = await consumer.fetched()
            turn = self._turn()
            if self._kafka.busy_seconds and draw.random() < 0.2:
                await asyncio.sleep(draw.random() * self._kafka.busy_seconds)
            if records:
                await self._on_records(tuple(records), turn)

    async def stop(self) -> None:
        subscriber = self.subscribers[0]
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if subscriber.consumer is not None:
            await subscriber.consumer.stop()
            subscriber.consumer = None


class _Sent:
    """A record on its way."""

    def __init__(self, record: tuple[bytes, bytes, Headers]) -> None:
        self.record = record
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acknowledged.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self.since = _now()
        self.written = False


class _Producer:
    """Idempotent: in order within a partition, written once, tried again until it is old; then broken for good."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._process = current()
        self._queues: dict[TopicPartition, list[_Sent]] = {}
        self._busy: set[TopicPartition] = set()
        self._broken: set[TopicPartition] = set()

    def send(self, place: TopicPartition, record: tuple[bytes, bytes, Headers]) -> asyncio.Future[None]:
        sent = _Sent(record)
        if place in self._broken:
            sent.acknowledged.set_exception(KafkaError("simulated: an earlier record failed"))
        else:
            self._queues.setdefault(place, []).append(sent)
            self._pump(place)
        return sent.acknowledged

    def _pump(self, place: TopicPartition) -> None:
        queue = self._queues.get(place)
        if not queue or place in self._busy:
            return
        batch = list(queue) if self._kafka.conditions.random.random() < 0.7 else queue[:1]
        self._busy.add(place)
        _later(self._kafka.conditions.latency(), self._arrive, place, batch)

    def _write(self, place: TopicPartition, batch: list[_Sent]) -> None:
        for sent in batch:
            if not sent.written:
                sent.written = True
                self._kafka.append(place, *sent.record)

    def _arrive(self, place: TopicPartition, batch: list[_Sent]) -> None:
        kafka, draw = self._kafka, self._kafka.conditions.random
        share = draw.random()
        lost = kafka.away(self._process) or share < kafka.lost
        if not lost:
            self._write(place, batch)
        if lost or share < kafka.lost + kafka.silent:
            _later(0.1 + draw.random() * 0.2, self._again, place, batch)
        else:
            _later(kafka.conditions.latency(), self._acknowledged, place, batch)

    def _again(self, place: TopicPartition, batch: list[_Sent]) -> None:
        process = self._process
        if process is not None and process.dead:
            return
        if process is not None and process.frozen:
            _later(0.3, self._again, place, batch)
            return
        if _now() - batch[0].since <= SEND_SECONDS:
            self._busy.discard(place)
            self._pump(place)
            return
        self._broken.add(place)
        rows, self._queues[place] = self._queues[place], []
        for sent in rows:
            if not sent.acknowledged.done():
                sent.acknowledged.set_exception(KafkaTimeoutError())
        draw = self._kafka.conditions.random
        if draw.random() < 0.3:  # given up, and still on its way
            _later(draw.random() * 2, lambda: self._kafka.away(process) or self._write(place, batch))

    def _acknowledged(self, place: TopicPartition, batch: list[_Sent]) -> None:
        if self._process is not None and self._process.dead:
            return
        if self._kafka.away(self._process):
            self._again(place, batch)
            return
        for sent in batch:
            if sent in self._queues[place]:
                self._queues[place].remove(sent)
            if not sent.acknowledged.done():
                sent.acknowledged.set_result(None)
        self._busy.discard(place)
        self._pump(place)

    async def close(self) -> None:
        """Waits for what is under way, but not for ever: what is left then goes on being tried until it is too old."""
        ends = _now() + CLOSE_SECONDS
        while any(self._queues.values()) and _now() < ends:
            await asyncio.sleep(0.1)


class Transport:
    """The interface of `chassis.events.transport.Transport`."""

    def __init__(self, kafka: Kafka, *declared: Topic) -> None:
        self._kafka = kafka
        self.declared = declared
        self._producer: _Producer | None = None

    async def start(self) -> None:
        with translated():
            await self._kafka.ask("topics", lambda: [self._kafka.make(topic) for topic in self.declared])
        if self._producer is None:
            self._producer = await self._connected()

    async def _connected(self) -> _Producer:
        with translated():
            await self._kafka.ask("producer connects", lambda: None)
        return _Producer(self._kafka)

    async def ping(self) -> None:
        with translated():
            await self._kafka.ask("ping", lambda: None)

    async def send(self, topic: Topic, envelope: Envelope, data: dict[str, Any]) -> asyncio.Future[None]:
        if self._producer is None:
            self._producer = await self._connected()
        headers = envelope.headers()
        if envelope.correlationid:  # FastStream adds it in its own way, too
            headers.append(("correlation_id", envelope.correlationid.encode()))
        key, places = envelope.key.encode(), self._kafka.partitions(topic.name)
        return self._producer.send(places[zlib.crc32(key) % len(places)], (key, orjson.dumps(data), tuple(headers)))

    async def replace_producer(self) -> None:
        broken, self._producer = self._producer, None
        if broken is not None:
            await broken.close()

    async def subscribe(
        self, names: Sequence[str], group: str, listener: Any, on_records: Any, turn: Callable[[], int]
    ) -> _Broker:
        made = _Broker(self._kafka, Consumer(self._kafka, names, group, listener), on_records, turn)
        with translated():
            try:
                await made.start()
            except BaseException:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await made.stop()
                raise
        return made

    async def events_left(self, group: str, names: Sequence[str]) -> int:
        def _left() -> int:
            missing = [name for name in names if not self._kafka.partitions(name)]
            if missing:
                raise NotFound(f"no such topic: {', '.join(missing)}")
            offsets = self._kafka.group(group).offsets
            places = [place for name in names for place in self._kafka.partitions(name)]
            return sum(len(self._kafka.logs[place]) - offsets.get(place, 0) for place in places)

        with translated():
            return int(await self._kafka.ask("events left", _left))

    async def stop(self) -> None:
        await self.replace_producer()
