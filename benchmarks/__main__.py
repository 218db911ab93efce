"""`make bench`: starts the embedded engines in a temporary folder, measures, prints tables."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import events
from benchmarks import platform as whole
from benchmarks.figures import out, show
from chassis.logging import configure
from chassis.settings import ServiceSettings
from rathaus.engines import Hosted, Kafka, Mongo


def main() -> None:
    """Measures."""
    configure("bench", ServiceSettings(log_level="ERROR"))
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("secantusdb", "aiokafka", "faststream")
    )
    out.print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    out.print(f"embedded Kafka 4.3.0, {versions}; load average {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="rathaus-bench-") as folder:
        show("The whole platform", asyncio.run(whole.measure(Path(folder) / "platform")))
        kafka, mongo = Kafka(Path(folder) / "kafka"), Mongo(Path(folder) / "mongo")
        brokers = Hosted(kafka.programs(), kafka.directory, url=kafka.url)
        database = Hosted([mongo.program()], mongo.directory, url=mongo.url)
        try:
            brokers.start()
            database.start()
            show("Events", asyncio.run(events.measure(brokers.url, database.url)))
        finally:
            brokers.stop()
            database.stop()


if __name__ == "__main__":
    main()
