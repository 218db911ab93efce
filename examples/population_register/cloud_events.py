"""CloudEvents 1.0 in Kafka's binary mode, as far as this program needs it: `ce_` headers, the data as JSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class NotAnEvent(Exception):
    """A record that is no CloudEvent: nothing that a repetition could mend."""


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    type: str
    tenant: str
    data: dict[str, Any] = field(repr=False)


def parse(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Event:
    try:
        named = {name: (text or b"").decode() for name, text in headers}
        if named["ce_specversion"] != "1.0":
            raise NotAnEvent("another version of CloudEvents")
        data = json.loads(value or b"")
        if not isinstance(data, dict):
            raise NotAnEvent("its data is no object")
        return Event(named["ce_id"], named["ce_type"], named["ce_tenant"], data)
    except (KeyError, ValueError) as error:  # a missing header; what is neither UTF-8 nor JSON
        raise NotAnEvent(type(error).__name__) from None
