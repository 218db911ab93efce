"""Starts, watches and ends the processes of one installation on one machine.

`Platform` is for programs (`async with Platform(settings) as platform:`), `running` finds one that was started by the
command line. What runs is in `rathaus/processes.py`.
"""

from rathaus.supervisor.platform import Platform
from rathaus.supervisor.state import AlreadyRuns, Installed, NotRunning, Phase, running

__all__ = ["AlreadyRuns", "Installed", "NotRunning", "Phase", "Platform", "running"]
