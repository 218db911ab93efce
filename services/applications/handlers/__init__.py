"""Use cases of applications: load, decide, save; one atomic write each."""

from __future__ import annotations

from chassis.clock import Clock
from chassis.files import Files
from services.applications.handlers.cases import Cases
from services.applications.handlers.drafts import Drafts
from services.applications.handlers.offers import Offers
from services.applications.settings import Settings
from services.applications.store import Stores

__all__ = ["Cases", "Drafts", "Handlers", "Offers"]


class Handlers:
    """All handlers of the service."""

    def __init__(self, stores: Stores, clock: Clock, files: Files, settings: Settings) -> None:
        self.now = clock.now
        """The current time, for answers that depend on it."""
        self.offers = Offers(stores)
        self.drafts = Drafts(stores, clock, files, settings)
        self.cases = Cases(stores, files)
