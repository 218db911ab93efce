"""What a use case comes to: the new state and what happened. Pure, so that domains can import it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from contracts.envelope import Event

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")
S_co = TypeVar("S_co", covariant=True)


class Change(NamedTuple, Generic[S_co]):
    """What a command or an event leads to. Immutable; unpacks as `state, events`."""

    state: S_co
    """The new state; None deletes the aggregate."""
    events: tuple[Event, ...] = ()
    """What happened, in order."""

    def and_then(self, step: Callable[Concatenate[S_co, P], Change[T]], *args: P.args, **kwargs: P.kwargs) -> Change[T]:
        """One more step on the changed state: `change.and_then(close, now)`. Its events follow those before."""
        after = step(self.state, *args, **kwargs)
        return Change(after.state, (*self.events, *after.events))


Transition = Callable[[S, datetime], Change[S | None]]
"""Pure: (state, now) -> Change. What a handler gives to the store, which may call it again after a write race.

`Transition[S | None]` gets None where there is no such aggregate yet.
"""
