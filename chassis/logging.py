"""One root handler for our code, uvicorn, aiokafka and FastStream: JSON lines, or readable on a terminal.

Nothing personal is logged: no bodies, no form values, no names. `tests/e2e` runs canary people through all journeys.
"""

from __future__ import annotations

import logging
import sys
import traceback

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from chassis.settings import ServiceSettings

_NOISY = {
    "aiokafka": logging.WARNING,
    "pymongo": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "faststream": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "asyncio": logging.WARNING,
}

_QUOTING = frozenset({"pymongo", "bson", "pydantic_core", "jsonschema_rs", "fastapi"})
"""Libraries whose errors quote documents and requests."""


def _without_colours(_: object, __: str, event: EventDict) -> EventDict:
    """Drops uvicorn's wording for terminals, with its escape codes."""
    event.pop("color_message", None)
    return event


def configure(service: str, settings: ServiceSettings) -> None:
    """Sets up logging for this process."""
    readable = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())

    def _name(_: object, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name,
    ]
    rendering: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if readable
        else [
            structlog.processors.ExceptionRenderer(_without_content),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _without_colours],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name, level in _NOISY.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _without_content(exc_info: ExcInfo) -> str:
    return "\n".join(_told(exc_info[1], set()))


def _told(error: BaseException | None, known: set[int]) -> list[str]:
    """A traceback whose errors don't quote what they were given: that may be a person's name."""
    if error is None or id(error) in known:
        return []
    known.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    within = [line for each in getattr(error, "exceptions", ()) for line in _told(each, known)]
    quotes = isinstance(error, (ValueError, LookupError)) or type(error).__module__.partition(".")[0] in _QUOTING
    last = type(error).__name__ if quotes else f"{type(error).__name__}: {error}"
    return [*_told(before, known), *within, "".join(traceback.format_tb(error.__traceback__)) + last]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
