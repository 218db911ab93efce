"""Kafka's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError
from faststream.exceptions import IncorrectState

from chassis.errors import EngineAway


@contextmanager
def translated() -> Iterator[None]:
    """Kafka's errors as ours.

    Raises:
        EngineAway: whatever Kafka complains about; callers try again.
    """
    try:
        yield
    except (KafkaError, OSError, IncorrectState) as error:
        raise EngineAway(f"the broker can't be reached: {type(error).__name__}") from error
