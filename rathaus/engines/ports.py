"""Ports on 127.0.0.1: free ones, and the memory of those that were chosen."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from rathaus.engines.files import write_atomically

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections (32768 and up): a client that keeps trying
# to reach a server that is down could otherwise be given the server's own port, connect to itself and block it.
_RANGE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of 127.0.0.1 at present."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(avoid: set[int] | None = None) -> int:
    """A port on which nothing listens.

    Raises:
        OSError: none was found.
    """
    for _ in range(1000):
        port = random.choice(_RANGE)  # noqa: S311
        if port not in (avoid or set()) and is_free(port):
            return port
    raise OSError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


class Ports:
    """Free ports by name, remembered in a file, so that a restart keeps them and clients find the way back."""

    def __init__(self, file: Path, *, keep: bool = False) -> None:
        """With `keep`, a remembered port is told even while somebody listens there: the one that it was chosen for."""
        self._file = file
        self._keep = keep
        self._known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}

    def get(self, name: str) -> int:
        """The port of that name: the remembered one if nobody else has taken it meanwhile, else a new one."""
        port = self._known.get(name)
        if port is None or not (self._keep or is_free(port)):
            port = free_port(avoid=set(self._known.values()))
            self._known[name] = port
            write_atomically(self._file, json.dumps(self._known, indent=1))
        return port
