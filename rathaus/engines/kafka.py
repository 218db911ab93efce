"""Apache Kafka in KRaft mode: one node by default, three for fault tests. Facts: docs/decisions/0001-engines.md."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rathaus.engines import jars
from rathaus.engines.files import write_atomically
from rathaus.engines.ports import LOOPBACK, Ports
from rathaus.engines.probes import kafka_answers
from rathaus.engines.process import CannotStart, Program

_JAVA_OPTIONS = (
    *("-Xmx256m", "-XX:+UseSerialGC"),
    # The quick compiler alone: half the processor time until ready, 30 MB less, the same throughput at our size.
    "-XX:TieredStopAtLevel=1",
    # Rather dead and started again than alive and sick.
    "-XX:+ExitOnOutOfMemoryError",
)

_COMMON = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.partitions": "1",
    # After kill -9 a broker is let in again once its former self's session has ended (9 s by default).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Nothing is deleted by age unless a topic says so itself (contracts/topics.py).
    "log.retention.ms": "-1",
    # How far a group has read is kept for a year: a town's test system may sleep over the summer. (-1 is refused.)
    "offsets.retention.minutes": "525600",
    # The log cleaner would otherwise take 128 of the 256 MB.
    "log.cleaner.dedupe.buffer.size": "16777216",
}


@dataclass(frozen=True, slots=True)
class Kafka:
    """The embedded Kafka: one broker, or three on one machine."""

    directory: Path
    """Data and configuration; survives restarts. The brokers' ports are remembered in it."""
    brokers: int = 1
    port: int = 0
    """The first broker's; 0 takes a free one."""
    say: Callable[[str], None] = field(default=lambda _: None)
    """Told what takes long at the first start."""

    def programs(self) -> list[Program]:
        """One for each broker; all of them must be started before any is ready.

        Raises:
            CannotStart: Java or jgo isn't installed.
        """
        self._cluster_id()  # before the brokers prepare side by side, each of which would make one of its own
        ports = Ports(self.directory / "ports.json")
        numbers = range(1, self.brokers + 1)
        nodes = [_Node(number, self._port(ports, number), ports.get(f"controller-{number}")) for number in numbers]
        return [self._program(node, nodes) for node in nodes]

    def _port(self, ports: Ports, number: int) -> int:
        return self.port if self.port and number == 1 else ports.get(f"broker-{number}")

    def _program(self, node: _Node, nodes: Sequence[_Node]) -> Program:
        home = self.directory.absolute() if len(nodes) == 1 else self.directory.absolute() / str(node.number)
        config = home / "server.properties"
        java, class_path = jars.java(), jars.class_path()
        urls = ",".join(f"{LOOPBACK}:{each.port}" for each in nodes)
        options = [*_JAVA_OPTIONS, *_LOGGING, "-cp", class_path]

        def _prepare() -> None:
            jars.ensure(say=self.say)
            if not (home / "data").exists():
                self._format(home, node, nodes, [java, *options])
            write_atomically(config, _properties(node, nodes, home / "data"))

        async def _probe() -> None:
            await kafka_answers(urls, brokers=len(nodes))

        return Program(
            name="kafka" if len(nodes) == 1 else f"kafka-{node.number}",
            command=(java, *options, "kafka.Kafka", str(config)),
            probe=_probe,
            directory=home,
            ports=(node.port, node.controller),
            prepare=_prepare,
        )

    def _format(self, home: Path, node: _Node, nodes: Sequence[_Node], java: list[str]) -> None:
        """Formats aside and renames: data that exists is whole, and is never formatted again."""
        aside, config = home / "data.new", home / "format.properties"
        shutil.rmtree(aside, ignore_errors=True)
        write_atomically(config, _properties(node, nodes, aside))
        how = ["--standalone"] if len(nodes) == 1 else []
        command = [*java, "kafka.tools.StorageTool", "format", *how, "-t", self._cluster_id(), "-c", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise CannotStart(f"Kafka's storage can't be formatted:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        aside.rename(home / "data")
        config.unlink()

    def _cluster_id(self) -> str:
        file = self.directory / "cluster-id"
        if not file.exists():
            while not re.match(r"\w", made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")):
                pass  # one that starts with "-" would be read as an option
            write_atomically(file, made)
        return file.read_text()

    @property
    def url(self) -> str:
        """Bootstrap servers: comma-separated host:port."""
        ports = Ports(self.directory / "ports.json", keep=True)
        return ",".join(f"{LOOPBACK}:{self._port(ports, number)}" for number in range(1, self.brokers + 1))


@dataclass(frozen=True, slots=True)
class _Node:
    number: int
    port: int
    controller: int


_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


def _properties(node: _Node, nodes: Sequence[_Node], data: Path) -> str:
    copies = str(len(nodes))
    surviving = str(max(1, len(nodes) - 1))  # with three brokers one may be away
    settings = _COMMON | {
        "node.id": str(node.number),
        "listeners": f"PLAINTEXT://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{node.port}",
        "log.dirs": str(data.absolute()),
        "default.replication.factor": copies,
        "min.insync.replicas": surviving,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": surviving,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": surviving,
    }
    if len(nodes) == 1:
        settings["controller.quorum.bootstrap.servers"] = f"{LOOPBACK}:{node.controller}"
    else:
        settings["controller.quorum.voters"] = ",".join(f"{each.number}@{LOOPBACK}:{each.controller}" for each in nodes)
    return "".join(f"{name}={value}\n" for name, value in settings.items())
