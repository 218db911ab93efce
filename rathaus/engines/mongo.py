"""SecantusDB, a MongoDB server on WiredTiger, as a process of its own; it is never imported (GPL-2.0)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rathaus.engines.files import write_atomically
from rathaus.engines.ports import LOOPBACK, Ports
from rathaus.engines.probes import mongo_answers
from rathaus.engines.process import Program, beside_python

_INSTEAD = ", or name an existing MongoDB: RATHAUS_MONGO_URL=mongodb://..."


@dataclass(frozen=True, slots=True)
class Mongo:
    """The embedded database server."""

    directory: Path
    """Data and configuration; survives restarts. The port is remembered in it."""
    port: int = 0
    """0 takes a free one."""

    def program(self) -> Program:
        """How it is started.

        Raises:
            CannotStart: it isn't installed.
        """
        port = self.port or Ports(self.directory / "ports.json").get("mongo")
        config = self.directory.absolute() / "secantusd.toml"
        url = _url(port)

        async def _probe() -> None:
            await mongo_answers(url)

        return Program(
            name="mongo",
            command=(
                *(beside_python("secantusd-py", _INSTEAD), "--config", str(config)),
                *("--host", LOOPBACK, "--port", str(port)),
                *("--storage-path", str(self.directory.absolute() / "data")),
                *("--log-level", "WARNING", "--sync-on-commit"),
            ),
            probe=_probe,
            directory=self.directory.absolute(),
            ports=(port,),
            # An empty file of ours, else it would read one from the working or the home directory.
            prepare=lambda: write_atomically(config, ""),
        )

    @property
    def url(self) -> str:
        """The connection string."""
        return _url(self.port or Ports(self.directory / "ports.json", keep=True).get("mongo"))


def _url(port: int) -> str:
    return f"mongodb://{LOOPBACK}:{port}/?retryWrites=false"
