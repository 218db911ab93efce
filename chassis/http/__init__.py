"""HTTP in: every route names its access, every error is a problem document, every POST is idempotent."""

from chassis.http.access import Access, Caller
from chassis.http.app import Checks, create_app
from chassis.http.paging import Paging, after, page
from chassis.http.problems import respond
from chassis.http.routing import Router

__all__ = ["Access", "Caller", "Checks", "Paging", "Router", "after", "create_app", "page", "respond"]
