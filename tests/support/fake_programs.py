"""Tiny programs for the supervisor's tests: each behaves in one way, on one port of 127.0.0.1."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rathaus.engines import Program
from rathaus.engines.ports import Ports
from rathaus.engines.probes import http_answers
from rathaus.processes import Plan

_SERVES = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass
def end(*_):
    with open(os.environ["ENDED"], "a") as ended: ended.write(os.environ["NAME"] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + _SERVES.replace(
    "signal.signal(signal.SIGTERM, end)", ""
)
_BROKEN = "import sys; print('reading the map'); print('No space left on device'); sys.exit(7)"
KINDS: Mapping[str, str] = {"serves": _SERVES, "deaf": _DEAF, "broken": _BROKEN}


def fake(home: Path, name: str, kind: str = "serves", depends_on: tuple[str, ...] = ()) -> Program:
    """A program that serves until SIGTERM, is deaf to SIGTERM, or ends at once with exit code 7."""
    port = Ports(home / "ports.json", keep=True).get(name)

    async def _probe() -> None:
        await http_answers(port, "/")

    return Program(
        name=name,
        command=(sys.executable, "-I", "-c", KINDS[kind]),
        probe=_probe,
        directory=home,
        env={"PORT": str(port), "NAME": name, "ENDED": str(home / "ended")},
        ports=(port,),
        depends_on=depends_on,
    )


def plan(*programs: Program) -> Plan:
    """A plan of these programs only."""
    return Plan(
        programs=programs,
        kafka_url="127.0.0.1:1",
        mongo_url="mongodb://127.0.0.1:1/",
        gateway_url="http://127.0.0.1:1",
        service_urls={},
        ports={},
        secrets={},
        elsewhere={},
    )


def town(home: Path) -> Plan:
    """An engine, a service on it and a gateway before that."""
    return plan(
        fake(home, "engine"),
        fake(home, "service", depends_on=("engine",)),
        fake(home, "gateway", depends_on=("service",)),
    )


def broken_town(home: Path) -> Plan:
    """A town whose service ends at once."""
    return plan(fake(home, "engine"), fake(home, "service", "broken", depends_on=("engine",)))
