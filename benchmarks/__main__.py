"""`make bench`: starts the embedded engines in a temporary folder, measures, prints tables."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.events import Row, measure
from rathaus.engines import Hosted, Kafka, Mongo

out = Console(highlight=False)


def show(title: str, rows: list[Row]) -> None:
    """One table."""
    table = Table("what", "value", "note", title=title, title_justify="left")
    for row in rows:
        table.add_row(row.what, row.value, row.note)
    out.print(table)


def main() -> None:
    """Measures."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("secantusdb", "aiokafka", "faststream")
    )
    out.print(f"{platform.platform()}, Python {platform.python_version()}, embedded Kafka 4.3.0, {versions}")
    with tempfile.TemporaryDirectory(prefix="rathaus-bench-") as folder:
        kafka, mongo = Kafka(Path(folder) / "kafka"), Mongo(Path(folder) / "mongo")
        brokers = Hosted(kafka.programs(), kafka.directory, url=kafka.url)
        database = Hosted([mongo.program()], mongo.directory, url=mongo.url)
        try:
            brokers.start()
            database.start()
            show("Events", asyncio.run(measure(brokers.url, database.url)))
        finally:
            brokers.stop()
            database.stop()


if __name__ == "__main__":
    main()
