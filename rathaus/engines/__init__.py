"""Real servers on one machine, each its own process: Apache Kafka, SecantusDB (a MongoDB server) and Envoy.

Each module describes how one of them is started (`Program`); `process.py` starts and ends what is described.
The servers are never imported; an existing Kafka or MongoDB takes their place by a URL in the settings.
"""

from rathaus.engines.gateway import Gateway
from rathaus.engines.kafka import Kafka
from rathaus.engines.mongo import Mongo
from rathaus.engines.process import CannotStart, Hosted, NotReady, Program, Started

__all__ = ["CannotStart", "Gateway", "Hosted", "Kafka", "Mongo", "NotReady", "Program", "Started"]
